"""What the experiments left in their folders, read back for comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.config import read_yaml
from spermseg.experiments.augmented import LABELLINGS
from spermseg.experiments.book import EVALUATION, read_book, variants_file
from spermseg.experiments.catalog import EXPERIMENTS, Experiment, load_experiment
from spermseg.files import read_log
from spermseg.metrics.intervals import bootstrap_interval
from spermseg.metrics.parts import class_scores, mean_score

MEAN = "mean"
"""Name of the average over all parts but the background, beside the parts' own names."""


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % bootstrap interval over the test pictures."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 when the whole interval lies on that side of 0, else 0: not told apart."""
        return int(self.low > 0) - int(self.high < 0)

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


@dataclass(frozen=True)
class Measured:
    """One experiment of a comparison; there are figures only when it is done.

    Parameters
    ----------
    experiment : Experiment
    status : str
        ``done``, ``not run``, ``failed``, ``waiting`` or ``running``.
    reason : str
        Why it is not done.
    started_from : str
        ``coco-voc``, ``none`` or the substitute's label.
    config : mapping
        The settings it was really trained with.
    log : sequence of mapping
        The training's log.
    evaluation : mapping
        Of the test pictures, as `EvaluationResult.to_dict` gives it.
    variants : mapping of str to mapping
        The same of the test pictures' 111 variants, by the name in `LABELLINGS`.
    """

    experiment: Experiment
    status: str
    reason: str = ""
    started_from: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    log: Sequence[Mapping[str, Any]] = ()
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self.experiment.name

    @property
    def done(self) -> bool:
        """Whether there are figures."""
        return self.status == "done"

    @property
    def epochs(self) -> list[Mapping[str, Any]]:
        """The log's line of every epoch."""
        return [line for line in self.log if line["kind"] == "epoch"]

    @property
    def seconds(self) -> float:
        """What the training took by the clock, validation left out."""
        return float(sum(epoch["seconds"] for epoch in self.epochs))

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the classes, background first."""
        return tuple(self.evaluation["schema"]["parts"])

    @property
    def confusions(self) -> NDArray[np.int64]:
        """Confusion matrix (n, C, C) of every test picture, rows the truth."""
        return np.array([picture["confusion"] for picture in self.evaluation["pictures"]])

    def iou(self, part: str) -> float:
        """IoU of a part, or of `MEAN`, over all test pictures together; NaN where there is none."""
        return float(_iou(self.confusions.sum(0), self.parts, part))


def read_measured(out: Path) -> tuple[dict[str, Any], list[Measured]]:
    """Read what `run_experiments` left in a folder.

    Returns
    -------
    book : dict
        ``experiments.json``.
    measured : list of Measured
        In the catalog's order.

    Raises
    ------
    UsageError
        When there are no experiments.
    """
    book = read_book(out)
    entries = book["experiments"]
    return book, [
        _read_one(out / name, name, entries[name], book["substitute"])
        for name in EXPERIMENTS
        if name in entries
    ]


def _read_one(run: Path, name: str, entry: Mapping[str, Any], substitute: str | None) -> Measured:
    experiment = load_experiment(name)
    started_from = experiment.starts_from(substitute)
    if entry["status"] != "done":
        return Measured(experiment, entry["status"], entry.get("reason", ""), started_from)
    return Measured(
        experiment,
        "done",
        started_from=started_from,
        config=read_yaml(run / "config.yaml"),
        log=read_log(run / "log.jsonl"),
        evaluation=json.loads((run / EVALUATION / "evaluation.json").read_text(encoding="utf-8")),
        variants={
            name: json.loads(variants_file(run, name).read_text(encoding="utf-8"))
            for name in LABELLINGS
        },
    )


def difference(one: Measured, other: Measured, part: str) -> Interval:
    """Compare the IoU of a part, or `MEAN`, of two experiments on the same test pictures.

    Pictures are drawn together for both, so that a picture that is hard for both does not blur
    the difference.
    """
    pairs = np.stack([one.confusions, other.confusions], axis=1)

    def gain(pooled: NDArray[Any]) -> NDArray[np.float64]:
        return _iou(pooled[:, 0], one.parts, part) - _iou(pooled[:, 1], one.parts, part)

    low, high = bootstrap_interval(pairs, gain)
    return Interval(float(gain(pairs.sum(0)[np.newaxis])[0]), float(low), float(high))


def _iou(confusion: NDArray[Any], parts: Sequence[str], part: str) -> NDArray[np.float64]:
    """Give the IoU of matrices (..., C, C); a part that nobody drew or predicted is NaN."""
    values = class_scores(confusion)["iou"]
    if part == MEAN:
        return mean_score(values, background=False)
    column: NDArray[np.float64] = values[..., parts.index(part)]
    return column
