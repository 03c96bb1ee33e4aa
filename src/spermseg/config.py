"""Settings of a training, read from YAML; a key that does not exist is an error."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spermseg.errors import ConfigError
from spermseg.structures import SCHEMAS

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _check_ranges(settings: _Settings, *names: str) -> None:
    for name in names:
        least, most = getattr(settings, name)
        if not 0 < least <= most:
            raise ValueError(f"{name} must be two positive numbers, least first")


class AppearanceSettings(_Settings):
    """How much stain, light and focus vary; see `spermseg.training.appearance`.

    A range is (least, most), a share that of the crops. All ranges (1, 1) and shares 0 change
    nothing.

    Attributes
    ----------
    share : float
        Share of the crops that are changed at all.
    stain : (float, float)
        Factor on the optical density of all channels.
    stain_channels : (float, float)
        A further factor for every channel.
    mixed_channels : float
        Share whose channels' densities are mixed by a random matrix: another dye.
    grey : float
        Share without colour.
    light : (float, float)
        Factor on the light that falls through.
    light_channels : (float, float)
        A further factor for every channel: white balance.
    uneven_light : float
        Largest change of the light across a crop, as a share.
    gamma : (float, float)
        Exponent of the camera's response.
    blur : float
        Share out of focus, by a Gaussian of up to `blur_sigma` pixels.
    blur_sigma : float
    noise : float
        Largest standard deviation of added noise, full scale 1.
    jpeg : float
        Share compressed by JPEG at quality 20-80.
    coarse : float
        Share taken by a coarser camera: shrunk before noise and compression, and enlarged again, so
        that grain is as large as in pictures of low magnification brought to the working scale.
    coarse_pixels : (float, float)
        How much they are shrunk.
    """

    share: float = Field(0.9, ge=0, le=1)
    stain: tuple[float, float] = (0.25, 1.5)
    stain_channels: tuple[float, float] = (0.6, 1.6)
    mixed_channels: float = Field(0.3, ge=0, le=1)
    grey: float = Field(0.15, ge=0, le=1)
    light: tuple[float, float] = (0.6, 1.25)
    light_channels: tuple[float, float] = (0.85, 1.18)
    uneven_light: float = Field(0.2, ge=0, lt=1)
    gamma: tuple[float, float] = (0.7, 1.4)
    blur: float = Field(0.3, ge=0, le=1)
    blur_sigma: float = Field(1.6, gt=0)
    noise: float = Field(0.03, ge=0)
    jpeg: float = Field(0.1, ge=0, le=1)
    coarse: float = Field(0.0, ge=0, le=1)
    coarse_pixels: tuple[float, float] = (1.2, 2.5)

    @model_validator(mode="after")
    def _check(self) -> AppearanceSettings:
        names = ("stain", "stain_channels", "light", "light_channels", "gamma", "coarse_pixels")
        _check_ranges(self, *names)
        return self


class CropSettings(_Settings):
    """Random crops at the working scale, in training only; see `spermseg.training.crops`.

    Ranges are (least, most). Factors are drawn evenly on a logarithmic scale.

    Attributes
    ----------
    size : int
        Height and width in pixels of the working scale.
    per_epoch : int
        Crops an epoch, drawn from all pictures alike.
    on_sperm : float
        Share of the crops that are centred near an annotated part; the others lie anywhere.
    on_unannotated : float
        Share of those that are centred near something stained that nobody annotated instead:
        round cells, debris, tails cut off, which a network takes for sperm when it sees few.
    paste : float
        Share of the crops into which up to three annotated sperm of other pictures are pasted,
        turned and mirrored, where nothing is annotated; see `spermseg.training.copy_paste`.
    rehearsed : float, optional
        Share of the crops that are of pictures on which a model is held to what it knows, where it
        is trained on from another; see `spermseg.training.rehearsal`.
    zoom : (float, float)
        Factor around the working scale.
    wide_zoom : (float, float)
        The factor of a `wide_share` of the crops: a scale has to be estimated first by a network
        that sees the wrong one.
    stretch : float
        Height against width, up to that share more or less.
    appearance : AppearanceSettings
    """

    size: int = Field(288, ge=32)
    per_epoch: int = Field(1000, ge=1)
    on_sperm: float = Field(0.75, ge=0, le=1)
    on_unannotated: float = Field(0.0, ge=0, le=1)
    paste: float = Field(0.0, ge=0, le=1)
    rehearsed: float | None = Field(None, gt=0, lt=1)
    zoom: tuple[float, float] = (0.75, 1.35)
    wide_zoom: tuple[float, float] = (0.45, 2.2)
    wide_share: float = Field(0.2, ge=0, le=1)
    stretch: float = Field(0.08, ge=0, lt=1)
    appearance: AppearanceSettings = AppearanceSettings()

    @model_validator(mode="after")
    def _check(self) -> CropSettings:
        _check_ranges(self, "zoom", "wide_zoom")
        return self


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
    head_length_px : float, optional
        Working scale instead of `size`: pictures are resized until their heads, of which the
        typical length is measured on the training annotations, have this length.
    margin : int
        Blank pixels around every picture at the working scale, in crops too, so that the network
        sees where a picture ends: sperm cut there are seldom annotated. 0 shows no border.
    crops : CropSettings, optional
        Train on random crops at the working scale; then `augmentation` must be ``none``.
    annotation_sets : tuple of int
        Of a data set that has several. Validation takes the first.
    annotations : str
        What becomes of several sets: ``drawn``, every crop draws one; ``majority``, per pixel the
        class that most of them chose, of a tie that of the first; ``soft``, the share of the sets
        that chose each class.
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
    head_length_px: float | None = Field(None, gt=0)
    margin: int = Field(0, ge=0)
    crops: CropSettings | None = None
    annotation_sets: tuple[int, ...] = Field((1,), min_length=1)
    annotations: Literal["drawn", "majority", "soft"] = "drawn"

    @model_validator(mode="after")
    def _check(self) -> DataSettings:
        if self.schema_name not in SCHEMAS:
            raise ValueError(f"schema {self.schema_name!r} is not one of {', '.join(SCHEMAS)}")
        for name in ("size", "crop", "random_crop"):
            value = getattr(self, name)
            if value is not None and min(value) < 1:
                raise ValueError(f"{name} must be two positive numbers, got {value}")
        fixed = [self.size, self.crop, self.random_crop]
        if self.head_length_px is not None and any(value is not None for value in fixed):
            raise ValueError("head_length_px goes with size, crop and random_crop null")
        if (self.crops is None) != (self.head_length_px is None):
            raise ValueError("crops and head_length_px go together")
        if self.margin and self.head_length_px is None:
            raise ValueError("a margin needs head_length_px")
        if self.crops is not None and self.augmentation != "none":
            raise ValueError("crops bring their own augmentation: set augmentation to none")
        if self.crops is None and len(self.annotation_sets) > 1:
            raise ValueError("several annotation_sets need crops")
        if self.annotations != "drawn" and len(self.annotation_sets) == 1:
            raise ValueError(f"{self.annotations} annotations need several annotation_sets")
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
        ``soft_cldice``, ``skeleton_recall``. All but ``dice_report_2021``, ``focal`` and
        ``soft_cldice`` take soft annotations, too.
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


class TeacherSettings(_Settings):
    """A trained model that looks at every batch; see `spermseg.training.teacher`.

    Attributes
    ----------
    model : str
        Name of a bundled model, or a path: the folder of a model or of a training, an ONNX file, or
        weights as safetensors.
    architecture : str, optional
        Of weights, which do not say it: a name as in `ModelSettings`.
    sha256 : str, optional
        Of the model's weights; written down when the training begins, which goes on with no others.
    views : int
        It looks from 1, 2, 4 or 8 sides and says the mean.
    unannotated : str
        What becomes of pixels that are annotated as background and that the teacher takes for a
        sperm's: ``background``, ``ignore``, or ``teacher``, the class that it gives them.
    threshold : float
        They are those to which the teacher gives a probability of background below this.
    rim : int
        So near to an annotated part, in pixels that the network sees, the annotation stands.
    distillation : float
        Weight of the divergence from the teacher's scores, beside the other losses.
    temperature : float
        Divides the logits of both before they are compared; higher shows more of the classes that
        the teacher thinks unlikely.
    """

    model: str
    architecture: str | None = None
    sha256: str | None = None
    views: Literal[1, 2, 4, 8] = 1
    unannotated: Literal["background", "ignore", "teacher"] = "background"
    threshold: float = Field(0.5, gt=0, le=1)
    rim: int = Field(4, ge=0)
    distillation: float = Field(0.0, ge=0)
    temperature: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _check(self) -> TeacherSettings:
        if self.unannotated == "background" and not self.distillation:
            raise ValueError("teaches nothing: set unannotated or distillation")
        if (self.architecture is None) == self.model.endswith(".safetensors"):
            raise ValueError("architecture goes with a model that is a .safetensors file")
        return self


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
    teacher: TeacherSettings | None = None
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
        annotation = model.model_fields[str(part)].annotation
        # An optional group of settings is a union with None.
        model = next(kind for kind in (*get_args(annotation), annotation) if kind is not type(None))
    known = [info.alias or name for name, info in model.model_fields.items()]
    close = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
    return f"unknown setting {key!r}: {hint}"
