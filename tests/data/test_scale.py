from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spermseg.data.scale import head_lengths, head_regions


def ellipse(size, centre, length, width, angle=0.0):
    rows, columns = np.mgrid[: size[0], : size[1]]
    down, right = rows - centre[0], columns - centre[1]
    along = np.cos(angle) * right + np.sin(angle) * down
    across = -np.sin(angle) * right + np.cos(angle) * down
    return (along / (length / 2)) ** 2 + (across / (width / 2)) ** 2 <= 1


def test_an_upright_rectangle_has_the_ellipse_of_its_moments():
    mask = np.zeros((40, 40), bool)
    mask[10:22, 5:35] = True
    # Second moment of 30 pixels in a row: 30**2 / 12; the ellipse's axis is 4 sqrt of it.
    assert head_lengths(mask) == pytest.approx([4 * np.sqrt(30**2 / 12)])


@settings(max_examples=40, deadline=None)
@given(st.floats(20, 90), st.floats(0.45, 0.95), st.floats(0, np.pi))
def test_an_ellipse_in_any_direction_has_its_own_length(length, ratio, angle):
    mask = ellipse((110, 110), (54.3, 55.1), length, ratio * length, angle)
    assert head_lengths(mask) == pytest.approx([length], rel=0.03, abs=0.5)


def test_several_heads_are_measured_one_by_one():
    mask = ellipse((100, 200), (50, 50), 60, 40) | ellipse((100, 200), (50, 150), 30, 20)
    assert sorted(head_lengths(mask)) == pytest.approx([30, 60], rel=0.03)


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((30, 30), bool),
        np.ones((30, 30), bool),  # Cut by the border.
        ellipse((60, 60), (30, 5), 40, 20),  # Cut by the border.
        ellipse((60, 60), (30, 30), 50, 10),  # Too long: a midpiece or a clump.
        ellipse((60, 60), (30, 30), 50, 40) & ~ellipse((60, 60), (30, 30), 36, 28),  # A ring.
        ellipse((9, 9), (4, 4), 4, 4),  # A speck.
    ],
    ids=["none", "all", "at the border", "long", "ring", "speck"],
)
def test_what_is_no_single_whole_head_is_left_out(mask):
    assert head_lengths(mask).size == 0


def test_a_region_knows_its_place_its_size_and_whether_it_is_cut():
    mask = np.zeros((50, 60), bool)
    mask[10:20, 30:60] = True
    mask[25:35, 5:15] = True
    right, inner = head_regions(mask)
    assert right.window == np.s_[10:20, 30:60]
    assert right.area == 300
    assert (right.length, right.width) == (
        pytest.approx(4 * np.sqrt(30**2 / 12)),
        pytest.approx(4 * np.sqrt(10**2 / 12)),
    )
    assert (right.is_cut, inner.is_cut) == (True, False)
    assert not right.is_whole_head


def test_two_heads_that_touch_at_an_angle_are_left_out():
    mask = ellipse((120, 120), (40, 40), 50, 26, 0.0) | ellipse((120, 120), (62, 60), 50, 26, 1.57)
    assert head_lengths(mask).size == 0


def test_real_heads_measure_about_90_pixels(spermparsing):
    from spermseg.data.datasets import open_dataset

    dataset = open_dataset(spermparsing)
    lengths = [head_lengths(dataset.load(i).part_map >= 4) for i in dataset.ids[:200:20]]
    # Measured by hand on the published pictures: about 90 px.
    assert np.median(np.concatenate(lengths)) == pytest.approx(90, abs=6)
