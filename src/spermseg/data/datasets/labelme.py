"""Pictures with LabelMe's JSON beside them."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spermseg.data.datasets.base import SampleRecord
from spermseg.data.datasets.beside import (
    BesideDataset,
    Regions,
    load_beside,
    recognise_beside,
)
from spermseg.data.datasets.listing import read_mapping
from spermseg.data.datasets.names import part_named
from spermseg.data.masks import Region, polygon_region
from spermseg.errors import MaskError
from spermseg.structures import LabelledSample, Part

SHAPE_TYPES = ("polygon", "rectangle", "mask")


PIXEL_EDGES = {"outline": "pixel edges"}
"""In a file whose polygons run along the edges of pixels: they are filled by the centres of pixels,
as one sees them, and not with the outline's own pixels as well."""


class LabelMeDataset(BesideDataset):
    """A folder of pictures, each with LabelMe's ``.json`` beside it: `BesideDataset`.

    Labels are parts, by `spermseg.data.datasets.names`; ``group_id`` is the sperm.
    """

    layout = "labelme"
    extensions = frozenset({".json"})

    @staticmethod
    def is_annotation(path: Path) -> bool:
        """Tell whether a JSON file is LabelMe's."""
        try:
            return "shapes" in read_mapping(path)
        except MaskError:
            return False

    @staticmethod
    def read_regions(path: Path, size: tuple[int, int]) -> Regions:
        """Read the shapes on a picture of `size` (height, width)."""
        content = read_mapping(path)
        stated = (content.get("imageHeight"), content.get("imageWidth"))
        if None not in stated and stated != size:
            raise MaskError(
                f"made for a picture of {stated}, it is {size} (height, width)", where=path
            )
        entries = content.get("shapes")
        if not isinstance(entries, list):
            raise MaskError("no list of shapes", where=path)
        outline = not PIXEL_EDGES.items() <= content.items()
        regions: dict[int | None, list[tuple[Part, Region]]] = {}
        for index, entry in enumerate(entries):
            try:
                sperm, part, region = _shape(entry, size, outline)
            except MaskError as error:
                raise MaskError(f"shape {index}: {error.what}", where=path, fix=error.fix) from None
            regions.setdefault(sperm, []).append((part, region))
        return regions


def recognise(root: Path) -> bool:
    """Tell whether some picture has LabelMe's JSON beside it."""
    return recognise_beside(root, LabelMeDataset)


def load_labelme(record: SampleRecord, annotation: Path) -> LabelledSample:
    """Read one picture and its LabelMe file.

    Raises
    ------
    ImageError, MaskError
        Naming the file, and the shape by its place in the file.
    """
    return load_beside(record, annotation, LabelMeDataset.read_regions)


def _shape(entry: Any, size: tuple[int, int], outline: bool) -> tuple[int | None, Part, Region]:
    if not isinstance(entry, dict):
        raise MaskError(f"expected a JSON object, got {type(entry).__name__}")
    part = part_named(entry.get("label"))
    sperm = entry.get("group_id")
    if not (sperm is None or type(sperm) is int):
        raise MaskError(f"group_id must be a whole number or null, got {sperm!r}")
    kind = entry.get("shape_type", "polygon")
    if kind not in SHAPE_TYPES:
        raise MaskError(
            f"shape type {kind!r} is not read", fix=f"Draw one of {', '.join(SHAPE_TYPES)}"
        )
    points: Any = entry.get("points")
    if kind == "mask":
        return sperm, part, _mask(points, entry.get("mask"), size)
    if kind == "rectangle":
        points = _corners(points)
    return sperm, part, polygon_region(points, size, outline=outline)


def _mask(points: Any, encoded: Any, size: tuple[int, int]) -> Region:
    """Read what LabelMe's AI tool leaves: a PNG in base64, and the pixels at its corners."""
    (x0, y0), _, (x1, y1), _ = _corners(points)
    try:
        left, top, right, bottom = round(x0), round(y0), round(x1) + 1, round(y1) + 1
        with Image.open(io.BytesIO(base64.b64decode(encoded)), formats=["PNG"]) as picture:
            inside = 0 <= left < right <= size[1] and 0 <= top < bottom <= size[0]
            if not inside or picture.size != (right - left, bottom - top):
                raise ValueError(f"{picture.size} pixels from {points} on a picture of {size}")
            mask = np.array(picture.convert("1"))
    except (TypeError, ValueError, OverflowError, OSError, SyntaxError, Warning) as error:
        raise MaskError(f"its mask cannot be read: {error}") from None
    return Region(top, left, mask)


def _corners(points: Any) -> list[tuple[Any, Any]]:
    try:
        (x0, y0), (x1, y1) = points
    except (TypeError, ValueError):
        raise MaskError(f"a rectangle needs 2 points (x, y), got {points!r:.60}") from None
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
