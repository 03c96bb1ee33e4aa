"""What is told about sperm: outlines within half a pixel, lines, and shapes drawn once."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.verdicts import Failure, Verdict
from spermseg.structures import Morphometry, Part, SpermInstance
from spermseg.web import answers
from spermseg.web.answers import SpermTexts


def sperm(id=1, centerline=None, shift=(0, 0)):
    rows, columns = np.mgrid[:40, :60]
    head = (rows - 20) ** 2 / 15**2 + (columns - 30) ** 2 / 25**2 < 1
    hole = (rows - 20) ** 2 + (columns - 30) ** 2 < 36
    box = (100 + shift[0], 200 + shift[1], 140 + shift[0], 260 + shift[1])
    masks = {int(Part.NUCLEUS): head & ~hole, int(Part.TAIL): np.zeros_like(head)}
    failure = Failure("head_length", "head", "head_length", 5.2, 4.7, "um", "head too long")
    return AnalysedSperm(
        SpermInstance(id, box, masks, centerline, 0.91234567),
        Morphometry(id, {"head_length": 50.0, "head_width": float("nan")}),
        Verdict((failure,), applied=("head_length",)),
    )


def told(one, um_per_px=0.1):
    return json.loads(SpermTexts().text(one, um_per_px))


def test_outlines_are_within_half_a_pixel_of_the_mask():
    answer = told(sperm())
    rings = answer["outlines"]
    assert list(rings) == [str(int(Part.NUCLEUS))]  # An empty mask has no outline.
    shell, hole = rings["5"]
    drawn = shapely.Polygon(shell, [hole])
    rows, columns = np.nonzero(sperm().instance.masks[5])
    pixels = [shapely.box(c, r, c + 1, r + 1) for r, c in np.stack([rows + 100, columns + 200], 1)]
    true = shapely.union_all(pixels)
    # Half a pixel for the simplification and the half diagonal by which stairs leave a line.
    assert drawn.hausdorff_distance(true) <= 0.5 + 0.71
    assert drawn.area == pytest.approx(true.area, rel=0.02)
    assert len(shell) < 60


def test_findings_are_those_of_the_table():
    answer = told(sperm())
    assert answer["verdict"] == "abnormal"
    assert answer["failed"] == [
        {"criterion": "head_length", "sentence": "head too long (5.2 > 4.7 um)"}
    ]
    assert answer["score"] == 0.9123
    assert answer["bbox"] == [100, 200, 140, 260]
    assert answer["corrected"] is False
    assert answer["measurements"] == {"head_length_px": 50.0, "head_length_um": 5.0}
    assert told(sperm(), None)["measurements"] == {"head_length_px": 50.0}


def test_a_centre_line_has_the_points_that_it_needs():
    straight = np.stack([np.full(50, 110.0), np.arange(210.0, 260.0)], axis=1)
    bent = np.concatenate([straight, [[130.0, 259.0]]])
    answer = told(sperm(centerline=bent))
    # The centre of pixel (110, 210) is half a pixel from the corner that outlines count from.
    assert answer["centerline"] == [[210.5, 110.5], [259.5, 110.5], [259.5, 130.5]]
    assert told(sperm())["centerline"] is None


def test_a_shape_is_drawn_once_and_few_are_kept(monkeypatch):
    drawn = []
    original = answers.outlines
    monkeypatch.setattr(answers, "outlines", lambda *a, **k: drawn.append(1) or original(*a, **k))
    texts = SpermTexts(kept=2)
    first = texts.text(sperm(), 0.1)
    assert texts.text(sperm(), 0.1) == first
    assert len(drawn) == 1
    assert texts.text(sperm(), 0.2) != first
    assert len(drawn) == 1
    for shift in (1, 2, 3):
        texts.text(sperm(shift=(0, shift)), 0.1)
    assert len(drawn) == 4
    assert texts.text(sperm(), 0.1) == first
    assert len(drawn) == 5
