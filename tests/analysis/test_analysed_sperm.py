"""A sperm drawn by hand, as a table row and through JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from spermseg.analysis.analysed_sperm import COLUMNS, AnalysedSperm
from spermseg.analysis.quantities import QUANTITIES
from spermseg.analysis.verdicts import NO_HEAD, Failure, Skipped, Verdict
from spermseg.data.masks import rle_mask
from spermseg.structures import HEAD_PARTS, Morphometry, Part, SpermInstance

SIZE = (30, 40)


@pytest.fixture
def sperm():
    """A head of 4 x 6 pixels with its corner at (10, 20), a tail of 1 x 8 to its right."""
    head, tail = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    head[10:14, 20:26] = True
    tail[12, 26:34] = True
    instance = SpermInstance.from_full_masks(
        7,
        {Part.NUCLEUS: head, Part.TAIL: tail},
        centerline=np.array([[12.0, 26.0], [12.0, 33.126]]),
        score=0.87654,
        flags=frozenset({"no_midpiece"}),
    )
    values = {"head_length": 6.0, "head_area": 24.0, "acrosome_fraction": 0.5}
    failure = Failure("head_width", "head", "head_width", 1.9, 2.5, "um", "head too thin")
    verdict = Verdict((failure,), None, (Skipped("tail_length", "no tail"),), ("head_width",))
    return AnalysedSperm(instance, Morphometry(7, values, frozenset({"no_midpiece"})), verdict)


def test_a_row_has_pixels_and_where_it_can_micrometres(sperm):
    row = sperm.row(0.1)
    assert tuple(row) == COLUMNS
    assert (row["sperm_id"], row["score"], row["flags"]) == (7, 0.8765, "no_midpiece")
    assert (row["verdict"], row["failed"], row["reason"]) == ("abnormal", "head_width", None)
    box = [row[f"bbox_{name}_px"] for name in ("x", "y", "width", "height")]
    assert box == [20, 10, 14, 4]
    # Columns: 24 pixels about 22.5 and 8 about 29.5. Rows: 24 about 11.5 and 8 on 12.
    assert (row["centroid_x_px"], row["centroid_y_px"]) == (24.2, 11.6)
    assert (row["head_length_px"], row["head_length_um"]) == (6.0, pytest.approx(0.6))
    assert (row["head_area_px2"], row["head_area_um2"]) == (24.0, pytest.approx(0.24))
    assert row["acrosome_fraction"] == 0.5
    assert row["tail_length_um"] is None


def test_without_a_scale_the_same_columns_stay_empty(sperm):
    row = sperm.row()
    assert tuple(row) == COLUMNS
    assert (row["head_length_px"], row["head_length_um"], row["um_per_px"]) == (6.0, None, None)


def test_every_quantity_has_its_columns():
    for name, quantity in QUANTITIES.items():
        columns = [column for column in COLUMNS if column.startswith(name)]
        assert len(columns) >= (2 if quantity.needs_scale else 1)
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_boxes_of_parts(sperm):
    assert sperm.head_box == (10, 20, 14, 26)
    assert sperm.box_of(*HEAD_PARTS, Part.TAIL) == (10, 20, 14, 34)
    assert sperm.box_of(Part.MIDPIECE) is None


def test_a_sperm_survives_json(sperm):
    text = json.dumps(sperm.to_dict(SIZE), allow_nan=False)
    again = AnalysedSperm.from_dict(json.loads(text))
    assert json.dumps(again.to_dict(SIZE)) == text
    assert again.verdict == sperm.verdict
    assert again.morphometry == sperm.morphometry
    assert again.instance.flags == sperm.instance.flags
    for part, mask in sperm.instance.masks.items():
        np.testing.assert_array_equal(again.instance.masks[part], mask)
    # Points are kept to a hundredth of a pixel.
    np.testing.assert_allclose(again.instance.centerline, [[12, 26], [12, 33.13]])


def test_masks_are_coco_run_lengths_of_the_whole_picture(sperm):
    masks = sperm.to_dict(SIZE)["masks"]
    assert set(masks) == {"3", "5"}
    whole = rle_mask(masks["3"], SIZE)
    np.testing.assert_array_equal(np.argwhere(whole), [(12, column) for column in range(26, 34)])


def test_what_is_not_known_is_null(sperm):
    unknown = replace(sperm, morphometry=Morphometry(7, {"head_length": math.nan}))
    value = unknown.to_dict(SIZE)
    assert value["values"] == {"head_length": None}
    assert math.isnan(AnalysedSperm.from_dict(value).morphometry.values["head_length"])
    assert unknown.row(0.1)["head_length_um"] is None


def test_a_tail_without_a_head_is_no_sperm(sperm):
    instance = replace(sperm.instance, flags=frozenset({"headless"}))
    orphan = AnalysedSperm(
        instance,
        Morphometry(7, {}, frozenset({"no_head"})),
        Verdict(not_assessable_reason=NO_HEAD, object="headless tail"),
    )
    assert not orphan.is_sperm
    assert orphan.flags == {"no_head"}
    assert orphan.verdict_name == "not counted"


def test_what_tables_need_is_kept_beside_the_masks(sperm):
    value = json.loads(json.dumps(sperm.to_dict(SIZE, 0.1), allow_nan=False))
    assert value["row"] == {name: cell for name, cell in sperm.row(0.1).items() if cell is not None}
    head, tail = value["masks"]["5"], value["masks"]["3"]
    assert (head["area"], head["box"]) == (24, [10, 20, 14, 26])
    assert (tail["area"], tail["box"]) == (8, [12, 26, 13, 34])
    light = AnalysedSperm.from_dict(value, masks=False)
    assert light.instance.masks == {}
    assert (light.morphometry, light.verdict) == (sperm.morphometry, sperm.verdict)
