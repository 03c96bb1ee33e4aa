"""How a part's recall and IoU move when its logit is raised before the highest score is taken.

python benchmarks/operating_point.py MODEL PATH --split SPLIT --name tail --offsets 0 0.2 0.4

Small regions are cleared as in an analysis; --least-area tries another limit. Chooses on validation
pictures, never on those that a figure is quoted of. The value chosen goes into
`spermseg export onnx RUN -o OUT --logit-offset tail=VALUE`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from spermseg.data.datasets import open_dataset
from spermseg.data.scale import head_lengths
from spermseg.data.splits import read_split
from spermseg.inference.catalog import load_model
from spermseg.inference.specks import LEAST_AREA, clear_specks
from spermseg.metrics.parts import confusion_matrix
from spermseg.structures import HEAD_PARTS, Part, Sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--part", default="validation")
    parser.add_argument("--name", default="tail", help="The part whose logit is raised.")
    parser.add_argument("--offsets", type=float, nargs="+", default=[0, 0.2, 0.4, 0.6, 0.8, 1.0])
    parser.add_argument("--fixed", nargs="*", default=[], help="Other offsets, as midpiece=0.2.")
    parser.add_argument("--least-area", type=float, default=LEAST_AREA)
    options = parser.parse_args()

    dataset = open_dataset(options.data)
    predictor = load_model(options.model)
    schema = predictor.card.schema
    raised = schema.parts.index(options.name)
    background = schema.ids.index(Part.BACKGROUND)
    fixed = np.zeros((schema.n_classes, 1, 1), np.float32)
    for entry in options.fixed:
        name, _, value = entry.partition("=")
        fixed[schema.parts.index(name)] = float(value)
    confusions = np.zeros((len(options.offsets), schema.n_classes, schema.n_classes), np.int64)
    for sample_id in read_split(options.split, dataset).part(options.part):
        sample = dataset.load(sample_id)
        scores = predictor.predict(Sample(sample.id, sample.image)).scores
        logits = np.log(np.maximum(scores, 1e-12)) + fixed
        truth = schema.to_indices(sample.part_map)
        head_length = float(np.median(head_lengths(np.isin(sample.part_map, HEAD_PARTS))))
        for confusion, offset in zip(confusions, options.offsets, strict=True):
            moved = logits.copy()
            moved[raised] += offset
            found = schema.to_ids(moved.argmax(0).astype(np.uint8))
            clear_specks(found, moved, head_length, background, options.least_area)
            confusion += confusion_matrix(truth, schema.to_indices(found), schema.n_classes)
    print(f"offset on {options.name}, recall of it, IoU of every part, their mean")
    for confusion, offset in zip(confusions, options.offsets, strict=True):
        hits = np.diag(confusion)
        iou = hits / (confusion.sum(0) + confusion.sum(1) - hits)
        recall = hits[raised] / confusion[raised].sum()
        parts = ", ".join(f"{n} {v:.3f}" for n, v in zip(schema.parts, iou, strict=True))
        print(f"{offset:5.2f}  recall {recall:.3f}  {parts}  mean {iou.mean():.4f}")


if __name__ == "__main__":
    main()
