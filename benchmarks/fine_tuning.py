"""How much better a model becomes by a few corrected pictures of a look that it has never seen.

    python benchmarks/fine_tuning.py PATH --split SPLIT --json FILE

Pictures of the Sperm Parsing data set are changed into what the model is bad at. It is trained on
with 5, 10 and 20 of the changed training pictures, whose annotations stand for corrections, as
`spermseg train --from MODEL` does it. Every model is then scored on the validation pictures, of
another day: changed in the same way, and as they are, to see what was forgotten. Scales are never
told. Other pictures are not touched.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.config import read_yaml
from spermseg.data.datasets import LabelledDataset, open_dataset
from spermseg.data.preprocess import resize_labels, to_uint8
from spermseg.data.splits import Split, read_split
from spermseg.evaluation import changes, evaluate
from spermseg.evaluation.comparison import FEW, ModelComparison
from spermseg.files import write_json
from spermseg.inference.catalog import load_model
from spermseg.structures import LabelledSample, SpermInstance
from spermseg.training.fine_tuning import MODEL_FOLDER, fine_tune, fine_tuning_config
from spermseg.training.parent import Parent, open_parent
from spermseg.training.run_folder import provenance

Picture = NDArray[np.uint8]

FIGURES = ("mean", "head", "midpiece", "tail")


def relief(image: Picture) -> Picture:
    """Imitate the shadows of differential interference contrast: slopes of brightness, in grey."""
    grey = changes.to_grey(image)[..., 0].astype(np.float32)
    slope = sum(ndimage.gaussian_filter(grey, 1.2, order=order) for order in ((1, 0), (0, 1)))
    shadows = np.rint(128 + 3 * slope).clip(0, 255).astype(np.uint8)
    return np.repeat(shadows[..., np.newaxis], 3, axis=2)


def inverted_grey_half_size(image: Picture) -> Picture:
    """Imitate bright sperm on a dark ground, at half the magnification."""
    return 255 - changes.to_grey(changes.resize(image, 0.5))


LOOKS: Mapping[str, Callable[[Picture], Picture]] = {
    "grey, inverted, half size": inverted_grey_half_size,
    "grey relief": relief,
}


class ChangedDataset(LabelledDataset):
    """A data set as seen through another microscope."""

    layout = "sperm-parsing"

    def __init__(self, dataset: LabelledDataset, change: Callable[[Picture], Picture]):
        super().__init__(dataset.root, dataset.schema, tuple(dataset.records.values()))
        self.dataset, self.change = dataset, change

    def load(self, sample_id: str) -> LabelledSample:
        sample = self.dataset.load(sample_id)
        image = self.change(to_uint8(sample.image))
        size = image.shape[:2]
        sperm = [_resized(one, sample.size, size) for one in sample.instances or ()]
        return replace(
            sample,
            image=image,
            part_map=resize_labels(sample.part_map, size),
            instances=tuple(one for one in sperm if one is not None),
        )


def _resized(
    sperm: SpermInstance, size: tuple[int, int], new: tuple[int, int]
) -> SpermInstance | None:
    masks = {
        part: resize_labels(sperm.full_mask(part, size).astype(np.uint8), new).astype(bool)
        for part in sperm.masks
    }
    return SpermInstance.from_full_masks(sperm.id, masks)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--model", help="A bundled model or a folder; else the default.")
    parser.add_argument("--looks", nargs="+", choices=LOOKS, default=list(LOOKS))
    parser.add_argument("--pictures", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--config", type=Path, help="Changes of the settings, YAML.")
    parser.add_argument("--runs", type=Path, help="A folder to keep the trainings in.")
    parser.add_argument("--every", type=int, default=1, help="Score each n-th picture only.")
    parser.add_argument("--seed", type=int, default=0, help="Of the draw and the training.")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    dataset = open_dataset(options.data)
    split = read_split(options.split, dataset)
    held_out = split.validation[:: options.every]
    settings = read_yaml(options.config) if options.config else {}
    settings.setdefault("training", {})["seed"] = options.seed
    order = np.random.default_rng(options.seed).permutation(split.train).tolist()
    known = {"familiar": dataset} | {
        look: ChangedDataset(dataset, LOOKS[look]) for look in options.looks
    }
    before = {
        name: evaluate(load_model(options.model), one, held_out, illustrations=0)
        for name, one in known.items()
    }
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for look, number in itertools.product(options.looks, options.pictures):
            run = (options.runs or Path(temporary)) / f"{'-'.join(look.split())}-{number}"
            parent = open_parent(options.model)
            seconds = learn(parent, known[look], order[:number], run, settings)
            tuned = load_model(run / MODEL_FOLDER)
            changed, familiar = (
                ModelComparison(
                    before[name], evaluate(tuned, known[name], held_out, illustrations=0)
                )
                for name in (look, "familiar")
            )
            rows.append(row(look, number, seconds, changed, familiar))
            print_row(rows[-1])
    if options.json:
        write_json(options.json, {"rows": rows, "seed": options.seed, **provenance()})


def learn(
    parent: Parent, dataset: LabelledDataset, ids: Sequence[str], run: Path, settings: dict
) -> tuple[float, float]:
    """Train on; gives seconds of processor and of wall clock, export included."""
    config = fine_tuning_config(parent, run.name, settings)
    started = time.process_time(), time.perf_counter()
    fine_tune(parent, config, dataset, Split(tuple(ids)), run)
    return time.process_time() - started[0], time.perf_counter() - started[1]


def row(
    look: str,
    number: int,
    seconds: tuple[float, float],
    changed: ModelComparison,
    familiar: ModelComparison,
) -> dict[str, Any]:
    return {
        "look": look,
        "corrected_pictures": number,
        "cpu_seconds": seconds[0],
        "seconds": seconds[1],
        "changed": changed.to_dict(),
        "familiar": familiar.to_dict(),
        "recall": {
            name: {one.name: one.to_dict() for one in result.recall}
            for name, result in (("changed", changed), ("familiar", familiar))
        },
    }


def print_row(found: dict[str, Any]) -> None:
    print(f"{found['look']}: {found['corrected_pictures']} corrected pictures, ", end="")
    print(f"{found['cpu_seconds'] / 60:.1f} processor minutes, {found['seconds'] / 60:.1f} minutes")
    for where in ("changed", "familiar"):
        result = found[where]
        table = {name: result["iou"][name] for name in FIGURES}
        table |= {name: result["sperm"][name] for name in ("miou", "ap50") if result["sperm"]}
        told = "" if result["verdict"] == FEW else f" {result['verdict']}"
        print(f"  {where}:{told}")
        for name, one in table.items():
            low, high = one["interval_of_difference"] or (np.nan, np.nan)
            before, after = (np.nan if v is None else v for v in (one["before"], one["after"]))
            print(f"    {name:9} {before:.3f} -> {after:.3f} ({low:+.3f} to {high:+.3f})")
        recall = found["recall"][where]["tail"]
        print(f"    recall of tails {recall['before']:.3f} -> {recall['after']:.3f}", flush=True)


if __name__ == "__main__":
    main()
