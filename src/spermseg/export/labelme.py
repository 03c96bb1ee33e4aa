"""LabelMe's JSON: one file a picture, one polygon a piece, ``group_id`` the sperm."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from spermseg.data.datasets.labelme import PIXEL_EDGES
from spermseg.export.outlines import LOSSLESS, keyhole, numbers, outlines
from spermseg.export.result_folder import ResultPicture
from spermseg.files import write_text

_VERSION = "5.5.0"
"""Of the program whose files these are like."""


def write_labelme(
    result: Iterable[ResultPicture], folder: Path, *, simplify: float = LOSSLESS
) -> tuple[str, ...]:
    """Write ``ID.json`` a picture, to lie beside the pictures.

    LabelMe's polygons have no holes: a hole is joined to its outline by a line there and back.

    Parameters
    ----------
    result : iterable of ResultPicture
        A `ResultFolder`, or some of its pictures.
    folder : Path
    simplify : float
        As in `spermseg.export.outlines.outlines`.
    """
    for picture in result:
        height, width = picture.size
        content: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": _shapes(picture, simplify),
            "imagePath": PurePosixPath(picture.file).name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
            # LabelMe keeps what it does not know.
            **PIXEL_EDGES,
        }
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        write_text(folder / f"{picture.id}.json", text)
    return ()


def _shapes(picture: ResultPicture, simplify: float) -> list[dict[str, Any]]:
    return [
        {
            "label": part.name.lower(),
            "points": numbers(keyhole(polygon)),
            "group_id": one.instance.id,
            "description": one.verdict_name,
            "shape_type": "polygon",
            "flags": {},
        }
        for one, part, mask in picture.masks()
        for polygon in outlines(mask, one.instance.bbox[:2], simplify=simplify)
    ]
