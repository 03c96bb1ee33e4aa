"""Experiments side by side: as published, as measured, and what became of the conclusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from spermseg import DISCLAIMER, __version__
from spermseg.experiments.augmented import LABELLINGS
from spermseg.experiments.catalog import Scale, differences, load_scale
from spermseg.experiments.conclusions import (
    DEFECTS,
    NETWORKS,
    VARIATIONS,
    Conclusion,
    check_conclusions,
    compare_networks,
    judge_defects,
)
from spermseg.experiments.measured import MEAN, Measured, difference, read_measured

FORMAT_VERSION = 1
BASE = "experiment-3"
"""What all but the first experiments differ from."""

CURVES: Mapping[str, tuple[str, ...]] = {
    "Pretrained or not, long or short": (
        "experiment-1",
        "experiment-2",
        "experiment-3",
        "experiment-4",
    ),
    "The report's other variations": (BASE, *VARIATIONS),
    "Networks of its future work": (BASE, *NETWORKS),
    "Labels corrected and as published": (BASE, *DEFECTS),
}
"""Which experiments share one plot of losses."""

COUNTS_NOTE = (
    "The report says 14 training and 6 test pictures, but its 1,665 and 444 variants are those of "
    "15 (1,665 / 111) and 4 (444 / 111)."
)


@dataclass(frozen=True)
class Comparison:
    """What a folder of experiments holds.

    Parameters
    ----------
    out : Path
        The folder.
    book : mapping
        Its ``experiments.json``.
    scale : Scale
    measured : tuple of Measured
        In the catalog's order.
    """

    out: Path
    book: Mapping[str, Any]
    scale: Scale
    measured: tuple[Measured, ...]

    @property
    def done(self) -> dict[str, Measured]:
        """The experiments with figures, by name."""
        return {entry.name: entry for entry in self.measured if entry.done}

    @property
    def test_ids(self) -> list[str]:
        """The test pictures."""
        return list(self.book["split"]["test"])

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping, the content of the page."""
        return {
            "format": "spermseg comparison",
            "format_version": FORMAT_VERSION,
            "spermseg_version": __version__,
            "intended_use": DISCLAIMER,
            "scale": {
                "name": self.scale.name,
                "title": self.scale.title,
                "comparable": self.scale.comparable,
            },
            **{
                key: self.book[key]
                for key in ("dataset", "seed", "split", "overrides", "substitute")
            },
            **{key: self.book[key] for key in ("machine", "versions")},
            "warnings": self._warnings(),
            "conclusions": [asdict(conclusion) for conclusion in self._conclusions()],
            "networks": compare_networks(self.done),
            "defects": _defects(self.done),
            "defect_lines": judge_defects(self.done),
            "experiments": [_experiment(entry) for entry in self.measured],
            "notes": [COUNTS_NOTE],
        }

    def _conclusions(self) -> list[Conclusion]:
        conclusions = check_conclusions(self.done)
        if self.scale.decides:
            return conclusions
        # The figures stay, to show that the rules run; the verdicts would be noise.
        return [replace(conclusion, verdict="not tested") for conclusion in conclusions]

    def _warnings(self) -> list[str]:
        warnings = [f"Scale {self.scale.name}: {self.scale.comparable}"]
        if self.book["substitute"]:
            warnings.append(f"Pretrained means here: {self.book['substitute']}.")
        n = len(self.test_ids)
        warnings.append(
            f"One training of each experiment and {n} test picture{'s' * (n != 1)}: differences "
            "whose bootstrap interval holds 0 are not told apart, and over so few pictures the "
            "intervals are rather too narrow."
        )
        missing = [f"{entry.name} ({entry.status})" for entry in self.measured if not entry.done]
        if missing:
            warnings.append(f"Without figures: {', '.join(missing)}.")
        return warnings


def compare_experiments(out: Path) -> Comparison:
    """Read what `run_experiments` left in a folder.

    Raises
    ------
    UsageError
        When no experiments were run there.
    """
    book, measured = read_measured(out)
    return Comparison(out, book, load_scale(book["scale"]), tuple(measured))


def _experiment(entry: Measured) -> dict[str, Any]:
    experiment = entry.experiment
    known: dict[str, Any] = {
        "name": entry.name,
        "title": experiment.title,
        "report": experiment.report,
        "differs": differences(experiment),
        "note": experiment.note,
        "status": entry.status,
        "reason": entry.reason,
        "started_from": entry.started_from,
        "published": experiment.published and asdict(experiment.published),
    }
    if not entry.done:
        return known
    return {
        **known,
        "report_2021": {name: entry.variants[name]["report_2021"] for name in LABELLINGS},
        "iou": _scores(entry.evaluation),
        "variants_iou": {name: _scores(entry.variants[name]) for name in LABELLINGS},
        "training": _training(entry),
    }


def _scores(evaluation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give IoU and its interval by part and mean."""
    return {
        column: {"value": scores["iou"], "interval": evaluation["intervals"][column]["iou"]}
        for column, scores in evaluation["scores"].items()
    }


def _training(entry: Measured) -> dict[str, Any]:
    epochs, n = entry.epochs, len(entry.epochs)
    last = epochs[-1]
    return {
        "architecture": entry.config["model"]["architecture"],
        "size": entry.config["data"]["size"],
        "epochs": n,
        "batch_size": entry.config["training"]["batch_size"],
        "images_per_epoch": last["images"],
        "seconds_per_epoch": entry.seconds / n,
        "cpu_seconds_per_epoch": sum(epoch["cpu_seconds"] for epoch in epochs) / n,
        "minutes": entry.seconds / 60,
        "train_loss": last["train_loss"],
        "validation_loss": last["validation"] and last["validation"]["loss"],
    }


def _defects(done: Mapping[str, Measured]) -> list[dict[str, Any]]:
    """Say what each defect of the report's labels does to the network and to the report's "IoU"."""
    rows = []
    for name in (BASE, *DEFECTS):
        if name not in done:
            continue
        entry = done[name]
        compared = name != BASE and BASE in done
        rows.append(
            {
                "name": name,
                "title": "corrected labels" if name == BASE else entry.experiment.title,
                "iou": entry.evaluation["scores"]["mean_without_background"]["iou"],
                "difference": str(difference(entry, done[BASE], MEAN)) if compared else "",
                "report_iou": {
                    labelling: entry.variants[labelling]["report_2021"]["iou"]
                    for labelling in LABELLINGS
                },
            }
        )
    return rows
