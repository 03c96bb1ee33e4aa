"""The network at work on its device: one training step, one validation."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from spermseg.config import TrainingConfig
from spermseg.errors import ConfigError, ModelError
from spermseg.metrics.parts import confusion_matrix, part_scores
from spermseg.structures import schema_named
from spermseg.training.checkpoint import Learner, TrainingState
from spermseg.training.crops import CropDataset
from spermseg.training.dataset import TrainingDataset, seed_from
from spermseg.training.losses import class_weights_from_shares, create_loss
from spermseg.training.models import create_model
from spermseg.training.optimisation import (
    create_optimiser,
    learning_rate,
    set_learning_rate,
    update_average,
)
from spermseg.training.teacher import Teacher

PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def create_learner(config: TrainingConfig, device: torch.device) -> Learner:
    """Make a network with random weights that follow from the seed, and what trains it.

    Raises
    ------
    ConfigError
        When the device cannot train in the precision asked for.
    """
    settings, precision = config.model, config.training.precision
    if precision == "fp16" and device.type != "cuda":
        raise ConfigError(
            f"training.precision fp16 needs a CUDA GPU, this is {device.type}",
            fix="Set it to bf16 or no",
        )
    torch.manual_seed(seed_from(config.training.seed))
    model = create_model(
        settings.architecture,
        schema_named(config.data.schema_name).n_classes,
        auxiliary=settings.auxiliary_loss > 0,
        batch_norm_momentum=settings.batch_norm_momentum,
    )
    model = model.to(device, memory_format=_memory_format(config)).train()
    return Learner(
        model=model,
        optimiser=create_optimiser(model, config.optimiser),
        scaler=torch.amp.GradScaler(device.type, enabled=precision == "fp16"),
        average=None if config.training.ema is None else copy.deepcopy(model).requires_grad_(False),
        state=TrainingState(),
    )


class Engine:
    """Runs a network; under `torchrun` on its share of every batch.

    Parameters
    ----------
    config : TrainingConfig
    learner : Learner
        Changed by every step.
    training : TrainingDataset or CropDataset
        For balanced class weights.
    accelerator : Accelerator
    teacher : Teacher, optional
        Looks at every batch that is trained on.
    """

    def __init__(
        self,
        config: TrainingConfig,
        learner: Learner,
        training: TrainingDataset | CropDataset,
        accelerator: Accelerator,
        teacher: Teacher | None = None,
    ):
        self.config = config
        self.learner = learner
        self.teacher = teacher
        self.accelerator = accelerator
        self.schema = schema_named(config.data.schema_name)
        shares = torch.from_numpy(training.class_pixels(self.schema.n_classes))
        weights = class_weights_from_shares(shares)
        soft = config.data.annotations == "soft"
        self.loss = create_loss(config.loss, self.schema, weights, soft=soft)
        self._network = accelerator.prepare_model(learner.model)

    def step(self, images: Tensor, target: Tensor, total: int) -> tuple[float, float]:
        """Train on one batch.

        Parameters
        ----------
        images : (N, 3, H, W) float32
        target : (N, H, W) int64, or (N, C, H, W) float32
            Class indices, or their shares.
        total : int
            Steps of the whole training.

        Returns
        -------
        loss, lr : float
            Of this step, over all devices.

        Raises
        ------
        ModelError
            When the loss is no longer finite.
        """
        learner, settings = self.learner, self.config.optimiser
        state = learner.state
        lr = learning_rate(settings, state.step, total)
        set_learning_rate(learner.optimiser, lr)
        # Dropout follows from the step, so that a resumed training needs no generator's state.
        torch.manual_seed(
            seed_from(self.config.training.seed, state.step, self.accelerator.process_index)
        )
        _, loss = self._forward(self._network, images, target, self.teacher)
        learner.scaler.scale(loss).backward()
        if settings.clip_norm is not None:
            learner.scaler.unscale_(learner.optimiser)
            nn.utils.clip_grad_norm_(learner.model.parameters(), settings.clip_norm)
        learner.scaler.step(learner.optimiser)
        learner.scaler.update()
        learner.optimiser.zero_grad(set_to_none=True)
        if learner.average is not None and self.config.training.ema is not None:
            update_average(learner.average, learner.model, self.config.training.ema, state.step)
        state.step += 1
        return self._finite(loss), lr

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def validate(self, dataset: TrainingDataset) -> dict[str, Any]:
        """Score the network, or its moving average, on whole pictures.

        Returns
        -------
        dict
            ``loss``, averaged over pictures; ``iou`` of every part and ``mean_iou`` from one
            confusion matrix of all pixels, None for a part in neither truth nor prediction.
        """
        model = self.learner.result.eval()
        if self.accelerator.num_processes > 1:
            # Batch statistics are each device's own; those of the first are kept in the end.
            broadcast(list(model.buffers()))
        share = range(self.accelerator.process_index, len(dataset), self.accelerator.num_processes)
        size = self.config.training.batch_size if dataset.one_size else 1
        confusion = np.zeros((self.schema.n_classes,) * 2, np.int64)
        loss_sum = torch.zeros((), dtype=torch.float64)
        for images, target in DataLoader(Subset(dataset, share), size):
            logits, loss = self._forward(model, images, target)
            loss_sum += loss.double().cpu() * len(images)
            prediction = logits.argmax(1).cpu().numpy()
            confusion += confusion_matrix(target.numpy(), prediction, self.schema.n_classes)
        self.learner.model.train()
        counts, loss_sum = self._sum(torch.from_numpy(confusion)), self._sum(loss_sum)
        scores = part_scores(counts.numpy(), self.schema).to_dict()
        return {
            "loss": float(loss_sum) / len(dataset),
            "iou": {part: values["iou"] for part, values in scores["parts"].items()},
            "mean_iou": scores["mean"]["iou"],
        }

    def any_process(self, wanted: bool) -> bool:
        """Whether any of the processes wants something: all must stop at the same step."""
        return bool(self._sum(torch.tensor(int(wanted))))

    def _forward(
        self, network: nn.Module, images: Tensor, target: Tensor, teacher: Teacher | None = None
    ) -> tuple[Tensor, Tensor]:
        device, settings = self.accelerator.device, self.config.training
        images = images.to(device, non_blocking=True, memory_format=_memory_format(self.config))
        target = target.to(device, non_blocking=True)
        dtype = PRECISIONS[settings.precision]
        with torch.autocast(device.type, dtype, enabled=settings.precision != "no"):
            if teacher is not None:
                target, said = teacher.look(images, target)
            try:
                outputs = network(images)
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                raise ConfigError(
                    f"{self.config.model.architecture} cannot train on a batch of one picture",
                    fix="Set training.batch_size to 2 or more for each device",
                ) from None
        loss = self.loss(outputs["out"], target)
        if "aux" in outputs:
            loss = loss + self.config.model.auxiliary_loss * self.loss(outputs["aux"], target)
        if teacher is not None:
            loss = loss + teacher.distillation(outputs["out"], said, target)
        return outputs["out"], loss

    def _finite(self, loss: Tensor) -> float:
        value = float(self._sum(loss.detach())) / self.accelerator.num_processes
        if not math.isfinite(value):
            raise ModelError(
                f"the loss is {value} in step {self.learner.state.step}",
                fix="Lower optimiser.lr or set optimiser.clip_norm; the last checkpoint is kept",
            )
        return value

    def _sum(self, value: Tensor) -> Tensor:
        if self.accelerator.num_processes == 1:
            return value
        moved = value.to(self.accelerator.device)
        return self.accelerator.reduce(moved, "sum").to(value.device)


def _memory_format(config: TrainingConfig) -> torch.memory_format:
    return torch.channels_last if config.training.channels_last else torch.contiguous_format
