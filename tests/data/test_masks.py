from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from spermseg.data.images import write_image
from spermseg.data.masks import (
    encode_region,
    encode_rle,
    polygon_mask,
    read_mask,
    rings_region,
    rle_mask,
    rle_region,
)
from spermseg.errors import MaskError

SHAPE = (40, 45)

corners = arrays(
    np.float64, st.tuples(st.integers(3, 9), st.just(2)), elements=st.floats(-15, 60, width=32)
)
masks = arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20)))


def square(row0, col0, row1, col1):
    return [(col0, row0), (col1, row0), (col1, row1), (col0, row1)]


def test_a_square_covers_its_pixels():
    expected = np.zeros((10, 12), bool)
    expected[2:5, 3:9] = True
    np.testing.assert_array_equal(polygon_mask(square(2, 3, 5, 9), (10, 12)), expected)


def test_the_outline_belongs_to_it_where_labelme_says_so():
    expected = np.zeros((10, 12), bool)
    expected[2:6, 3:10] = True
    np.testing.assert_array_equal(
        polygon_mask(square(2, 3, 5, 9), (10, 12), outline=True), expected
    )


@pytest.mark.parametrize("outline", [False, True])
def test_true_is_one_for_whoever_reads_the_bytes(outline):
    # As scipy.ndimage does when it interpolates.
    mask = polygon_mask(square(2, 3, 5, 9), (10, 12), outline=outline)
    assert set(np.unique(mask.view(np.uint8))) == {0, 1}


def test_a_triangle_has_half_the_square():
    mask = polygon_mask([(0, 0), (100, 0), (0, 100)], (100, 100))
    # Centres on the hypotenuse lie neither inside nor outside.
    assert abs(mask.sum() - 5000) <= 50
    assert mask[0, 0]
    assert not mask[99, 99]


def test_what_lies_outside_is_cut_off():
    assert polygon_mask(square(-5, -5, 50, 50), (10, 12)).all()
    assert not polygon_mask(square(20, 20, 30, 30), (10, 12)).any()
    assert not polygon_mask(square(-9, -9, -2, -2), (10, 12), outline=True).any()
    right_half = polygon_mask(square(-1e9, 6, 1e9, 1e9), (10, 12), outline=True)
    np.testing.assert_array_equal(right_half.any(0), [False] * 6 + [True] * 6)


def test_crossing_outlines_follow_the_even_odd_rule():
    bow_tie = [(0, 0), (10, 10), (10, 0), (0, 10)]
    mask = polygon_mask(bow_tie, (10, 10))
    assert mask[5, 1]
    assert mask[5, 8]
    assert not mask[1, 5]
    twice = [*square(0, 0, 10, 10), *square(0, 0, 10, 10)]
    assert not polygon_mask(twice, (10, 10)).any()


@given(points=corners)
def test_centres_inside_by_shapely(points):
    polygon = shapely.Polygon(points)
    if not polygon.is_valid:  # Self-crossing polygons have no inside there.
        return
    rows, cols = np.indices(SHAPE)
    centres = shapely.points(cols.ravel() + 0.5, rows.ravel() + 0.5)
    inside = shapely.contains(polygon, centres).reshape(SHAPE)
    near = shapely.dwithin(polygon.exterior, centres, 1e-6).reshape(SHAPE)
    np.testing.assert_array_equal(polygon_mask(points, SHAPE)[~near], inside[~near])


def test_a_ring_within_a_ring_is_a_hole():
    region = rings_region([square(2, 3, 9, 11), square(4, 5, 6, 7)], SHAPE)
    expected = np.zeros(SHAPE, bool)
    expected[2:9, 3:11] = True
    expected[4:6, 5:7] = False
    np.testing.assert_array_equal(region.full(SHAPE), expected)
    assert not rings_region([], SHAPE).full(SHAPE).any()


@given(points=corners, hole=corners)
def test_a_line_there_and_back_changes_nothing(points, hole):
    joined = [*points, points[0], *hole, hole[0]]
    np.testing.assert_array_equal(
        rings_region([joined], SHAPE).full(SHAPE), rings_region([points, hole], SHAPE).full(SHAPE)
    )


def test_an_outline_that_would_fill_the_memory():
    winding = [(x % 7, y * 10**4) for x in range(10_000) for y in (0, 1)]
    with pytest.raises(MaskError, match="outline of 20000 corners"):
        rings_region([winding], (10**4, 10))


@given(points=corners)
def test_with_outline_as_labelme_draws(points):
    # labelme.utils.shape_to_mask, for points on the picture.
    points = np.clip(points, 0, 39)
    canvas = Image.new("L", SHAPE[::-1])
    ImageDraw.Draw(canvas).polygon([tuple(p) for p in points.tolist()], outline=1, fill=1)
    np.testing.assert_array_equal(
        polygon_mask(points, SHAPE, outline=True), np.asarray(canvas).astype(bool)
    )


@pytest.mark.parametrize(
    "points",
    [
        *([(0, 0), (1, 1)], [], [(0, 0, 0)] * 3, [(0, 0), (1, np.nan), (2, 2)], [("a", "b")] * 3),
        *(None, [(0, 0), (1, 10**400), (2, 2)], [(0, 0), (1, 1e300), (2, 2)]),
    ],
)
def test_what_is_no_polygon(points):
    with pytest.raises(MaskError, match=r"polygon"):
        polygon_mask(points, SHAPE)


@given(mask=masks)
def test_run_lengths_agree_with_pycocotools(mask):
    encoded = encode_rle(mask)
    assert isinstance(encoded["counts"], str)
    np.testing.assert_array_equal(coco_mask.decode(encoded).astype(bool), mask)
    np.testing.assert_array_equal(rle_mask(encoded, mask.shape), mask)


@given(mask=masks)
def test_uncompressed_run_lengths(mask):
    column_wise = mask.T.ravel()
    changes = np.flatnonzero(np.diff(column_wise.astype(int), prepend=0))
    counts = np.diff(np.r_[0, changes, mask.size]).tolist()
    found = rle_mask({"size": list(mask.shape), "counts": counts}, mask.shape)
    np.testing.assert_array_equal(found, mask)


def test_long_runs_need_several_characters():
    mask = np.zeros((1024, 1280), bool)
    mask[100:900:2, 5:1000] = mask[:, 1100:] = True
    np.testing.assert_array_equal(rle_mask(encode_rle(mask), mask.shape), mask)


@pytest.mark.parametrize(
    "counts",
    [
        *("", "0", "P1", "zzzzzzzzzzzz", "@@@@", "é", "00000000000001"),
        *([], [24], [26], [-5, 30], [2**40], [2**70], ["a"], [[1]]),
        *(None, 7),
    ],
)
def test_damaged_run_lengths(counts):
    with pytest.raises(MaskError, match="run length"):
        rle_mask({"size": [5, 5], "counts": counts}, (5, 5))


@given(counts=st.one_of(st.text(max_size=30), st.lists(st.integers(-2, 30), max_size=8)))
def test_any_counts_give_a_mask_or_a_mask_error(counts):
    try:
        mask = rle_mask({"size": [5, 5], "counts": counts}, (5, 5))
    except MaskError:
        return
    np.testing.assert_array_equal(rle_mask(encode_rle(mask), (5, 5)), mask)


def test_run_lengths_of_another_size():
    encoded = encode_rle(np.ones((4, 5), bool))
    with pytest.raises(MaskError, match=r"\[4, 5\], picture of \[5, 4\]"):
        rle_mask(encoded, (5, 4))


def test_values_are_read_as_stored(tmp_path):
    values = np.array([[0, 1, 2], [3, 6, 255]], np.uint8)
    write_image(tmp_path / "grey.png", values)
    write_image(tmp_path / "colour.png", np.dstack([values] * 3))
    palette = Image.fromarray(values, "P")
    palette.putpalette([255 - i // 3 for i in range(768)])
    palette.save(tmp_path / "palette.png")
    Image.fromarray(values).convert("LA").save(tmp_path / "alpha.png")
    Image.fromarray(values).save(tmp_path / "grey.tif")
    for path in sorted(tmp_path.iterdir()):
        np.testing.assert_array_equal(read_mask(path), values, err_msg=path.name)
    Image.fromarray(values > 2).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "bits.png"), values > 2)


def test_masks_that_cannot_be_read(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    write_image(tmp_path / "colour.png", np.array([[[1, 2, 3]]], np.uint8))
    with pytest.raises(MaskError, match=r"text\.png"):
        read_mask(tmp_path / "text.png")
    with pytest.raises(MaskError, match=r"colour\.png.*one value a pixel"):
        read_mask(tmp_path / "colour.png")


@given(
    mask=arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))),
    room=st.tuples(*[st.integers(0, 2)] * 4),
)
def test_a_crop_has_the_run_lengths_of_the_whole_picture(mask, room):
    whole = np.pad(mask, (room[:2], room[2:]))
    run_lengths = encode_rle(whole)
    assert encode_region(mask, (room[0], room[2]), whole.shape) == run_lengths
    region = rle_region(run_lengths, whole.shape)
    np.testing.assert_array_equal(region.full(whole.shape), whole)
    assert not mask.any() or (region.mask.any(1)[[0, -1]].all() and region.mask.any(0)[0])
