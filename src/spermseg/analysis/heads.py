"""One head from another, also where they touch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import convex_hull_image, h_maxima
from skimage.segmentation import watershed

Mask = NDArray[np.bool_]

SMALLEST = 0.08
"""Of the area of a typical head (an ellipse, 3 : 2): smaller regions are debris."""

LARGEST = 1.5
"""Of that area: only larger regions are looked at for a waist between two heads."""

_SMALL_HEAD = 0.3
"""Of that area: pieces as large as this that do not meet may be heads of their own."""

_CONVEX = 0.9
"""Share of its convex hull from which a region is one head, although a line runs through it."""

_WAIST = 0.07
"""Least depth of a waist between two heads, in head lengths."""


def separate_heads(head: Mask, head_length: float) -> NDArray[np.int32]:
    """Number the heads of a picture.

    Parameters
    ----------
    head : (H, W) bool
        Acrosome, nucleus and vacuoles together.
    head_length : float
        Typical length in pixels.

    Returns
    -------
    (H, W) int32
        0 outside, else the head's number from 1. Regions are cut at their waists, by a watershed
        of the distance to the outline (Vincent & Soille 1991); specks are left out.
    """
    labels, _ = ndimage.label(_filled(_closed(head)))
    typical = np.pi / 4 * head_length**2 * 2 / 3
    smallest = SMALLEST * typical
    result = np.zeros(head.shape, np.int32)
    n = 0
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        whole = labels[window] == index
        for region in _apart(whole, head[window], _SMALL_HEAD * typical):
            for piece in _heads_in(region, head_length, smallest, LARGEST * typical):
                n += 1
                result[window][piece & head[window]] = n
    return result


def thickest(mask: Mask) -> float:
    """Give the largest distance, in pixels, from the outline of a mask (H, W) to a place in it."""
    labels, _ = ndimage.label(mask)
    most = 0.0
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if min(side.stop - side.start for side in window) > 2 * most:
            region = np.pad(labels[window] == index, 1)
            most = max(most, float(ndimage.distance_transform_edt(region).max()))
    return most


def _heads_in(region: Mask, head_length: float, smallest: float, largest: float) -> list[Mask]:
    """Give a region, cut at its waists where it is larger than one head, without specks."""
    pieces = [region]
    if region.sum() > largest:
        cut = _cut_at_waists(region, head_length)
        pieces = [cut == number for number in range(1, cut.max() + 1)]
    return [piece for piece in pieces if piece.sum() >= smallest]


def _apart(region: Mask, head: Mask, least: float) -> list[Mask]:
    """Take apart what only closing has joined, where the pieces are heads and not their parts."""
    pieces, _ = ndimage.label(region & head)
    large = np.flatnonzero(np.bincount(pieces.ravel())[1:] >= least) + 1
    if len(large) < 2 or region.sum() > _CONVEX * convex_hull_image(region).sum():
        return [region]
    # What is between them, and crumbs, go to the nearest.
    rows, columns = ndimage.distance_transform_edt(
        ~np.isin(pieces, large), return_distances=False, return_indices=True
    )
    nearest = pieces[rows, columns]
    return [region & (nearest == number) for number in large]


def _closed(head: Mask) -> Mask:
    # Between acrosome and nucleus there may be a line of pixels that are neither.
    padded = np.pad(head, 3)
    grown = _spread(_spread(padded))
    closed: Mask = ~_spread(_spread(~grown))[3:-3, 3:-3] | head
    return closed


def _spread(mask: Mask) -> Mask:
    """Add the pixels above, below, left and right: many times as fast as scipy's dilation."""
    result = mask.copy()
    result[1:] |= mask[:-1]
    result[:-1] |= mask[1:]
    result[:, 1:] |= mask[:, :-1]
    result[:, :-1] |= mask[:, 1:]
    return result


def _filled(mask: Mask) -> Mask:
    """Fill holes: whatever is not in the mask and does not reach the border."""
    outside, n_regions = ndimage.label(~mask)
    is_hole = np.ones(n_regions + 1, bool)
    for border in (outside[0], outside[-1], outside[:, 0], outside[:, -1]):
        is_hole[border] = False
    if not is_hole[1:].any():
        return mask
    is_hole[0] = False
    filled: Mask = mask | is_hole[outside]
    return filled


def _cut_at_waists(region: Mask, head_length: float) -> NDArray[np.int32]:
    padded = np.pad(region, 1)
    depth = ndimage.distance_transform_edt(padded)
    peaks, n_peaks = ndimage.label(h_maxima(depth, _WAIST * head_length), np.ones((3, 3)))
    if n_peaks < 2:
        return region.astype(np.int32)
    cut: NDArray[np.int32] = watershed(-depth, peaks, mask=padded)[1:-1, 1:-1]
    return cut
