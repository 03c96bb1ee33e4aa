"""The outlines of all heads of a picture: what lies near them, and which of them touch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Points = NDArray[np.float64]


class HeadOutlines:
    """Says how far places are from the heads, without a distance for every pixel of the picture.

    Parameters
    ----------
    heads : (H, W) int
        Numbers of the heads from 1.
    """

    def __init__(self, heads: NDArray[np.int32]):
        self.heads = heads
        places, self.touching = _outlines(heads)
        self._numbers = heads[tuple(places.T)]
        self._tree = cKDTree(places) if len(places) else None

    def nearest(self, points: Points) -> tuple[Points, NDArray[np.int32]]:
        """Give the distance of the pixels at points (n, 2) from the nearest head, and its number.

        0 in a head; infinity and 0 without any.
        """
        if self._tree is None or not len(points):
            return np.full(len(points), np.inf), np.zeros(len(points), np.int32)
        pixels = np.rint(points).astype(np.intp)
        inside = self.heads[tuple(pixels.T)]
        distances, places = self._tree.query(pixels)
        distances[inside > 0] = 0
        return distances, np.where(inside > 0, inside, self._numbers[places])

    def around(self, points: Points, reach: float) -> list[dict[int, float]]:
        """Give, for the pixel at each of points (n, 2), the heads within `reach` pixels.

        By number, with their distances; 0 in a head.
        """
        if self._tree is None or not len(points):
            return [{} for _ in points]
        pixels = np.rint(points).astype(np.intp)
        result: list[dict[int, float]] = []
        for pixel, near in zip(pixels, self._tree.query_ball_point(pixels, reach), strict=True):
            lengths = np.hypot(*(self._tree.data[near] - pixel).T)
            distances: dict[int, float] = {}
            for number, length in zip(self._numbers[near].tolist(), lengths.tolist(), strict=True):
                distances[number] = min(length, distances.get(number, length))
            inside = int(self.heads[tuple(pixel)])
            result.append(distances | ({inside: 0.0} if inside else {}))
        return result

    def centres(self) -> Points:
        """Give the mean row and column of every head's pixels, (n, 2)."""
        rows, columns = np.nonzero(self.heads)
        numbers = self.heads[rows, columns] - 1
        sums = [np.bincount(numbers, weights=values) for values in (rows, columns)]
        return np.stack(sums, axis=1) / np.bincount(numbers)[:, np.newaxis]


def widened(heads: NDArray[np.int32], reach: int) -> NDArray[np.int32]:
    """Let heads grow by `reach` pixels, each pixel to the nearest of them.

    Parameters
    ----------
    heads : (H, W) int
        Numbers of the heads from 1.
    reach : int

    Returns
    -------
    (H, W) int
    """
    height, width = heads.shape
    padded = np.pad(heads, reach)
    steps = [
        (down, right)
        for down in range(-reach, reach + 1)
        for right in range(-reach, reach + 1)
        if 0 < down * down + right * right <= reach * reach
    ]
    result = heads.copy()
    for down, right in sorted(steps, key=lambda step: step[0] ** 2 + step[1] ** 2):
        top, left = reach + down, reach + right
        shifted = padded[top : top + height, left : left + width]
        np.copyto(result, shifted, where=result == 0)
    return result


def _outlines(heads: NDArray[np.int32]) -> tuple[NDArray[np.intp], frozenset[int]]:
    """Give the pixels (n, 2) of heads beside something else, and the heads that touch another."""
    padded = np.pad(heads, 1)
    rows, columns = np.nonzero(padded)
    own = padded[rows, columns]
    beside = np.stack(
        [padded[rows + down, columns + right] for down, right in ((-1, 0), (0, -1), (0, 1), (1, 0))]
    )
    at_rim = (beside != own).any(0)
    meeting = ((beside != own) & (beside > 0)).any(0)
    places = np.stack([rows[at_rim], columns[at_rim]], axis=1) - 1
    return places, frozenset(np.unique(own[meeting]).tolist())
