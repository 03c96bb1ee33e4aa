"""Several annotations of one picture, by different people, as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spermseg.structures import IGNORE_ID


def majority(sets: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Give what most of several annotations say of every pixel.

    Parameters
    ----------
    sets : sequence of (H, W) uint8
        Class indices. A set has no vote where it is `IGNORE_ID`.

    Returns
    -------
    (H, W) uint8
        Of several classes with as many votes, that of the earliest set that chose one of them.
        `IGNORE_ID` where no set says anything.
    """
    stacked = np.stack(sets)
    agreeing = np.stack([(stacked == one).sum(0) for one in stacked])
    agreeing[stacked == IGNORE_ID] = 0
    chosen: NDArray[np.uint8] = np.take_along_axis(stacked, agreeing.argmax(0)[None], 0)[0]
    return chosen


def shares(sets: Sequence[Tensor], n_classes: int) -> Tensor:
    """Give the share of several annotations that chose each class, of every pixel.

    Parameters
    ----------
    sets : sequence of (h, w) int64
        Class indices. A set does not count where it is `IGNORE_ID`.
    n_classes : int

    Returns
    -------
    (n_classes, h, w) float32
        Sums to 1; all 0 where no set says anything.
    """
    votes = torch.zeros((n_classes, *sets[0].shape))
    for one in sets:
        known = one != IGNORE_ID
        votes.scatter_add_(0, one.masked_fill(~known, 0)[None], known[None].float())
    return votes / votes.sum(0).clamp(min=1)
