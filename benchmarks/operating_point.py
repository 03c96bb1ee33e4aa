"""How a part's recall and IoU move when its logit is raised before the highest score is taken.

    python benchmarks/operating_point.py MODEL PATH --split SPLIT --name tail --offsets 0 0.4 0.8

The pictures are segmented as in an analysis, anew for every offset, without any scale told. Choose
on validation pictures, never on those that a figure is quoted of. The value chosen goes into
`spermseg export onnx RUN -o OUT --logit-offset tail=VALUE`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spermseg.data.datasets import open_dataset
from spermseg.data.splits import read_split
from spermseg.inference.catalog import load_model
from spermseg.inference.predictor import Predictor
from spermseg.metrics.parts import confusion_matrix
from spermseg.structures import HEAD_PARTS, LabelSchema, Sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--part", default="validation")
    parser.add_argument("--name", default="tail", help="The part whose logit is raised.")
    parser.add_argument("--offsets", type=float, nargs="+", default=[0, 0.2, 0.4, 0.6, 0.8, 1.0])
    parser.add_argument("--fixed", nargs="*", default=[], help="Other offsets, as midpiece=0.2.")
    options = parser.parse_args()

    dataset = open_dataset(options.data)
    plain = load_model(options.model)
    schema = plain.card.schema
    moved = schema.parts.index(options.name)
    fixed = np.zeros((schema.n_classes, 1, 1), np.float32)
    for entry in options.fixed:
        name, _, value = entry.partition("=")
        fixed[schema.parts.index(name)] = float(value)
    ids = read_split(options.split, dataset).part(options.part)
    print(f"offset on {options.name}, recall of it, IoU of every part and of heads, mean of parts")
    for offset in options.offsets:
        offsets = fixed.copy()
        offsets[moved] += offset
        predictor = Predictor(lambda planes, by=offsets: plain.backend(planes) + by, plain.card)
        confusion = np.zeros((schema.n_classes,) * 2, np.int64)
        for sample_id in ids:
            sample = dataset.load(sample_id)
            found = predictor.segment(Sample(sample.id, sample.image)).part_map
            truth, found = (schema.to_indices(ids) for ids in (sample.part_map, found))
            confusion += confusion_matrix(truth, found, schema.n_classes)
        show(schema, confusion, offset, moved)


def show(schema: LabelSchema, confusion: NDArray[np.int64], offset: float, moved: int) -> None:
    hits = np.diag(confusion)
    iou = hits / (confusion.sum(0) + confusion.sum(1) - hits)
    parts = ", ".join(f"{n} {v:.3f}" for n, v in zip(schema.parts, iou, strict=True))
    head = np.isin(schema.ids, HEAD_PARTS)
    both = confusion[np.ix_(head, head)].sum()
    heads = both / (confusion[head].sum() + confusion[:, head].sum() - both)
    recall = hits[moved] / confusion[moved].sum()
    print(f"{offset:5.2f}  recall {recall:.3f}  {parts}, head {heads:.3f}  mean {iou.mean():.4f}")


if __name__ == "__main__":
    main()
