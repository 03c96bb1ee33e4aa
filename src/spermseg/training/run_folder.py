"""The folder of one training: its settings, split, provenance and logs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torchvision
import yaml
from torch.utils.tensorboard import SummaryWriter

from spermseg import __version__
from spermseg.config import TrainingConfig, read_yaml
from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.splits import PARTS, Split, read_split, write_split
from spermseg.errors import CheckpointError
from spermseg.files import read_log, write_json, write_text
from spermseg.training.checkpoint import TrainingState, check_same_settings


def open_run(run: Path, config: TrainingConfig, dataset: LabelledDataset, split: Split) -> None:
    """Make the folder of a training, or check that an existing one belongs to it.

    Raises
    ------
    CheckpointError
        When it was made with other settings or another split.
    """
    run.mkdir(parents=True, exist_ok=True)
    settings, pictures = run / "config.yaml", run / "split.json"
    if settings.exists():
        check_same_settings(read_yaml(settings), config.to_dict(), settings)
    if pictures.exists():
        before = read_split(pictures, dataset)
        # Also the order: it decides which picture is drawn when.
        if any(before.part(part) != split.part(part) for part in PARTS):
            raise CheckpointError("the run was trained on another split", where=pictures)
    write_text(settings, yaml.safe_dump(config.to_dict(), sort_keys=False))
    write_split(pictures, split)


def without_folders(config: TrainingConfig) -> TrainingConfig:
    """Shorten absolute paths of weights and of a teacher to their last two parts, for outputs."""
    model = config.model.model_copy(update={"pretrained": _shortened(config.model.pretrained)})
    teacher = config.teacher
    if teacher is not None:
        teacher = teacher.model_copy(update={"model": _shortened(teacher.model)})
    return config.model_copy(update={"model": model, "teacher": teacher})


def _shortened(name: str) -> str:
    path = Path(name)
    return "/".join(path.parts[-2:]) if path.is_absolute() else name


@contextmanager
def recorded_run(path: Path, facts: Mapping[str, Any]) -> Iterator[None]:
    """Write ``run.json`` at the start of a training and again at its end, however it ends.

    Parameters
    ----------
    path : Path
        What it says of the time before a stop is kept under ``earlier``.
    facts : mapping
        What is known at the start, JSON-ready.
    """
    earlier: list[dict[str, Any]] = []
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        earlier = [*before.pop("earlier"), before]
    record = {"status": "running", "started": _now(), "finished": None, **facts, **provenance()}
    record["earlier"] = earlier
    write_json(path, record)
    try:
        yield
    except BaseException as error:
        record["status"] = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        raise
    else:
        record["status"] = "done"
    finally:
        record["finished"] = _now()
        write_json(path, record)


class TrainingLog:
    """``log.jsonl``, one line a step and an epoch, and the same for TensorBoard.

    Parameters
    ----------
    path : Path
    state : TrainingState
        Where the training begins; lines of a stopped one that lie later are removed.
    """

    def __init__(self, path: Path, state: TrainingState):
        if path.exists():
            lines = [json.dumps(line) + "\n" for line in read_log(path) if _is_past(line, state)]
            write_text(path, "".join(lines))
        self._stream = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(path.parent / "tensorboard"), purge_step=state.step + 1)

    def step(self, step: int, epoch: int, loss: float, lr: float) -> None:
        """Log one optimiser step."""
        self._write({"kind": "step", "step": step, "epoch": epoch, "loss": loss, "lr": lr})
        self._board.add_scalar("loss/step", loss, step)
        self._board.add_scalar("lr", lr, step)

    def epoch(self, line: Mapping[str, Any]) -> None:
        """Log one epoch: ``epoch``, ``step``, ``train_loss``, ``validation``, times, ``images``."""
        self._write({"kind": "epoch", **line})
        step, validation = line["step"], line["validation"]
        self._board.add_scalar("loss/train", line["train_loss"], step)
        if validation is not None:
            self._board.add_scalar("loss/validation", validation["loss"], step)
            for part, iou in validation["iou"].items():
                if iou is not None:
                    self._board.add_scalar(f"iou/{part}", iou, step)
        self._board.flush()

    def close(self) -> None:
        """Close the files."""
        self._stream.close()
        self._board.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        self._stream.write(json.dumps(line, allow_nan=False) + "\n")
        self._stream.flush()


def _is_past(line: Mapping[str, Any], state: TrainingState) -> bool:
    if line["kind"] == "epoch":
        return bool(line["epoch"] < state.epoch)
    return bool(line["step"] <= state.step)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance() -> dict[str, Any]:
    """Give versions and machine, JSON-ready."""
    return {
        "versions": {
            "spermseg": __version__,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "python": platform.python_version(),
        },
        "machine": {
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "accelerator": _accelerator_name(),
            "system": platform.system(),
        },
    }


def _cpu_name() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _accelerator_name() -> str:
    if not torch.cuda.is_available():
        return "none"
    return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
