from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from spermseg.data.masks import polygon_region
from spermseg.data.part_maps import (
    ALL_PARTS,
    assemble,
    assemble_sperm,
    binary_part_map,
    paint_part_map,
    part_map_of,
)
from spermseg.errors import MaskError
from spermseg.structures import SCHEMAS, LabelSchema, Part

SHAPE = (20, 30)


def square(row0, col0, row1, col1):
    return polygon_region([(col0, row0), (col1, row0), (col1, row1), (col0, row1)], SHAPE)


def test_known_values_are_part_ids():
    values = np.array([[0, 1, 2, 3], [4, 5, 6, 255]], np.uint16)
    part_map = part_map_of(values, ALL_PARTS)
    assert part_map.dtype == np.uint8
    np.testing.assert_array_equal(part_map, values)


def test_unknown_values_are_named_with_the_expected_ones(tmp_path):
    values = np.array([[0, 1, 9, 40]], np.uint8)
    with pytest.raises(MaskError, match=r"m\.png.* 9, 40, expected part ids 0, 1, 2, 3, 255"):
        part_map_of(values, SCHEMAS["report-2021"], tmp_path / "m.png")


def test_advice_depends_on_the_values():
    ids_without_ignore = LabelSchema(("background", "tail"), (0, 3), ignore_id=9)
    with pytest.raises(MaskError, match=r"dataset\.json"):
        part_map_of(np.array([[0, 255]], np.uint8), ids_without_ignore)
    with pytest.raises(MaskError, match=r"65535.*expected"):
        part_map_of(np.array([[0, 65535]], np.uint16), ALL_PARTS)
    with pytest.raises(MaskError, match=r"\(248 values\).*JPEG"):
        part_map_of(np.arange(256, dtype=np.uint8)[None], ALL_PARTS)


@pytest.mark.parametrize("white", [1, 255])
def test_black_and_white_masks_are_of_one_part(white):
    values = np.array([[0, white], [white, 0]], np.uint8)
    np.testing.assert_array_equal(binary_part_map(values, Part.TAIL), [[0, 3], [3, 0]])


@pytest.mark.parametrize("values", [[0, 1, 255], [0, 2], [0, 128, 255]])
def test_grey_is_not_black_and_white(values):
    with pytest.raises(MaskError, match="expected 0 and 1 or 0 and 255"):
        binary_part_map(np.array([values], np.uint8), Part.TAIL)


def test_a_sperm_is_cropped_to_its_parts():
    sperm = assemble_sperm(
        7,
        [
            (Part.HEAD, square(5, 6, 8, 10)),
            (Part.TAIL, square(7, 12, 8, 14)),
            (Part.TAIL, square(6, 18, 7, 20)),
        ],
        SHAPE,
    )
    assert sperm.id == 7
    assert sperm.bbox == (5, 6, 8, 20)
    assert {part: mask.sum() for part, mask in sperm.masks.items()} == {1: 12, 3: 4}
    expected = np.zeros(SHAPE, bool)
    expected[7, 12:14] = expected[6, 18:20] = True
    np.testing.assert_array_equal(sperm.full_mask(Part.TAIL, SHAPE), expected)
    assert not sperm.flags


@pytest.mark.parametrize(
    ("region", "cut"),
    [
        (square(2, 10, 5, 12), True),
        (square(3, 10, 5, 12), False),
        (square(10, 2, 12, 5), True),
        (square(14, 10, 17, 12), False),
        (square(14, 10, 18, 12), True),
        (square(10, 20, 12, 28), True),
        (square(10, 20, 12, 27), False),
        (square(-5, 10, 40, 12), True),
    ],
)
def test_a_sperm_at_the_border_is_cut(region, cut):
    assert assemble_sperm(1, [(Part.HEAD, region)], SHAPE).flags == ({"cut"} if cut else set())


def test_a_sperm_without_pixels_is_none():
    assert assemble_sperm(1, [(Part.HEAD, square(30, 40, 35, 45))], SHAPE) is None


def test_parts_are_painted_tail_acrosome_nucleus_midpiece_vacuole():
    same = square(5, 5, 9, 9)
    order = [Part.TAIL, Part.HEAD, Part.ACROSOME, Part.NUCLEUS, Part.MIDPIECE, Part.VACUOLE]
    for below, above in pairwise(order):
        sperm = assemble_sperm(1, [(above, same), (below, same)], SHAPE)
        assert paint_part_map([sperm], SHAPE)[6, 6] == above


def test_sperm_are_painted_by_id_above_what_belongs_to_none():
    part_map, sperm = assemble(
        {
            2: [(Part.TAIL, square(0, 4, 4, 8))],
            None: [(Part.VACUOLE, square(0, 0, 4, 12))],
            0: [(Part.HEAD, square(0, 2, 4, 6))],
        },
        SHAPE,
    )
    np.testing.assert_array_equal(part_map[1, :13], [6, 6, 1, 1, 3, 3, 3, 3, 6, 6, 6, 6, 0])
    assert [one.id for one in sperm] == [1, 3]
    # Both keep the pixels that they share.
    assert [one.masks[part].sum() for one, part in zip(sperm, (1, 3), strict=True)] == [16, 16]


def test_sperm_that_are_not_told_apart():
    part_map, sperm = assemble({None: [(Part.HEAD, square(0, 0, 4, 4))]}, SHAPE)
    assert part_map.sum() == 16
    assert sperm is None


def test_an_empty_annotation_is_no_sperm():
    part_map, sperm = assemble({}, SHAPE)
    assert not part_map.any()
    assert sperm == ()
