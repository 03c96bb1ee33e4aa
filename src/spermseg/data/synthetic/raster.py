"""From shapes in micrometres to pixels: poses, windows and signed distances.

A pixel's position is that of its centre, (row, col). Distances are negative inside a shape;
coverage falls from 1 to 0 over one pixel around the outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spermseg.data.masks import polygon_mask

Points = NDArray[np.float64]
Field = NDArray[np.float32]

_CHUNK = 48
"""Points of a line that are compared with pixels at once."""


@dataclass(frozen=True)
class Pose:
    """Where a shape lies in a picture.

    Parameters
    ----------
    row, col : float
        Pixels.
    direction : float
        Radians; the shape's x axis points to (sin, cos) of it in (row, col).
    um_per_px : float
    """

    row: float
    col: float
    direction: float
    um_per_px: float

    def place(self, points: Points) -> Points:
        """Turn x, y in micrometres (n, 2) into row, col in pixels (n, 2)."""
        sin, cos = np.sin(self.direction), np.cos(self.direction)
        x, y = points[:, 0] / self.um_per_px, points[:, 1] / self.um_per_px
        return np.column_stack([self.row + x * sin + y * cos, self.col + x * cos - y * sin])

    def local(self, window: Window) -> tuple[Points, Points]:
        """Give x and y in micrometres of all pixels of a window, (h, w) each."""
        rows, cols = np.ogrid[window.row0 : window.row1, window.col0 : window.col1]
        sin, cos = np.sin(self.direction), np.cos(self.direction)
        dr, dc = (rows - self.row) * self.um_per_px, (cols - self.col) * self.um_per_px
        return dr * sin + dc * cos, dr * cos - dc * sin

    def shifted(self, origin: tuple[float, float], angle: float) -> Pose:
        """Give the pose of a part with its own `origin` and `angle` in this frame."""
        row, col = self.place(np.array([origin]))[0]
        return Pose(float(row), float(col), self.direction + angle, self.um_per_px)


@dataclass(frozen=True)
class Window:
    """Half-open box of whole pixels."""

    row0: int
    col0: int
    row1: int
    col1: int

    @classmethod
    def around(cls, points: Points, margin: float, frame: Window) -> Window:
        """Give the box of `points` (n, 2) with a margin in pixels, within `frame`."""
        low, high = np.floor(points.min(0) - margin), np.ceil(points.max(0) + margin) + 1
        return cls(
            *(int(max(a, b)) for a, b in zip(low, (frame.row0, frame.col0), strict=True)),
            *(int(min(a, b)) for a, b in zip(high, (frame.row1, frame.col1), strict=True)),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.row1 - self.row0, self.col1 - self.col0

    @property
    def empty(self) -> bool:
        """Whether there is no pixel in it."""
        return self.row1 <= self.row0 or self.col1 <= self.col0

    @property
    def corner(self) -> Points:
        """The first pixel's row and column."""
        return np.array([self.row0, self.col0], float)

    def slices(self, outer: Window) -> tuple[slice, slice]:
        """Give the index of this window in an array that spans `outer`."""
        return (
            slice(self.row0 - outer.row0, self.row1 - outer.row0),
            slice(self.col0 - outer.col0, self.col1 - outer.col0),
        )


def coverage(distance: Field) -> Field:
    """Give the share of each pixel that a shape at this signed distance (pixels) covers."""
    result: Field = np.clip(0.5 - distance, 0, 1)
    return result


def outline_distance(outline: Points, window: Window) -> Field:
    """Signed distance in pixels of each pixel to a closed outline.

    Parameters
    ----------
    outline : (n, 2) float
        Corners row, col, closer together than a pixel.
    window : Window

    Returns
    -------
    (h, w) float32
    """
    # Polygons have their pixel centres at halves, poses at whole numbers.
    inside = polygon_mask((outline - window.corner)[:, ::-1] + 0.5, window.shape)
    pixels = np.indices(window.shape).reshape(2, -1).T + window.corner
    distance = cKDTree(outline).query(pixels)[0].reshape(window.shape)
    signed: Field = np.where(inside, -distance, distance).astype(np.float32)
    return signed


def band_distance(
    points: Points, half_widths: Points, window: Window
) -> tuple[Field, NDArray[np.int32]]:
    """Signed distance in pixels to a band of changing width along a line.

    Parameters
    ----------
    points : (n, 2) float
        Row, col of the centre line, closer together than a pixel.
    half_widths : (n,) float
        Pixels.
    window : Window

    Returns
    -------
    distance : (h, w) float32
        Infinite further than a pixel out of the band.
    point : (h, w) int32
        Index of the point of the line whose disc is the nearest; 0 where the distance is infinite.
    """
    distance = np.full(window.shape, np.inf, np.float32)
    point = np.zeros(window.shape, np.int32)
    for begin in range(0, len(points), _CHUNK):
        some, radii = points[begin : begin + _CHUNK], half_widths[begin : begin + _CHUNK]
        box = Window.around(some, float(radii.max()) + 1, window)
        if box.empty:
            continue
        from_rows = (np.arange(box.row0, box.row1)[:, None] - some[:, 0]) ** 2
        from_cols = (np.arange(box.col0, box.col1)[:, None] - some[:, 1]) ** 2
        squares = (from_rows[:, None] + from_cols[None]).astype(np.float32)
        beyond = np.sqrt(squares) - radii.astype(np.float32)
        nearest = beyond.argmin(-1)
        least = np.take_along_axis(beyond, nearest[..., None], -1)[..., 0]
        at = box.slices(window)
        closer = (least < distance[at]) & (least <= 1)
        distance[at] = np.where(closer, least, distance[at])
        point[at] = np.where(closer, begin + nearest, point[at])
    return distance, point
