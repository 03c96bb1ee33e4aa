"""The folder of a study: which files lie where, and the book of what is asked on which pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spermseg import __version__
from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.splits import Split
from spermseg.errors import UsageError
from spermseg.files import locked, write_json
from spermseg.study.plan import Experiment, Study

FORMAT, FORMAT_VERSION = "spermseg study", 1
FIXED = ("dataset", "split", "overrides")
"""What all results of a folder have in common."""


def result_file(run: Path, variant: str = "") -> Path:
    """Give where the result of a training lies, or of a variant of using its weights."""
    return run / (f"result-{variant}.json" if variant else "result.json")


def failure_file(run: Path) -> Path:
    """Give where the reason lies for which a training has no result."""
    return run / "failure.json"


def is_trained(run: Path) -> bool:
    """Tell whether a training is at its end: others may begin with its weights."""
    return (run / "card.json").is_file()


def is_finished(run: Path, experiment: Experiment) -> bool:
    """Tell whether a training and all its variants are evaluated."""
    variants = ["", *(variant.name for variant in experiment.evaluate)]
    return all(result_file(run, variant).is_file() for variant in variants)


def read_book(out: Path) -> dict[str, Any]:
    """Read ``study.json``: data set, split, overrides, seeds and all experiments.

    Raises
    ------
    UsageError
        When no study was run there.
    """
    path = _book_file(out)
    if not path.is_file():
        raise UsageError("no study was run here", where=out, fix="See: spermseg study run --help")
    book: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return book


def write_book(
    out: Path,
    study: Study,
    dataset: LabelledDataset,
    split: Split,
    *,
    seeds: Sequence[int],
    overrides: Mapping[str, Any],
) -> None:
    """Write ``study.json``, or add experiments and seeds to the one that is there.

    Raises
    ------
    UsageError
        When the folder is of another data set, split or other overrides, or the split has no
        validation pictures.
    """
    if not split.validation:
        raise UsageError("the split has no validation pictures, by which a study compares")
    groups = {id: dataset.records[id].group for id in (*split.train, *split.validation)}
    book = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "spermseg_version": __version__,
        "dataset": {"layout": dataset.layout, "pictures": len(dataset)},
        "split": {
            "seed": split.seed,
            "train": list(split.train),
            "validation": list(split.validation),
            "groups": {
                part: sorted({groups[id] for id in split.part(part)})
                for part in ("train", "validation")
            },
        },
        "overrides": dict(overrides),
        "seeds": sorted(set(seeds)),
        "experiments": {
            name: experiment.model_dump(mode="json", exclude_defaults=True)
            for name, experiment in study.experiments.items()
        },
    }
    with locked(out / ".study.lock"):
        if _book_file(out).exists():
            before = read_book(out)
            for key in FIXED:
                if before[key] != book[key]:
                    raise UsageError(
                        f"{key} is another one than in the earlier run",
                        where=_book_file(out),
                        fix="Choose another folder, or go on with the same",
                    )
            book["seeds"] = sorted({*before["seeds"], *seeds})
            book["experiments"] = before["experiments"] | book["experiments"]
        write_json(_book_file(out), book)


def planned(book: Mapping[str, Any]) -> Study:
    """Give the experiments of a book, in the order of their names."""
    entries = sorted(book["experiments"].items())
    return Study({name: Experiment.model_validate(entry) for name, entry in entries})


def _book_file(out: Path) -> Path:
    return out / "study.json"
