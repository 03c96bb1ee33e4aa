"""The annotation of one picture: label values or regions to a part map and sperm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.data.masks import Region
from spermseg.errors import MaskError
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

BORDER_MARGIN = 2
"""A sperm this near to the border, in pixels, is cut by it: annotators stop a little short."""


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
    if found.size <= 2:
        return 'Name the part of black and white masks in dataset.json, {"part": "head"}'
    if found.size > 16:
        return "A JPEG mask has grey edges: save it as PNG"
    return "State another schema in dataset.json, or correct the mask"


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
        The picture's; a sperm within `BORDER_MARGIN` of its border is flagged ``"cut"``.

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
    distance = min(bbox[0], bbox[1], shape[0] - bbox[2], shape[1] - bbox[3])
    return replace(sperm, bbox=bbox, flags=frozenset({"cut"} if distance <= BORDER_MARGIN else ()))


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
