"""Regions too small to be anything of a sperm, stain deposits and noise, leave a part map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

LEAST_AREA = 0.15
"""Of a region that stays, in squared head lengths: a head alone has about 0.5, a whole sperm more
than 1. Chosen on one acquisition day that is neither trained on nor quoted (recipes/README.md)."""

_CELL = 0.045
"""Edge of the cells that regions are found in, in head lengths: over gaps narrower than a cell,
parts are still one region."""


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
    cells = _any_in_cells(part_map, cell)
    regions, n = ndimage.label(cells, np.ones((3, 3)))
    least = least_area * head_length_px**2
    # Every cell holds at least one pixel of its region.
    small = np.bincount(regions.ravel(), minlength=n + 1) < least
    own_cell = [np.arange(extent) // cell for extent in part_map.shape]
    kept_cell = [
        ((np.arange(kept) + 0.5) * own / (kept * cell)).astype(np.intp)
        for kept, own in zip(scores.shape[1:], part_map.shape, strict=True)
    ]
    for number, window in enumerate(ndimage.find_objects(regions), start=1):
        if not small[number]:
            continue
        inside = regions[window] == number
        own, own_inside = _pixels_of(window, inside, own_cell)
        pixels = part_map[own]
        if np.count_nonzero(pixels[own_inside]) >= least:
            continue
        pixels[own_inside] = 0
        # At another scale the rim may lie in the cells around, which are empty.
        around = tuple(slice(max(0, span.start - 1), span.stop + 1) for span in window)
        near = ndimage.binary_dilation(regions[around] == number, np.ones((3, 3)))
        kept, kept_inside = _pixels_of(around, near, kept_cell)
        values = scores[(slice(None), *kept)]
        values[:, kept_inside] = 0
        values[background, kept_inside] = 1


def _any_in_cells(part_map: NDArray[np.uint8], cell: int) -> NDArray[np.bool_]:
    """Tell which square cells hold a part; those of the last row and column may be smaller."""
    found = part_map
    for _ in range(2):
        slices = [found[start::cell] for start in range(min(cell, len(found)))]
        pooled = slices[0].copy()
        for later in slices[1:]:
            np.maximum(pooled[: len(later)], later, out=pooled[: len(later)])
        found = np.ascontiguousarray(pooled.T)
    return found > 0


def _pixels_of(
    window: tuple[slice, ...], inside: NDArray[np.bool_], cell_of: list[NDArray[np.intp]]
) -> tuple[tuple[slice, ...], NDArray[np.bool_]]:
    """Give the pixels whose cells lie in a window of cells, and which of them lie `inside`.

    `cell_of` is the cell of every row and of every column of pixels, ascending.
    """
    spans = [
        slice(*np.searchsorted(cells, (span.start, span.stop)))
        for span, cells in zip(window, cell_of, strict=True)
    ]
    rows, columns = (
        cells[span] - part.start for cells, span, part in zip(cell_of, spans, window, strict=True)
    )
    return tuple(spans), inside[np.ix_(rows, columns)]
