"""Write synthetic smears as a data set: pictures, masks, annotation and the table of truth."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spermseg import __version__
from spermseg.data.images import write_image
from spermseg.data.masks import encode_rle
from spermseg.data.parallel import run_in_processes
from spermseg.data.synthetic.presets import preset_named
from spermseg.data.synthetic.settings import Preset
from spermseg.data.synthetic.smear import (
    SCHEMA_NAME,
    SyntheticSample,
    synthesize_sample,
)
from spermseg.data.synthetic.truth import SpermTruth
from spermseg.errors import UsageError
from spermseg.files import new_folder, write_json, write_text
from spermseg.structures import SCHEMAS, LabelledSample, Part


def synthesize_dataset(
    out: Path,
    preset: str,
    n: int,
    seed: int = 0,
    *,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write `n` synthetic smears with everything that is true of them.

    ``images/NNNNNN.png``; ``masks/NNNNNN.png`` (part ids); ``annotations.json`` (COCO, one
    annotation a sperm and part); ``sperm.csv`` (one row a sperm, see `SpermTruth`);
    ``dataset.json`` (preset, seed, pixel size, groups). The same call writes the same bytes with
    any number of workers, and picture k is the same in a data set of any size. Until all is written
    it lies in a hidden folder inside `out`, which is removed when something fails.

    Parameters
    ----------
    out : Path
        A new or empty folder.
    preset : str
        A name in `PRESETS`.
    n : int
        How many pictures.
    seed : int
        Not negative.
    workers : int
        Processes, see `run_in_processes`.
    on_progress : callable, optional
        Called with the number of pictures written and `n`.

    Returns
    -------
    int
        How many sperm there are.

    Raises
    ------
    UsageError
        When `out` is not empty, or for an unknown preset, no pictures or a negative seed.
    ResourceError
        When a worker process was killed.
    """
    settings = preset_named(preset)
    if n < 1:
        raise UsageError(f"the number of pictures must be at least 1, got {n}")
    if seed < 0:
        raise UsageError(f"the seed must not be negative, got {seed}")
    with new_folder(out) as staging:
        pictures: list[_Picture] = []
        for picture in run_in_processes(
            partial(_write_picture, staging, preset, seed), range(n), workers
        ):
            pictures.append(picture)
            if on_progress is not None:
                on_progress(len(pictures), n)
        pictures.sort(key=lambda picture: picture.id)
        write_json(staging / "annotations.json", _coco(pictures, settings))
        write_text(staging / "sperm.csv", _table(pictures))
        write_json(staging / "dataset.json", _description(pictures, settings, seed))
    return sum(len(picture.truth) for picture in pictures)


@dataclass(frozen=True)
class _Picture:
    """What is left of a picture once its files are written."""

    id: str
    truth: tuple[SpermTruth, ...]
    annotations: list[dict[str, Any]]


def _write_picture(folder: Path, preset: str, seed: int, index: int) -> _Picture:
    made = synthesize_sample(preset, seed, index)
    write_image(folder / "images" / f"{made.sample.id}.png", made.sample.image)
    write_image(folder / "masks" / f"{made.sample.id}.png", made.sample.part_map)
    return _Picture(made.sample.id, made.truth, _annotations(made))


def _annotations(made: SyntheticSample) -> list[dict[str, Any]]:
    sample: LabelledSample = made.sample
    annotations = []
    for sperm in sample.instances or ():
        for part in sorted(sperm.masks):
            mask = sperm.full_mask(part, sample.size)
            rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            top, left = int(rows[0]), int(cols[0])
            annotations.append(
                {
                    "category_id": int(part),
                    "sperm_id": sperm.id,
                    "score": 1.0,
                    "iscrowd": 0,
                    "bbox": [left, top, int(cols[-1]) + 1 - left, int(rows[-1]) + 1 - top],
                    "area": int(mask.sum()),
                    "segmentation": encode_rle(mask),
                }
            )
    return annotations


def _coco(pictures: Sequence[_Picture], preset: Preset) -> dict[str, Any]:
    height, width = preset.size
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, start=1):
        images.append(
            {
                "id": number,
                "file_name": f"images/{picture.id}.png",
                "height": height,
                "width": width,
                "um_per_px": preset.um_per_px,
                "group": picture.id,
            }
        )
        for annotation in picture.annotations:
            head = {"id": len(annotations) + 1, "image_id": number}
            annotations.append(head | annotation)
    parts = [Part(id) for id in SCHEMAS[SCHEMA_NAME].ids if id != Part.BACKGROUND]
    return {
        "images": images,
        "categories": [{"id": int(part), "name": part.name.lower()} for part in sorted(parts)],
        "annotations": annotations,
    }


def _table(pictures: Sequence[_Picture]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["image", *(field.name for field in fields(SpermTruth))])
    for picture in pictures:
        for truth in picture.truth:
            writer.writerow([picture.id, *map(_cell, asdict(truth).values())])
    return stream.getvalue()


def _cell(value: object) -> str:
    """Six significant digits; empty where there is nothing to measure."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def _description(pictures: Sequence[_Picture], preset: Preset, seed: int) -> dict[str, Any]:
    return {
        "synthetic": True,
        "preset": preset.name,
        "seed": seed,
        "version": __version__,
        "schema": SCHEMA_NAME,
        "um_per_px": preset.um_per_px,
        "groups": {picture.id: picture.id for picture in pictures},
    }
