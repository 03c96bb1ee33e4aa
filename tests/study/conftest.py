"""Drawn sperm to train on, a study of seconds, and results with figures known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.splits import Split
from spermseg.files import write_json, write_text
from spermseg.metrics.parsing import PictureParsing
from spermseg.structures import SCHEMAS, LabelledSample, Part, SpermInstance
from spermseg.study.book import result_file
from spermseg.study.plan import read_study, run_folder
from spermseg.study.results import CountedPicture, StudyResult

MACHINE = {"cpu": "an abacus", "cores": 2, "threads": 1, "accelerator": "none", "system": "none"}
VERSIONS = {"spermseg": "0", "torch": "0"}
SHADES = {0: 230, Part.NUCLEUS: 60, Part.ACROSOME: 110, Part.MIDPIECE: 140, Part.TAIL: 170}

BASE = """
title: the base
question: What is compared?
settings:
  data:
    schema: sperm-parsing
    size: null
    augmentation: none
    head_length_px: 20
    crops: {size: 32, per_epoch: 4, appearance: {share: 0}}
  model: {architecture: unet_mobilenetv4_small, pretrained: none}
  loss: {terms: {cross_entropy: 1.0}}
  optimiser: {lr: 0.01}
  training: {epochs: 2, batch_size: 2, ema: 0.5}
evaluate:
  - {name: views-2, title: two views, question: views, views: 2}
  - {name: last, title: the last weights, question: the average, average: false}
"""
LOSS = """
title: Dice besides
question: Which loss?
base: base
settings: {loss: {terms: {cross_entropy: 1.0, dice: 0.5}}}
"""
SECOND = """
title: a second stage
question: Do two stages help?
base: base
after: base
"""


class DrawnSperm(LabelledDataset):
    """Pictures of 48x96, two of each of three days, with one sperm each."""

    layout = "drawn"

    def __init__(self):
        records = [SampleRecord(f"p{n}", Path(f"p{n}.png"), f"day-{n // 2}") for n in range(6)]
        super().__init__(Path("/somewhere/drawn"), SCHEMAS["sperm-parsing"], tuple(records))

    def load(self, sample_id: str) -> LabelledSample:
        row = 10 + 4 * int(sample_id[1:])
        part_map = np.zeros((48, 96), np.uint8)
        part_map[row : row + 3, 28:90] = Part.TAIL
        part_map[row : row + 3, 24:34] = Part.MIDPIECE
        part_map[row - 5 : row + 8, 12:24] = Part.NUCLEUS
        part_map[row - 5 : row + 8, 4:12] = Part.ACROSOME
        shades = np.zeros(256, np.uint8)
        shades[list(SHADES)] = list(SHADES.values())
        image = np.repeat(shades[part_map][..., np.newaxis], 3, axis=2)
        masks = {part: part_map == part for part in SHADES if part}
        return LabelledSample(
            sample_id,
            image,
            group=self.records[sample_id].group,
            head_length_px=20.0,
            part_map=part_map,
            instances=(SpermInstance.from_full_masks(1, masks),),
        )


@pytest.fixture(scope="session")
def drawn_sperm():
    return DrawnSperm()


@pytest.fixture(scope="session")
def drawn_split():
    return Split(("p0", "p1"), ("p2", "p3"), ("p4", "p5"), seed=7)


@pytest.fixture(scope="session")
def quick_files(tmp_path_factory):
    """A base with two variants, another loss, and a second stage."""
    folder = tmp_path_factory.mktemp("experiments")
    for name, text in (("base", BASE), ("loss", LOSS), ("second", SECOND)):
        write_text(folder / f"{name}.yaml", text)
    return folder


@pytest.fixture
def quick(quick_files):
    return read_study([quick_files])


@pytest.fixture
def write_experiments(tmp_path):
    """Write experiments given by name as mappings in YAML's short form; gives their folder."""

    def write(**texts):
        for name, text in texts.items():
            entry = f"title: {name}\nquestion: Why?\n{text}\n"
            write_text(tmp_path / "files" / f"{name.replace('_', '-')}.yaml", entry)
        return tmp_path / "files"

    return write


def counted(id, hits, found=1):
    """Give a picture of 90 pixels background and 10 tail, `hits` of these seen, and one sperm."""
    confusion = np.zeros((6, 6), np.int64)
    confusion[0, 0], confusion[2, 2], confusion[2, 0] = 90, hits, 10 - hits
    parsing = PictureParsing(
        confusion,
        np.array([0.9]),
        np.array([0.6]),
        np.array([0], np.intp),
        np.array([[bool(found)] * 5 + [False] * 4]),
        np.array([0.5 * found]),
    )
    return CountedPicture(id, confusion, parsing)


@pytest.fixture
def make_result():
    """Make a result of pictures with so many of ten tail pixels seen."""

    def make(name, seed, hits, variant="", cpu_seconds=100.0, machine=MACHINE, found=None):
        found = [1] * len(hits) if found is None else found
        facts = {
            "experiment": name,
            "variant": variant,
            "seed": seed,
            "settings": {},
            "training": {
                "steps": 700,
                "images": 2800,
                "parameters": 3_000_000,
                "seconds": 60.0,
                "cpu_seconds": cpu_seconds,
            },
            "evaluation": {"seconds": 5.0, "cpu_seconds": 10.0},
            "machine": machine,
            "versions": VERSIONS,
        }
        pictures = [counted(f"p{n}", *one) for n, one in enumerate(zip(hits, found, strict=True))]
        return StudyResult(facts, tuple(pictures))

    return make


@pytest.fixture
def make_study(tmp_path, make_result):
    """Write a folder of a study whose pictures have so many of ten tail pixels seen.

    Called with experiments as in their files, and hits by name and seed.
    """

    def make(experiments, hits, seeds=(0, 1), **options):
        out = tmp_path / "out"
        common = {"title": "as it is", "question": "What is compared?"}
        write_json(
            out / "study.json",
            {
                "dataset": {"layout": "drawn", "pictures": 9},
                "split": {
                    "seed": 7,
                    "train": ["a"],
                    "validation": ["p0"],
                    "groups": {"train": ["Monday"], "validation": ["Tuesday"]},
                },
                "overrides": {},
                "seeds": list(seeds),
                "experiments": {
                    name: {"name": name} | common | entry for name, entry in experiments.items()
                },
            },
        )
        for (name, seed), values in hits.items():
            base, _, variant = name.partition("+")
            result = make_result(base, seed, values, variant, **options.get(name, {}))
            result.write(result_file(run_folder(out, base, seed), variant))
        return out

    return make
