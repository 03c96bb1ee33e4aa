"""One mask: the values of a file, and polygons and run lengths to pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from spermseg.data.images import read_values
from spermseg.errors import ImageError, MaskError

_FARTHEST = 10**9
_MOST_CROSSINGS = 2**26
"""Of the edges of one outline with rows: as many as a picture has pixels."""


def read_mask(path: Path) -> NDArray[Any]:
    """Read the stored values of a mask.

    Parameters
    ----------
    path : Path
        Grey, palette (its indices count) or 1-bit picture; a colour picture only if its three
        channels are equal.

    Returns
    -------
    (H, W) uint8 or uint16

    Raises
    ------
    MaskError
        When the file cannot be read or has more than one value a pixel.
    """
    try:
        values = read_values(path)
    except ImageError as error:
        raise MaskError(error.what, where=path, fix=error.fix) from error
    if values.dtype == bool:
        values = values.astype(np.uint8)
    if values.dtype not in (np.uint8, np.uint16):
        raise MaskError(f"{values.dtype} values, expected uint8 or uint16", where=path)
    return values if values.ndim == 2 else _one_channel(values, path)


def _one_channel(values: NDArray[Any], path: Path) -> NDArray[Any]:
    n_colours = 1 if values.shape[2] == 2 else 3
    colours, alpha = values[..., :n_colours], values[..., n_colours:]
    if (colours != colours[..., :1]).any() or (alpha != np.iinfo(values.dtype).max).any():
        raise MaskError(
            "a colour picture, expected one value a pixel",
            where=path,
            fix="Save the mask as a grey PNG whose values are the part ids",
        )
    return values[..., 0]


@dataclass(frozen=True)
class Region:
    """A mask cropped to a window of its picture.

    Parameters
    ----------
    row0, col0 : int
        The window's top left corner.
    mask : (h, w) bool
    """

    row0: int
    col0: int
    mask: NDArray[np.bool_]

    def full(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Give the mask on the whole picture, `shape` (H, W)."""
        result = np.zeros(shape, bool)
        height, width = self.mask.shape
        result[self.row0 : self.row0 + height, self.col0 : self.col0 + width] = self.mask
        return result


def polygon_mask(
    points: ArrayLike, shape: tuple[int, int], *, outline: bool = False
) -> NDArray[np.bool_]:
    """Fill a polygon on a whole picture, `shape` (H, W) bool; see `polygon_region`."""
    return polygon_region(points, shape, outline=outline).full(shape)


def polygon_region(points: ArrayLike, shape: tuple[int, int], *, outline: bool = False) -> Region:
    """Fill a polygon by the even-odd rule; what lies outside of the picture is cut off.

    Coordinates are continuous: pixel (row, col) covers ``col <= x < col + 1``.

    Parameters
    ----------
    points : (n, 2) float
        Corners (x, y); the last is joined to the first.
    shape : (height, width)
        The picture's.
    outline : bool
        False: a pixel belongs to the polygon when its centre lies inside, as in COCO, so that the
        mask has the polygon's area on average. True: the pixels that the outline runs through
        belong to it as well, as LabelMe's own ``shape_to_mask`` and the Sperm Parsing benchmark
        have it; that is half a pixel more all around.

    Raises
    ------
    MaskError
        For fewer than 3 points, or coordinates that are no finite numbers.
    """
    if not outline:
        return rings_region([points], shape)
    corners = _checked_corners(points)
    (left, top), (right, bottom) = _window(corners, shape)
    return Region(
        top, left, _fill_with_outline(corners - (left, top), (bottom - top, right - left))
    )


def rings_region(rings: Sequence[ArrayLike], shape: tuple[int, int]) -> Region:
    """Fill several polygons together by the even-odd rule, so that a ring in another is a hole.

    A pixel belongs to it when its centre lies inside, as in COCO. A line that is drawn there and
    back, as from an outline to its hole and back in one polygon, changes nothing.

    Parameters
    ----------
    rings : sequence of (n, 2) float
        As `points` of `polygon_region`.
    shape : (height, width)
        The picture's.

    Raises
    ------
    MaskError
        As `polygon_region`, and for so many corners that no hand has drawn them.
    """
    corners = [_checked_corners(ring) for ring in rings]
    if not corners:
        return Region(0, 0, np.zeros((0, 0), bool))
    (left, top), (right, bottom) = _window(np.concatenate(corners), shape)
    starts = np.concatenate(corners) - (left, top)
    ends = np.concatenate([np.roll(ring, -1, axis=0) for ring in corners]) - (left, top)
    return Region(top, left, _fill_centres(starts, ends, (bottom - top, right - left)))


def _checked_corners(points: ArrayLike) -> NDArray[np.float64]:
    try:
        corners = np.asarray(points, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise MaskError(f"points of a polygon must be pairs of numbers: {error}") from None
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise MaskError(f"a polygon needs at least 3 points (x, y), got shape {corners.shape}")
    if not np.isfinite(corners).all():
        raise MaskError("a polygon has coordinates that are no finite numbers")
    if np.abs(corners).max() > _FARTHEST:
        raise MaskError(f"a polygon has coordinates beyond {_FARTHEST:,}")
    return corners


def _window(
    corners: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Give the corners (x, y), top left and bottom right, of what `corners` cover of a picture."""
    limits = (shape[1], shape[0])
    # A pixel of margin at the right and below for the outline's own pixels.
    left, top = np.clip(np.floor(corners.min(0)), 0, limits).astype(int)
    right, bottom = np.clip(np.floor(corners.max(0)) + 1, 0, limits).astype(int)
    return (int(left), int(top)), (int(right), int(bottom))


def _fill_centres(
    starts: NDArray[np.float64], ends: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Fill what lies between edges, each from its start to its end."""
    height, width = shape
    # The same edge in the other direction shall cross each row at the very same place.
    down = (starts[:, 1] <= ends[:, 1])[:, None]
    # In these coordinates pixel centres are whole numbers.
    x0, y0 = (np.where(down, starts, ends) - 0.5).T
    x1, y1 = (np.where(down, ends, starts) - 0.5).T
    first, behind = np.clip(np.ceil([y0, y1]), 0, height).astype(int)
    times = behind - first
    if times.sum() > _MOST_CROSSINGS:
        raise MaskError(f"an outline of {len(starts)} corners that crosses {times.sum()} rows")
    edge = np.repeat(np.arange(len(times)), times)
    row = np.arange(times.sum()) - np.repeat(times.cumsum() - times, times) + first[edge]
    slope = (x1[edge] - x0[edge]) / (y1[edge] - y0[edge])
    crossing = np.ceil(x0[edge] + (row - y0[edge]) * slope)
    # Every crossing switches between inside and outside for all pixels to its right.
    switches = np.zeros((height, width + 1), np.uint8)
    np.add.at(switches, (row, np.clip(crossing, 0, width).astype(int)), 1)
    inside: NDArray[np.bool_] = np.cumsum(switches, axis=1, dtype=np.uint8) & 1 == 1
    return inside[:, :-1]


def _fill_with_outline(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    # Not of mode "1": its pixels are bytes of 255, which SciPy does not take for one.
    canvas = Image.new("L", (int(shape[1]), int(shape[0])))
    # Pillow calculates with C integers.
    pixels = np.clip(np.floor(corners), -(2**20), 2**20).astype(int)
    ImageDraw.Draw(canvas).polygon(pixels.ravel().tolist(), fill=1, outline=1)
    filled: NDArray[np.bool_] = np.asarray(canvas) == 1
    return filled


def rle_mask(segmentation: Mapping[str, Any], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Decode COCO run lengths on a whole picture, `shape` (H, W); see `rle_region`."""
    return rle_region(segmentation, shape).full(shape)


def rle_region(segmentation: Mapping[str, Any], shape: tuple[int, int]) -> Region:
    """Decode COCO run lengths, compressed (``counts`` is text) or not (a list of numbers).

    pycocotools is not asked to: it leaves pixels undefined when the runs are too short.

    Parameters
    ----------
    segmentation : mapping
        ``size`` and ``counts``.
    shape : (height, width)
        The picture's; ``size`` must agree.

    Raises
    ------
    MaskError
        When the run lengths are damaged or do not fill the picture.
    """
    try:
        size, counts = list(segmentation["size"]), segmentation["counts"]
        runs = _decompress(counts) if isinstance(counts, str | bytes) else np.array(counts, int)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MaskError(f"damaged run lengths: {error!r}") from error
    height, width = shape
    if size != [height, width]:
        raise MaskError(f"run lengths of {size}, picture of {[height, width]} (height, width)")
    # Single runs are bounded first, so that their sum cannot wrap around.
    if runs.ndim != 1 or ((runs < 0) | (runs > height * width)).any():
        raise MaskError(f"run lengths out of 0 ... {height * width}")
    ends = np.cumsum(runs)
    if not runs.size or ends[-1] != height * width:
        raise MaskError(f"run lengths do not add up to {height} x {width} pixels")
    inside = np.arange(runs.size) % 2 == 1
    drawn = inside & (runs > 0)
    if not drawn.any():
        return Region(0, 0, np.zeros((0, 0), bool))
    return _region_of_runs((ends - runs)[drawn], ends[drawn], height)


def _region_of_runs(starts: NDArray[np.int64], stops: NDArray[np.int64], height: int) -> Region:
    """Lay runs of pixels, which go down the columns, in the window that they fill."""
    # Cut at the ends of columns first.
    times = (stops - 1) // height - starts // height + 1
    columns = np.repeat(starts // height - times.cumsum() + times, times) + np.arange(times.sum())
    top = np.maximum(np.repeat(starts, times) - columns * height, 0)
    bottom = np.minimum(np.repeat(stops, times) - columns * height, height)
    row0, column0, extent = top.min(), columns[0], bottom.max() - top.min()
    first = (columns - column0) * extent - row0
    edges = np.stack([first + top, first + bottom], axis=1).ravel()
    n_columns = columns[-1] - column0 + 1
    inside = np.tile([False, True], len(columns) + 1)[:-1]
    unrolled = np.repeat(inside, np.diff(edges, prepend=0, append=n_columns * extent))
    window = np.ascontiguousarray(unrolled.reshape(n_columns, extent).T)
    return Region(int(row0), int(column0), window)


def _decompress(counts: str | bytes) -> NDArray[np.int64]:
    """Read COCO's text: five bits a character, lowest first; then differences to two runs back.

    The format is that of ``rleFrString`` in cocoapi's ``maskApi.c``.
    """
    text = counts if isinstance(counts, bytes) else counts.encode("ascii")
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if codes.size == 0 or codes.min() < 0 or codes.max() > 63 or codes[-1] & 0x20:
        raise ValueError("text of run lengths is cut off or has strange characters")
    ends = np.flatnonzero(codes & 0x20 == 0)
    starts = np.r_[0, ends[:-1] + 1]
    if (ends - starts).max() > 6:
        raise ValueError("a run length has more than 35 bits")
    place = np.arange(codes.size) - np.repeat(starts, ends - starts + 1)
    runs = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    negative = codes[ends] & 0x10 != 0
    runs[negative] -= 1 << (5 * (ends - starts + 1)[negative])
    # The first three runs stand as they are.
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def encode_rle(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Encode (H, W) bool as COCO compressed run lengths, ready for JSON."""
    encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {
        "size": [int(value) for value in encoded["size"]],
        "counts": encoded["counts"].decode("ascii"),
    }


def encode_region(
    mask: NDArray[np.bool_], corner: tuple[int, int], shape: tuple[int, int]
) -> dict[str, Any]:
    """Encode a cropped mask as `encode_rle` does the whole one, in time that grows with the crop.

    Parameters
    ----------
    mask : (h, w) bool
    corner : tuple of int
        Row and column of its top left corner.
    shape : (H, W)
        Of the picture.
    """
    rows, columns = _stretch(mask, axis=1), _stretch(mask, axis=0)
    window = mask[rows, columns]
    # Down the columns, as COCO counts, a pixel apart: where runs start and end.
    spaced = np.zeros((window.shape[1], window.shape[0] + 1), bool)
    spaced[:, :-1] = window.T
    column, row = np.divmod(np.flatnonzero(np.diff(spaced.ravel(), prepend=False)), len(window) + 1)
    row, column = row + rows.start + corner[0], column + columns.start + corner[1]
    edges = (column * shape[0] + row).reshape(-1, 2)
    # A run that ends where the next column's begins goes on: as high as the picture.
    joined = np.flatnonzero(edges[1:, 0] == edges[:-1, 1])
    edges = np.delete(edges.ravel(), np.concatenate([2 * joined + 1, 2 * joined + 2]))
    counts = np.diff(edges, prepend=0, append=shape[0] * shape[1])
    if counts[-1] == 0:
        counts = counts[:-1]
    encoded = coco_mask.frPyObjects({"counts": counts.tolist(), "size": list(shape)}, *shape)
    return {"size": [int(n) for n in shape], "counts": encoded["counts"].decode("ascii")}


def _stretch(mask: NDArray[np.bool_], axis: int) -> slice:
    """Give the lines along an axis from the first that holds a pixel to the last; all if none."""
    lines: NDArray[np.bool_] = np.logical_or.reduce(mask, axis)
    return slice(int(lines.argmax()), len(lines) - int(lines[::-1].argmax()))
