"""Who is counted, who is assessed and who is normal: sperm found against sperm annotated.

    python benchmarks/normal_forms.py --data PATH --split SPLIT [--part test ...] [--model MODEL]
        [-o RESULT.json]

Pixel size unknown, as the data set comes; with the strict criteria of the WHO, and without that on
the acrosome. Sperm found are paired with annotated ones by the overlap of their heads.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.matching import match_sperm
from spermseg.analysis.morphometry import measure_all
from spermseg.analysis.objects import classify
from spermseg.analysis.proportions import Proportion
from spermseg.analysis.verdicts import judge
from spermseg.data.datasets import open_dataset
from spermseg.data.splits import read_split
from spermseg.files import write_json
from spermseg.inference.catalog import load_model
from spermseg.pipeline import analyze
from spermseg.structures import Morphometry, Sample, SpermInstance

CRITERIA = ("who-2021", "who-2021-without-acrosome")


@dataclass
class Tally:
    """Counts of the sperm of one kind, found or annotated."""

    counted: int = 0
    assessable: int = 0
    normal: Counter[str] = field(default_factory=Counter)
    acrosomes: list[float] = field(default_factory=list)
    objects: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        instances: Sequence[SpermInstance],
        measured: Sequence[Morphometry],
        head_length: float | None,
        names: Sequence[str],
    ) -> None:
        """Count the sperm of one picture; `names` says what each is for the table of objects."""
        for index, criteria in enumerate(map(load_criteria, CRITERIA)):
            found = classify(instances, measured, criteria.objects, head_length)
            for one, what, name in zip(measured, found, names, strict=True):
                verdict = judge(one, criteria, None, what)
                if index == 0:
                    self.objects[f"{name}: {what.object}"] += 1
                    if what.object == "sperm":
                        self.counted += 1
                        self.assessable += verdict.normal is not None
                        self.acrosomes.append(one.values["acrosome_fraction"])
                self.normal[criteria.name] += verdict.normal is True

    def figures(self) -> dict[str, Any]:
        known = [value for value in self.acrosomes if not math.isnan(value)]
        return {
            "counted": self.counted,
            "assessable": _share(self.assessable, self.counted),
            "normal": {name: _share(self.normal[name], self.assessable) for name in CRITERIA},
            "acrosome_fraction_median": float(np.median(known)),
            "objects": dict(self.objects),
        }


def _share(count: int, total: int) -> dict[str, Any]:
    share = Proportion(count, total)
    low, high = share.interval
    return {"count": count, "percent": share.percent, "low": low, "high": high}


def tallies(data: Path, split: Path, part: str, model: str | None) -> dict[str, Tally]:
    dataset, predictor = open_dataset(data), load_model(model)
    result = {"found": Tally(), "annotated": Tally()}
    for sample_id in read_split(split, dataset).part(part):
        sample = dataset.load(sample_id)
        seen = analyze(Sample(sample.id, sample.image), predictor=predictor)
        length = seen.scale.head_length_px
        annotated = sample.instances or ()
        instances = [one.instance for one in seen.sperm]
        pairs = match_sperm(instances, annotated)
        names = ["unmatched" if index is None else "annotated" for index in pairs]
        result["found"].add(instances, [one.morphometry for one in seen.sperm], length, names)
        truth = measure_all(annotated, head_length_px=length, size=sample.size)
        result["annotated"].add(annotated, truth, length, ["annotated"] * len(annotated))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--part", nargs="+", default=["test"])
    parser.add_argument("--model", help="name or folder of a model; else the default")
    parser.add_argument("-o", "--out", type=Path, help="JSON")
    options = parser.parse_args()
    record: dict[str, Any] = {"model": load_model(options.model).card.id}
    print("| sperm | counted | assessable, % | normal, % | without acrosome, % | acrosome median |")
    print("|---|---|---|---|---|---|")
    for part in options.part:
        found = tallies(options.data, options.split, part, options.model)
        record[part] = {name: tally.figures() for name, tally in found.items()}
        for name, row in record[part].items():
            shares = (row["assessable"], *(row["normal"][one] for one in CRITERIA))
            cells = [f"{s['percent']:.1f} ({s['low']:.1f} - {s['high']:.1f})" for s in shares]
            middle = f"{100 * row['acrosome_fraction_median']:.0f} %"
            print("|", " | ".join([f"{name}, {part}", str(row["counted"]), *cells, middle]), "|")
        print(part, record[part]["found"]["objects"])
    if options.out is not None:
        write_json(options.out, record)


if __name__ == "__main__":
    main()
