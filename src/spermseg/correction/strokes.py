"""Lines drawn by hand, as pixels: what a brush covers, and which side of a line is which."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from spermseg.data.masks import Region, rings_region
from spermseg.data.preprocess import Size
from spermseg.errors import UsageError

Box = tuple[int, int, int, int]
Line = Sequence[tuple[float, float]]

LARGEST_WINDOW = 2**24
"""Pixels of the box around one sperm or stroke, 4096 x 4096: tails are some ten heads long."""

_THINNEST = 0.75
"""With this radius, over half a diagonal, a brush covers the centre of a pixel wherever it is."""

_ROUNDNESS = 16
"""Corners of a quarter of a circle: at a radius of 100 px it is 0.1 px off."""

_HEADING = 3.0
"""Pixels: the end of a line points where its last so many pixels do; hands tremble."""


def check_window(height: int, width: int) -> None:
    """Refuse a box, in pixels, that no sperm has, with a `UsageError`."""
    if height * width > LARGEST_WINDOW:
        raise UsageError(
            f"this spans {height} x {width} pixels, at most {LARGEST_WINDOW:,} can be changed"
        )


def stroke(points: Line, radius: float, size: Size) -> Region:
    """Give the pixels that a brush covers.

    Parameters
    ----------
    points : sequence of (x, y)
        In continuous picture pixels.
    radius : float
        Pixels whose centre is no further from the line are covered; at least half a diagonal.
    size : (height, width)
        Of the picture; what lies outside of it is cut off.

    Raises
    ------
    UsageError
        For a point further outside of the picture than it is large, and for a stroke over too
        many pixels.
    """
    check_near(points, size)
    line = shapely.MultiPoint(points[:1]) if len(points) == 1 else shapely.LineString(points)
    covered = line.buffer(max(radius, _THINNEST), quad_segs=_ROUNDNESS)
    left, top, right, bottom = np.clip(covered.bounds, 0, [size[1], size[0]] * 2).tolist()
    check_window(math.ceil(bottom - top), math.ceil(right - left))
    rings = [shapely.get_coordinates(ring)[:-1] for ring in (covered.exterior, *covered.interiors)]
    return rings_region(rings, size)


def check_near(points: Line, size: Size) -> None:
    """Refuse points further outside of the picture than it is large, with a `UsageError`."""
    for x, y in points:
        if not (-size[1] <= x <= 2 * size[1] and -size[0] <= y <= 2 * size[0]):
            raise UsageError(
                f"the point ({x:g}, {y:g}) lies far outside of the picture, "
                f"which is {size[1]} x {size[0]} pixels"
            )


def side_of(points: Line, box: Box) -> NDArray[np.bool_]:
    """Mark the pixels on one side of a line that goes straight on at both of its ends.

    Parameters
    ----------
    points : sequence of (x, y)
        At least two.
    box : (row0, col0, row1, col1)
        The pixels asked for.

    Returns
    -------
    (row1 - row0, col1 - col0) bool

    Raises
    ------
    UsageError
        When the line has no length.
    """
    row0, col0, row1, col1 = box
    line = np.asarray(points, float) - (col0, row0)
    middle = np.array([col1 - col0, row1 - row0]) / 2
    # Beyond the box and all of the line, whichever way it goes.
    far = 4 * (float(np.hypot(*middle)) + float(np.hypot(*(line - middle).T).max()) + 1)
    start = line[0] + far * _heading(line[::-1])
    end = line[-1] + far * _heading(line)
    first, last = (math.atan2(*(point - middle)[::-1]) for point in (end, start))
    # Around the box, from the line's end back to its start.
    turns = np.linspace(first, last if last > first else last + 2 * math.pi, 64)
    around = middle + 2 * far * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    ring = np.concatenate([[start], line, [end], around])
    shape = (row1 - row0, col1 - col0)
    return rings_region([ring], shape).full(shape)


def _heading(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the direction, of length 1, in which a line (n, 2) ends."""
    away = np.hypot(*(line - line[-1]).T)
    before = np.flatnonzero(away >= min(_HEADING, float(away.max())))[-1]
    if away[before] == 0:
        raise UsageError("the line has no length", fix="Draw it across the sperm")
    heading: NDArray[np.float64] = (line[-1] - line[before]) / away[before]
    return heading
