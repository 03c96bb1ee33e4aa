"""The pixels along a line: as wide as the tail is there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.data.masks import Region

Points = NDArray[np.float64]
Mask = NDArray[np.bool_]

_STRETCH = 15
"""The width is the median over so many pixels of length: at a crossing it is that of both tails."""

_BEYOND = 1.0
"""So many pixels more, that nothing of the finer part map is lost at the rim."""


def swath(points: Points, thin: Mask, least: float, most: float) -> Region:
    """Give the pixels beside a line.

    Parameters
    ----------
    points : (n, 2) float
        Row and column along the line, at least two points.
    thin : (H, W) bool
        All midpieces and tails of the picture.
    least, most : float
        Half the width of what the line is the centre of, in pixels.

    Returns
    -------
    Region
        What of `thin`, and one pixel around it, is no further from the line than half its width.
    """
    line = _every_pixel(points)
    reach = int(np.ceil(most + _BEYOND + 0.75))
    corner = np.maximum(np.floor(line.min(0)).astype(int) - reach, 0)
    end = np.ceil(line.max(0)).astype(int) + reach + 1
    thin = thin[corner[0] : end[0], corner[1] : end[1]]
    line = line - corner
    half_width = ndimage.median_filter(_depths(thin, line, most), _STRETCH).clip(least, most)
    beside = _within(thin.shape, line, half_width + _BEYOND, reach)
    return Region(int(corner[0]), int(corner[1]), beside & _grown(thin))


def _every_pixel(points: Points) -> Points:
    """Put points (m, 2) at every pixel of length along a line (n, 2)."""
    walked = np.r_[0, np.hypot(*np.diff(points, axis=0).T).cumsum()]
    places = np.linspace(0, walked[-1], max(2, round(walked[-1]) + 1))
    return np.stack([np.interp(places, walked, points[:, axis]) for axis in (0, 1)], axis=1)


def _disc(reach: int) -> tuple[NDArray[np.intp], Points]:
    """Give the steps (k, 2) to all pixels no further than `reach`, the nearest first; how far."""
    steps = np.argwhere(np.ones((2 * reach + 1, 2 * reach + 1))) - reach
    away = np.hypot(*steps.T)
    order = np.argsort(away, kind="stable")
    order = order[away[order] <= reach]
    return steps[order], away[order]


def _depths(mask: Mask, points: Points, most: float) -> Points:
    """Give how far points (n, 2) are from the outline of a mask, (n,), up to `most` or more."""
    reach = int(most) + 1
    steps, away = _disc(reach)
    padded = np.pad(mask, reach, constant_values=True)
    places = np.rint(points).astype(np.intp) @ [padded.shape[1], 1]
    origin = reach * padded.shape[1] + reach
    inside = padded.ravel()[(places + origin)[:, np.newaxis] + steps @ [padded.shape[1], 1]]
    depths: Points = np.where(inside.all(1), most, away[inside.argmin(1)])
    return depths


def _within(shape: tuple[int, ...], points: Points, radii: Points, reach: int) -> Mask:
    """Mark the pixels that are no further from one of the points (n, 2) than its radius (n,)."""
    steps, _ = _disc(reach)
    pixels = np.rint(points)
    shift = (pixels - points).astype(np.float32)
    squared = sum(
        (shift[:, axis, np.newaxis] + steps[:, axis].astype(np.float32)) ** 2 for axis in (0, 1)
    )
    width = shape[1] + 2 * reach
    places = (pixels.astype(np.intp) + reach) @ [width, 1]
    places = places[:, np.newaxis] + steps @ [width, 1]
    marked = np.zeros((shape[0] + 2 * reach) * width, bool)
    marked[places[squared <= (radii**2).astype(np.float32)[:, np.newaxis]]] = True
    found: Mask = marked.reshape(-1, width)[reach : reach + shape[0], reach : reach + shape[1]]
    return found


def _grown(mask: Mask) -> Mask:
    """Add the eight pixels around every pixel."""
    result = mask.copy()
    result[1:] |= mask[:-1]
    result[:-1] |= mask[1:]
    rows = result.copy()
    result[:, 1:] |= rows[:, :-1]
    result[:, :-1] |= rows[:, 1:]
    return result
