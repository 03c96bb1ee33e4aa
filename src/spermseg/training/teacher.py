"""A trained model that looks at every batch: at sperm that nobody annotated, and beside the labels.

Sperm that are cut by the border or overlapped, and many tails, are not annotated, and so taught as
background. What a model takes for a sperm there can be left out of the losses, or be taught.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spermseg.config import TeacherSettings, TrainingConfig
from spermseg.errors import CheckpointError, ConfigError
from spermseg.inference.card import ModelCard, file_sha256
from spermseg.structures import IGNORE_ID, LabelSchema, schema_named
from spermseg.training.average import AverageOfViews
from spermseg.training.checkpoint import read_weights
from spermseg.training.dataset import preprocessing_of
from spermseg.training.models import create_model
from spermseg.training.parent import open_parent


class Teacher:
    """Corrects targets, and says how far a network is from what it would say itself.

    Parameters
    ----------
    network : torch.nn.Module
        From pictures (N, 3, H, W) to a mapping with ``out``, logits (N, C, H, W); not trained.
    settings : TeacherSettings
    """

    def __init__(self, network: nn.Module, settings: TeacherSettings):
        self.network = network.eval().requires_grad_(False)
        self.settings = settings

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def look(self, images: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Look at a batch.

        Parameters
        ----------
        images : (N, 3, H, W)
            As the network in training sees them.
        target : (N, H, W) int64, or (N, C, H, W) float32
            Class indices, or their shares.

        Returns
        -------
        target : as given
            With what the settings make of pixels that nobody annotated.
        said : (N, C, H, W) float32
            The teacher's logits.
        """
        said = self.network(images)["out"].float()
        if self.settings.unannotated == "background":
            return target, said
        missed = self._missed(target, said.softmax(1)[:, 0])
        ignored = self.settings.unannotated == "ignore"
        if target.is_floating_point():
            shares = F.one_hot(said.argmax(1), said.shape[1]).permute(0, 3, 1, 2).to(target)
            taught = torch.zeros_like(target) if ignored else shares
            return torch.where(missed.unsqueeze(1), taught, target), said
        taught = torch.full_like(target, IGNORE_ID) if ignored else said.argmax(1)
        return torch.where(missed, taught, target), said

    def distillation(self, logits: Tensor, said: Tensor, target: Tensor) -> Tensor:
        """Give the weighted divergence of a network's scores from the teacher's.

        ``w T^2 KL(softmax(said / T) || softmax(logits / T))``, averaged over pixels that are not
        ignored (Hinton et al. 2015, arXiv:1503.02531): by T^2 its gradient is as large at any
        temperature.

        Parameters
        ----------
        logits : (N, C, H, W)
            Of the network in training.
        said, target
            As `look` gave them.
        """
        weight, temperature = self.settings.distillation, self.settings.temperature
        if not weight:
            return logits.new_zeros(())
        own, wanted = ((one.float() / temperature).log_softmax(1) for one in (logits, said))
        divergence = F.kl_div(own, wanted, reduction="none", log_target=True).sum(1)
        known = target.sum(1) > 0 if target.is_floating_point() else target != IGNORE_ID
        mean = (divergence * known).sum() / known.sum().clamp(min=1)
        return weight * temperature**2 * mean

    def _missed(self, target: Tensor, background: Tensor) -> Tensor:
        """Find what is annotated as background, away from parts, and improbable as such."""
        if target.is_floating_point():
            empty, annotated = target[:, 0] == 1, target[:, 1:].sum(1) > 0
        else:
            empty, annotated = target == 0, (target != 0) & (target != IGNORE_ID)
        rim = self.settings.rim
        near = F.max_pool2d(annotated[:, None].float(), 2 * rim + 1, 1, rim)[:, 0] > 0
        return empty & ~near & (background < self.settings.threshold)


def with_teacher(
    config: TrainingConfig, device: torch.device
) -> tuple[TrainingConfig, Teacher | None]:
    """Open the teacher that a training's settings name, and write down which it is.

    Returns
    -------
    config : TrainingConfig
        With the sha256 of the teacher's weights.
    teacher : Teacher or None
        None where the settings name none.

    Raises
    ------
    ModelError
        When there is no such model, or its file does not hold the weights of a known network.
    CheckpointError
        When its weights are damaged or have another sha256 than the settings say.
    ConfigError
        When it knows other parts or sees pictures otherwise than the network in training.
    """
    settings = config.teacher
    if settings is None:
        return config, None
    schema = schema_named(config.data.schema_name)
    if settings.architecture is not None:
        network, sha256 = _of_weights(settings.model, settings.architecture, schema)
    else:
        parent = open_parent(settings.model)
        _check_fit(parent.card, schema, config)
        network, sha256 = parent.network, parent.card.weights_sha256
    if settings.sha256 not in (None, sha256):
        raise CheckpointError(
            f"the teacher's sha256 is {sha256}, expected {settings.sha256}", where=settings.model
        )
    if settings.views > 1:
        network = AverageOfViews([network], settings.views)
    layout = torch.channels_last if config.training.channels_last else torch.contiguous_format
    identified = settings.model_copy(update={"sha256": sha256})
    teacher = Teacher(network.to(device, memory_format=layout), settings)
    return config.model_copy(update={"teacher": identified}), teacher


def _of_weights(name: str, architecture: str, schema: LabelSchema) -> tuple[nn.Module, str]:
    path = Path(name).expanduser()
    network = create_model(architecture, schema.n_classes)
    read_weights(path, network)
    return network, file_sha256(path)


def _check_fit(card: ModelCard, schema: LabelSchema, config: TrainingConfig) -> None:
    if card.schema != schema:
        raise ConfigError(
            f"the teacher {card.id} knows {', '.join(card.schema.parts)}, "
            f"the training's parts are {', '.join(schema.parts)}",
            fix="Take a teacher with the schema in data.schema",
        )
    own = preprocessing_of(config.data)
    for name in ("head_length_px", "size", "mean", "std"):
        seen, taught = getattr(card.preprocessing, name), getattr(own, name)
        if seen != taught:
            raise ConfigError(
                f"the teacher {card.id} sees pictures with {name} {seen}, "
                f"the training with {taught}",
                fix="Both must see the same",
            )
