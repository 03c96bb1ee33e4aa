"""COCO for programs that know no run lengths: polygons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spermseg import DISCLAIMER
from spermseg.data.masks import encode_region
from spermseg.export.outlines import LOSSLESS, keyhole, numbers, outlines
from spermseg.export.result_folder import ResultFolder, ResultPicture
from spermseg.files import atomic_path


def write_coco(
    result: ResultFolder,
    folder: Path,
    *,
    simplify: float = LOSSLESS,
    run_lengths: bool = False,
) -> tuple[str, ...]:
    """Write ``annotations.json``: one annotation a sperm and part, with ``sperm_id`` and ``score``.

    The polygons of a COCO annotation are united and have no holes: a hole is joined to its outline
    by a line there and back.

    Parameters
    ----------
    result : ResultFolder
    folder : Path
    simplify : float
        As in `spermseg.export.outlines.outlines`.
    run_lengths : bool
        Compressed run lengths in place of polygons.
    """
    images: list[dict[str, Any]] = []
    with (
        atomic_path(folder / "annotations.json") as path,
        path.open("w", encoding="utf-8") as stream,
    ):
        # By hand, as it comes: all masks of a large folder do not fit into memory.
        stream.write('{"annotations": [')
        n = 0
        for number, picture in enumerate(result, 1):
            images.append(_image(number, picture))
            for annotation in _annotations(picture, simplify, run_lengths):
                stream.write(",\n" if n else "\n")
                n += 1
                stream.write(json.dumps({"id": n, "image_id": number, **annotation}))
        rest = {
            "info": {"description": f"spermseg {result.version}. {DISCLAIMER}"},
            "images": images,
            "categories": [
                {"id": int(part), "name": part.name.lower(), "supercategory": "sperm"}
                for part in result.parts
            ],
        }
        stream.write("\n], " + json.dumps(rest, ensure_ascii=False, allow_nan=False)[1:] + "\n")
    return ()


def _image(number: int, picture: ResultPicture) -> dict[str, Any]:
    height, width = picture.size
    return {
        "id": number,
        "file_name": picture.file,
        "height": height,
        "width": width,
        "um_per_px": picture.um_per_px,
    }


def _annotations(
    picture: ResultPicture, simplify: float, run_lengths: bool
) -> Iterator[dict[str, Any]]:
    for one, part, mask in picture.masks():
        top, left = one.instance.bbox[:2]
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if run_lengths:
            segmentation: Any = encode_region(mask, (top, left), picture.size)
        else:
            polygons = outlines(mask, (top, left), simplify=simplify)
            segmentation = [
                [number for corner in numbers(keyhole(polygon)) for number in corner]
                for polygon in polygons
            ]
        yield {
            "category_id": int(part),
            "sperm_id": one.instance.id,
            "score": one.instance.score,
            "corrected": one.corrected,
            "iscrowd": 0,
            "bbox": [
                *(left + int(columns[0]), top + int(rows[0])),
                *(int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1),
            ],
            "area": int(mask.sum()),
            "segmentation": segmentation,
        }
