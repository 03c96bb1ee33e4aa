"""Whether what --uncertainty says is meaningful: spread against error, doubt against mistakes.

    python benchmarks/uncertainty.py --data PATH --split SPLIT [--part validation] [--model MODEL]
        [--rows ROWS.jsonl] [-o RESULT.json]

Sperm found are paired with annotated ones by the overlap of their heads. The error of a measurement
is its difference from the same measurement on the annotation's masks, which have errors of their
own. With --rows, each picture's figures are kept as they come and not computed again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from spermseg.analysis.criteria import Criteria, load_criteria
from spermseg.analysis.matching import match_sperm
from spermseg.analysis.morphometry import measure_all
from spermseg.analysis.proportions import Proportion
from spermseg.analysis.quantities import QUANTITIES
from spermseg.analysis.uncertainty import SURE_FROM
from spermseg.analysis.verdicts import judge
from spermseg.data.datasets import open_dataset
from spermseg.data.splits import read_split
from spermseg.files import write_json
from spermseg.inference.catalog import load_model
from spermseg.pipeline import analyze
from spermseg.structures import LabelledSample, Sample

KEY = (
    *("head_length", "head_width", "head_area", "head_ellipticity", "acrosome_fraction"),
    *("midpiece_length", "midpiece_width", "tail_length"),
)
"""Printed; the others are in the JSON."""
VERDICTS = {True: "normal", False: "abnormal", None: "not assessable"}
RESAMPLES = 1000

Row = dict[str, Any]


def compare(
    sample: LabelledSample, predictor: Any, criteria: Criteria, um_per_px: float | None
) -> Row:
    """Give what was found of each annotated sperm of one picture, beside its annotation."""
    picture = Sample(sample.id, sample.image)
    known = {"predictor": predictor, "criteria": criteria, "um_per_px": um_per_px}
    start = time.process_time()
    result = analyze(picture, **known, uncertainty=True)
    seconds = time.process_time() - start
    annotated = sample.instances or ()
    length = result.scale.head_length_px
    truth = measure_all(annotated, head_length_px=length, size=sample.size)
    matches = match_sperm([one.instance for one in result.sperm], annotated)
    return {
        "picture": sample.id,
        "annotated": len(annotated),
        "seconds": seconds,
        "views": [view.__dict__ for view in result.views],
        "sperm": [
            {
                "values": {
                    name: [
                        None if math.isnan(number) else number
                        for number in (
                            one.morphometry.values[name],
                            one.uncertainty.spread[name],
                            truth[index].values[name],
                        )
                    ]
                    for name in QUANTITIES
                },
                "verdict": one.verdict_name,
                "true_verdict": VERDICTS[judge(truth[index], criteria, um_per_px).normal],
                "agreement": one.uncertainty.agreement,
                "found": one.uncertainty.found,
            }
            for one, index in zip(result.sperm, matches, strict=True)
            if index is not None and one.uncertainty is not None
        ],
    }


def spread_and_error(rows: Sequence[Row], name: str) -> np.ndarray:
    """Give the standard deviation and the absolute error of every sperm that has both, (n, 2)."""
    pairs = [
        (spread, _error(name, value, truth))
        for row in rows
        for value, spread, truth in (one["values"][name] for one in row["sperm"])
        if None not in (value, spread, truth)
    ]
    return np.array(pairs, float).reshape(-1, 2)


def _error(name: str, value: float, truth: float) -> float:
    error = abs(value - truth)
    return min(error, 180 - error) if name == "head_orientation" else error


def figures(rows: Sequence[Row], name: str) -> Row | None:
    spread, error = spread_and_error(rows, name).T
    if len(spread) < 10 or np.ptp(spread) == 0 or np.ptp(error) == 0:
        return None

    by_spread = error[np.argsort(spread, kind="stable")]
    others, widest = np.split(by_spread, [len(by_spread) * 4 // 5])

    def correlation(some: Sequence[Row]) -> float:
        return float(spearmanr(*spread_and_error(some, name).T).statistic)

    return {
        "n": len(spread),
        "spearman": correlation(rows),
        "spearman_interval": interval(rows, correlation),
        "median_sd": float(np.median(spread)),
        "median_error": float(np.median(error)),
        "median_error_of_the_fifth_with_the_largest_sd": float(np.median(widest)),
        "median_error_of_the_others": float(np.median(others)),
        "within_2_sd": float((error < 2 * spread).mean()),
        "factor_for_95_percent": float(np.percentile(error[spread > 0] / spread[spread > 0], 95)),
    }


def interval(rows: Sequence[Row], statistic: Callable[[Sequence[Row]], float]) -> list[float]:
    """Percentile bootstrap, 95 %: whole pictures are drawn, since their sperm are alike."""
    random = np.random.default_rng(0)
    draws = random.integers(len(rows), size=(RESAMPLES, len(rows)))
    values = [statistic([rows[index] for index in draw]) for draw in draws]
    return np.nanpercentile(values, (2.5, 97.5)).tolist()


def mistakes(sperm: Iterable[Row]) -> Row:
    """Count the verdicts that differ from the annotation's."""
    wrong = [one["verdict"] != one["true_verdict"] for one in sperm]
    return Proportion(sum(wrong), len(wrong)).to_dict()


def by_agreement(rows: Sequence[Row]) -> dict[str, Row]:
    sperm = [one for row in rows for one in row["sperm"]]
    groups = {
        "sure": lambda share: share >= SURE_FROM,
        "uncertain": lambda share: share < SURE_FROM,
        "all views agree": lambda share: share == 1,
        "one in four or fewer differ": lambda share: SURE_FROM <= share < 1,
        "more differ, half or more agree": lambda share: 0.5 <= share < SURE_FROM,
        "fewer than half agree": lambda share: share < 0.5,
    }
    return {name: mistakes(s for s in sperm if of(s["agreement"])) for name, of in groups.items()}


def known_rows(path: Path | None) -> dict[str, Row]:
    if path is None or not path.exists():
        return {}
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["picture"]: row for row in rows}


def report(result: Row) -> str:
    lines = [
        "| measurement | sperm | rank correlation of sd and error (95 %) | median sd "
        "| median error | ... of the fifth with the largest sd | error < 2 sd "
        "| 95 % of errors within |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in KEY:
        if (one := result["quantities"].get(name)) is None:
            continue
        low, high = one["spearman_interval"]
        lines.append(
            f"| `{name}` | {one['n']} | {one['spearman']:.2f} ({low:.2f} ... {high:.2f}) "
            f"| {one['median_sd']:.3g} | {one['median_error']:.3g} "
            f"| {one['median_error_of_the_fifth_with_the_largest_sd']:.3g} "
            f"| {100 * one['within_2_sd']:.0f} % | {one['factor_for_95_percent']:.1f} sd |"
        )
    lines += ["", "| verdict | sperm | not that of the annotation (95 %) |", "|---|---|---|"]
    for name, one in result["verdicts"].items():
        if one["total"]:
            lines.append(
                f"| {name} | {one['total']} | {one['count']}, {one['percent']:.0f} % "
                f"({one['low']:.0f} ... {one['high']:.0f}) |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--part", default="validation")
    parser.add_argument("--model", help="Name or folder of a model; default: the bundled one.")
    parser.add_argument("--um-per-px", type=float, help="Apply the criteria that need it, too.")
    parser.add_argument("--first", type=int, help="So many pictures only.")
    parser.add_argument("--rows", type=Path, help="Keep each picture's figures here.")
    parser.add_argument("-o", "--out", type=Path)
    options = parser.parse_args()

    dataset = open_dataset(options.data)
    predictor, criteria = load_model(options.model, threads=1), load_criteria()
    known = known_rows(options.rows)
    rows = []
    for id in read_split(options.split, dataset).part(options.part)[: options.first]:
        if id not in known:
            known[id] = compare(dataset.load(id), predictor, criteria, options.um_per_px)
            if options.rows is not None:
                with options.rows.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(known[id]) + "\n")
        rows.append(known[id])
    found = {name: figures(rows, name) for name in QUANTITIES}
    result = {
        "model": predictor.card.id,
        "part": options.part,
        "pictures": len(rows),
        "um_per_px": options.um_per_px,
        "annotated": sum(row["annotated"] for row in rows),
        "paired": sum(len(row["sperm"]) for row in rows),
        "seconds_a_picture": float(np.median([row["seconds"] for row in rows])),
        "quantities": {name: one for name, one in found.items() if one is not None},
        "verdicts": by_agreement(rows),
    }
    print(json.dumps({k: v for k, v in result.items() if k not in ("quantities", "verdicts")}))
    print(report(result))
    if options.out is not None:
        write_json(options.out, result)


if __name__ == "__main__":
    main()
