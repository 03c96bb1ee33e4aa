"""What a training needs to go on exactly where it stopped, and what it leaves in the end."""

from __future__ import annotations

import dataclasses
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spermseg.config import TrainingConfig, training_config
from spermseg.errors import CheckpointError
from spermseg.files import atomic_folder, atomic_path, write_json
from spermseg.inference.card import ModelCard, file_sha256, read_card, verify_weights
from spermseg.inference.predictor import Predictor
from spermseg.training.models import create_model

logger = logging.getLogger(__name__)

KEPT = 2
"""Checkpoints that stay on the disk: the newest, and one to fall back to."""

FREE_SETTINGS = ("name", "training.workers", "training.checkpoint_steps")
"""Settings that do not change the weights, so that a resumed training may have others."""


@dataclass
class TrainingState:
    """How far a training is.

    Parameters
    ----------
    step : int
        Optimiser steps done.
    epoch : int
        Epoch under way, from 0.
    batch : int
        Batches of that epoch done.
    loss_sum, images : float, int
        Of the steps of that epoch: loss times pictures, and pictures.
    seconds, cpu_seconds : float
        Time that the steps of that epoch took; of all threads of this process for `cpu_seconds`.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    images: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def start_epoch(self, epoch: int) -> None:
        """Set everything that counts within an epoch to its beginning."""
        self.epoch, self.batch, self.images = epoch, 0, 0
        self.loss_sum = self.seconds = self.cpu_seconds = 0.0


@dataclass
class Learner:
    """Everything that a training step changes.

    Parameters
    ----------
    model : nn.Module
        Not wrapped for several devices.
    optimiser : torch.optim.Optimizer
    scaler : torch.amp.GradScaler
        Scales the loss in float16; does nothing otherwise.
    average : nn.Module, optional
        Moving average of the weights.
    state : TrainingState
    """

    model: nn.Module
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: nn.Module | None
    state: TrainingState

    @property
    def result(self) -> nn.Module:
        """The network to evaluate and to keep: the average where there is one."""
        return self.model if self.average is None else self.average


def save_checkpoint(folder: Path, learner: Learner, config: TrainingConfig) -> Path:
    """Write ``folder/step-XXXXXXXX``, whole or not at all, and remove all but the last two.

    Raises
    ------
    OSError
        When the disk is full; earlier checkpoints are untouched.
    """
    path = folder / f"step-{learner.state.step:08d}"
    with atomic_folder(path) as temporary:
        _write_tensors(temporary / "model.safetensors", learner.model.state_dict())
        _write_tensors(temporary / "optimiser.safetensors", _flatten(learner.optimiser))
        if learner.average is not None:
            _write_tensors(temporary / "ema.safetensors", learner.average.state_dict())
        state = {
            "state": dataclasses.asdict(learner.state),
            "scaler": learner.scaler.state_dict(),
            "config": config.to_dict(),
            "sha256": {file.name: file_sha256(file) for file in sorted(temporary.iterdir())},
        }
        write_json(temporary / "state.json", state)
    leftovers = list(folder.glob(".step-*"))
    for old in [*_checkpoints(folder)[KEPT:], *leftovers]:
        shutil.rmtree(old)
    return path


def restore_latest(folder: Path, learner: Learner, config: TrainingConfig) -> bool:
    """Bring `learner` to the newest whole checkpoint below `folder`.

    A damaged one is named in a warning and the one before is taken.

    Returns
    -------
    bool
        False when there is no checkpoint yet.

    Raises
    ------
    CheckpointError
        When none can be read, or when they belong to other settings; what differs is named.
    """
    paths = _checkpoints(folder)
    for path in paths:
        try:
            state = _read_state(path)
        except CheckpointError as error:
            logger.warning("%s; going back to the checkpoint before it", error)
            continue
        check_same_settings(state["config"], config.to_dict(), path)
        _restore(path, state, learner)
        return True
    if paths:
        raise CheckpointError(
            "none of the checkpoints is whole", where=folder, fix="Train again from the start"
        )
    return False


def check_same_settings(old: Mapping[str, Any], new: Mapping[str, Any], where: Path) -> None:
    """Refuse to go on with settings that would have given other weights.

    Settings that an older version did not know had their defaults, which change nothing.

    Raises
    ------
    CheckpointError
        Naming each setting that differs, with both values.
    """
    complete = training_config(old, where=where).to_dict()
    before, now = dict(_leaves(complete)), dict(_leaves(new))
    different = [
        f"{key} was {before.get(key)!r}, is now {now.get(key)!r}"
        for key in {**before, **now}
        if before.get(key) != now.get(key) and key not in FREE_SETTINGS
    ]
    if different:
        raise CheckpointError(
            f"belongs to other settings: {'; '.join(different)}",
            where=where,
            fix="Resume with the run's own config.yaml, or train into another folder",
        )


def write_weights(path: Path, model: nn.Module) -> str:
    """Write a network's weights as safetensors, whole or not at all; gives their SHA-256."""
    with atomic_path(path) as temporary:
        _write_tensors(temporary, model.state_dict())
        return file_sha256(temporary)


def read_weights(path: Path, model: nn.Module) -> None:
    """Load what `write_weights` wrote.

    Raises
    ------
    CheckpointError
        When the file is damaged or belongs to another architecture; the tensors are named.
    """
    loaded, expected = _read_tensors(path), model.state_dict()
    shapes = {name: tuple(value.shape) for name, value in loaded.items()}
    wanted = {name: tuple(value.shape) for name, value in expected.items()}
    if shapes != wanted:
        names = [n for n in {**wanted, **shapes} if shapes.get(n) != wanted.get(n)]
        first = f"{names[0]} is {shapes.get(names[0])}, expected {wanted.get(names[0])}"
        raise CheckpointError(
            f"belongs to another architecture: {len(names)} tensors differ, first {first}",
            where=path,
        )
    model.load_state_dict(loaded)


def load_predictor(run: Path | str) -> Predictor:
    """Make the network of a finished run ready to use; see `load_network`."""
    model, card = load_network(run)
    return Predictor(torch_backend(model), card)


def load_network(run: Path | str) -> tuple[nn.Module, ModelCard]:
    """Read the network of a finished run, on the CPU.

    Parameters
    ----------
    run : Path or str
        Folder with ``card.json`` and ``model.safetensors``.

    Raises
    ------
    ModelError
        When there is no card.
    CheckpointError
        When the weights are not the card's, or no training's.
    """
    run = Path(run)
    card = read_card(run / "card.json")
    if Path(card.weights).suffix != ".safetensors":
        raise CheckpointError(
            f"the weights are {card.weights}, those of a training are safetensors",
            where=run,
            fix="Name the folder of a training",
        )
    config = training_config(card.recipe, where=run / "card.json")
    model = create_model(
        card.architecture, card.schema.n_classes, auxiliary=config.model.auxiliary_loss > 0
    )
    read_weights(verify_weights(card, run), model)
    return model, card


def torch_backend(model: nn.Module) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Give a function from pictures (1, 3, h, w) to logits (1, C, h, w), both float32."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device, memory_format=torch.channels_last).eval()

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            batch = torch.from_numpy(images).to(device, memory_format=torch.channels_last)
            logits: NDArray[np.float32] = model(batch)["out"].float().cpu().numpy()
        return logits

    return run


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"), reverse=True)


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((path / "state.json").read_text(encoding="utf-8"))
        damaged = [
            name for name, sum_ in state["sha256"].items() if file_sha256(path / name) != sum_
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"damaged ({error})", where=path) from None
    if damaged:
        raise CheckpointError(f"damaged ({', '.join(damaged)})", where=path)
    return state


def _restore(path: Path, state: dict[str, Any], learner: Learner) -> None:
    read_weights(path / "model.safetensors", learner.model)
    if learner.average is not None:
        read_weights(path / "ema.safetensors", learner.average)
    _unflatten(_read_tensors(path / "optimiser.safetensors"), learner.optimiser)
    if state["scaler"]:
        learner.scaler.load_state_dict(state["scaler"])
    learner.state = TrainingState(**state["state"])


def _flatten(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Give an optimiser's tensors as ``{"<weight>.<name>": tensor}``; settings are left out."""
    return {
        f"{index}.{name}": value
        for index, entries in optimiser.state_dict()["state"].items()
        for name, value in entries.items()
        if value is not None
    }


def _unflatten(tensors: Mapping[str, Tensor], optimiser: torch.optim.Optimizer) -> None:
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".")
        weight = weights[int(index)]
        if value.shape == weight.shape:
            # The weight's own memory layout: another one is equal, but not rounded alike.
            value = torch.empty_like(weight, dtype=value.dtype).copy_(value)
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict(
        {"state": state, "param_groups": optimiser.state_dict()["param_groups"]}
    )


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    # Not `save_file`, whose exception for a full disk is not an OSError.
    path.write_bytes(safetensors.torch.save(contiguous))


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"not readable as safetensors: {error}", where=path) from None


def _leaves(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    result: list[tuple[str, Any]] = []
    for key, entry in value.items():
        nested = isinstance(entry, Mapping)
        result += _leaves(entry, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", entry)]
    return result
