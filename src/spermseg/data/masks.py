"""One mask: raw values, polygons and run lengths to pixels, sperm to a part map."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
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
    corners = _checked_corners(points)
    limits = (shape[1], shape[0])
    # A pixel of margin at the right and below for the outline's own pixels.
    left, top = np.clip(np.floor(corners.min(0)), 0, limits).astype(int)
    right, bottom = np.clip(np.floor(corners.max(0)) + 1, 0, limits).astype(int)
    fill = _fill_with_outline if outline else _fill_centres
    return Region(int(top), int(left), fill(corners - (left, top), (bottom - top, right - left)))


def _checked_corners(points: ArrayLike) -> NDArray[np.float64]:
    try:
        corners = np.asarray(points, np.float64)
    except (TypeError, ValueError) as error:
        raise MaskError(f"points of a polygon must be pairs of numbers: {error}") from None
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
        raise MaskError(f"a polygon needs at least 3 points (x, y), got shape {corners.shape}")
    if not np.isfinite(corners).all():
        raise MaskError("a polygon has coordinates that are no finite numbers")
    return corners


def _fill_centres(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    height, width = shape
    # In these coordinates pixel centres are whole numbers.
    x0, y0 = (corners - 0.5).T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    rows = np.arange(height)[:, None]
    row, edge = np.nonzero((y0 <= rows) != (y1 <= rows))
    slope = (x1[edge] - x0[edge]) / (y1[edge] - y0[edge])
    crossing = np.ceil(x0[edge] + (row - y0[edge]) * slope)
    # Every crossing switches between inside and outside for all pixels to its right.
    switches = np.zeros((height, width + 1), np.uint8)
    np.add.at(switches, (row, np.clip(crossing, 0, width).astype(int)), 1)
    inside: NDArray[np.bool_] = np.cumsum(switches, axis=1, dtype=np.uint8) & 1 == 1
    return inside[:, :-1]


def _fill_with_outline(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    canvas = Image.new("1", (int(shape[1]), int(shape[0])))
    # Pillow calculates with C integers.
    pixels = np.clip(np.floor(corners), -(2**20), 2**20).astype(int)
    ImageDraw.Draw(canvas).polygon(pixels.ravel().tolist(), fill=1, outline=1)
    return np.array(canvas)


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
    # Runs go down the columns; only those that hold pixels are unrolled.
    first = int((ends - runs)[drawn][0]) // height
    last = int(ends[drawn][-1] - 1) // height + 1
    pieces = np.clip(ends, first * height, last * height)
    unrolled = np.repeat(inside, np.diff(pieces, prepend=first * height))
    columns = unrolled.reshape(last - first, height)
    rows = np.flatnonzero(columns.any(0))
    window = columns[:, rows[0] : rows[-1] + 1].T
    return Region(int(rows[0]), first, np.ascontiguousarray(window))


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


def assemble(
    regions: Mapping[int | None, Iterable[tuple[Part, Region]]], shape: tuple[int, int]
) -> tuple[NDArray[np.uint8], tuple[SpermInstance, ...] | None]:
    """Turn the annotation of one picture into a part map and sperm.

    Parameters
    ----------
    regions : mapping
        The regions of each sperm; under None those that belong to no sperm, which are painted
        beneath. The sperm are painted in ascending order.
    shape : (height, width)

    Returns
    -------
    part_map : shape, uint8
    sperm : tuple of SpermInstance or None
        None when no region belongs to a sperm: they are not told apart.
    """
    ids = sorted(id for id in regions if id is not None)
    # Annotators may count from 0, our sperm count from 1.
    shift = max(0, 1 - min(ids, default=1))
    found = (assemble_sperm(id + shift, regions[id], shape) for id in ids)
    sperm = tuple(one for one in found if one is not None)
    loose = assemble_sperm(0, regions.get(None, ()), shape)
    part_map = paint_part_map((*([loose] if loose else []), *sperm), shape)
    return part_map, None if loose and not ids else sperm


def assemble_sperm(
    id: int, regions: Iterable[tuple[Part, Region]], shape: tuple[int, int]
) -> SpermInstance | None:
    """Put the regions of one sperm together; regions of one part are united.

    Parameters
    ----------
    id : int
    regions : iterable of (Part, Region)
    shape : (height, width)
        The picture's; a sperm that touches its border is flagged ``"cut"``.

    Returns
    -------
    SpermInstance or None
        None when no region has a pixel.
    """
    regions = [(part, region) for part, region in regions if region.mask.any()]
    if not regions:
        return None
    row0 = min(region.row0 for _, region in regions)
    col0 = min(region.col0 for _, region in regions)
    row1 = max(region.row0 + region.mask.shape[0] for _, region in regions)
    col1 = max(region.col0 + region.mask.shape[1] for _, region in regions)
    masks: dict[int, NDArray[np.bool_]] = {}
    for part, region in regions:
        moved = replace(region, row0=region.row0 - row0, col0=region.col0 - col0)
        full = moved.full((row1 - row0, col1 - col0))
        masks[part] = masks[part] | full if part in masks else full
    sperm = SpermInstance.from_full_masks(id, masks)
    if sperm is None:
        return None
    top, left, bottom, right = sperm.bbox
    bbox = (top + row0, left + col0, bottom + row0, right + col0)
    cut = bbox[0] == 0 or bbox[1] == 0 or bbox[2] == shape[0] or bbox[3] == shape[1]
    return replace(sperm, bbox=bbox, flags=frozenset({"cut"} if cut else ()))


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
