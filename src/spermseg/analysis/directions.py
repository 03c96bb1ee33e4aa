"""Which way a line goes where it begins."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def direction(points: Points, arm: float) -> Points | None:
    """Give the unit vector in which a line (n, 2) leaves its first point.

    Parameters
    ----------
    points : (n, 2) float
    arm : float
        Distance along the line after which the second point is taken, in pixels; the first tenth
        of it is skipped, since skeletons are bent where they meet.

    Returns
    -------
    (2,) float, or None for a line without length
    """
    # Of a long line its beginning says it all; steps along a skeleton are rarely below a pixel.
    walked = _walked(points[: int(2 * arm) + 9])
    if walked[-1] <= arm:
        walked = _walked(points)
    points = points[: len(walked)]
    places = (min(0.1 * arm, walked[-1] / 2), min(arm, walked[-1]))
    rows, columns = (np.interp(places, walked, points[:, axis]) for axis in (0, 1))
    step = np.array([rows[1] - rows[0], columns[1] - columns[0]])
    length = float(np.hypot(*step))
    return step / length if length > 0 else None


def _walked(points: Points) -> Points:
    """Length of a line (n, 2) up to each of its points, (n,)."""
    steps = points[1:] - points[:-1]
    walked = np.zeros(len(points))
    np.cumsum(np.hypot(steps[:, 0], steps[:, 1]), out=walked[1:])
    return walked


def angle_between(one: Points, other: Points) -> float:
    """Angle between two vectors (2,), 0 ... 180 degrees."""
    cross = one[0] * other[1] - one[1] * other[0]
    return math.degrees(abs(math.atan2(cross, one[0] * other[0] + one[1] * other[1])))


def angles_between(one: Points, others: Points) -> Points:
    """Angles between a vector (2,) and others (n, 2), 0 ... 180 degrees."""
    cross = one[0] * others[:, 1] - one[1] * others[:, 0]
    angles: Points = np.degrees(np.abs(np.arctan2(cross, others @ one)))
    return angles
