"""Another pixel size gives what a fresh analysis with it gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spermseg import analyze
from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.uncertainty import compare_views
from spermseg.correction import Ground, pixel_size_scale, rescale
from spermseg.errors import DataError, UsageError
from spermseg.structures import Scale

from .conftest import SIZE, everything

UM_PER_PX = 4.4 / 32


@pytest.fixture(scope="module")
def smear():
    """Two sperm in plain colours, heads of 24 x 32 px, the second one's tail with a bend."""
    image = np.full((200, 400, 3), 255, np.uint8)
    rows, columns = np.mgrid[:200, :400]
    for row, bend in ((50, 400), (130, 240)):
        image[row - 3 : row + 4, 85:120] = (0, 255, 0)
        along = row + np.maximum(columns - bend, 0) // 3
        image[(np.abs(rows - along) <= 2) & (columns >= 120) & (columns < 360)] = (255, 0, 0)
        image[((rows - row) / 12) ** 2 + ((columns - 70) / 16) ** 2 <= 1] = (0, 0, 255)
    return image


@pytest.mark.parametrize("known", [{"head_length_px": 32.0}, {"head_length_px": 40.0}, {}])
def test_a_pixel_size_gives_what_a_fresh_analysis_gives(colour_model, smear, known):
    before = analyze(smear, model=colour_model, **known)
    fresh = analyze(smear, model=colour_model, um_per_px=UM_PER_PX)
    ground = Ground(smear.shape[:2], before.scale, load_criteria(), before.segmentation.schema)
    scale = pixel_size_scale(UM_PER_PX, ground.size)

    again = rescale(before.sperm, ground, scale)

    assert scale == fresh.scale
    assert len(again) == 2
    for one, other in zip(again, fresh.sperm, strict=True):
        of_one, of_other = (each.to_dict(ground.size, UM_PER_PX) for each in (one, other))
        for name in ("values", "measurement_flags", "verdict", "row", "masks"):
            assert of_one[name] == of_other[name]


def test_without_a_pixel_size_lengths_in_micrometres_are_not_judged(picture):
    relative = replace(picture.ground.scale, um_per_px=None)

    again = rescale(picture.sperm, picture.ground, relative)

    assert [one.morphometry for one in again] == [one.morphometry for one in picture.sperm]
    assert len(again[0].verdict.applied) < len(picture[1].verdict.applied)
    assert "head_length_um" not in again[0].to_dict(SIZE)["row"]


def test_marks_stay_and_there_and_back_is_the_same(picture):
    ground = picture.ground
    edited = picture.after(type="add", points=[[170, 100]], radius=8, part=5)
    other = pixel_size_scale(0.25, ground.size)

    there = rescale(edited.sperm, ground, other)
    back = rescale(there, replace(ground, scale=other), ground.scale)

    assert [one.corrected for one in there] == [False, False, False, True]
    assert [everything(one) for one in back] == [everything(one) for one in edited.sperm]


def test_the_same_scale_leaves_everything_as_it_is(picture):
    known = replace(picture[1], uncertainty=compare_views(picture[1].seen, []))

    assert rescale([known], picture.ground, picture.ground.scale) == (known,)
    other = Scale("pixel size", 24.0, 0.2)
    assert rescale([known], picture.ground, other)[0].uncertainty is None


def test_a_pixel_size_that_cannot_be_true_is_refused(picture):
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="must be positive"):
            pixel_size_scale(wrong, SIZE)
    with pytest.raises(DataError, match="cannot be true"):
        pixel_size_scale(100.0, SIZE)
    with pytest.raises(UsageError, match="a typical head here would be"):
        rescale(picture.sperm, picture.ground, pixel_size_scale(1.0, SIZE))
