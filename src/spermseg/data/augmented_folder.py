"""Write the report's 111 variants of some pictures as a data set of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from spermseg.data.augmentation import REPORT_2021, Corners, Interpolation, Variant, apply_recipe
from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.parallel import run_in_processes
from spermseg.data.preprocess import Preprocessing, Size
from spermseg.errors import DataError, UsageError
from spermseg.files import new_folder, write_json
from spermseg.structures import SCHEMAS, LabelledSample, LabelSchema


def augment_dataset(
    dataset: LabelledDataset,
    ids: Sequence[str],
    out: Path,
    *,
    size: Size | None = None,
    schema: LabelSchema | None = None,
    interpolation: Interpolation = "nearest",
    corners: Corners = "ignore",
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write all variants of some pictures as a data set of layout ``folder``.

    ``images/ID__FLIP-ANGLE.png`` and ``masks/ID__FLIP-ANGLE.png`` (part ids, 255 where
    unknown), and ``dataset.json`` with the schema, the group and the original of every variant, so
    that no split separates the variants of one picture. The same call writes the same bytes, with
    any number of workers. Until all is written it lies in a hidden folder inside `out`, which is
    removed when something fails.

    Parameters
    ----------
    dataset : LabelledDataset
    ids : sequence of str
        The pictures to take.
    out : Path
        A new or empty folder.
    size : (height, width), optional
        Resize before turning; None keeps each picture's own size.
    schema : LabelSchema, optional
        The parts to tell apart in the masks; default is the data set's.
    interpolation, corners
        As in `augmentation.turn_labels`. Linear interpolation blends class indices of `schema`.
    workers : int
        Processes, see `run_in_processes`.
    on_progress : callable, optional
        Called with the number of variants written and the number there will be.

    Returns
    -------
    int
        How many variants were written.

    Raises
    ------
    UsageError
        When `out` is not empty, or `ids` are none, repeated or not in the data set.
    DataError
        When a picture cannot be read or holds parts that `schema` lacks.
    ResourceError
        When a worker process was killed.
    """
    _check_ids(dataset, ids)
    schema = schema or dataset.schema
    scales: dict[str, float | None] = {}
    with new_folder(out) as staging:
        write = partial(
            _write_variants,
            dataset,
            staging,
            size=size,
            schema=schema,
            interpolation=interpolation,
            corners=corners,
        )
        for sample_id, scale in run_in_processes(write, ids, workers):
            scales[sample_id] = scale
            if on_progress is not None:
                on_progress(len(scales) * len(REPORT_2021), len(ids) * len(REPORT_2021))
        recipe = {"recipe": "report-2021", "labels": interpolation, "corners": corners}
        originals = {_variant_id(id, variant): id for id in ids for variant in REPORT_2021}
        description = _description(dataset, originals, schema, scales)
        write_json(staging / "dataset.json", recipe | description)
    return len(originals)


def _check_ids(dataset: LabelledDataset, ids: Sequence[str]) -> None:
    if not ids:
        raise UsageError("no pictures to augment", where=dataset.root)
    unknown = [sample_id for sample_id in ids if sample_id not in dataset.records]
    if unknown:
        raise UsageError(f"no picture {unknown[0]!r} here", where=dataset.root)
    if len(set(ids)) != len(ids):
        raise UsageError("a picture was named twice", where=dataset.root)


def _write_variants(
    dataset: LabelledDataset,
    folder: Path,
    sample_id: str,
    *,
    size: Size | None,
    schema: LabelSchema,
    interpolation: Interpolation,
    corners: Corners,
) -> tuple[str, float | None]:
    """Write the variants of one picture; give its id and, if known, its new pixel size."""
    sample = dataset.load(sample_id)
    image, part_map = Preprocessing(size=size).prepare(sample)
    try:
        indices = schema.to_indices(part_map)
    except DataError as error:
        raise DataError(error.what, where=sample_id, fix="Choose another schema") from None
    variants = apply_recipe(image, indices, interpolation=interpolation, corners=corners)
    for variant, turned, labels in variants:
        name = f"{_variant_id(sample_id, variant)}.png"
        _write_png(folder / "images" / name, turned)
        _write_png(folder / "masks" / name, schema.to_ids(labels))
    return sample_id, _scale(sample, image.shape[:2])


def _scale(sample: LabelledSample, size: Size) -> float | None:
    """Give the pixel size in micrometres after resizing; None when pixels are no longer square."""
    (height, width), (new_height, new_width) = sample.size, size
    if sample.um_per_px is None or height * new_width != width * new_height:
        return None
    return sample.um_per_px * (height / new_height)


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Run lengths after a difference with the left neighbour: half of Pillow's time, same size.
    path.write_bytes(
        imagecodecs.png_encode(
            image, level=1, strategy=imagecodecs.PNG.STRATEGY.RLE, filter=imagecodecs.PNG.FILTER.SUB
        )
    )


def _variant_id(sample_id: str, variant: Variant) -> str:
    return f"{sample_id}__{variant.name}"


def _description(
    dataset: LabelledDataset,
    originals: Mapping[str, str],
    schema: LabelSchema,
    scales: Mapping[str, float | None],
) -> dict[str, Any]:
    names = [name for name, known in SCHEMAS.items() if known == schema]
    groups = {variant: dataset.records[id].group or id for variant, id in originals.items()}
    known = {variant: scales[id] for variant, id in originals.items() if scales[id] is not None}
    return {
        "schema": names[0] if names else schema.to_dict(),
        "um_per_px": known,
        "groups": groups,
        "originals": dict(originals),
    }
