"""Masks in the picture's own pixels, from regions at the network's working scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spermseg.data.masks import Region
from spermseg.structures import HEAD_PARTS, Part

THIN_PARTS = (Part.MIDPIECE, Part.TAIL)

NOTHING = Region(0, 0, np.zeros((0, 0), bool))
"""A sperm's part that is not there."""

Box = tuple[int, int, int, int]
Mask = NDArray[np.bool_]


class Cutter:
    """Cuts masks out of a part map, by the pixels of the working scale that a sperm owns.

    Parameters
    ----------
    part_map : (H, W) uint8
        At the picture's own size.
    size : (h, w)
        Of the working scale.
    """

    def __init__(self, part_map: NDArray[np.uint8], size: tuple[int, ...]):
        self.part_map = part_map
        self.size = size
        # Where in the working scale the centre of each row and column of the picture lies.
        self._rows, self._columns = (
            np.minimum(((np.arange(full) + 0.5) * small / full).astype(np.intp), small - 1)
            for full, small in zip(part_map.shape, size, strict=True)
        )

    def box(self, region: Region) -> Box:
        """Give the half-open box in the picture of a region of the working scale."""
        height, width = region.mask.shape
        rows = np.searchsorted(self._rows, [region.row0, region.row0 + height])
        columns = np.searchsorted(self._columns, [region.col0, region.col0 + width])
        return int(rows[0]), int(columns[0]), int(rows[1]), int(columns[1])

    def cut(self, head: Region, thin: Region) -> tuple[dict[int, Mask], Box]:
        """Give masks by part, and their box, of one sperm's head and of its midpiece and tail.

        Regions as `trimmed` gives them, at least one of them with pixels.
        """
        regions = [
            (region, self.box(region), kinds)
            for region, kinds in ((head, HEAD_PARTS), (thin, THIN_PARTS))
            if region.mask.size
        ]
        boxes = np.array([box for _, box, _ in regions])
        (row0, col0), (row1, col1) = boxes[:, :2].min(0).tolist(), boxes[:, 2:].max(0).tolist()
        masks = {}
        for region, box, kinds in regions:
            own = self._parts(region, box)
            window = np.s_[box[0] - row0 : box[2] - row0, box[1] - col0 : box[3] - col0]
            for part in kinds:
                found = own == part
                if found.any():
                    masks[int(part)] = np.zeros((row1 - row0, col1 - col0), bool)
                    masks[int(part)][window] = found
        return masks, (row0, col0, row1, col1)

    def _parts(self, region: Region, box: Box) -> NDArray[np.uint8]:
        """Give the part ids in a region's box, 0 outside of the region."""
        finer = region.mask.take(self._rows[box[0] : box[2]] - region.row0, 0)
        finer = finer.take(self._columns[box[1] : box[3]] - region.col0, 1)
        parts: NDArray[np.uint8] = self.part_map[box[0] : box[2], box[1] : box[3]] * finer
        return parts

    def at_border(self, box: Box) -> bool:
        """Whether a box reaches the picture's border, or the rim that the network blurs there."""
        rim = np.ceil(np.array(self.part_map.shape) / self.size)
        near = np.array(box[:2]) < rim
        far = np.array(box[2:]) > np.array(self.part_map.shape) - rim
        return bool((near | far).any())

    def to_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring points (n, 2) of the working scale into the picture's pixels."""
        factor = np.array(self.part_map.shape) / self.size
        return (points + 0.5) * factor - 0.5


def trimmed(region: Region) -> Region:
    """Cut off what is empty around a region; `NOTHING` when all of it is."""
    rows, columns = (np.flatnonzero(region.mask.any(axis)) for axis in (1, 0))
    if not len(rows):
        return NOTHING
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Region(
        region.row0 + int(rows[0]), region.col0 + int(columns[0]), region.mask[window].copy()
    )
