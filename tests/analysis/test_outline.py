"""The walk around a region, with marching squares as the oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from skimage.measure import find_contours

from spermseg.analysis.outline import smooth_outline, trace_outline


def contour(mask):
    """The outer outline as scikit-image finds it; of one region, that is the longest."""
    padded = np.pad(mask, 1).astype(np.float32)
    return max(find_contours(padded, 0.5), key=len) - 1


def test_the_outline_of_one_pixel_goes_around_it():
    outline = trace_outline(np.ones((1, 1), bool))
    assert outline.tolist() == [[0.5, 0], [0, -0.5], [-0.5, 0], [0, 0.5], [0.5, 0]]


def test_a_rectangle_has_a_point_on_every_edge():
    outline = trace_outline(np.ones((3, 5), bool))
    assert len(outline) == 2 * (3 + 5) + 1
    walked = np.hypot(*np.diff(outline, axis=0).T).sum()
    assert walked == pytest.approx(2 * (2 + 4) + 4 * math.sqrt(0.5))


def test_pixels_that_touch_by_a_corner_do_not_hold_together():
    mask = np.eye(2, dtype=bool)
    assert len(trace_outline(mask)) == 5


@given(arrays.arrays(bool, st.tuples(st.integers(2, 14), st.integers(2, 14))))
def test_it_is_the_contour_of_marching_squares_point_for_point(mask):
    labels, n = ndimage.label(mask)
    if n == 0:
        return
    region = ndimage.binary_fill_holes(labels == np.bincount(labels.ravel())[1:].argmax() + 1)
    np.testing.assert_array_equal(trace_outline(region), contour(region))


def test_a_large_disc_is_smooth_and_round():
    rows, columns = np.indices((121, 121))
    outline = smooth_outline((rows - 60) ** 2 + (columns - 60) ** 2 <= 50**2)
    radii = np.hypot(*(outline - 60).T)
    assert radii.mean() == pytest.approx(50, abs=0.3)
    assert np.ptp(radii) < 0.5
