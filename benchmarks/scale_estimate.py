"""How well the length of heads is estimated in pictures of all sizes, and at what cost.

    python benchmarks/scale_estimate.py --data PATH --split FILE [--pictures 64] [-o OUT.json]

Real pictures are cut out around an annotated head, changed in colour, resized and never told their
scale; synthetic smears of all presets likewise; and pictures without sperm, where nothing should be
found. Only training and validation pictures of the split are used. Lengths are compared with the
median of the heads annotated in the cut-out, or of those drawn. Cost is the number of pixels
that the network sees, for the estimate and the segmentation together, in pixels of one pass at the
true scale (at the usual one where there are no sperm): 1 is the least.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from spermseg.data.datasets import open_dataset
from spermseg.data.scale import head_lengths, head_regions
from spermseg.data.splits import read_split
from spermseg.data.synthetic import PRESETS, synthesize_sample
from spermseg.data.synthetic.distributions import Normal
from spermseg.evaluation.changes import CHANGES, resize
from spermseg.inference.catalog import load_model
from spermseg.inference.predictor import Predictor
from spermseg.inference.scale import USUAL_RATIO
from spermseg.structures import HEAD_PARTS, Sample

Picture = NDArray[np.uint8]

FACTORS = (0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
LOOKS = ("unchanged", "grey", "pale stain", "JPEG quality 30", "round field")
"""Every picture is seen in half of the factors, and in the looks in turn."""
SIDE = 360
"""Of a cut-out, in the picture's own pixels: four heads of the Sperm Parsing pictures."""
SYNTHETIC_FACTORS = {
    "sperm-parsing": (0.25, 0.5, 1.0, 2.0),
    "pale": (0.25, 0.5, 1.0, 2.0),
    "scian": (0.75, 1.0, 2.0, 3.5),
    "tiny": (1.0, 2.0, 4.0),
}
SYNTHETIC_SIZE = (400, 500)
FORMLESS = ("pin", "double")
"""Head forms that have another length or none."""
SEED = 11


@dataclass(frozen=True)
class Case:
    """One picture; `length` is the true one in pixels, None where there is no sperm."""

    name: str
    groups: tuple[str, ...]
    image: Picture
    length: float | None


@dataclass(frozen=True)
class Outcome:
    """What came of it; `found` is None where no scale was found."""

    name: str
    groups: tuple[str, ...]
    length: float | None
    found: float | None
    heads: int
    passes: int
    cost: float


class CountingBackend:
    """Counts the runs of a network and the pixels it sees."""

    def __init__(self, predictor: Predictor):
        self._backend = predictor.backend
        self.passes = self.pixels = 0

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        self.passes += 1
        self.pixels += batch.shape[2] * batch.shape[3]
        return self._backend(batch)


def real_cases(data: Path, split: Path, number: int) -> Iterator[Case]:
    """Cut out surroundings of heads, of validation pictures first and then of training pictures."""
    dataset = open_dataset(data)
    parts = read_split(split, dataset)
    rng = np.random.default_rng(SEED)
    validation = list(parts.validation)[:: 1 if number >= 48 else 2]
    training = sorted(rng.permutation(parts.train)[: max(0, number - len(validation))])
    for n, id in enumerate([*validation, *training][:number]):
        image, length = _cut_out(dataset.load(id), np.random.default_rng(zlib.crc32(id.encode())))
        for j, factor in enumerate(FACTORS):
            if (n + j) % 2:
                continue
            look = LOOKS[(n // 2 + j) % len(LOOKS)]
            changed = _round_field(image) if look == LOOKS[-1] else CHANGES[look](image, id)
            groups = (f"real x{factor:g}", f"real, {look}", "real")
            yield Case(f"{id} x{factor:g} {look}", groups, resize(changed, factor), factor * length)


def _cut_out(sample: Sample, rng: np.random.Generator) -> tuple[Picture, float]:
    head = np.isin(sample.part_map, HEAD_PARTS)
    whole = [region for region in head_regions(head) if region.is_whole_head]
    window = whole[rng.integers(len(whole))].window
    start = [
        int(np.clip((part.start + part.stop - SIDE) // 2 + rng.integers(-60, 61), 0, extent - SIDE))
        for part, extent in zip(window, head.shape, strict=True)
    ]
    cut = tuple(slice(first, first + SIDE) for first in start)
    return sample.image[cut], float(np.median(head_lengths(head[cut])))


def _round_field(image: Picture) -> Picture:
    """Blacken what an ocular does not show."""
    rows, columns = np.mgrid[-1 : 1 : image.shape[0] * 1j, -1 : 1 : image.shape[1] * 1j]
    field = (rows**2 + columns**2 < 0.96)[..., np.newaxis]
    return np.where(field, image, 10).astype(np.uint8)


def synthetic_cases(number: int) -> Iterator[Case]:
    """Give synthetic smears of every preset at several scales."""
    for name, factors in SYNTHETIC_FACTORS.items():
        preset = PRESETS[name]
        if name != "tiny":
            preset = replace(preset, size=SYNTHETIC_SIZE, n_sperm=Normal(5.0, 1.0))
        for index in range(number * len(factors)):
            drawn = synthesize_sample(preset, SEED, index)
            # Of the few heads in a picture, one of a form of its own could be the median.
            lengths = [one.head_length_um for one in drawn.truth if one.head_form not in FORMLESS]
            factor = factors[index % len(factors)]
            length = factor * float(np.median(lengths)) / preset.um_per_px
            image = resize(drawn.sample.image, factor)
            groups = (f"synthetic {name}", "synthetic")
            yield Case(f"{name} {index} x{factor:g}", groups, image, length)


def cases_without_sperm(number: int) -> Iterator[Case]:
    """Give pictures of debris, spots, letters, noise, and of an empty field."""
    rng = np.random.default_rng(SEED)
    for index in range(number):
        pictures = {
            "noise": rng.normal(190, 25, (200, 200, 3)).clip(0, 255).astype(np.uint8),
            "spots": _spots(rng),
            "letters": _letters(10 + 12 * index),
            "empty field": _round_field(np.full((300, 300, 3), 215 - 20 * index, np.uint8)),
        }
        for name in ("sperm-parsing", "pale", "scian"):
            pictures[f"debris, {name}"] = _debris(name, index)
        for name, image in pictures.items():
            yield Case(f"{name} {index}", ("no sperm",), image, None)


def _spots(rng: np.random.Generator) -> Picture:
    canvas = Image.new("RGB", (240, 240), (225, 222, 228))
    pen = ImageDraw.Draw(canvas)
    for column, row, radius in rng.integers((10, 10, 6), (230, 230, 18), (14, 3)):
        box = (column - radius, row - radius, column + radius, row + radius)
        pen.ellipse(box, fill=(150, 110, 170))
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(1)))


def _letters(height: int) -> Picture:
    canvas = Image.new("RGB", (260, 200), (235, 235, 230))
    pen = ImageDraw.Draw(canvas)
    for row in range(4, 200, height + 4):
        pen.text((4, row), "Smear 12, donor 0345, stained", fill=(30, 30, 60), font_size=height)
    return np.asarray(canvas)


def _debris(name: str, index: int) -> Picture:
    """Give the first smear of which all sperm happen to lie outside."""
    preset = replace(PRESETS[name], size=(260, 320), n_sperm=Normal(0.0, 1e-3))
    smears = (synthesize_sample(preset, SEED + index, trial) for trial in range(100))
    return next(smear.sample.image for smear in smears if not smear.truth)


def estimate(predictor: Predictor, case: Case) -> Outcome:
    """Segment one picture without telling its scale."""
    counting = CountingBackend(predictor)
    card = predictor.card
    result = Predictor(counting, card).segment(Sample("case", case.image))
    usual = USUAL_RATIO * (card.preprocessing.head_length_px or 1.0)
    once = card.preprocessing.working_size(case.image.shape[:2], case.length or usual)
    margins = 2 * card.preprocessing.margin
    cost = counting.pixels / ((once[0] + margins) * (once[1] + margins))
    found = result.scale.head_length_px
    heads = len(head_lengths(np.isin(result.part_map, HEAD_PARTS)))
    return Outcome(case.name, case.groups, case.length, found, heads, counting.passes, cost)


def report(outcomes: list[Outcome]) -> Iterator[str]:
    """Give the table, as Markdown."""
    rows: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        for group in outcome.groups:
            rows[group].append(outcome)
    columns = ("pictures", "within 10 %", "20 %", "25 %", "gross", "not found", "passes", "cost")
    yield "| |" + "|".join(columns) + "|"
    yield "|---|" + "---:|" * len(columns)
    for group, members in rows.items():
        known = [one for one in members if one.length is not None and one.found is not None]
        factor = np.exp(np.abs([np.log(one.found / one.length) for one in known]))
        n = len(members)
        shares = [f"{(factor <= limit).sum() / n:.0%}" for limit in (1.1, 1.2, 1.25)]
        # Where there are no sperm any length found is a gross error.
        wrong = sum(one.length is None and one.found is not None for one in members)
        gross = f"{int((factor > 1.5).sum()) + wrong}"
        missing = f"{sum(one.found is None for one in members)}"
        passes = f"{np.mean([one.passes for one in members]):.1f}"
        cost = f"{np.mean([one.cost for one in members]):.1f}"
        yield f"| {group} |" + "|".join([str(n), *shares, gross, missing, passes, cost]) + "|"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--pictures", type=int, default=64, help="real ones, four factors each")
    parser.add_argument("--synthetic", type=int, default=3, help="a preset and factor")
    parser.add_argument("--without-sperm", type=int, default=4, help="a kind")
    parser.add_argument("-o", "--out", type=Path)
    arguments = parser.parse_args()
    predictor = load_model(arguments.model)
    outcomes = []
    for case in _cases(arguments):
        outcomes.append(estimate(predictor, case))
        one = outcomes[-1]
        if (one.found is None) != (one.length is None) or (
            one.found and one.length and abs(np.log(one.found / one.length)) > np.log(1.2)
        ):
            print(f"{one.name}: true {one.length}, found {one.found}", flush=True)
        if arguments.out:
            arguments.out.write_text(json.dumps([vars(outcome) for outcome in outcomes]))
    print("\n".join(report(outcomes)))


def _cases(arguments: argparse.Namespace) -> Iterator[Case]:
    if arguments.data:
        yield from real_cases(arguments.data, arguments.split, arguments.pictures)
    yield from synthetic_cases(arguments.synthetic)
    yield from cases_without_sperm(arguments.without_sperm)


if __name__ == "__main__":
    main()
