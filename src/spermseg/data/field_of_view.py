"""The round field of an eyepiece: its black surround is no part of a smear."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_UNLIT = 0.15
"""Darker than this share of the background's brightness there is no light: the darkest stain of the
annotated heads of Sperm Parsing leaves more in its brightest channel."""

_LEAST, _MOST = 0.02, 0.75
"""Less than this share of a picture is rather a stain in its corner, more a dark picture."""

_FILLED = 0.7
"""Least share of its box that a round field fills, where the frame does not cut it pi / 4: bright
cells on a dark ground fill less."""

_CELLS = 400
"""The surround is found in a picture reduced to about so many pixels along its shorter side."""


def without_surround(image: NDArray[Any]) -> NDArray[Any]:
    """Paint the black surround of a round field of view like its background.

    Parameters
    ----------
    image : (H, W, 3) uint8 or uint16

    Returns
    -------
    (H, W, 3), as `image`
        `image` itself where no surround was found: that takes darkness in two corners or more, and
        all that is connected with it between a fiftieth and three quarters of the picture, around
        a field without holes and bays.
    """
    step = max(1, min(image.shape[:2]) // _CELLS)
    darkest = _UNLIT * np.percentile(image[:: 8 * step, :: 8 * step].max(-1), 95)
    if np.count_nonzero(_corners(image).max(-1) < darkest) < 2:
        return image
    seen = image[::step, ::step]
    dark = seen.max(-1) < darkest
    regions = ndimage.label(dark, np.ones((3, 3)))[0]
    surround = dark & np.isin(regions, _corners(regions))
    if not _LEAST <= surround.mean() <= _MOST or not _is_field(~surround):
        return image
    # The rim of the field is blurred.
    surround = ndimage.binary_dilation(surround, np.ones((3, 3)), iterations=2)
    painted = image.copy()
    background = np.median(seen[~surround], axis=0).astype(image.dtype)
    for row in range(surround.shape[0]):
        columns = surround[row].repeat(step)[: image.shape[1]]
        painted[row * step : (row + 1) * step, columns] = background
    return painted


def _is_field(lit: NDArray[np.bool_]) -> bool:
    rows, columns = np.flatnonzero(lit.any(1)), np.flatnonzero(lit.any(0))
    box = lit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return bool(box.mean() >= _FILLED)


def _corners(values: NDArray[Any]) -> NDArray[Any]:
    return values[np.ix_((0, -1), (0, -1))]
