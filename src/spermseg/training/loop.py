"""Training: from an annotated data set and settings to a folder with a network."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from spermseg.config import TrainingConfig
from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.splits import Split
from spermseg.errors import ConfigError, UsageError
from spermseg.files import read_log
from spermseg.inference.card import NOT_STATED, ModelCard, write_card
from spermseg.structures import schema_named
from spermseg.training.checkpoint import (
    TrainingState,
    restore_latest,
    save_checkpoint,
    write_weights,
)
from spermseg.training.crops import CropDataset
from spermseg.training.dataset import TrainingDataset, preprocessing_of
from spermseg.training.engine import Engine, create_learner
from spermseg.training.interruption import (
    StopRequest,
    TrainingInterrupted,
    leave_interrupts_to_parent,
    stop_requests,
)
from spermseg.training.models import load_pretrained
from spermseg.training.run_folder import (
    TrainingLog,
    open_run,
    recorded_run,
    without_folders,
)
from spermseg.training.teacher import with_teacher

logger = logging.getLogger(__name__)

DATA_LICENCES = {"sperm-parsing": "Sperm Parsing Dataset v1: academic, non-commercial, share alike"}
"""What a network's card says of its training data, by layout."""

OnProgress = Callable[[int, int, float, float], None]
"""Called after every step with steps done, steps in all, the loss, and the seconds left."""

OnEpoch = Callable[[Mapping[str, Any]], None]
"""Called after every epoch with its line of the log."""


@dataclass(frozen=True)
class TrainingSummary:
    """What came of a training.

    Parameters
    ----------
    run : Path
    steps, epochs : int
    train_loss : float
        Mean of the last epoch.
    validation : mapping or None
        ``loss``, ``iou`` by part and ``mean_iou`` after the last epoch; None without pictures.
    """

    run: Path
    steps: int
    epochs: int
    train_loss: float
    validation: Mapping[str, Any] | None


def train(
    config: TrainingConfig,
    dataset: LabelledDataset,
    split: Split,
    run: Path,
    *,
    rehearsal: LabelledDataset | None = None,
    resume: bool = False,
    command: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainingSummary:
    """Train a network and leave it, with everything about its training, in a folder.

    Started by ``torchrun`` it runs on several devices; the batch size is always that of one step,
    all devices together. On a CPU the same seed gives the same weights, however often the
    training was stopped and resumed.

    Parameters
    ----------
    config : TrainingConfig
    dataset : LabelledDataset
    split : Split
        Validation pictures, if any, are scored after every epoch; test pictures are not touched.
    run : Path
        Folder to make.
    rehearsal : LabelledDataset, optional
        Pictures for `CropSettings.rehearsed` of the crops.
    resume : bool
        Go on from the last checkpoint in `run`.
    command : mapping, optional
        How the training was called, for ``run.json``.
    on_progress, on_epoch : callable, optional

    Returns
    -------
    TrainingSummary

    Raises
    ------
    UsageError
        When the folder exists and `resume` is False, or the settings cannot work.
    CheckpointError
        When the folder belongs to a training with other settings, or no checkpoint is whole.
    WeightsUnavailableError
        When the pretrained weights are not on this machine.
    ModelError
        When the loss is no longer finite.
    TrainingInterrupted
        After SIGINT or SIGTERM, when everything is saved.
    """
    # Mixed precision is torch's own: accelerate allows one precision a process, for good.
    # Without `cpu`, it takes the processes of a torchrun on CPUs for so many single ones.
    accelerator = Accelerator(mixed_precision="no", cpu=not torch.accelerator.is_available())
    if run.exists() and not resume:
        raise UsageError(
            "exists already", where=run, fix="Name another folder, or go on with --resume"
        )
    accelerator.wait_for_everyone()

    config, teacher = with_teacher(config, accelerator.device)
    public = without_folders(config)
    learner = create_learner(config, accelerator.device)
    weights = "weights: of the checkpoint"
    if not (resume and restore_latest(run / "checkpoints", learner, public)):
        weights = load_pretrained(learner.model, config.model).text()
        if learner.average is not None:
            learner.average.load_state_dict(learner.model.state_dict())
    if accelerator.is_main_process:
        logger.info(weights)

    schema, seed = schema_named(config.data.schema_name), config.training.seed
    training, head_length_px = _training_pictures(config, dataset, split, rehearsal)
    validation = None
    if split.validation:
        validation = TrainingDataset(
            dataset, split.validation, config.data, schema, seed, False, head_length_px
        )
    engine = Engine(config, learner, training, accelerator, teacher)
    session = _Session(public, engine, training, validation, run, on_progress)

    with ExitStack() as stack:
        session.stop = stack.enter_context(stop_requests())
        if accelerator.is_main_process:
            open_run(run, public, dataset, split)
            facts = {
                "command": dict(command or {}),
                "seed": seed,
                "dataset": {"layout": dataset.layout, "pictures": len(dataset)},
                "weights": weights,
            }
            stack.enter_context(recorded_run(run / "run.json", facts))
            log = TrainingLog(run / "log.jsonl", learner.state)
            session.log = stack.enter_context(closing(log))
        for epoch in range(learner.state.epoch, config.training.epochs):
            session.train_epoch()
            line = session.finish_epoch()
            if on_epoch is not None and accelerator.is_main_process:
                on_epoch(line)
            if epoch + 1 < config.training.epochs:
                session.raise_if_stopped()
        last = [line for line in read_log(run / "log.jsonl") if line["kind"] == "epoch"][-1]
        if accelerator.is_main_process:
            _export(run, public, learner.result, dataset, split, last["validation"])
    return TrainingSummary(
        run, learner.state.step, learner.state.epoch, last["train_loss"], last["validation"]
    )


class _Session:
    """A training from its start or a checkpoint to its end or a stop; see `train`."""

    log: TrainingLog | None = None
    """Only the main process has one; only it writes."""

    stop: StopRequest = StopRequest()

    def __init__(
        self,
        config: TrainingConfig,
        engine: Engine,
        training: TrainingDataset | CropDataset,
        validation: TrainingDataset | None,
        run: Path,
        on_progress: OnProgress | None,
    ):
        self.config = config
        self.engine = engine
        self.state = engine.learner.state
        self.training = training
        self.validation = validation
        self.run = run
        self.on_progress = on_progress
        self.batches = epoch_batches(
            len(training),
            config.training.batch_size,
            engine.accelerator.process_index,
            engine.accelerator.num_processes,
        )
        self.total = len(self.batches) * config.training.epochs
        self.started = time.perf_counter(), self.state.step

    def train_epoch(self) -> None:
        """Do what is left of the current epoch, and save on the way."""
        state = self.state
        self.training.set_epoch(state.epoch)
        clock = _Clock()
        for images, target in self._loader(self.batches[state.batch :]):
            loss, lr = self.engine.step(images, target, self.total)
            n_images = len(images) * self.engine.accelerator.num_processes
            state.batch += 1
            state.images += n_images
            state.loss_sum += loss * n_images
            clock.stop(state)
            self._report(loss, lr)
            every = self.config.training.checkpoint_steps
            # The end of an epoch saves in any case, after validation.
            if state.batch < len(self.batches) and every and state.step % every == 0:
                self._save()
            self.raise_if_stopped()
            clock = _Clock()

    def finish_epoch(self) -> dict[str, Any]:
        """Validate, log and save; gives the epoch's line of the log."""
        state = self.state
        validation = None if self.validation is None else self.engine.validate(self.validation)
        line = {
            "epoch": state.epoch,
            "step": state.step,
            "train_loss": state.loss_sum / state.images,
            "validation": validation,
            "seconds": round(state.seconds, 3),
            "cpu_seconds": round(state.cpu_seconds, 3),
            "images": state.images,
        }
        if self.log is not None:
            self.log.epoch(line)
        state.start_epoch(state.epoch + 1)
        self._save()
        return line

    def raise_if_stopped(self) -> None:
        """Save and raise `TrainingInterrupted` when a stop was asked for."""
        if self.engine.any_process(self.stop.wanted):
            self._save()
            raise TrainingInterrupted(self.run, self.state.step)

    def _loader(self, batches: Sequence[Sequence[int]]) -> Iterable[tuple[Tensor, Tensor]]:
        # Made anew for every epoch, so that workers see the epoch's draw.
        return DataLoader(
            self.training,
            batch_sampler=batches,
            num_workers=self.config.training.workers,
            worker_init_fn=leave_interrupts_to_parent,
            pin_memory=self.engine.accelerator.device.type == "cuda",
        )

    def _report(self, loss: float, lr: float) -> None:
        state = self.state
        if self.log is not None:
            self.log.step(state.step, state.epoch, loss, lr)
            if self.on_progress is not None:
                since, first = self.started
                pace = (time.perf_counter() - since) / (state.step - first)
                self.on_progress(state.step, self.total, loss, pace * (self.total - state.step))

    def _save(self) -> None:
        if self.log is not None:
            save_checkpoint(self.run / "checkpoints", self.engine.learner, self.config)
        self.engine.accelerator.wait_for_everyone()


class _Clock:
    """Time since it was made, on the wall and of this process's threads."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self, state: TrainingState) -> None:
        """Add the time to the epoch's."""
        state.seconds += time.perf_counter() - self._wall
        state.cpu_seconds += time.process_time() - self._cpu


def epoch_batches(n_items: int, batch_size: int, process: int = 0, n: int = 1) -> list[range]:
    """Cut an epoch into batches, and give one process its share of each.

    A last batch of one picture is dropped, since batch normalisation over one picture is none; with
    several processes every incomplete one is, since all need the same number of pictures.

    Parameters
    ----------
    n_items : int
        Pictures of the epoch.
    batch_size : int
        Pictures of one step, all processes together.
    process, n : int
        Which process, of how many.

    Raises
    ------
    ConfigError
        When a batch cannot be shared out, or no batch comes together.
    """
    if batch_size % n:
        raise ConfigError(f"training.batch_size {batch_size} cannot be shared by {n} processes")
    smallest = batch_size if n > 1 else min(2, batch_size)
    starts = range(0, n_items, batch_size)
    batches = [range(start, min(start + batch_size, n_items)) for start in starts]
    if len(batches[-1]) < smallest:
        del batches[-1]
    if not batches:
        raise ConfigError(
            f"{n_items} pictures an epoch are too few for training.batch_size {batch_size}"
        )
    return [batch[process::n] for batch in batches]


def _training_pictures(
    config: TrainingConfig,
    dataset: LabelledDataset,
    split: Split,
    rehearsal: LabelledDataset | None,
) -> tuple[TrainingDataset | CropDataset, float | None]:
    """Give what is trained on, and the head length that sets the pictures' working scale."""
    schema, seed = schema_named(config.data.schema_name), config.training.seed
    if config.data.crops is None:
        return TrainingDataset(dataset, split.train, config.data, schema, seed, True), None
    crops = CropDataset(dataset, split.train, config.data, schema, seed, rehearsal)
    return crops, crops.head_length_px


def _export(
    run: Path,
    config: TrainingConfig,
    model: nn.Module,
    dataset: LabelledDataset,
    split: Split,
    validation: Mapping[str, Any] | None,
) -> None:
    card = ModelCard(
        id=config.name,
        architecture=config.model.architecture,
        schema=schema_named(config.data.schema_name),
        preprocessing=preprocessing_of(config.data),
        weights="model.safetensors",
        weights_sha256=write_weights(run / "model.safetensors", model),
        seed=config.training.seed,
        recipe=config.to_dict(),
        data=f"{len(split.train)} pictures of the layout {dataset.layout}",
        data_licence=DATA_LICENCES.get(dataset.layout, NOT_STATED),
        metrics={} if validation is None else {"validation": dict(validation)},
    )
    write_card(run / "card.json", card)
