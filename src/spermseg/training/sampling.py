"""Reading a picture and its labels at any points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from spermseg.structures import IGNORE_ID

_CORNERS = ((0, 0), (-1, 0), (0, -1))


def sample_image(levels: Sequence[NDArray[np.uint8]], points: NDArray[np.float32]) -> Tensor:
    """Read a picture at `points` bilinearly, from the level that is nearest in scale.

    Parameters
    ----------
    levels : sequence of (H, W, 3) uint8
        The picture, and halved again and again.
    points : (2, h, w) float32
        Of the first level. What lies outside repeats the border.

    Returns
    -------
    (3, h, w) float32
        Values 0 ... 1.
    """
    step = float(np.hypot(*(points[:, 1, 0] - points[:, 0, 0])))
    level = int(np.clip(np.round(np.log2(step)), 0, len(levels) - 1))
    source = levels[level]
    points = (points + 0.5) / 2**level - 0.5
    # Only the part of the picture that is needed is turned into floats.
    low = np.floor(points.min((1, 2))).astype(int) - 1
    high = np.ceil(points.max((1, 2))).astype(int) + 2
    low = np.clip(low, 0, np.array(source.shape[:2]) - 2)
    high = np.clip(high, low + 2, source.shape[:2])
    window = torch.from_numpy(source[low[0] : high[0], low[1] : high[1]])
    extent = (high - low - 1).astype(np.float32)
    relative = 2 * (points - low[:, None, None].astype(np.float32)) / extent[:, None, None] - 1
    grid = torch.from_numpy(np.stack([relative[1], relative[0]], axis=-1))
    values = window.permute(2, 0, 1)[None].float()
    read = F.grid_sample(values, grid[None], "bilinear", "border", align_corners=True)
    return read[0] / 255


def sample_labels(labels: NDArray[np.uint8], points: NDArray[np.float32]) -> Tensor:
    """Read class indices (H, W) at `points` (2, h, w), `IGNORE_ID` outside; gives (h, w) int64."""
    rows, columns = np.floor(points + 0.5).astype(np.int64)
    known = inside(points, labels.shape)
    read = np.full(rows.shape, IGNORE_ID, np.int64)
    read[known] = labels[rows[known], columns[known]]
    return torch.from_numpy(read)


def inside(points: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Tell which points (2, h, w) lie on a pixel of a picture of `size` (H, W)."""
    rows, columns = points + 0.5
    return (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])


def steps(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give the steps (2, 2) of a grid of points (2, h, w): to the next row, to the next column.

    The first index is row and column of the picture; the grid is turned and stretched, not bent.
    """
    first, down, right = (points[:, row, column].astype(float) for row, column in _CORNERS)
    height, width = points.shape[1:]
    return np.stack([(down - first) / (height - 1), (right - first) / (width - 1)], axis=1)
