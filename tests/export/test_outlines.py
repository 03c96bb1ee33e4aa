from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from spermseg.data.masks import rings_region
from spermseg.export.outlines import LOSSLESS, keyhole, numbers, outlines

SHAPE = (24, 26)

masks = arrays(bool, st.tuples(st.integers(1, 18), st.integers(1, 18)))
tolerances = st.sampled_from([0.0, 0.1, 0.2, 0.3, LOSSLESS])


@st.composite
def blobs(draw):
    """Draw smooth shapes, as parts are: discs and thick lines, united and cut out."""
    rows, columns = np.mgrid[:18, :18] + 0.5
    mask = np.zeros((18, 18), bool)
    number = st.floats(0, 18, width=16)
    for filled in draw(st.lists(st.booleans(), min_size=1, max_size=5)):
        (r0, c0, r1, c1), radius = draw(st.tuples(*[number] * 4)), draw(st.floats(0.5, 6, width=16))
        along = np.array([r1 - r0, c1 - c0])
        share = ((rows - r0) * along[0] + (columns - c0) * along[1]) / max(along @ along, 1e-9)
        share = np.clip(share, 0, 1)
        near = np.hypot(rows - r0 - share * along[0], columns - c0 - share * along[1]) <= radius
        mask = mask | near if filled else mask & ~near
    return mask


def placed(mask):
    full = np.zeros(SHAPE, bool)
    full[3 : 3 + mask.shape[0], 5 : 5 + mask.shape[1]] = mask
    return full


def outlined(mask, simplify):
    return outlines(mask, (3, 5), simplify=simplify)


def test_a_pixel_has_four_corners():
    (polygon,) = outlines(np.ones((1, 1), bool), (7, 4), simplify=0)
    assert numbers(polygon.shell) == [[4, 7], [5, 7], [5, 8], [4, 8]]
    assert polygon.holes == ()
    (diamond,) = outlines(np.ones((1, 1), bool), (7, 4))
    assert sorted(numbers(diamond.shell)) == [[4, 7.5], [4.5, 7], [4.5, 8], [5, 7.5]]


def test_a_hole_runs_the_other_way():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    (polygon,) = outlines(mask, simplify=0)
    (hole,) = polygon.holes
    assert sorted(numbers(hole)) == [[2, 2], [2, 3], [3, 2], [3, 3]]
    # In coordinates that grow upwards, as of maps, shells run counter-clockwise.
    assert shapely.LinearRing(polygon.shell).is_ccw
    assert not shapely.LinearRing(hole).is_ccw


def test_pixels_that_touch_by_a_corner_are_two():
    assert len(outlines(np.eye(3, dtype=bool), simplify=0)) == 3
    ring = np.ones((4, 4), bool)
    ring[1:3, 1:3] = ring[0, 0] = False
    ring[1, 1] = True  # Touches the ring, which is open above left, from within.
    assert len(outlines(ring, simplify=0)) == 1


def test_an_island_in_a_hole_is_a_piece_of_its_own():
    mask = np.ones((7, 7), bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    outer, island = sorted(outlines(mask, simplify=0), key=lambda one: -len(one.holes))
    assert len(outer.holes) == 1
    assert shapely.Polygon(island.shell).area == 1


def test_nothing_has_no_outline():
    assert outlines(np.zeros((3, 4), bool)) == []
    assert outlines(np.zeros((0, 0), bool)) == []


@given(mask=masks | blobs(), simplify=tolerances)
def test_filling_gives_the_same_mask(mask, simplify):
    full, polygons = placed(mask), outlined(mask, simplify)
    rings = [ring for polygon in polygons for ring in polygon.rings]
    np.testing.assert_array_equal(rings_region(rings, SHAPE).full(SHAPE), full)
    # The same by another program's idea of inside.
    whole = shapely.MultiPolygon([(one.shell, one.holes) for one in polygons])
    assert whole.is_valid
    rows, columns = np.indices(SHAPE) + 0.5
    np.testing.assert_array_equal(shapely.contains_xy(whole, columns, rows), full)
    if simplify == 0:
        assert whole.area == mask.sum()


@given(mask=masks | blobs(), simplify=tolerances)
def test_a_keyhole_stands_for_holes(mask, simplify):
    full = np.zeros(SHAPE, bool)
    for polygon in outlined(mask, simplify):
        full |= rings_region([keyhole(polygon)], SHAPE).full(SHAPE)
    np.testing.assert_array_equal(full, placed(mask))


def test_a_keyhole_takes_the_shortest_way():
    mask = np.ones((9, 20), bool)
    mask[6:8, 14:17] = False
    (polygon,) = outlines(mask, simplify=0)
    # Around all, around the hole, and from (17, 8) to the nearest corner (20, 9), there and back.
    around = shapely.LinearRing(keyhole(polygon)).length
    assert around == pytest.approx(2 * 29 + 2 * 5 + 2 * np.hypot(3, 1))


@given(mask=masks | blobs())
def test_pycocotools_fills_stairs_alike(mask):
    flat = [[float(n) for n in keyhole(one).ravel()] for one in outlined(mask, 0)]
    if not flat:
        return
    merged = coco_mask.merge(coco_mask.frPyObjects(flat, *SHAPE))
    np.testing.assert_array_equal(coco_mask.decode(merged).astype(bool), placed(mask))


@settings(max_examples=50)
@given(mask=blobs(), simplify=st.sampled_from([0.7, 1.0, 2.0]))
def test_further_simplified_outlines_move_no_more_than_that(mask, simplify):
    polygons = outlined(mask, simplify)
    whole = shapely.MultiPolygon([(one.shell, one.holes) for one in polygons])
    assert whole.is_valid
    stairs = shapely.MultiPolygon([(one.shell, one.holes) for one in outlined(mask, 0)])
    rows, columns = np.indices(SHAPE) + 0.5
    changed = shapely.contains_xy(whole, columns, rows) != placed(mask)
    # The ends of rings may move twice: see GEOS.
    near = shapely.dwithin(stairs.boundary, shapely.points(columns, rows), 2 * simplify + 0.5)
    assert not (changed & ~near).any()
    assert sum(len(one.shell) for one in polygons) <= sum(
        len(one.shell) for one in outlined(mask, LOSSLESS)
    )


def test_straight_slopes_become_straight_lines():
    slope = np.tri(20, dtype=bool)
    (stairs,), (line,) = outlines(slope, simplify=0), outlines(slope)
    assert len(stairs.shell) > 35
    assert len(line.shell) <= 8


@pytest.mark.parametrize("side", [1, 2, 3])
def test_masks_at_every_edge_of_the_frame(side):
    mask = np.ones((side, side), bool)
    (polygon,) = outlines(mask, simplify=0)
    assert polygon.shell.min() == 0
    assert polygon.shell.max() == side
