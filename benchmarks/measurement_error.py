"""How far measurements are from the truth: bias and limits of agreement of each.

    python benchmarks/measurement_error.py [-o RESULT.json] [-n 10] [--model MODEL]
        [--data PATH [--split SPLIT.json --part test]]

Synthetic smears, whose truth is known from their geometry, are measured on their true masks (the
centre lines are found in the masks, not taken from the truth), and with --model also on what the
model predicts. With --data, in the layout of Sperm Parsing, one annotation set is compared with
another, and with --model predictions with the first set, on the pictures of one part of a split:
a model is judged on what it was not trained on. Sperm are paired by the largest overlap of
their heads. Beside the JSON, a table in Markdown is written.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from spermseg.analysis.instances import separate_sperm
from spermseg.analysis.morphometry import measure_all
from spermseg.analysis.quantities import QUANTITIES
from spermseg.data.datasets import open_dataset
from spermseg.data.splits import read_split
from spermseg.data.synthetic import PRESETS, Preset, SpermTruth, synthesize_sample
from spermseg.data.synthetic.distributions import Normal
from spermseg.files import write_json, write_text
from spermseg.structures import HEAD_PARTS, Morphometry, SpermInstance

RELATIVE = {"length", "area"}
"""Dimensions whose errors are given in per cent; the others in their own unit."""

OVERLAP = 0.5
"""Least IoU of two heads for them to be one sperm's."""

UM_POWERS = {"um": 1, "um2": 2}


@dataclass
class Pairs:
    """Values of two methods of measuring the same sperm, by quantity."""

    title: str
    pairs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    unmeasured: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, value: float, reference: float) -> None:
        if math.isnan(reference):
            return
        if math.isnan(value):
            self.unmeasured[name] = self.unmeasured.get(name, 0) + 1
        else:
            self.pairs.setdefault(name, []).append((value, reference))

    def rows(self, *, symmetric: bool) -> list[dict[str, Any]]:
        """Bland-Altman, by quantity; `symmetric` takes the mean of both as the reference."""
        rows = []
        for name in (*QUANTITIES, "tail_length (coiled)"):
            if name not in self.pairs:
                continue
            value, reference = np.array(self.pairs[name]).T
            relative = _quantity(name).dimension in RELATIVE
            errors = value - reference
            if relative:
                base = (value + reference) / 2 if symmetric else reference
                errors = 100 * errors / np.where(base == 0, np.nan, base)
                errors = errors[~np.isnan(errors)]
            if not len(errors):
                continue
            bias, spread = float(errors.mean()), float(errors.std(ddof=1 if len(errors) > 1 else 0))
            rows.append(
                {
                    "quantity": name,
                    "unit": "%" if relative else _quantity(name).unit(scale_known=True),
                    "n": len(errors),
                    "unmeasured": self.unmeasured.get(name, 0),
                    "bias": bias,
                    "low": bias - 1.96 * spread,
                    "high": bias + 1.96 * spread,
                    "median_absolute": float(np.median(np.abs(errors))),
                }
            )
        return rows


def _quantity(name: str) -> Any:
    return QUANTITIES[name.split(" ")[0]]


def large(preset: Preset) -> Preset:
    """Four times the area, as crowded: more tails lie whole in the picture."""
    height, width = preset.size
    n = Normal(4 * 8.0, 4.0)
    return replace(preset, name=f"{preset.name}-large", size=(2 * height, 2 * width), n_sperm=n)


def against_truth(pairs: Pairs, measured: Morphometry, truth: SpermTruth, um_per_px: float) -> None:
    """Compare what the picture shows whole; a form without a measurement has NaN in the truth."""
    visible = {"head": truth.head_visible_fraction == 1}
    visible["midpiece"] = visible["head"] and truth.midpiece_visible_fraction == 1
    visible["tail"] = visible["midpiece"] and truth.tail_visible_fraction == 1
    if truth.head_form == "double":
        return
    for column, reference in asdict(truth).items():
        name, _, unit = column.rpartition("_")
        name = name if unit in ("um", "um2", "deg") else column
        quantity = QUANTITIES.get(name)
        if quantity is None or not visible[quantity.part]:
            continue
        value = measured.values[name] * um_per_px ** UM_POWERS.get(unit, 0)
        coiled = name == "tail_length" and truth.tail_form == "coiled"
        pairs.add(f"{name} (coiled)" if coiled else name, value, reference)


def paired(
    found: Sequence[SpermInstance], reference: Sequence[SpermInstance], size: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Give indices of sperm whose heads are the same, each sperm once, the best pairs first."""
    overlaps = []
    heads = [[_head(one, size) for one in some] for some in (found, reference)]
    for i, (mask, box) in enumerate(heads[0]):
        for j, (other, other_box) in enumerate(heads[1]):
            if box is None or other_box is None or not _meet(box, other_box):
                continue
            union = int((mask | other).sum())
            if union and (iou := int((mask & other).sum()) / union) >= OVERLAP:
                overlaps.append((iou, i, j))
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, i, j in sorted(overlaps, reverse=True):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            yield i, j


def _head(sperm: SpermInstance, size: tuple[int, int]) -> tuple[Any, Any]:
    mask = np.zeros(size, bool)
    for part in HEAD_PARTS:
        mask |= sperm.full_mask(part, size)
    if not mask.any():
        return mask, None
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return mask, (rows[0], columns[0], rows[-1], columns[-1])


def _meet(one: Any, other: Any) -> bool:
    return bool(
        one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]
    )


def without_lines(instances: Sequence[SpermInstance]) -> tuple[SpermInstance, ...]:
    return tuple(replace(one, centerline=None) for one in instances)


def synthetic(n: int, seed: int, predictor: Any) -> list[Pairs]:
    tables = [Pairs("synthetic, true masks against truth")]
    if predictor is not None:
        tables.append(Pairs("synthetic, predicted against truth"))
    preset = large(PRESETS["sperm-parsing"])
    for index in range(n):
        made = synthesize_sample(preset, seed, index)
        sample, um_per_px = made.sample, preset.um_per_px
        instances = without_lines(sample.instances or ())
        head_length = 4.0 / um_per_px
        measured = measure_all(instances, head_length_px=head_length, size=sample.size)
        for one, truth in zip(measured, made.truth, strict=True):
            against_truth(tables[0], one, truth, um_per_px)
        if predictor is not None:
            found, values = predicted(predictor, sample)
            for i, j in paired(found, instances, sample.size):
                against_truth(tables[1], values[i], made.truth[j], um_per_px)
    return tables


def predicted(predictor: Any, sample: Any) -> tuple[Any, Any]:
    segmentation = predictor.segment(sample)
    found = separate_sperm(segmentation)
    head_length = segmentation.scale.head_length_px
    return found, measure_all(found, head_length_px=head_length, size=sample.size)


def real(path: Path, split: Path | None, part: str, n: int, predictor: Any) -> list[Pairs]:
    """`n` pictures, evenly over the list, so that all acquisition days take part."""
    sets = [open_dataset(path, annotation_set=number) for number in (1, 2, 3)]
    people = Pairs("real, one annotator against another")
    model = Pairs("real, predicted against annotator 1")
    ids = sets[0].ids if split is None else read_split(split, sets[0]).part(part)
    for sample_id in ids[:: max(1, len(ids) // n)][:n]:
        samples = [one.load(sample_id) for one in sets]
        size = samples[0].size
        annotated = [sample.instances or () for sample in samples]
        values = [measure_all(some, size=size) for some in annotated]
        for one, other in combinations(range(3), 2):
            for i, j in paired(annotated[one], annotated[other], size):
                _compare(people, values[one][i], values[other][j])
        if predictor is not None:
            found, measured = predicted(predictor, samples[0])
            for i, j in paired(found, annotated[0], size):
                _compare(model, measured[i], values[0][j])
    return [people, model] if predictor is not None else [people]


def _compare(pairs: Pairs, one: Morphometry, other: Morphometry) -> None:
    for name, reference in other.values.items():
        if name == "head_orientation":
            turn = abs(one.values[name] - reference) % 180
            pairs.add(name, min(turn, 180 - turn), 0.0 * reference)
        else:
            pairs.add(name, one.values[name], reference)


def markdown(title: str, rows: Sequence[dict[str, Any]]) -> str:
    head = "| measurement | error in | sperm | not measured | bias | limits of agreement | median |"
    lines = [f"### {title}", "", head, "|---|---|---|---|---|---|---|"]
    lines += [
        f"| `{row['quantity']}` | {row['unit'] or '1'} | {row['n']} | {row['unmeasured']} "
        f"| {row['bias']:+.3g} | {row['low']:+.3g} ... {row['high']:+.3g} "
        f"| {row['median_absolute']:.3g} |"
        for row in rows
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description="Bias and limits of agreement of measurements.")
    parser.add_argument("-o", "--out", type=Path, help="JSON; the table goes beside it as .md")
    parser.add_argument("-n", type=int, default=10, help="number of pictures of each kind")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--model", help="name or folder of a model")
    parser.add_argument("--data", type=Path, help="folder in the layout of Sperm Parsing")
    parser.add_argument("--split", type=Path, help="a split of --data; without, all its pictures")
    parser.add_argument("--part", default="test", help="part of the split")
    parser.add_argument("--no-synthetic", action="store_true")
    arguments = parser.parse_args()
    predictor = None
    if arguments.model:
        from spermseg.inference.catalog import load_model

        predictor = load_model(arguments.model)
    start = time.process_time()
    tables = [] if arguments.no_synthetic else synthetic(arguments.n, arguments.seed, predictor)
    results = {table.title: table.rows(symmetric=False) for table in tables}
    if arguments.data is not None:
        pictures = (arguments.data, arguments.split, arguments.part, arguments.n)
        for table in real(*pictures, predictor):
            results[table.title] = table.rows(symmetric=True)
    text = "\n".join(markdown(title, rows) for title, rows in results.items())
    print(text)
    packages = ("numpy", "scipy", "scikit-image")
    record = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "model": arguments.model,
        "pictures": arguments.n,
        "part": arguments.part if arguments.split else None,
        "seed": arguments.seed,
        "seconds": time.process_time() - start,
        "results": results,
    }
    print(json.dumps({key: value for key, value in record.items() if key != "results"}))
    if arguments.out is not None:
        write_json(arguments.out, record)
        write_text(arguments.out.with_suffix(".md"), text)


if __name__ == "__main__":
    main()
