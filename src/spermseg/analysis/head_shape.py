"""The shape of one head, and what lies in it: acrosome and vacuoles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from spermseg.analysis.outline import smooth_outline
from spermseg.structures import HEAD_PARTS, Part, SpermInstance

Points = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SMALLEST = 0.0015
"""Share of the head's area below which a region is no vacuole but a few stray pixels."""

_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True)
class HeadShape:
    """One head.

    Parameters
    ----------
    mask : (h, w) bool
        Without holes, in one piece.
    corner : (2,) float
        Row and column of the mask's first pixel in the picture.
    """

    mask: Mask
    corner: Points

    @cached_property
    def area(self) -> int:
        """Number of pixels."""
        return int(self.mask.sum())

    @cached_property
    def outline(self) -> Points:
        """Row and column (n, 2) of points on the outline in the picture, see `smooth_outline`."""
        return smooth_outline(self.mask) + self.corner

    @cached_property
    def _pixels(self) -> Points:
        return np.argwhere(self.mask) + self.corner

    @cached_property
    def centre(self) -> Points:
        """Row and column (2,) of the centre of gravity."""
        centre: Points = self._pixels.mean(0)
        return centre

    @cached_property
    def axis(self) -> Points:
        """Unit vector (2,) along the long axis: the one about which the pixels turn the easiest."""
        offsets = self._pixels - self.centre
        axis: Points = np.linalg.eigh(offsets.T @ offsets)[1][:, 1]
        return axis

    @cached_property
    def length(self) -> float:
        """Extent of the outline along the long axis, pixels."""
        return float(np.ptp(self.outline @ self.axis))

    @cached_property
    def width(self) -> float:
        """Extent of the outline across the long axis, pixels."""
        return float(np.ptp(self.outline @ _across(self.axis)))

    @cached_property
    def perimeter(self) -> float:
        """Length of the outline, pixels."""
        return float(np.hypot(*(self.outline - np.roll(self.outline, 1, axis=0)).T).sum())

    @property
    def orientation(self) -> float:
        """Angle of the long axis to the picture's horizontal, counter-clockwise, 0 ... 180."""
        return math.degrees(math.atan2(-self.axis[0], self.axis[1])) % 180

    def in_box(self, bbox: tuple[int, int, int, int]) -> Mask:
        """Give the mask on a box of the picture, half-open (row0, col0, row1, col1)."""
        result = np.zeros((bbox[2] - bbox[0], bbox[3] - bbox[1]), bool)
        rows, columns = (self._pixels - bbox[:2]).astype(int).T
        inside = (rows >= 0) & (columns >= 0) & (rows < result.shape[0])
        inside &= columns < result.shape[1]
        result[rows[inside], columns[inside]] = True
        return result

    def symmetry(self) -> float:
        """Intersection by union of the head and its mirror image about the long axis."""
        across = _across(self.axis)
        offsets = self._pixels - self.centre
        mirrored = self._pixels - 2 * np.outer(offsets @ across, across) - self.corner
        shared = ndimage.map_coordinates(self.mask, mirrored.T, np.float32, order=1).mean()
        return float(shared / (2 - shared))

    def off_axis(self, point: Points) -> float:
        """Distance of a point (2,) from the long axis, pixels."""
        return float(abs((point - self.centre) @ _across(self.axis)))

    def angle_of(self, start: Points, end: Points) -> float:
        """Angle of a line that leaves the head at `start`: 0 in line with it, 180 folded back."""
        backwards = self.axis * math.copysign(1.0, (start - self.centre) @ self.axis)
        step = end - start
        return math.degrees(abs(math.atan2(step @ _across(backwards), step @ backwards)))


def _across(axis: Points) -> Points:
    return np.array([-axis[1], axis[0]])


def head_shape(instance: SpermInstance) -> HeadShape | None:
    """Put the head of a sperm together.

    Parameters
    ----------
    instance : SpermInstance

    Returns
    -------
    HeadShape, or None without a head
        Acrosome, nucleus, vacuoles and what is head without being told apart; lines between them
        and holes closed; with the end of the midpiece where it is drawn over the head's base; the
        largest piece of all that.
    """
    masks = [instance.masks[part] for part in HEAD_PARTS if part in instance.masks]
    if not masks or not any(mask.any() for mask in masks):
        return None
    whole = np.logical_or.reduce(masks)
    # Room for closing, and for the outline.
    (rows, columns), margin = _window(whole), 3
    head = _closed(np.pad(whole[rows, columns], margin))
    if Part.MIDPIECE in instance.masks:
        head |= _within_hull(np.pad(instance.masks[Part.MIDPIECE][rows, columns], margin), head)
    outside, _ = ndimage.label(~head)
    head = outside != outside[0, 0]
    labels, n = ndimage.label(head)
    if n > 1:
        head = labels == np.bincount(labels.ravel())[1:].argmax() + 1
    corner = np.array([rows.start, columns.start]) - margin + np.array(instance.bbox[:2])
    return HeadShape(head, corner.astype(float))


def _window(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _closed(mask: Mask) -> Mask:
    """Close gaps of up to 4 pixels; a mask has nothing within 3 pixels of its border."""
    return ~_grown(_grown(~_grown(_grown(mask))))


def _grown(mask: Mask) -> Mask:
    """Grow by one pixel up, down and to the sides."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def _within_hull(midpiece: Mask, head: Mask) -> Mask:
    """Give the pixels of a midpiece inside the convex hull of the head."""
    inside = np.zeros_like(head)
    candidates = np.argwhere(midpiece & ~head)
    if not len(candidates):
        return inside
    # The ends of its rows have the same hull as all of the head.
    rows = np.flatnonzero(head.any(1))
    ends = head[rows].argmax(1), head.shape[1] - 1 - head[rows, ::-1].argmax(1)
    try:
        sides = ConvexHull(np.stack([np.tile(rows, 2), np.concatenate(ends)], axis=1)).equations
    except QhullError:  # All pixels on one line: nothing lies within it.
        return inside
    within = candidates[(candidates @ sides[:, :2].T + sides[:, 2] <= 1e-9).all(1)]
    inside[tuple(within.T)] = True
    return inside


def outline_values(head: HeadShape) -> dict[str, float]:
    """Measure the outline of a head: see `spermseg.analysis.quantities` for each name."""
    length, width = head.length, head.width
    return {
        "head_length": length,
        "head_width": width,
        "head_area": float(head.area),
        "head_perimeter": head.perimeter,
        "head_ellipticity": length / width,
        "head_elongation": (length - width) / (length + width),
        "head_roughness": 4 * math.pi * head.area / head.perimeter**2,
        "head_regularity": math.pi * length * width / (4 * head.area),
        "head_symmetry": head.symmetry(),
        "head_orientation": head.orientation,
    }


def content_values(instance: SpermInstance, head: HeadShape) -> dict[str, float]:
    """Measure acrosome and vacuoles of a sperm's head.

    Returns
    -------
    dict of str to float
        Empty when the head's parts were not told apart.
    """
    if not {Part.ACROSOME, Part.NUCLEUS, Part.VACUOLE} & instance.masks.keys():
        return {}
    area = float(head.area)
    row, column = np.maximum(head.corner - instance.bbox[:2], 0).astype(int)
    window = np.s_[row : row + head.mask.shape[0], column : column + head.mask.shape[1]]
    masks = {part: mask[window] for part, mask in instance.masks.items()}
    none = np.zeros_like(next(iter(masks.values())))
    acrosome, nucleus, vacuole = (
        masks.get(part, none) for part in (Part.ACROSOME, Part.NUCLEUS, Part.VACUOLE)
    )
    areas, behind = _vacuoles(vacuole, acrosome, nucleus, _SMALLEST * area)
    acrosome_area = float(np.count_nonzero(acrosome))
    return {
        "acrosome_area": acrosome_area,
        "acrosome_fraction": acrosome_area / area,
        "vacuole_count": float(len(areas)),
        "vacuole_fraction": sum(areas) / area,
        "vacuole_largest_fraction": max(areas, default=0) / area,
        "vacuole_behind_acrosome": float(behind),
    }


def _vacuoles(
    vacuole: Mask, acrosome: Mask, nucleus: Mask, smallest: float
) -> tuple[list[int], bool]:
    """Give the area of each vacuole, and whether one has more nucleus than acrosome around it."""
    areas: list[int] = []
    behind = False
    labels, _ = ndimage.label(vacuole, _EIGHT)
    for index, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        around = np.s_[
            max(0, rows.start - 2) : rows.stop + 2, max(0, columns.start - 2) : columns.stop + 2
        ]
        one = labels[around] == index
        if (area := int(one.sum())) < smallest:
            continue
        areas.append(area)
        rim = ndimage.binary_dilation(one, _EIGHT, iterations=2) & ~one
        behind |= bool((rim & nucleus[around]).sum() > (rim & acrosome[around]).sum())
    return areas, behind
