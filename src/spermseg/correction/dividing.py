"""One sperm divided in two along a line drawn by hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.correction.patch import Patch
from spermseg.correction.strokes import Line, side_of, stroke
from spermseg.data.preprocess import Size
from spermseg.errors import UsageError
from spermseg.structures import HEAD_PARTS

Mask = NDArray[np.bool_]

_CUT = 0.75
"""Radius of a cut, in pixels, over which no step to one of the eight pixels around leads."""

_BESIDE = 2.5
"""Pixels this near to the line tell on which side of it a piece lies."""


def divide(patch: Patch, line: Line, size: Size) -> tuple[Patch, Patch]:
    """Divide a sperm along a line.

    The line cuts what it is drawn across. Each piece goes to the side on which it lies along the
    line, one that the line does not touch to the side of the line, prolonged straight on, where
    most of it is. Where nothing comes apart, as when the line ends within a head, the line
    prolonged divides it.

    Parameters
    ----------
    patch : Patch
    line : sequence of (x, y)
    size : (height, width)
        Of the picture.

    Returns
    -------
    tuple of Patch
        What has more of the head, or without one more pixels, comes first.

    Raises
    ------
    UsageError
        When all of it lies on one side.
    """
    owned = patch.parts > 0
    side = side_of(line, patch.box)
    chosen = _by_pieces(patch, owned, side, line, size)
    if not _divides(chosen, owned):
        chosen = side
    if not _divides(chosen, owned):
        raise UsageError("the line has all of the sperm on one side", fix="Draw it across")
    halves = (np.where(chosen, patch.parts, 0), np.where(chosen, 0, patch.parts))
    first, second = sorted(halves, key=_weight, reverse=True)
    return Patch(patch.row0, patch.col0, first), Patch(patch.row0, patch.col0, second)


def _by_pieces(patch: Patch, owned: Mask, side: Mask, line: Line, size: Size) -> Mask:
    """Give which pixels (h, w) lie on the line's one side, all of a piece on the same."""
    cut = patch.seen(stroke(line, _CUT, size))
    pieces, n_pieces = ndimage.label(owned & ~cut, np.ones((3, 3)))
    beside = patch.seen(stroke(line, _BESIDE, size))
    touched = np.bincount(pieces[beside], minlength=n_pieces + 1) > 0
    voters = (pieces > 0) & (beside | ~touched[pieces])
    votes = np.bincount(pieces[voters], 2.0 * side[voters] - 1, n_pieces + 1)
    return np.where(pieces > 0, votes[pieces] > 0, side)


def _divides(chosen: Mask, owned: Mask) -> bool:
    return bool((owned & chosen).any() and (owned & ~chosen).any())


def _weight(parts: NDArray[np.uint8]) -> tuple[int, int]:
    return int(np.isin(parts, HEAD_PARTS).sum()), int(np.count_nonzero(parts))
