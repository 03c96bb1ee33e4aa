from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spermseg.analysis.head_outlines import HeadOutlines, widened


def discs(size, *centres, radius=6):
    rows, columns = np.mgrid[: size[0], : size[1]]
    heads = np.zeros(size, np.int32)
    for number, (row, column) in enumerate(centres, start=1):
        heads[np.hypot(rows - row, columns - column) <= radius] = number
    return heads


def test_distance_and_number_of_the_nearest_head():
    heads = HeadOutlines(discs((40, 80), (20, 15), (20, 60)))
    away, number = heads.nearest(np.array([[20.0, 31.2], [20, 52], [20, 60], [5, 15]]))
    assert away == pytest.approx([10, 2, 0, 9])
    assert number.tolist() == [1, 2, 2, 1]
    assert heads.centres() == pytest.approx(np.array([[20, 15], [20, 60]]))
    assert heads.touching == set()


def test_all_heads_around_a_place():
    heads = HeadOutlines(discs((40, 80), (20, 15), (20, 40)))
    around = heads.around(np.array([[20.0, 27.0], [20, 44], [5, 70]]), 8)
    assert around == [{1: 6.0, 2: 7.0}, {2: 0.0}, {}]


def test_without_heads_everything_is_far_away():
    heads = HeadOutlines(np.zeros((10, 10), np.int32))
    away, number = heads.nearest(np.array([[1.0, 2.0]]))
    assert np.isinf(away).all()
    assert number.tolist() == [0]
    assert HeadOutlines(np.zeros((10, 10), np.int32)).around(np.array([[1.0, 2.0]]), 5) == [{}]


def test_heads_that_lie_beside_each_other_touch():
    heads = np.zeros((20, 40), np.int32)
    heads[5:10, 5:10], heads[5:10, 10:15], heads[5:10, 16:20] = 1, 2, 3
    assert HeadOutlines(heads).touching == {1, 2}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_the_distances_are_those_of_a_distance_transform(seed, reach):
    rng = np.random.default_rng(seed)
    heads = discs((40, 50), *rng.integers(0, 50, (4, 2)).tolist(), radius=rng.integers(1, 8))
    heads[0, 0] = 1
    expected = ndimage.distance_transform_edt(heads == 0)
    points = rng.uniform(0, (39, 49), (30, 2))
    away, _ = HeadOutlines(heads).nearest(points)
    assert away == pytest.approx(expected[tuple(np.rint(points).astype(int).T)])
    grown = widened(heads, reach)
    assert ((grown > 0) == (expected <= reach)).all()
    assert (grown[heads > 0] == heads[heads > 0]).all()
