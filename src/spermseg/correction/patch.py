"""The parts of one sperm as a small part map, in which every pixel has one part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spermseg.correction.strokes import check_window
from spermseg.data.masks import Region
from spermseg.data.part_maps import PAINT_ORDER
from spermseg.structures import SpermInstance

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Patch:
    """Part ids in a window of a picture.

    Parameters
    ----------
    row0, col0 : int
        The window's top left corner.
    parts : (h, w) uint8
    """

    row0: int
    col0: int
    parts: NDArray[np.uint8]

    @classmethod
    def of(cls, instances: Sequence[SpermInstance]) -> Patch:
        """Paint sperm, at least one, together; where parts overlap, as `PAINT_ORDER` has it.

        Raises
        ------
        UsageError
            When they lie too far apart.
        """
        boxes = np.array([one.bbox for one in instances])
        (row0, col0), (row1, col1) = boxes[:, :2].min(0).tolist(), boxes[:, 2:].max(0).tolist()
        check_window(row1 - row0, col1 - col0)
        parts = np.zeros((row1 - row0, col1 - col0), np.uint8)
        for part in PAINT_ORDER:
            for one in instances:
                if part in one.masks:
                    top, left, bottom, right = one.bbox
                    window = parts[top - row0 : bottom - row0, left - col0 : right - col0]
                    window[one.masks[part]] = part
        return cls(row0, col0, parts)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Its window, half-open (row0, col0, row1, col1)."""
        height, width = self.parts.shape
        return self.row0, self.col0, self.row0 + height, self.col0 + width

    def around(self, region: Region) -> Patch:
        """Give the same in a window that has room for a region as well.

        Raises
        ------
        UsageError
            When the region lies too far away.
        """
        height, width = region.mask.shape
        theirs = (region.row0, region.col0, region.row0 + height, region.col0 + width)
        low = np.minimum(self.box[:2], theirs[:2])
        high = np.maximum(self.box[2:], theirs[2:])
        check_window(*(high - low).tolist())
        parts = np.zeros(high - low, np.uint8)
        top, left = self.row0 - low[0], self.col0 - low[1]
        parts[top : top + self.parts.shape[0], left : left + self.parts.shape[1]] = self.parts
        return Patch(int(low[0]), int(low[1]), parts)

    def seen(self, region: Region) -> Mask:
        """Lay a region on its window, (h, w) bool; what lies outside is left out."""
        row0, col0, row1, col1 = self.box
        mask = np.zeros(self.parts.shape, bool)
        top, left = max(row0, region.row0), max(col0, region.col0)
        bottom = max(top, min(row1, region.row0 + region.mask.shape[0]))
        right = max(left, min(col1, region.col0 + region.mask.shape[1]))
        mask[top - row0 : bottom - row0, left - col0 : right - col0] = region.mask[
            top - region.row0 : bottom - region.row0, left - region.col0 : right - region.col0
        ]
        return mask

    def masks(self) -> tuple[dict[int, Mask], tuple[int, int, int, int]] | None:
        """Give a mask a part, and their box; None where there is no pixel left."""
        rows, columns = (np.flatnonzero(self.parts.any(axis)) for axis in (1, 0))
        if not len(rows):
            return None
        (top, bottom), (left, right) = rows[[0, -1]].tolist(), columns[[0, -1]].tolist()
        inside = self.parts[top : bottom + 1, left : right + 1]
        found = np.flatnonzero(np.bincount(inside.ravel()))
        box = (top + self.row0, left + self.col0, bottom + 1 + self.row0, right + 1 + self.col0)
        return {int(part): inside == part for part in found if part}, box
