"""Settings of a training, read from YAML; a key that does not exist is an error."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spermseg.errors import ConfigError
from spermseg.structures import SCHEMAS

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(_Settings):
    """What the network sees.

    Attributes
    ----------
    schema_name : str
        Label schema, ``schema`` in YAML.
    size : (height, width), optional
        Working size in pixels; None keeps the picture's own.
    crop : (height, width), optional
        Centre crop after resizing, in training and evaluation.
    random_crop : (height, width), optional
        Random crop in training only.
    normalise : bool
        Subtract ImageNet's mean and divide by its standard deviation; else values are 0 ... 1.
    augmentation : str
        ``none``, ``flips-and-turns`` or ``report-2021`` (the 111 variants, on the fly).
    variants_per_epoch : int, optional
        Draw that many variants an epoch from all of them; None takes all.
    labels : str
        Interpolation of turned label maps: ``nearest``, or ``linear`` as published in 2021.
    corners : str
        Pixels that a turn brings in from outside: ``ignore``, or ``background`` as published.
    """

    schema_name: str = Field("report-2021", alias="schema")
    size: tuple[int, int] | None = (580, 780)
    crop: tuple[int, int] | None = None
    random_crop: tuple[int, int] | None = None
    normalise: bool = True
    augmentation: Literal["none", "flips-and-turns", "report-2021"] = "report-2021"
    variants_per_epoch: int | None = Field(None, ge=1)
    labels: Literal["nearest", "linear"] = "nearest"
    corners: Literal["ignore", "background"] = "ignore"

    @model_validator(mode="after")
    def _check(self) -> DataSettings:
        if self.schema_name not in SCHEMAS:
            raise ValueError(f"schema {self.schema_name!r} is not one of {', '.join(SCHEMAS)}")
        for name in ("size", "crop", "random_crop"):
            value = getattr(self, name)
            if value is not None and min(value) < 1:
                raise ValueError(f"{name} must be two positive numbers, got {value}")
        return self


class ModelSettings(_Settings):
    """Which network.

    Attributes
    ----------
    architecture : str
        A name of `spermseg.training.models.ARCHITECTURES`, or ``smp:NAME:ENCODER``.
    pretrained : str
        ``coco-voc``, ``imagenet``, ``none`` or the path of a weights file.
    fresh_classifier : bool
        Load the backbone only and start the classifier anew, as the report did.
    auxiliary_loss : float
        Weight of the auxiliary output's loss; 0 as in the report, which used ``out`` only.
    batch_norm_momentum : float, optional
        Overrides the architecture's own; short trainings need a larger one.
    """

    architecture: str = "deeplabv3_resnet50"
    pretrained: str = "coco-voc"
    fresh_classifier: bool = True
    auxiliary_loss: float = Field(0.0, ge=0)
    batch_norm_momentum: float | None = Field(None, gt=0, le=1)


class LossSettings(_Settings):
    """A weighted sum of losses.

    Attributes
    ----------
    terms : mapping of str to float
        Weight by name: ``cross_entropy``, ``dice``, ``dice_report_2021``, ``focal``, ``tversky``,
        ``soft_cldice``.
    class_weights : list of float, ``balanced`` or None
        Weights of cross entropy and focal loss in the schema's order; ``balanced`` takes inverse
        square roots of the training pixels' shares.
    focal_gamma, tversky_alpha, tversky_beta : float
        Parameters of the loss of that name (false positives count alpha, false negatives beta).
    """

    terms: dict[str, float] = {"cross_entropy": 1.0}
    class_weights: list[float] | Literal["balanced"] | None = None
    focal_gamma: float = Field(2.0, ge=0)
    tversky_alpha: float = Field(0.3, ge=0)
    tversky_beta: float = Field(0.7, ge=0)


class OptimiserSettings(_Settings):
    """How weights move. ``schedule`` acts once a step; ``warmup`` is a share of all steps."""

    name: Literal["adamw", "adadelta", "sgd"] = "adamw"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1)
    schedule: Literal["constant", "cosine", "poly"] = "constant"
    warmup: float = Field(0.0, ge=0, lt=1)
    clip_norm: float | None = Field(None, gt=0)


class LoopSettings(_Settings):
    """How long, how many at once, on what.

    Attributes
    ----------
    precision : str
        ``no`` (float32), ``bf16`` or ``fp16``.
    ema : float, optional
        Decay of an exponential moving average of the weights, which is then what is evaluated.
    checkpoint_steps : int, optional
        Also save every that many steps; an epoch's end always saves.
    workers : int
        Processes that prepare pictures; 0 prepares them in the training process.
    """

    epochs: int = Field(25, ge=1)
    batch_size: int = Field(10, ge=1)
    seed: int = Field(0, ge=0)
    precision: Literal["no", "bf16", "fp16"] = "no"
    ema: float | None = Field(None, gt=0, lt=1)
    checkpoint_steps: int | None = Field(None, ge=1)
    workers: int = Field(0, ge=0)
    channels_last: bool = True


class TrainingConfig(_Settings):
    """All settings of one training; every field has a default, those of the report's common one."""

    name: str = "training"
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    loss: LossSettings = LossSettings()
    optimiser: OptimiserSettings = OptimiserSettings()
    training: LoopSettings = LoopSettings()

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as written in YAML."""
        return self.model_dump(mode="json", by_alias=True)


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises
    ------
    ConfigError
        When the file is missing, is no YAML or holds something else.
    """
    path = Path(path)
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("no such settings file", where=path) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"not readable as YAML: {' '.join(str(error).split())}", where=path
        ) from None
    if not isinstance(value, dict):
        raise ConfigError(f"settings must be a mapping, got {type(value).__name__}", where=path)
    return value


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `change` over `base`: mappings are merged key by key, everything else is replaced.

    ``loss.terms`` is replaced whole, since a sum of losses is one thing.
    """
    result = dict(base)
    for key, value in change.items():
        old = result.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and key != "terms":
            result[key] = merge(old, value)
        else:
            result[key] = value
    return result


def training_config(value: Mapping[str, Any], where: Path | str | None = None) -> TrainingConfig:
    """Check settings and fill in defaults.

    Parameters
    ----------
    value : mapping
        As read from YAML.
    where : Path or str, optional
        Named in the error.

    Raises
    ------
    ConfigError
        Naming the first wrong key, with the closest existing one, or the wrong value.
    """
    try:
        return TrainingConfig.model_validate(value)
    except ValidationError as error:
        raise ConfigError(_explain(error), where=where) from None


def load_training_config(path: Path | str) -> TrainingConfig:
    """Read the settings of a training from a YAML file; see `training_config`."""
    return training_config(read_yaml(path), where=path)


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{key}: {first['msg']} (got {first['input']!r})"
    model: Any = TrainingConfig
    for part in first["loc"][:-1]:
        model = model.model_fields[str(part)].annotation
    known = [info.alias or name for name, info in model.model_fields.items()]
    close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
    return f"unknown setting {key!r}: {hint}"
