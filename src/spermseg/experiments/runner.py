"""Run experiments one after the other: train, evaluate, and keep book of what became of each."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from spermseg import errors
from spermseg.config import TrainingConfig, merge, training_config
from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.splits import PARTS, Split, write_split
from spermseg.errors import CheckpointError, UsageError, WeightsUnavailableError
from spermseg.evaluation import evaluate, write_evaluation_report
from spermseg.experiments.augmented import evaluate_variants
from spermseg.experiments.book import (
    EVALUATION,
    Book,
    Status,
    book_file,
    is_finished,
    read_book,
    variants_file,
)
from spermseg.experiments.catalog import Experiment, Scale
from spermseg.files import read_log, write_json
from spermseg.report.plots import write_curves

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with what is being done of which experiment, steps done and steps in all."""


@dataclass(frozen=True)
class Substitute:
    """Weights taken in place of COCO's where these cannot be had.

    Parameters
    ----------
    weights : Path
        A weights file or the run folder of a training.
    label : str
        What is said wherever a figure rests on them.

    Raises
    ------
    CheckpointError
        When there is no such file.
    """

    weights: Path
    label: str = "backbone trained on synthetic smears instead of COCO"

    def __post_init__(self) -> None:
        path = self.weights / "model.safetensors" if self.weights.is_dir() else self.weights
        if not path.is_file():
            raise CheckpointError("no such weights file", where=path)


@dataclass(frozen=True)
class RunSettings:
    """What is the same for all experiments of one run.

    Parameters
    ----------
    scale : Scale
    substitute : Substitute, optional
    overrides : mapping
        Laid over every experiment's settings: what the machine asks for, such as
        ``training.precision``, or ``data.variants_per_epoch``.
    """

    scale: Scale
    substitute: Substitute | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def config(self, experiment: Experiment) -> TrainingConfig:
        """Give the settings that `experiment` is really trained with."""
        settings = merge(self.scale.apply(experiment).to_dict(), self.overrides)
        if self.substitute is not None and experiment.is_pretrained:
            settings["model"]["pretrained"] = str(self.substitute.weights)
        return training_config(settings, where=experiment.name)

    @property
    def substitute_label(self) -> str | None:
        """What stands in for COCO's weights, if anything."""
        return None if self.substitute is None else self.substitute.label

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping without paths."""
        return {
            "scale": self.scale.name,
            "overrides": dict(self.overrides),
            "substitute": self.substitute_label,
        }


def run_experiments(
    experiments: Sequence[Experiment],
    dataset: LabelledDataset,
    split: Split,
    out: Path,
    settings: RunSettings,
    *,
    resume: bool = False,
    on_progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Train and evaluate experiments one after the other.

    One folder an experiment appears in `out`, with the training's run folder and the evaluation of
    its last weights on the test pictures, and ``experiments.json`` with the status of each. An
    experiment that fails does not stop the others.

    Parameters
    ----------
    experiments : sequence of Experiment
    dataset : LabelledDataset
    split : Split
        Validation pictures give the curves; the test pictures decide nothing.
    out : Path
    settings : RunSettings
    resume : bool
        Go on in a folder that holds experiments: finished ones are left alone, an unfinished one
        resumes exactly.
    on_progress : callable, optional

    Returns
    -------
    dict
        ``status`` and, where there is one, ``reason`` of every experiment in the folder.

    Raises
    ------
    UsageError
        When the folder holds experiments already and `resume` is False, or the settings differ
        from theirs.
    """
    book = _open_book(out, dataset, split, settings, resume=resume)
    todo = [experiment for experiment in experiments if not is_finished(out / experiment.name)]
    notes = [
        partial(book.note, e.name, started_from=e.starts_from(settings.substitute_label))
        for e in todo
    ]
    for note in notes:
        note("waiting")
    for experiment, note in zip(todo, notes, strict=True):
        note("running")

        def run(experiment: Experiment = experiment) -> None:
            folder = out / experiment.name
            _run(settings.config(experiment), dataset, split, folder, on_progress)

        try:
            status, reason = attempt(experiment.name, run)
        except KeyboardInterrupt:
            note("waiting", reason="interrupted")
            raise
        note(status, reason=reason)
    return book.entries


def _open_book(
    out: Path, dataset: LabelledDataset, split: Split, settings: RunSettings, *, resume: bool
) -> Book:
    # torch is loaded by what runs an experiment, not by what lists or compares them.
    from spermseg.training.run_folder import provenance

    head = {
        **settings.to_dict(),
        "dataset": {"layout": dataset.layout, "pictures": len(dataset)},
        "seed": split.seed,
        "split": {part: list(split.part(part)) for part in PARTS},
        **provenance(),
    }
    if not book_file(out).exists():
        write_split(out / "split.json", split)
        return Book(out, head)
    if not resume:
        raise UsageError(
            "experiments were run here before",
            where=out,
            fix="Go on with --resume, or choose another folder",
        )
    before = read_book(out)
    for key in ("scale", "overrides", "substitute", "dataset", "split"):
        if before[key] != head[key]:
            raise UsageError(
                f"{key} was {before[key]} in the earlier run and is {head[key]} now",
                where=book_file(out),
            )
    return Book(out, head)


def attempt(name: str, run: Callable[[], None]) -> tuple[Status, str]:
    """Run an experiment and say what became of it, and why; an interruption goes through."""
    try:
        run()
    except WeightsUnavailableError as error:
        return "not run", f"weights unavailable: {error}"
    except Exception as error:
        known = errors.translate(error)
        if known is None:
            # The hours of the other experiments must not be lost to a defect in one.
            logger.exception("%s failed by a defect of spermseg", name)
        return "failed", str(known or f"{type(error).__name__}: {error}")
    return "done", ""


def _run(
    config: TrainingConfig,
    dataset: LabelledDataset,
    split: Split,
    run: Path,
    on_progress: Progress | None,
) -> None:
    from spermseg.training.checkpoint import load_predictor
    from spermseg.training.loop import train
    from spermseg.training.models import find_weights

    def progress(stage: str) -> Callable[..., None] | None:
        if on_progress is None:
            return None
        return lambda done, total, *_: on_progress(f"{config.name}: {stage}", done, total)

    # Asked before anything is made: without its weights an experiment leaves no folder.
    find_weights(config.model)
    log = run / "log.jsonl"
    train(
        config,
        dataset,
        split,
        run,
        resume=run.exists(),
        on_progress=progress("train"),
        on_epoch=lambda line: write_curves(log, run / "curves.svg"),
    )
    predictor = load_predictor(run)
    result = evaluate(predictor, dataset, split.test, on_progress=progress("evaluate"))
    write_evaluation_report(result, run / EVALUATION, log=read_log(log))
    for labelling, variants in evaluate_variants(
        predictor, dataset, split.test, config.data, on_progress=progress("evaluate variants")
    ).items():
        write_json(variants_file(run, labelling), variants.to_dict())
    # Most of a run's gigabytes, and of use to an unfinished one only.
    shutil.rmtree(run / "checkpoints")
