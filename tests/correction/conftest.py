"""Three sperm drawn by hand on a small picture; the tails of the first two cross."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.morphometry import measure_all
from spermseg.analysis.objects import classify
from spermseg.analysis.verdicts import judge
from spermseg.correction import Ground, apply_edit, edit_from_dict
from spermseg.structures import SCHEMAS, Part, Scale, SpermInstance

SIZE = (120, 200)
HEAD_LENGTH = 24.0


def ellipse(row, column, half_height, half_width):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return ((rows - row) / half_height) ** 2 + ((columns - column) / half_width) ** 2 <= 1


def box(row0, row1, column0, column1):
    mask = np.zeros(SIZE, bool)
    mask[row0:row1, column0:column1] = True
    return mask


def drawn(id, line, **masks):
    parts = {int(Part[name.upper()]): mask for name, mask in masks.items()}
    return SpermInstance.from_full_masks(id, parts, centerline=np.array(line, float), score=0.7)


def three_sperm():
    """Two that lie, one that hangs across the tail of the first; 24 px long heads, 3 px tails."""
    first = drawn(
        1,
        [(30, column) for column in range(41, 160)],
        acrosome=ellipse(30, 28, 8, 12) & box(0, 120, 0, 26),
        nucleus=ellipse(30, 28, 8, 12) & box(0, 120, 26, 200),
        midpiece=box(28, 33, 41, 60),
        tail=box(29, 32, 60, 160),
    )
    second = drawn(
        2,
        [(90, column) for column in range(41, 130)],
        nucleus=ellipse(90, 28, 8, 12),
        midpiece=box(88, 93, 41, 60),
        tail=box(89, 92, 60, 130),
    )
    third = drawn(
        3,
        [(row, 150) for row in range(24, 80)],
        nucleus=ellipse(11, 150, 8, 6),
        midpiece=box(20, 26, 148, 152),
        tail=box(26, 80, 149, 152),
    )
    return first, second, third


def analysed(instances, ground):
    """Measure and judge sperm as a fresh analysis does."""
    length = ground.scale.head_length_px
    measured = measure_all(instances, head_length_px=length, size=ground.size)
    found = classify(instances, measured, ground.criteria.objects, length)
    return tuple(
        AnalysedSperm(one, values, judge(values, ground.criteria, ground.scale.um_per_px, what))
        for one, values, what in zip(instances, measured, found, strict=True)
    )


@dataclass(frozen=True)
class Drawn:
    """A picture's sperm, and how they are corrected."""

    sperm: tuple[AnalysedSperm, ...]
    ground: Ground

    def after(self, **edit):
        return replace(self, sperm=apply_edit(self.sperm, edit_from_dict(edit), self.ground))

    def __getitem__(self, id):
        return next(one for one in self.sperm if one.instance.id == id)

    def mask(self, id, part):
        return self[id].instance.full_mask(Part[part.upper()], self.ground.size)

    @property
    def ids(self):
        return [one.instance.id for one in self.sperm]


def everything(one):
    """Give all that is known of a sperm, to be compared."""
    return one.to_dict(SIZE, 0.1)


@pytest.fixture(scope="session")
def ground():
    scale = Scale("head length given", HEAD_LENGTH, 0.18)
    return Ground(SIZE, scale, load_criteria(), SCHEMAS["sperm-parsing"])


@pytest.fixture(scope="session")
def picture(ground):
    return Drawn(analysed(three_sperm(), ground), ground)
