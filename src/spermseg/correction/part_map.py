"""The part map of a picture whose sperm were corrected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.data.part_maps import PAINT_ORDER
from spermseg.structures import SpermInstance


def current_part_map(
    part_map: NDArray[np.uint8],
    original: Sequence[AnalysedSperm],
    current: Sequence[AnalysedSperm],
) -> NDArray[np.uint8]:
    """Paint what was corrected into the part map of a picture.

    Parameters
    ----------
    part_map : (H, W) uint8
        As it was found, with what belongs to no sperm.
    original : sequence of AnalysedSperm
        As they were found.
    current : sequence of AnalysedSperm
        As they are.

    Returns
    -------
    (H, W) uint8
        Changed only where a sperm was or is whose masks are others now: there the sperm of the
        highest id covers the others, as in annotations that are read; what no sperm has any more
        is background.
    """
    before = {one.instance.id: one.instance for one in original}
    after = {one.instance.id: one.instance for one in current}
    touched = before.keys() ^ after.keys()
    touched |= {id for id in before.keys() & after.keys() if not _alike(before[id], after[id])}
    if not touched:
        return part_map
    stale = np.zeros(part_map.shape, bool)
    for instances in (before, after):
        for id in touched & instances.keys():
            _mark(stale, instances[id])
    painted = part_map.copy()
    for id in touched & before.keys():
        row0, col0, row1, col1 = before[id].bbox
        for mask in before[id].masks.values():
            painted[row0:row1, col0:col1][mask] = 0
    for _, one in sorted(after.items()):
        row0, col0, row1, col1 = one.bbox
        window, here = painted[row0:row1, col0:col1], stale[row0:row1, col0:col1]
        if here.any():
            for part in PAINT_ORDER:
                if part in one.masks:
                    window[one.masks[part] & here] = part
    return painted


def _alike(one: SpermInstance, other: SpermInstance) -> bool:
    if one is other:
        return True
    return (one.bbox, one.masks.keys()) == (other.bbox, other.masks.keys()) and all(
        np.array_equal(mask, other.masks[part]) for part, mask in one.masks.items()
    )


def _mark(pixels: NDArray[np.bool_], one: SpermInstance) -> None:
    row0, col0, row1, col1 = one.bbox
    for mask in one.masks.values():
        pixels[row0:row1, col0:col1] |= mask
