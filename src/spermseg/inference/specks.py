"""Regions too small to be anything of a sperm, stain deposits and noise, leave a part map."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

LEAST_AREA = 0.15
"""Of a region that stays, in squared head lengths: a head alone has about 0.5, a whole sperm more
than 1. Chosen on one acquisition day that is neither trained on nor quoted (recipes/README.md)."""

_CELL = 0.045
"""Edge of the cells that regions are found in, in head lengths: over gaps narrower than a cell,
parts are still one region."""

_BAND = 256


def clear_specks(
    part_map: NDArray[np.uint8],
    scores: NDArray[np.floating],
    head_length_px: float,
    background: int = 0,
    least_area: float = LEAST_AREA,
) -> None:
    """Turn small regions, of all parts together, into background.

    Parameters
    ----------
    part_map : (H, W) uint8
        Part ids; changed.
    scores : (C, h, w) float
        Probabilities of the same picture at any scale; changed likewise.
    head_length_px : float
        Typical head length in pixels of the part map.
    background : int
        Channel of the background in `scores`.
    least_area : float
        Of what stays, in squared head lengths.
    """
    cell = max(1, round(_CELL * head_length_px))
    pixels = _pixels_in_cells(part_map, cell)
    regions, n = ndimage.label(pixels, np.ones((3, 3)))
    areas = np.zeros(n + 1)
    # By bands of rows: nothing here is as large as the picture, but for the regions.
    for top in range(0, len(regions), _BAND):
        band = slice(top, top + _BAND)
        held = pixels[band] > 0
        areas += np.bincount(regions[band][held], pixels[band][held], minlength=n + 1)
    small = areas < least_area * head_length_px**2
    small[0] = False
    if not small.any():
        return
    specks = small[regions]
    rows, columns = (np.arange(extent) // cell for extent in part_map.shape)
    for top in range(0, len(rows), _BAND):
        cleared = specks[rows[top : top + _BAND]].take(columns, 1)
        np.copyto(part_map[top : top + _BAND], 0, where=cleared)
    # At another scale the rim may lie in the cells around, which are empty.
    near = ndimage.binary_dilation(specks, np.ones((3, 3)))
    rows, columns = (
        ((np.arange(kept) + 0.5) * own / (kept * cell)).astype(np.intp)
        for kept, own in zip(scores.shape[1:], part_map.shape, strict=True)
    )
    cleared = near[rows].take(columns, 1)
    np.copyto(scores, 0, where=cleared)
    np.copyto(scores[background], 1, where=cleared)


def _pixels_in_cells(part_map: NDArray[np.uint8], cell: int) -> NDArray[Any]:
    """Count the pixels of parts in square cells; those of the last row and column are smaller."""
    found: NDArray[Any] = (part_map > 0).view(np.uint8)
    # Down the columns, then along the rows; cells are a hundred pixels wide at most.
    for counts in (np.uint8, np.uint16):
        pooled = found[::cell].astype(counts)
        for start in range(1, min(cell, len(found))):
            later = found[start::cell]
            here = pooled[: len(later)]
            np.add(here, later, out=here)
        found = np.ascontiguousarray(pooled.T)
    return found
