"""Run the experiments of a study one after the other, in pieces of any length."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.config import TrainingConfig, read_yaml
from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.splits import Split
from spermseg.errors import CheckpointError
from spermseg.evaluation import evaluate
from spermseg.experiments.runner import attempt
from spermseg.files import claimed, read_log, write_json
from spermseg.inference.predictor import Predictor
from spermseg.study.book import (
    failure_file,
    is_finished,
    is_trained,
    result_file,
    write_book,
)
from spermseg.study.plan import Experiment, Study, Variant, run_folder, run_name
from spermseg.study.results import StudyResult, count_pictures
from spermseg.training.average import AverageOfViews
from spermseg.training.checkpoint import (
    check_same_settings,
    load_network,
    read_weights,
    torch_backend,
)
from spermseg.training.export import offsets_by_channel
from spermseg.training.interruption import TrainingInterrupted
from spermseg.training.loop import train
from spermseg.training.models import find_weights
from spermseg.training.run_folder import provenance, without_folders

Progress = Callable[[str, int, int], None]
"""Called with what is being done of which training, what is done and what there is to do."""

PLAIN = Variant(name="plain", title="", question="")
"""The weights of an experiment as they are."""


@dataclass(frozen=True)
class Deadline:
    """When to stop; the training under way is saved then.

    Parameters
    ----------
    minutes : float, optional
        From now; None for no deadline.
    """

    minutes: float | None = None
    _start: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        """Whether it is time to stop."""
        passed = time.monotonic() - self._start
        return self.minutes is not None and passed >= 60 * self.minutes


@dataclass(frozen=True)
class StudyRun:
    """How the experiments of a study are run.

    Parameters
    ----------
    study : Study
    dataset : LabelledDataset
    split : Split
        Everything is trained on its training pictures and evaluated on its validation pictures;
        its test pictures are not read.
    out : Path
        Folder for one folder a training.
    synthetic : LabelledDataset, optional
        For experiments with ``data: synthetic``.
    overrides : mapping
        Laid over the settings of the experiment that all others differ from.
    deadline : Deadline
    on_progress : callable, optional
    """

    study: Study
    dataset: LabelledDataset
    split: Split
    out: Path
    synthetic: LabelledDataset | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    deadline: Deadline = field(default_factory=Deadline)
    on_progress: Progress | None = None

    def config(self, experiment: Experiment, seed: int) -> TrainingConfig:
        """Give the settings of one training."""
        return self.study.config(experiment.name, seed, self.out, self.overrides)

    def training_pictures(self, experiment: Experiment) -> tuple[LabelledDataset, Split]:
        """Give what an experiment is trained on: no picture of a split but its training part."""
        if experiment.data == "synthetic" and self.synthetic is not None:
            return self.synthetic, Split(self.synthetic.ids, layout=self.synthetic.layout)
        return self.dataset, replace(self.split, validation=(), test=())

    def progress(self, what: str) -> Callable[[int, int], None]:
        """Give a callback that passes on how far something is."""

        def report(done: int, total: int) -> None:
            if self.on_progress is not None:
                self.on_progress(what, done, total)

        return report


def run_study(
    run: StudyRun, names: Sequence[str] = (), seeds: Sequence[int] = (0,)
) -> dict[str, str]:
    """Train and evaluate experiments: first all with the first seed, then all with the next.

    What is finished is left alone, what was stopped goes on exactly there, what failed is tried
    again. Several processes may share the folder: none takes up what another one is at.

    Parameters
    ----------
    run : StudyRun
    names : sequence of str
        Experiments to run, with those that they need; all if empty.
    seeds : sequence of int

    Returns
    -------
    dict of str to str
        What became of each training: ``done``, ``running`` by another process, ``waiting`` for the
        time or for another one, ``not run`` or ``failed`` with the reason.

    Raises
    ------
    UsageError
        When the folder belongs to another data set, split or other overrides.
    TrainingInterrupted
        After SIGINT or SIGTERM, when everything is saved.
    """
    tasks = [(name, seed) for seed in seeds for name in run.study.in_order(names)]
    write_book(run.out, run.study, run.dataset, run.split, seeds=seeds, overrides=run.overrides)
    statuses = {run_name(*task): "waiting" for task in tasks}
    for name, seed in tasks:
        if not run.deadline.over:
            statuses[run_name(name, seed)] = _attend_to(run, run.study.experiments[name], seed)
    return statuses


def _attend_to(run: StudyRun, experiment: Experiment, seed: int) -> str:
    """Do what is left to do of one training, and say what became of it."""
    if experiment.data == "synthetic" and run.synthetic is None:
        return "not run: no synthetic smears were given"
    folder = run_folder(run.out, experiment.name, seed)
    missing = [n for n in experiment.sources if not is_trained(run_folder(run.out, n, seed))]
    if missing:
        return f"waiting for {', '.join(missing)}"
    with claimed(run.out / f".{folder.name}.lock") as ours:
        if not ours:
            return "running"
        status, reason = attempt(folder.name, lambda: _run(run, experiment, seed))
    if status != "done":
        write_json(failure_file(folder), {"status": status, "reason": reason})
        return f"{status}: {reason}"
    failure_file(folder).unlink(missing_ok=True)
    return "done" if is_finished(folder, experiment) else "waiting"


def _run(run: StudyRun, experiment: Experiment, seed: int) -> None:
    """Train and evaluate, as far as the time allows."""
    folder, config = run_folder(run.out, experiment.name, seed), run.config(experiment, seed)
    if not is_trained(folder):
        _train(run, experiment, config, folder)
    _check_trained_with(config, folder)
    for variant in (PLAIN, *experiment.evaluate):
        path = result_file(folder, "" if variant is PLAIN else variant.name)
        if not is_trained(folder) or run.deadline.over:
            return
        if not path.is_file():
            _evaluate(run, experiment, seed, variant).write(path)
    # Most of a run's disk space; a variant may need the last weights until here.
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def _check_trained_with(config: TrainingConfig, folder: Path) -> None:
    before = read_yaml(folder / "config.yaml")
    if before.get("teacher") is not None:
        # Found out and written down by the training.
        before["teacher"]["sha256"] = config.teacher and config.teacher.sha256
    check_same_settings(before, without_folders(config).to_dict(), folder)


def _train(run: StudyRun, experiment: Experiment, config: TrainingConfig, folder: Path) -> None:
    report = run.progress(f"{config.name}: train")

    def on_step(done: int, total: int, loss: float, seconds_left: float) -> None:
        report(done, total)
        if run.deadline.over:
            # The way in which a training is stopped from outside: it saves after this step.
            signal.raise_signal(signal.SIGTERM)

    # Asked before anything is made: without its weights an experiment leaves no run folder.
    find_weights(config.model)
    dataset, split = run.training_pictures(experiment)
    try:
        train(config, dataset, split, folder, resume=True, on_progress=on_step)
    except TrainingInterrupted:
        if not run.deadline.over:
            raise


def _evaluate(run: StudyRun, experiment: Experiment, seed: int, variant: Variant) -> StudyResult:
    folder = run_folder(run.out, experiment.name, seed)
    predictor, n_parameters = _predictor(folder, variant)
    wall, cpu = time.perf_counter(), time.process_time()
    what = f"{folder.name}: evaluate {variant.name}"
    evaluation = evaluate(
        predictor,
        run.dataset,
        run.split.validation,
        on_progress=run.progress(what),
        illustrations=0,
    )
    facts = {
        "experiment": experiment.name,
        "variant": "" if variant is PLAIN else variant.name,
        "seed": seed,
        "settings": read_yaml(folder / "config.yaml"),
        "training": _training(folder) | {"parameters": n_parameters},
        "evaluation": {
            "seconds": round(time.perf_counter() - wall, 3),
            "cpu_seconds": round(time.process_time() - cpu, 3),
        },
        **provenance(),
    }
    return StudyResult(facts, count_pictures(evaluation))


def _predictor(folder: Path, variant: Variant) -> tuple[Predictor, int]:
    """Give a trained network, used as a variant asks, and its number of weights."""
    network, card = load_network(folder)
    if not variant.average:
        checkpoints = sorted((folder / "checkpoints").glob("step-*"))
        if not checkpoints:
            raise CheckpointError(
                "the weights of the last step are gone",
                where=folder,
                fix="Remove the folder to train again",
            )
        read_weights(checkpoints[-1] / "model.safetensors", network)
    n_parameters = sum(weights.numel() for weights in network.parameters())
    if variant.views != 1:
        network = AverageOfViews([network], variant.views)
    run, offsets = torch_backend(network), offsets_by_channel(variant.logit_offsets, card.schema)

    def backend(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return run(images) + offsets

    return Predictor(backend, card), n_parameters


def _training(folder: Path) -> dict[str, Any]:
    """Say what a training took, from its log."""
    epochs = [line for line in read_log(folder / "log.jsonl") if line["kind"] == "epoch"]
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    first = (record["earlier"] or [record])[0]
    return {
        "steps": epochs[-1]["step"],
        "epochs": len(epochs),
        "images": sum(line["images"] for line in epochs),
        "seconds": round(sum(line["seconds"] for line in epochs), 3),
        "cpu_seconds": round(sum(line["cpu_seconds"] for line in epochs), 3),
        "weights": first["weights"],
        "train_loss": epochs[-1]["train_loss"],
    }
