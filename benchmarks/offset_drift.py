"""Whether a model that is trained on with its own output stays as it is, with and without offsets.

    python benchmarks/offset_drift.py MODEL RUN PATH --split SPLIT

Pixels that nobody corrects are the model's own output. MODEL, exported from the training RUN with
offsets, annotates ten training pictures and is trained on with them: once with the offsets as part
of the network, as `spermseg train --from MODEL` does it; once from RUN, without them, and exported
with them. Printed is how many pixels of each part are found in some validation pictures, over what
MODEL finds. Nothing is rehearsed. Other pictures are not touched.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spermseg.data.datasets import LabelledDataset, open_dataset
from spermseg.data.splits import Split, read_split
from spermseg.inference.catalog import load_model
from spermseg.inference.predictor import Predictor
from spermseg.structures import LabelledSample, Sample
from spermseg.training.export import export_run
from spermseg.training.fine_tuning import MODEL_FOLDER, fine_tune, fine_tuning_config
from spermseg.training.parent import open_parent

PICTURES = 10


class OwnOutput(LabelledDataset):
    """Pictures as a model sees them."""

    layout = "own-output"

    def __init__(self, dataset: LabelledDataset, predictor: Predictor):
        super().__init__(dataset.root, predictor.card.schema, tuple(dataset.records.values()))
        self.dataset, self.predictor = dataset, predictor

    def load(self, sample_id: str) -> LabelledSample:
        image = self.dataset.load(sample_id).image
        part_map = self.predictor.segment(Sample(sample_id, image)).part_map
        return LabelledSample(sample_id, image, part_map=part_map)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--size", type=int, default=256, help="Of the crops.")
    parser.add_argument("--every", type=int, default=6, help="Count each n-th picture only.")
    options = parser.parse_args()

    dataset = open_dataset(options.data)
    split = read_split(options.split, dataset)
    counted = split.validation[:: options.every]
    trained = np.random.default_rng(0).permutation(split.train).tolist()[:PICTURES]
    predictor = load_model(options.model)
    offsets = predictor.card.recipe["logit_offsets"]
    crops = {"size": options.size, "per_epoch": 4 * options.steps, "rehearsed": None}
    changes = {"training": {"epochs": 1}, "data": {"crops": crops}}
    before = count_parts(predictor, dataset, counted)
    print("parts:", ", ".join(predictor.card.schema.parts[1:]))
    with tempfile.TemporaryDirectory() as folder:
        for name, start in (("with", options.model), ("without", options.run)):
            parent, run = open_parent(start), Path(folder) / name
            config = fine_tuning_config(parent, name, changes)
            fine_tune(parent, config, OwnOutput(dataset, predictor), Split(tuple(trained)), run)
            if name == "without":
                shutil.rmtree(run / MODEL_FOLDER)
                export_run(run, run / MODEL_FOLDER, logit_offsets=offsets)
            after = count_parts(load_model(run / MODEL_FOLDER), dataset, counted)
            print(f"trained {name} offsets:", np.round(after / before, 3), flush=True)


def count_parts(
    predictor: Predictor, dataset: LabelledDataset, ids: tuple[str, ...]
) -> NDArray[np.int64]:
    """Count the pixels of every part but the background in all pictures together."""
    maps = [predictor.segment(Sample(id, dataset.load(id).image)).part_map for id in ids]
    counts = np.sum([np.bincount(one.ravel(), minlength=256) for one in maps], axis=0)
    return counts[list(predictor.card.schema.ids[1:])]


if __name__ == "__main__":
    main()
