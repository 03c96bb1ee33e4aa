"""What a brush covers and which side of a line is which, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spermseg.correction.strokes import side_of, stroke
from spermseg.errors import UsageError

SIZE = (30, 40)
ROWS, COLUMNS = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5

INSIDE = st.tuples(st.floats(0, 40), st.floats(0, 30))
AROUND = st.tuples(st.floats(-20, 60), st.floats(-20, 50))


def distances(points):
    """Give how far the centre of every pixel is from a line: the formula, for every segment."""
    nearest = np.full(SIZE, np.inf)
    for (x0, y0), (x1, y1) in zip(points, points[1:] or points, strict=False):
        squared = (x1 - x0) ** 2 + (y1 - y0) ** 2
        along = ((COLUMNS - x0) * (x1 - x0) + (ROWS - y0) * (y1 - y0)) / max(squared, 1e-12)
        along = along.clip(0, 1)
        x, y = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
        nearest = np.minimum(nearest, np.hypot(COLUMNS - x, ROWS - y))
    return nearest


@given(points=st.lists(AROUND, min_size=1, max_size=5), radius=st.floats(0.75, 20))
def test_a_stroke_covers_what_is_near_the_line(points, radius):
    covered = stroke(points, radius, SIZE).full(SIZE)

    away = distances(points)
    assert covered[away < 0.99 * radius].all()
    assert not covered[away > radius + 1e-6].any()


def test_a_circle_of_two_pixels():
    covered = stroke([(10.5, 5.5)], 2.1, SIZE).full(SIZE)

    assert covered[3:8, 8:13].astype(int).tolist() == [
        [0, 0, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 0, 0],
    ]
    assert covered.sum() == 13


@given(point=st.tuples(st.floats(0, 39.99), st.floats(0, 29.99)))
def test_the_thinnest_brush_covers_a_pixel_wherever_it_is(point):
    assert stroke([point], 0.5, SIZE).mask.any()


def test_a_stroke_far_outside_or_over_too_much_is_refused():
    with pytest.raises(UsageError, match=r"\(400, 3\) lies far outside of the picture"):
        stroke([(1, 2), (400, 3)], 2, SIZE)
    with pytest.raises(UsageError, match="at most 16,777,216 can be changed"):
        stroke([(0, 0), (9000, 9000)], 2, (10_000, 10_000))


@given(first=INSIDE, last=INSIDE)
def test_a_straight_line_divides_by_the_half_plane(first, last):
    length = np.hypot(last[0] - first[0], last[1] - first[1])
    assume(length > 3)
    off = (last[0] - first[0]) * (ROWS - first[1]) - (last[1] - first[1]) * (COLUMNS - first[0])

    side = side_of([first, last], (0, 0, *SIZE))

    clear = np.abs(off / length) > 1e-3
    agrees = side[clear] == (off[clear] > 0)
    assert agrees.all() or not agrees.any()


def test_a_bent_line_encloses_what_lies_within_its_arms():
    side = side_of([(0, 10), (20, 10), (20, 20), (0, 20)], (0, 0, *SIZE))

    within = np.zeros(SIZE, bool)
    within[10:20, :20] = True
    assert (side == within).all() or (side == ~within).all()


def test_a_line_without_length_has_no_sides():
    with pytest.raises(UsageError, match="no length"):
        side_of([(3, 3), (3, 3)], (0, 0, *SIZE))
