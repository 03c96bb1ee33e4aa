"""Pictures per second of the report's augmentation: ours beside scikit-image's `rotate`.

    python benchmarks/augmentation.py [RESULT.json] [--workers N]

Both make all 111 variants of the same synthetic smear of 580 x 780 pixels and its labels, in turns
in one run. scikit-image is used as in the report's notebook, which ran one process; ours is
measured with one process and with several, and with and without writing the files.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from skimage import io
from skimage.transform import rotate

from spermseg.data.augmentation import REPORT_2021, apply_recipe, apply_variant
from spermseg.data.augmented_folder import augment_dataset
from spermseg.data.datasets import open_dataset
from spermseg.data.synthetic import synthesize_dataset
from spermseg.structures import SCHEMAS

REPORT = SCHEMAS["report-2021"]
PICTURES = 4
ROUNDS = 3
FLIPS = {"none": lambda array: array, "horizontal": np.fliplr, "vertical": np.flipud}


def notebook(image: np.ndarray, labels: np.ndarray, folder: Path | None = None) -> None:
    """Do what the notebook did: turn in float64, clip, cut off to uint8, and write JPEG and BMP."""
    labels = labels.astype(np.int64)
    for variant in REPORT_2021:
        flip = FLIPS[variant.flip]
        turned = [
            rotate(flip(array), variant.angle, resize=False, preserve_range=True)
            for array in (image, labels)
        ]
        for array in turned:
            array[array < 0] = 0
            array[array > 255] = 255
        turned = [array.astype(np.uint8, copy=False) for array in turned]
        if folder is not None:
            io.imsave(folder / f"{variant.name}.jpg", turned[0], check_contrast=False)
            io.imsave(folder / f"{variant.name}.bmp", turned[1], check_contrast=False)


def recipe(image: np.ndarray, labels: np.ndarray) -> None:
    """Make all variants as offline."""
    for _ in apply_recipe(image, labels):
        pass


def one_by_one(image: np.ndarray, labels: np.ndarray) -> None:
    """Make all variants as on the fly."""
    for variant in REPORT_2021:
        apply_variant(image, labels, variant)


def recipes(image: np.ndarray, labels: np.ndarray, repeats: int) -> None:
    for _ in range(repeats):
        recipe(image, labels)


def seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def measure(workers: int, scratch: Path) -> dict[str, float]:
    """Pictures a second by what was measured, the median of all rounds."""
    synthesize_dataset(scratch / "originals", "scian", PICTURES)
    dataset = open_dataset(scratch / "originals", "folder")
    sample = dataset.load(dataset.ids[0])
    picture = sample.image, REPORT.to_indices(sample.part_map)
    rates: dict[str, list[float]] = {}
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:

        def in_processes(repeats: int) -> None:
            for future in [pool.submit(recipes, *picture, repeats) for _ in range(workers)]:
                future.result()

        in_processes(1)  # starts the processes
        for round_ in range(ROUNDS):
            peer, ours = scratch / f"peer-{round_}", scratch / f"ours-{round_}"
            peer.mkdir()
            jobs: dict[str, tuple[int, Callable[[], object]]] = {
                "scikit-image": (1, partial(notebook, *picture)),
                "one process": (1, partial(recipe, *picture)),
                "one process, one by one": (1, partial(one_by_one, *picture)),
                "all processes": (PICTURES * workers, partial(in_processes, PICTURES)),
                "scikit-image, with files": (1, partial(notebook, *picture, peer)),
                "all processes, with files": (
                    PICTURES,
                    partial(
                        augment_dataset, dataset, dataset.ids, ours, schema=REPORT, workers=workers
                    ),
                ),
            }
            for name, (pictures, job) in jobs.items():
                rates.setdefault(name, []).append(pictures * len(REPORT_2021) / seconds(job))
    return {name: round(float(np.median(values)), 1) for name, values in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, nargs="?", help="JSON file to write")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rates = measure(arguments.workers, Path(scratch))
    peer, peer_files = rates["scikit-image"], rates["scikit-image, with files"]
    result = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "system": platform.system(),
            "python": platform.python_version(),
        },
        "versions": {name: version(name) for name in ("numpy", "pillow", "scikit-image")},
        "workers": arguments.workers,
        "pictures_per_second": rates,
        "times_faster": {
            name: round(rate / (peer_files if name.endswith("files") else peer), 1)
            for name, rate in rates.items()
            if not name.startswith("scikit-image")
        },
    }
    print(json.dumps(result, indent=2))
    if arguments.result is not None:
        arguments.result.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
