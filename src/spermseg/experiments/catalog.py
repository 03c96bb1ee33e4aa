"""The experiments of the 2021 report and the scales they can be run at, read from `catalog/`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from spermseg.config import TrainingConfig, merge, read_yaml, training_config
from spermseg.errors import ConfigError, UsageError

CATALOG = Path(__file__).parent / "catalog"

EXPERIMENTS = (
    "experiment-1",
    "experiment-2",
    "experiment-3",
    "experiment-4",
    "pretrained-not-normalised",
    "resize-600-crop-400",
    "cross-entropy-plus-dice",
    "adadelta",
    "fcn-resnet50",
    "lraspp",
    "labels-as-published",
    "corners-as-published",
    "both-as-published",
)
"""All experiments, in the order in which they are run and shown."""

_KEYS = {"title", "report", "base", "note", "published", "settings"}


@dataclass(frozen=True)
class ReportFigures:
    """The report's averages over a test set, by its definitions: `spermseg.metrics.report_2021`."""

    loss: float
    iou: float
    dice_loss: float


@dataclass(frozen=True)
class Experiment:
    """One experiment of the catalog.

    Parameters
    ----------
    name : str
        The file's name without suffix.
    title : str
    report : str
        What the report calls it; empty where it has no such experiment.
    base : str
        The experiment that it differs from, or ``common``.
    note : str
        What the report leaves open, and what was chosen.
    published : ReportFigures, optional
    changes : mapping
        What differs from `base`, nested as in a training's settings.
    settings : mapping
        All settings at full scale, `changes` included.
    """

    name: str
    title: str
    report: str
    base: str
    note: str
    published: ReportFigures | None
    changes: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def config(self) -> TrainingConfig:
        """The training's settings at full scale."""
        return training_config({**self.settings, "name": self.name}, where=self.name)

    @property
    def is_pretrained(self) -> bool:
        """Whether it starts from COCO's weights, or from what stands in for them."""
        return self.config.model.pretrained == "coco-voc"

    def starts_from(self, substitute: str | None) -> str:
        """Say what weights it starts from, given what stands in for COCO's, if anything."""
        if substitute and self.is_pretrained:
            return substitute
        return self.config.model.pretrained


@dataclass(frozen=True)
class Scale:
    """How much smaller than in the report experiments are run.

    Parameters
    ----------
    name, title : str
    comparable : str
        What figures at this scale may be compared with.
    decides : bool
        Whether figures at this scale say anything about the report's conclusions.
    shrink : int
        Divisor of `data.size` and `data.crop`.
    architectures : mapping of str to str
        Networks that are replaced, and by which.
    epochs : mapping of int to int
        Numbers of epochs that are replaced, and by which.
    settings : mapping
        Laid over an experiment's settings at last.
    """

    name: str
    title: str
    comparable: str
    decides: bool = True
    shrink: int = 1
    architectures: Mapping[str, str] = field(default_factory=dict)
    epochs: Mapping[int, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, experiment: Experiment) -> TrainingConfig:
        """Give the settings of `experiment` at this scale."""
        config = experiment.config
        data, model, training = config.data, config.model, config.training
        change = {
            "data": {"size": self._shrunk(data.size), "crop": self._shrunk(data.crop)},
            "model": {
                "architecture": self.architectures.get(model.architecture, model.architecture)
            },
            "training": {"epochs": self.epochs.get(training.epochs, training.epochs)},
        }
        settings = merge(merge(config.to_dict(), change), self.settings)
        return training_config(settings, where=f"{experiment.name} at scale {self.name}")

    def _shrunk(self, size: tuple[int, int] | None) -> list[int] | None:
        return None if size is None else [math.ceil(side / self.shrink) for side in size]


@cache
def load_experiment(name: str) -> Experiment:
    """Read one experiment of the catalog.

    Raises
    ------
    UsageError
        When there is none of that name.
    ConfigError
        When its file is wrong.
    """
    if name not in EXPERIMENTS:
        raise UsageError(f"no experiment {name!r}", fix=f"There are: {', '.join(EXPERIMENTS)}")
    path = CATALOG / f"{name}.yaml"
    value = read_yaml(path)
    if unknown := set(value) - _KEYS:
        raise ConfigError(f"unknown keys {sorted(unknown)}, there are {sorted(_KEYS)}", where=path)
    base = value.get("base", "common")
    shared = read_yaml(CATALOG / "common.yaml") if base == "common" else None
    changes = value.get("settings", {})
    return Experiment(
        name=name,
        title=value["title"],
        report=value.get("report", ""),
        base=base,
        note=value.get("note", ""),
        published=ReportFigures(**value["published"]) if "published" in value else None,
        changes=changes,
        settings=merge(load_experiment(base).settings if shared is None else shared, changes),
    )


def load_experiments(names: Collection[str] = ("all",)) -> tuple[Experiment, ...]:
    """Read experiments in the catalog's order; ``all`` stands for every one."""
    wanted = {load_experiment(name).name for name in names if name != "all"}
    if "all" in names:
        wanted = set(EXPERIMENTS)
    return tuple(load_experiment(name) for name in EXPERIMENTS if name in wanted)


@cache
def load_scales() -> Mapping[str, Scale]:
    """Read all scales, by name."""
    value = read_yaml(CATALOG / "scales.yaml")
    return {name: Scale(name=name, **entry) for name, entry in value.items()}


def load_scale(name: str) -> Scale:
    """Read one scale.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    scales = load_scales()
    if name not in scales:
        raise UsageError(f"no scale {name!r}", fix=f"There are: {', '.join(scales)}")
    return scales[name]


def differences(experiment: Experiment) -> str:
    """Say in one line what differs from the experiment's base, for example for a table."""
    parts = [
        f"{group}.{key}: {_text(value)}"
        for group, entries in experiment.changes.items()
        for key, value in entries.items()
    ]
    against = "" if experiment.base == "common" else f"{experiment.base} with "
    return against + (", ".join(parts) or "the common settings")


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " + ".join(f"{weight:g} {name}" for name, weight in value.items())
    if isinstance(value, list):
        return "x".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
