"""Write the report's 111 variants of some pictures as a data set of their own."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from spermseg.data.augmentation import REPORT_2021, Corners, Interpolation, Variant, apply_recipe
from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.preprocess import Preprocessing, Size
from spermseg.errors import DataError, ResourceError, UsageError
from spermseg.files import write_json
from spermseg.structures import SCHEMAS, LabelSchema


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
        Processes. They are spawned: a script that asks for several needs the usual
        ``if __name__ == "__main__"``.
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
    _check_request(dataset, ids, out)
    schema = schema or dataset.schema
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=out) as temporary:
        staging = Path(temporary)
        write = partial(
            _write_variants,
            dataset,
            staging,
            size=size,
            schema=schema,
            interpolation=interpolation,
            corners=corners,
        )
        scales, total = [], len(ids) * len(REPORT_2021)
        for scale in _in_processes(write, ids, workers):
            scales.append(scale)
            if on_progress is not None:
                on_progress(len(scales) * len(REPORT_2021), total)
        write_json(
            staging / "dataset.json",
            _description(dataset, ids, schema, scales)
            | {"recipe": "report-2021", "labels": interpolation, "corners": corners},
        )
        for entry in sorted(staging.iterdir()):
            entry.rename(out / entry.name)
    return total


def _check_request(dataset: LabelledDataset, ids: Sequence[str], out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("there is something here already", where=out, fix="Choose a new folder")
    if not ids:
        raise UsageError("no pictures to augment", where=dataset.root)
    unknown = [sample_id for sample_id in ids if sample_id not in dataset.records]
    if unknown:
        raise UsageError(f"no picture {unknown[0]!r} here", where=dataset.root)
    if len(set(ids)) != len(ids):
        raise UsageError("a picture was named twice", where=dataset.root)


def _in_processes(
    write: Callable[[str], float | None], ids: Sequence[str], workers: int
) -> Iterator[float | None]:
    if workers <= 1:
        yield from map(write, ids)
        return
    pool = ProcessPoolExecutor(min(workers, len(ids)), multiprocessing.get_context("spawn"))
    try:
        for future in as_completed([pool.submit(write, sample_id) for sample_id in ids]):
            yield future.result()
    except BrokenProcessPool:
        raise ResourceError(
            "a worker process was killed, most likely for lack of memory", fix="Use fewer workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _write_variants(
    dataset: LabelledDataset,
    folder: Path,
    sample_id: str,
    *,
    size: Size | None,
    schema: LabelSchema,
    interpolation: Interpolation,
    corners: Corners,
) -> float | None:
    """Write the variants of one picture; give its pixel size in micrometres, if still known."""
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
    return sample.um_per_px if image.shape[:2] == sample.size else None


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
    ids: Sequence[str],
    schema: LabelSchema,
    scales: Sequence[float | None],
) -> dict[str, Any]:
    originals = {_variant_id(id, variant): id for id in ids for variant in REPORT_2021}
    names = [name for name, known in SCHEMAS.items() if known == schema]
    description: dict[str, Any] = {"schema": names[0] if names else schema.to_dict()}
    if len(set(scales)) == 1 and scales[0] is not None:
        description["um_per_px"] = scales[0]
    groups = {variant: dataset.records[id].group or id for variant, id in originals.items()}
    return description | {"groups": groups, "originals": originals}
