"""Widths, bends and turns along a midpiece and tail."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.analysis.centerline import Flagellum

Points = NDArray[np.float64]
Mask = NDArray[np.bool_]

_EVERY = 2
"""Pixels of length between the places where a width is taken."""

_REACH = 0.5
"""How far from the centre line a part may reach, in head lengths."""

_BEND = 0.25
"""A bend is the angle between two chords of this length, in head lengths, that meet."""

_TANGENT = 0.25
"""Length of the chord that is the direction of a line at its middle, in head lengths."""

_BULGE = 1.5
"""What is wider than the midpiece's usual width times this is a droplet."""

_UNEXPLAINED = 1.15
"""A tail of more than this times the area along its line was not followed to its end."""

_WOUND = (1.3, 2.3)
"""A tail is wound up when its area by its width is this many times the length of its line, and the
diameter of the circle it lies in."""

_DROPLET = 0.02
"""Smaller bulges, as a share of the head's area, are the neck's own flare or noise."""


def width_profile(
    points: Points, mask: Mask, corner: Points, reach: float, *, every: int = _EVERY
) -> Points:
    """Measure how wide a part is along its centre line.

    Parameters
    ----------
    points : (n, 2) float
        Row and column in the picture, a pixel apart.
    mask : (h, w) bool
    corner : (2,) float
        Row and column of the mask's first pixel in the picture.
    reach : float
        Pixels; what is further from the line is not looked at.
    every : int
        A width is taken at every so many points.

    Returns
    -------
    (m,) float
        Pixels; 0 where the line runs outside of the mask. The mask is sampled across the line,
        between pixels linearly, and summed up over the stretch that holds together: on average
        exact, unlike distances between pixels, which only take steps.
    """
    if len(points) < 3:
        return np.zeros(0)
    half = max(1, round(reach))
    tangents = np.gradient(points, axis=0)[::every]
    lengths = np.maximum(np.hypot(*tangents.T), 1e-9)
    across = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1) / lengths[:, None]
    middles = points[::every] - corner
    # Few places are a third as wide as they may be: these alone are looked at further out.
    widths, goes_on = _widths(mask, middles, across, max(1, half // 3))
    if goes_on.any():
        widths[goes_on], _ = _widths(mask, middles[goes_on], across[goes_on], half)
    return widths


def _widths(mask: Mask, middles: Points, across: Points, half: int) -> tuple[Points, Mask]:
    """Give widths (m,) up to `half` pixels to each side of a line, and which go on beyond that."""
    offsets = np.arange(-half, half + 1)
    places = middles[:, None] + offsets[None, :, None] * across[:, None]
    inside = ndimage.map_coordinates(
        mask, places.reshape(-1, 2).T, np.float64, order=1, prefilter=False
    ).reshape(places.shape[:2])
    apart = inside < 0.01
    left = np.logical_or.accumulate(apart[:, half::-1], axis=1)[:, ::-1]
    right = np.logical_or.accumulate(apart[:, half + 1 :], axis=1) | apart[:, [half]]
    widths: Points = np.where(np.concatenate([left, right], axis=1), 0, inside).sum(1)
    goes_on: Mask = ~(left[:, 0] & right[:, -1])
    return np.where(inside[:, half] < 0.5, 0.0, widths), goes_on


def midpiece_values(
    flagellum: Flagellum, mask: Mask, corner: Points, head_length: float
) -> dict[str, float]:
    """Measure length, width and droplet of a midpiece; `mask` (h, w) is the midpiece's."""
    points = flagellum.midpiece
    widths = width_profile(points, mask, corner, _REACH * head_length)
    seen = widths[widths > 0]
    if not len(seen):
        return {}
    bulge = np.maximum(0, widths - _BULGE * _quantile(seen, 0.25)).sum()
    return {
        "midpiece_length": (len(points) - 1) * flagellum.step,
        "midpiece_width": _quantile(seen, 0.5),
        "droplet_area": float(bulge) * _EVERY * flagellum.step,
    }


def without_specks(droplet_area: float, head_area: float) -> float:
    """Give a droplet's area, 0 where it is too small to be one."""
    return droplet_area if droplet_area >= _DROPLET * head_area else 0.0


def tail_values(
    flagellum: Flagellum,
    mask: Mask,
    corner: Points,
    head_length: float,
    *,
    widest: float = math.inf,
) -> dict[str, float]:
    """Measure a tail.

    Parameters
    ----------
    flagellum : Flagellum
    mask : (h, w) bool
        Of the tail.
    corner : (2,) float
        Row and column of the mask's first pixel in the picture.
    head_length : float
        Pixels.
    widest : float
        Width of the midpiece: a tail is thinner (WHO 2021).

    Returns
    -------
    dict of str to float
        Empty where the line does not reach the tail; widths alone where it leaves out much of it.
        A tail wound up so that it lies over itself shows no line that could be followed: it is
        taken for one of its area and width on a circle of the mean radius, and may be longer.
    """
    points, step = flagellum.tail, flagellum.step
    widths = width_profile(points, mask, corner, _REACH / 2 * head_length)
    seen = widths[widths > 0]
    if not len(seen):
        return {}
    thirds = zip(("front", "middle", "rear"), np.array_split(widths, 3), strict=True)
    values = {
        "tail_width": _quantile(seen, 0.5),
        **{
            f"tail_width_{name}": _quantile(part[part > 0], 0.5)
            for name, part in thirds
            if (part > 0).any()
        },
    }
    area = float(np.count_nonzero(mask))
    unwound = area / min(widest, _quantile(seen, 0.25))
    length = (len(points) - 1) * step
    if unwound > _WOUND[0] * length:
        radii = _radii(mask)
        if unwound > _WOUND[1] * 2 * radii.max():
            return _wound_up(unwound, float(radii.mean()), head_length)
    if area > _UNEXPLAINED * widths.sum() * _EVERY * step:
        return values
    turned = headings(points, _TANGENT * head_length / step)
    return values | {
        "tail_length": length,
        "tail_curvature": _mean_curvature(turned, step, head_length),
        "tail_largest_bend": largest_bend(
            flagellum.points, flagellum.n_midpiece, _BEND * head_length / step
        ),
        "tail_coiling": float(np.ptp(turned)) / (2 * math.pi) if len(turned) else math.nan,
    }


def _quantile(values: Points, share: float) -> float:
    """Give a quantile as numpy does, at a tenth of its cost for a few hundred values."""
    ordered = np.sort(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (place - low) * (ordered[high] - ordered[low]))


def _radii(mask: Mask) -> Points:
    """Give the distance of all pixels of a mask from their centre of gravity."""
    pixels = np.argwhere(mask)
    radii: Points = np.hypot(*(pixels - pixels.mean(0)).T)
    return radii


def _wound_up(length: float, radius: float, head_length: float) -> dict[str, float]:
    return {
        "tail_length": length,
        "tail_curvature": 1 / radius,
        "tail_largest_bend": min(180.0, math.degrees(_BEND * head_length / radius)),
        "tail_coiling": length / (2 * math.pi * radius),
    }


def headings(points: Points, chord: float) -> Points:
    """Give the direction of a line (n, 2) along it, radians without jumps.

    Parameters
    ----------
    points : (n, 2) float
        Evenly spaced.
    chord : float
        Number of steps over which a direction is taken.

    Returns
    -------
    (m,) float
        Of the chords between points so far apart; empty for a line that is shorter.
    """
    n = max(1, round(chord))
    chords = points[n:] - points[:-n]
    result: Points = np.unwrap(np.arctan2(chords[:, 0], chords[:, 1]))
    return result


def _mean_curvature(turned: Points, step: float, head_length: float) -> float:
    """Mean, without sign, of the turning by length over stretches as long as the chords."""
    n = max(1, round(_TANGENT * head_length / step))
    if len(turned) <= n:
        return math.nan
    return float(np.abs(turned[n:] - turned[:-n]).mean()) / (n * step)


def largest_bend(points: Points, first: int, chord: float) -> float:
    """Give the largest angle, 0 ... 180 degrees, between two chords that meet on a line.

    Parameters
    ----------
    points : (n, 2) float
        Evenly spaced.
    first : int
        Index of the first point where a bend is looked for; the chord before it may begin earlier.
    chord : float
        Number of steps in a chord.

    Returns
    -------
    float
        NaN for a line that is shorter than two chords.
    """
    n = max(1, round(chord))
    if len(points) <= 2 * n:
        return math.nan
    steps = points[n:] - points[:-n]
    before, after = steps[:-n], steps[n:]
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    angles = np.abs(np.arctan2(cross, (before * after).sum(1)))[max(0, first - n) :]
    return math.degrees(float(angles.max())) if len(angles) else math.nan
