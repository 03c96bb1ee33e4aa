"""One mask: raw values, polygons and run lengths to pixels, sperm to a part map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pycocotools import mask as coco_mask

from spermseg.data.images import read_values
from spermseg.errors import ImageError, MaskError
from spermseg.structures import LabelSchema, Part, SpermInstance

ALL_PARTS = LabelSchema(tuple(part.name.lower() for part in Part), tuple(int(p) for p in Part))
"""The schema of an annotation that does not say which parts it tells apart."""

PAINT_ORDER = (
    Part.TAIL,
    Part.HEAD,
    Part.ACROSOME,
    Part.NUCLEUS,
    Part.MIDPIECE,
    Part.VACUOLE,
)
"""Order in which one sperm's parts are painted, later over earlier (Sperm Parsing benchmark)."""


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
    if values.ndim == 3:
        values = _one_channel(values, path)
    if values.dtype == bool:
        values = values.astype(np.uint8)
    if values.dtype not in (np.uint8, np.uint16):
        raise MaskError(f"{values.dtype} values, expected uint8 or uint16", where=path)
    return values


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


def part_map_of(
    values: NDArray[Any], schema: LabelSchema, where: Path | None = None
) -> NDArray[np.uint8]:
    """Check that mask values are part ids of `schema` or its ignore id.

    Parameters
    ----------
    values : (H, W) uint8 or uint16
    schema : LabelSchema
    where : Path, optional
        Named in the error.

    Returns
    -------
    (H, W) uint8

    Raises
    ------
    MaskError
        Naming the values found and expected.
    """
    found = np.flatnonzero(np.bincount(values.ravel(), minlength=1))
    expected = [*schema.ids, schema.ignore_id]
    unknown = found[~np.isin(found, expected)]
    if unknown.size:
        raise MaskError(
            f"unknown values {_short(unknown)}, expected part ids {_short(np.array(expected))}",
            where=where,
            fix=_advice(found),
        )
    return values.astype(np.uint8)


def binary_part_map(
    values: NDArray[Any], part: Part, where: Path | None = None
) -> NDArray[np.uint8]:
    """Turn a black and white mask, {0, 1} or {0, 255} (H, W), into a map of one part.

    Raises
    ------
    MaskError
        Naming the values found.
    """
    found = np.flatnonzero(np.bincount(values.ravel(), minlength=1)).tolist()
    if not (set(found) <= {0, 1} or set(found) <= {0, 255}):
        raise MaskError(
            f"values {_short(np.array(found))}, expected 0 and 1 or 0 and 255",
            where=where,
            fix="A JPEG mask has grey edges: save it as PNG",
        )
    return np.where(values > 0, np.uint8(part), np.uint8(Part.BACKGROUND))


def _short(values: NDArray[Any]) -> str:
    listed = ", ".join(str(value) for value in values[:8])
    return listed if len(values) <= 8 else f"{listed}, ... ({len(values)} values)"


def _advice(found: NDArray[Any]) -> str:
    if found.tolist() in ([0, 255], [255], [0, 1], [1]):
        return 'Name the part of black and white masks in dataset.json, {"part": "head"}'
    if found.size > 16:
        return "A JPEG mask has grey edges: save it as PNG"
    return "See ids of parts in the documentation; dataset.json may declare another schema"


def polygon_mask(
    points: ArrayLike, shape: tuple[int, int], origin: tuple[int, int] = (0, 0)
) -> NDArray[np.bool_]:
    """Fill a polygon: a pixel belongs to it when its centre lies inside, by the even-odd rule.

    Coordinates are continuous, as LabelMe and COCO write them: pixel (row, col) covers
    ``col <= x < col + 1``, its centre is at ``col + 0.5``. So the mask of a polygon has its area on
    average, and what lies outside of the frame is cut off.

    Parameters
    ----------
    points : (n, 2) float
        Corners (x, y); the last is joined to the first.
    shape : (height, width)
    origin : (row, col)
        Where the frame's top left corner lies.

    Returns
    -------
    shape, bool

    Raises
    ------
    MaskError
        For fewer than 3 points, or coordinates that are no finite numbers.
    """
    corners = np.asarray(points, np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise MaskError(f"a polygon needs at least 3 points (x, y), got shape {corners.shape}")
    if not np.isfinite(corners).all():
        raise MaskError("a polygon has coordinates that are no finite numbers")
    height, width = shape
    # In these coordinates pixel centres are whole numbers.
    corners = corners - (origin[1] + 0.5, origin[0] + 0.5)
    top, bottom = np.clip([corners[:, 1].min(), corners[:, 1].max() + 1], 0, height).astype(int)
    x0, y0 = corners.T
    x1, y1 = np.roll(corners, -1, axis=0).T
    rows = np.arange(top, bottom)[:, None]
    row, edge = np.nonzero((y0 <= rows) != (y1 <= rows))
    slope = (x1[edge] - x0[edge]) / (y1[edge] - y0[edge])
    crossing = x0[edge] + (rows[row, 0] - y0[edge]) * slope
    # Every crossing switches between inside and outside for all pixels to its right.
    switches = np.zeros((bottom - top, width + 1), np.uint8)
    np.add.at(switches, (row, np.clip(np.ceil(crossing), 0, width).astype(int)), 1)
    mask = np.zeros(shape, bool)
    mask[top:bottom] = (np.cumsum(switches, axis=1, dtype=np.uint8) & 1)[:, :width]
    return mask


def rle_mask(segmentation: Mapping[str, Any], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Decode COCO run lengths, compressed (``counts`` is text) or not (a list of numbers).

    pycocotools is not asked to: it leaves pixels undefined when the runs are too short.

    Parameters
    ----------
    segmentation : mapping
        ``size`` and ``counts``.
    shape : (height, width)
        The picture's; ``size`` must agree.

    Returns
    -------
    (height, width) bool

    Raises
    ------
    MaskError
        When the run lengths are damaged or do not fill the picture.
    """
    try:
        size, counts = list(segmentation["size"]), segmentation["counts"]
        runs = _decompress(counts) if isinstance(counts, str | bytes) else np.array(counts, int)
    except (KeyError, TypeError, ValueError, OverflowError, UnicodeError) as error:
        raise MaskError(f"damaged run lengths: {error!r}") from error
    if size != list(shape):
        raise MaskError(f"run lengths of size {size}, picture {list(shape)} (height, width)")
    # Single runs are bounded first, so that their sum cannot wrap around.
    n_pixels = shape[0] * shape[1]
    if runs.ndim != 1 or ((runs < 0) | (runs > n_pixels)).any() or runs.sum() != n_pixels:
        raise MaskError(f"run lengths do not add up to {shape[0]} x {shape[1]} pixels")
    values = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, runs).reshape(shape[::-1]).T)


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


def paint_part_map(sperm: Iterable[SpermInstance], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint sperm one over the other, each in `PAINT_ORDER`.

    Parameters
    ----------
    sperm : iterable of SpermInstance
        Later ones cover earlier ones.
    shape : (height, width)

    Returns
    -------
    (height, width) uint8
        Part ids.
    """
    part_map = np.zeros(shape, np.uint8)
    for one in sperm:
        row0, col0, row1, col1 = one.bbox
        window = part_map[row0:row1, col0:col1]
        for part in PAINT_ORDER:
            if part in one.masks:
                window[one.masks[part]] = part
    return part_map
