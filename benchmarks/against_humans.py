r"""Where models stand against people: each person's annotation, and each model, by one code.

    python benchmarks/against_humans.py MODEL [MODEL ...] --data PATH --split SPLIT \
        --part validation --json FILE

On exactly these pictures, for each pair of the three annotation sets of Sperm Parsing, one set as
the prediction of the other with every score 1, the mean of both directions; and for each model
against each set. IoU is that of the map painted from the sperm; intervals are 95 % bootstrap
intervals over pictures. Below, model minus the mean of the three pairs of people, the same
pictures drawn for both. Without a MODEL only people are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg import DISCLAIMER
from spermseg.cli.progress import progress_bar
from spermseg.data.datasets import open_dataset
from spermseg.data.splits import read_split
from spermseg.evaluation.parsing_scores import detections
from spermseg.files import write_json
from spermseg.inference.catalog import load_model
from spermseg.metrics.intervals import CONFIDENCE, RESAMPLES, bootstrap_interval
from spermseg.metrics.parsing import FIGURES, ParsingScore
from spermseg.metrics.parts import class_scores, merged
from spermseg.structures import HEAD_PARTS, LabelledSample, SpermInstance

SETS = (1, 2, 3)
CLASSES = ("background", "vacuole", "acrosome", "nucleus", "midpiece", "tail")
COLUMNS = (*CLASSES, "head", *FIGURES)
LABELS = {"miou": "mIoU", "ap50": "APp50", "ap_volume": "APvol", "pcp50": "PCP50"}
PAIRS = tuple(combinations(SETS, 2))

Scores = Sequence[ParsingScore]
"""Comparisons of the same pictures, of which the mean is one row of the table."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path)
    parser.add_argument("--part", choices=["train", "validation", "test", "all"], default="all")
    parser.add_argument("--threads", type=int, help="Of each network.")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.part != "all" and options.split is None:
        parser.error(f"--part {options.part} needs --split")

    dataset = open_dataset(options.data)
    ids = dataset.ids
    if options.part != "all":
        ids = read_split(options.split, dataset).part(options.part)
    samples = read_sets(options.data, ids)
    people, models = compare(samples, options.models, threads=options.threads)
    found = table(people, models)
    print(f"{len(ids)} pictures ({options.part}); per cent, 95 % intervals over pictures")
    print("\n".join(as_markdown(found)))
    print(DISCLAIMER)
    if options.json is not None:
        write_json(
            options.json,
            {
                "format": "spermseg models against people",
                "intended_use": DISCLAIMER,
                "part": options.part,
                "pictures": list(ids),
                "resamples": RESAMPLES,
                "confidence": CONFIDENCE,
                **found,
            },
        )


def read_sets(path: Path, ids: Sequence[str]) -> Iterator[Mapping[int, LabelledSample]]:
    """Give the three annotations of one picture after the other."""
    datasets = {number: open_dataset(path, annotation_set=number) for number in SETS}
    with progress_bar("comparing") as advance:
        for done, sample_id in enumerate(ids, 1):
            yield {number: dataset.load(sample_id) for number, dataset in datasets.items()}
            advance(done, len(ids))


def compare(
    samples: Iterable[Mapping[int, LabelledSample]],
    models: Sequence[str],
    *,
    threads: int | None = None,
) -> tuple[dict[tuple[int, int], ParsingScore], dict[str, dict[int, ParsingScore]]]:
    """Score people by (prediction, annotation) and models by name and annotation set."""
    predictors = {name: load_model(name, threads=threads) for name in models}
    people = {pair: ParsingScore() for pair in permutations(SETS, 2)}
    by_model = {name: {number: ParsingScore() for number in SETS} for name in models}
    for sets in samples:
        for (guess, truth), score in people.items():
            add(score, sets[guess].instances, sets[truth])
        for name, predictor in predictors.items():
            found = detections(predictor.segment(sets[1]))
            for number, score in by_model[name].items():
                add(score, found, sets[number])
    return people, by_model


def add(
    score: ParsingScore, predicted: Sequence[SpermInstance] | None, annotated: LabelledSample
) -> None:
    score.add(predicted or (), annotated.instances or (), annotated.size)


def table(
    people: Mapping[tuple[int, int], ParsingScore], models: Mapping[str, Mapping[int, ParsingScore]]
) -> dict[str, Any]:
    """Give every row, and the differences of the models to the mean pair of people."""
    everybody = list(people.values())
    rows: dict[str, Scores] = {
        f"people, sets {a} and {b}": [people[a, b], people[b, a]] for a, b in PAIRS
    }
    rows["people, mean of the pairs"] = everybody
    differences: dict[str, Scores] = {}
    for name, by_set in models.items():
        for number, score in by_set.items():
            rows[f"{name}, set {number}"] = [score]
        rows[f"{name}, mean of the sets"] = list(by_set.values())
        differences[f"{name}, set 1, minus people"] = [by_set[1]]
        differences[f"{name}, mean of the sets, minus people"] = list(by_set.values())
    return {
        "rows": {name: row(scores) for name, scores in rows.items()},
        "differences": {name: row(scores, everybody) for name, scores in differences.items()},
    }


def row(scores: Scores, minus: Scores = ()) -> dict[str, dict[str, Any]]:
    """Give value and interval of every column: the mean of `scores`, less that of `minus`."""

    def figures(draws: NDArray[np.float64]) -> NDArray[np.float64]:
        result = np.mean([drawn(score, draws) for score in scores], axis=0)
        return result - np.mean([drawn(s, draws) for s in minus], axis=0) if minus else result

    # Counts that only tell the pictures apart: pooled, they say how often each was drawn.
    n = len(scores[0].pictures)
    limits = bootstrap_interval(np.eye(n), figures)
    values = figures(np.ones((1, n)))[0]
    return {
        name: {"value": float(value), "interval": [float(low), float(high)]}
        for name, value, low, high in zip(COLUMNS, values, *limits, strict=True)
    }


def drawn(score: ParsingScore, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give `COLUMNS` (R, 11) of pictures that are drawn (R, n) times each."""
    schema = score.schema
    confusion = np.tensordot(draws, np.stack([one.confusion for one in score.pictures]), 1)
    iou = class_scores(confusion)["iou"][:, [schema.parts.index(name) for name in CLASSES]]
    heads = [index for index, id in enumerate(schema.ids) if id in HEAD_PARTS]
    head = class_scores(merged(confusion, heads))["iou"][:, 1:]
    return np.concatenate([iou, head, score.figures(draws)], axis=1)


def as_markdown(found: Mapping[str, Any]) -> list[str]:
    """Write values in per cent with their intervals, differences in points."""
    header = [LABELS.get(name, name) for name in COLUMNS]
    lines = ["| | " + " | ".join(header) + " |", "|---" + "|---:" * len(header) + "|"]
    for kind, form in (("rows", "{:.1f}"), ("differences", "{:+.1f}")):
        for name, cells in found[kind].items():
            texts = []
            for column in COLUMNS:
                one = cells[column]
                value, low, high = (form.format(100 * v) for v in (one["value"], *one["interval"]))
                texts.append(f"{value} ({low} to {high})")
            lines.append(f"| {name} | " + " | ".join(texts) + " |")
    return lines


if __name__ == "__main__":
    main()
