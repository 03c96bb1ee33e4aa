"""Which sperm of one analysis of a picture is which of another analysis of the same picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spermseg.structures import HEAD_PARTS, SpermInstance

LEAST_IOU = 0.5
"""Of two heads, or of two whole sperm where one of them has no head, that are the same sperm's."""


def match_sperm(
    sperm: Sequence[SpermInstance], others: Sequence[SpermInstance]
) -> tuple[int | None, ...]:
    """Find every sperm among others, by the overlap of their heads.

    Parameters
    ----------
    sperm, others : sequence of SpermInstance
        Of the same picture.

    Returns
    -------
    tuple of int or None
        For each of `sperm` its index in `others`, None where it is not found. No one of them is
        given twice: the pairs that overlap most come first, and overlap by at least `LEAST_IOU`.
    """
    heads = [[_mask(one, HEAD_PARTS) for one in some] for some in (sperm, others)]
    pairs = []
    for i, j in _near(sperm, others):
        one, other = heads[0][i], heads[1][j]
        if one is None or other is None:
            one, other = _mask(sperm[i]), _mask(others[j])
        if one is None or other is None:
            continue
        iou = _iou(one, sperm[i].bbox, other, others[j].bbox)
        if iou >= LEAST_IOU:
            pairs.append((-iou, i, j))
    found: list[int | None] = [None] * len(sperm)
    for _, i, j in sorted(pairs):
        if found[i] is None and j not in found:
            found[i] = j
    return tuple(found)


def _near(sperm: Sequence[SpermInstance], others: Sequence[SpermInstance]) -> NDArray[np.intp]:
    """Give the pairs (n, 2) of sperm whose boxes overlap."""
    one = np.array([entry.bbox for entry in sperm], int).reshape(-1, 1, 4)
    other = np.array([entry.bbox for entry in others], int).reshape(1, -1, 4)
    meet = (np.maximum(one, other)[..., :2] < np.minimum(one, other)[..., 2:]).all(-1)
    return np.argwhere(meet)


def _mask(one: SpermInstance, parts: Sequence[int] | None = None) -> NDArray[np.bool_] | None:
    """Give the union of some or all parts within the sperm's box; None if they are missing."""
    masks = [mask for part, mask in one.masks.items() if parts is None or part in parts]
    if not masks:
        return None
    union: NDArray[np.bool_] = np.logical_or.reduce(masks)
    return union if union.any() else None


def _iou(
    one: NDArray[np.bool_],
    box: tuple[int, int, int, int],
    other: NDArray[np.bool_],
    other_box: tuple[int, int, int, int],
) -> float:
    top, left = max(box[0], other_box[0]), max(box[1], other_box[1])
    bottom, right = min(box[2], other_box[2]), min(box[3], other_box[3])
    both = (
        one[top - box[0] : bottom - box[0], left - box[1] : right - box[1]]
        & other[
            top - other_box[0] : bottom - other_box[0], left - other_box[1] : right - other_box[1]
        ]
    ).sum()
    return float(both / (one.sum() + other.sum() - both))
