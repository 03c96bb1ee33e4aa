"""The networks: a table of torchvision's, and every one of segmentation-models-pytorch."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import segmentation_models_pytorch as smp
from torch import nn
from torchvision import models as tv
from torchvision.models import segmentation
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.segmentation.fcn import FCN, FCNHead

from spermseg.config import ModelSettings
from spermseg.errors import ModelError, WeightsUnavailableError
from spermseg.training.merged import merge
from spermseg.training.networks import (
    PaddedNetwork,
    unet_efficientnet_lite2_context,
    unet_mobilenetv4_small,
    unet_mobilenetv4_small_context,
)
from spermseg.training.pretrained import (
    LoadReport,
    PublishedWeights,
    cached_or_fetched,
    load_weights,
    of_smp,
    of_torchvision,
)

COCO_VOC, IMAGENET, NONE = "coco-voc", "imagenet", "none"
SMP_PREFIX = "smp:"
MERGED = "-merged"
"""Ending of the name of an architecture that `merge` made of the one before it."""


@dataclass(frozen=True)
class Architecture:
    """One network of the table.

    Parameters
    ----------
    description : str
        One line for people.
    build : callable
        Number of classes and whether an auxiliary output is wanted, to a network with random
        weights; it downloads nothing.
    coco_voc : PublishedWeights, optional
        Weights of the whole network, trained on the 20 classes of Pascal VOC in COCO.
    imagenet : PublishedWeights, optional
        Weights of the backbone: those from which torchvision trained the whole network.
    auxiliary : bool
        Whether there is a second, auxiliary output.
    """

    description: str
    build: Callable[[int, bool], nn.Module]
    coco_voc: PublishedWeights | None = None
    imagenet: PublishedWeights | None = None
    auxiliary: bool = True


def _torchvision(builder: Callable[..., nn.Module]) -> Callable[[int, bool], nn.Module]:
    def build(n_classes: int, auxiliary: bool) -> nn.Module:
        # torchvision downloads the backbone's weights unless told not to.
        return builder(
            weights=None, weights_backbone=None, num_classes=n_classes, aux_loss=auxiliary
        )

    return build


def _fcn_mobilenet_v3_large(n_classes: int, auxiliary: bool) -> nn.Module:
    """Put torchvision's FCN head on its dilated MobileNetV3, at DeepLabV3's layers."""
    features = tv.mobilenet_v3_large(weights=None, dilated=True).features
    last, aux = len(features) - 1, 4
    layers = {str(last): "out"} | ({str(aux): "aux"} if auxiliary else {})
    head = FCNHead(features[last].out_channels, n_classes)
    aux_head = FCNHead(features[aux].out_channels, n_classes) if auxiliary else None
    return FCN(IntermediateLayerGetter(features, return_layers=layers), head, aux_head)


def _merged(build: Callable[[int, bool], nn.Module]) -> Callable[[int, bool], nn.Module]:
    return lambda n_classes, auxiliary: merge(build(n_classes, auxiliary)).train()


ARCHITECTURES: dict[str, Architecture] = {
    "deeplabv3_resnet50": Architecture(
        "DeepLabV3 on ResNet-50: the network of the 2021 report",
        _torchvision(segmentation.deeplabv3_resnet50),
        of_torchvision(segmentation.DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1),
        of_torchvision(tv.ResNet50_Weights.IMAGENET1K_V1),
    ),
    "deeplabv3_resnet101": Architecture(
        "DeepLabV3 on ResNet-101",
        _torchvision(segmentation.deeplabv3_resnet101),
        of_torchvision(segmentation.DeepLabV3_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1),
        of_torchvision(tv.ResNet101_Weights.IMAGENET1K_V1),
    ),
    "deeplabv3_mobilenet_v3_large": Architecture(
        "DeepLabV3 on MobileNetV3-Large: for a CPU",
        _torchvision(segmentation.deeplabv3_mobilenet_v3_large),
        of_torchvision(segmentation.DeepLabV3_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1),
        of_torchvision(tv.MobileNet_V3_Large_Weights.IMAGENET1K_V1),
    ),
    "fcn_resnet50": Architecture(
        "FCN on ResNet-50: future work of the 2021 report",
        _torchvision(segmentation.fcn_resnet50),
        of_torchvision(segmentation.FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1),
        of_torchvision(tv.ResNet50_Weights.IMAGENET1K_V1),
    ),
    "fcn_resnet101": Architecture(
        "FCN on ResNet-101",
        _torchvision(segmentation.fcn_resnet101),
        of_torchvision(segmentation.FCN_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1),
        of_torchvision(tv.ResNet101_Weights.IMAGENET1K_V1),
    ),
    "fcn_mobilenet_v3_large": Architecture(
        "FCN on MobileNetV3-Large, put together here since torchvision has none: for a CPU",
        _fcn_mobilenet_v3_large,
        None,
        of_torchvision(tv.MobileNet_V3_Large_Weights.IMAGENET1K_V1),
    ),
    "lraspp_mobilenet_v3_large": Architecture(
        "LR-ASPP on MobileNetV3-Large: future work of the 2021 report",
        _torchvision(segmentation.lraspp_mobilenet_v3_large),
        of_torchvision(segmentation.LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1),
        of_torchvision(tv.MobileNet_V3_Large_Weights.IMAGENET1K_V1),
        auxiliary=False,
    ),
    "unet_mobilenetv4_small": Architecture(
        "U-Net on MobileNetV4-Conv-Small with a sub-pixel head, 3 million weights: the fast model",
        unet_mobilenetv4_small,
        auxiliary=False,
    ),
    "unet_mobilenetv4_small_context": Architecture(
        "the same with 12 residual blocks of a wide view in the encoder, 3.6 million weights",
        unet_mobilenetv4_small_context,
        auxiliary=False,
    ),
    "unet_efficientnet_lite2_context": Architecture(
        "U-Net on EfficientNet-Lite2 with 8 such blocks, 8 million weights: the accurate model",
        unet_efficientnet_lite2_context,
        auxiliary=False,
    ),
}
# What a finished one of these is exported as; training goes on from there without its origin.
ARCHITECTURES |= {
    name + MERGED: Architecture(
        f"{name} with its normalisations merged into convolutions, fewer operations: as exported",
        _merged(ARCHITECTURES[name].build),
        auxiliary=False,
    )
    for name in (
        "unet_mobilenetv4_small",
        "unet_mobilenetv4_small_context",
        "unet_efficientnet_lite2_context",
    )
}


def create_model(
    architecture: str,
    n_classes: int,
    *,
    auxiliary: bool = False,
    batch_norm_momentum: float | None = None,
) -> nn.Module:
    """Build a network with random weights; nothing is downloaded.

    Parameters
    ----------
    architecture : str
        A name of `ARCHITECTURES`, or ``smp:NAME:ENCODER`` for a network of
        segmentation-models-pytorch, for example ``smp:unet:resnet18``.
    n_classes : int
        Number of classes, background included.
    auxiliary : bool
        Also give the auxiliary output ``aux``.
    batch_norm_momentum : float, optional
        Set in every batch normalisation.

    Returns
    -------
    torch.nn.Module
        (N, 3, H, W) float32 to a mapping with ``out``, logits (N, n_classes, H, W) at the input's
        size, whatever it is, and ``aux`` of the same shape where asked for. Parameters have the
        names that torchvision gives them.

    Raises
    ------
    ModelError
        For a name that does not exist, with the closest one, or an auxiliary output where the
        network has none.
    """
    found = architecture_named(architecture)
    if auxiliary and not found.auxiliary:
        raise ModelError(
            f"{architecture} has no auxiliary output", fix="Set model.auxiliary_loss to 0"
        )
    model = found.build(n_classes, auxiliary)
    if batch_norm_momentum is not None:
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = batch_norm_momentum
    return model


def load_pretrained(model: nn.Module, settings: ModelSettings) -> LoadReport:
    """Put the weights that the settings name into a network of `create_model`.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    settings : ModelSettings
        ``pretrained`` is ``none``, ``coco-voc``, ``imagenet``, a weights file or a run folder. With
        ``fresh_classifier`` the classifier, the auxiliary one included, stays random; else it is
        loaded as far as its shapes agree.

    Returns
    -------
    LoadReport

    Raises
    ------
    WeightsUnavailableError
        When the weights are neither here nor to be downloaded; says what to put where.
    CheckpointError
        When the file is damaged, no state dict, or of another architecture.
    """
    path = find_weights(settings)
    if path is None:
        return LoadReport(NONE, fresh=tuple(model.state_dict()))
    return load_weights(model, path, fresh_classifier=settings.fresh_classifier)


def weights_available(settings: ModelSettings, *, download: bool = False) -> bool:
    """Whether `load_pretrained` would find its weights; `download` lets it fetch them now."""
    try:
        find_weights(settings, download=download)
    except WeightsUnavailableError:
        return False
    return True


def find_weights(settings: ModelSettings, *, download: bool = True) -> Path | None:
    """Give the weights file that the settings name; None for ``none``.

    Raises
    ------
    WeightsUnavailableError
        When there is none: never published, neither cached nor to be downloaded, or no such file.
    """
    if settings.pretrained == NONE:
        return None
    if settings.pretrained in (COCO_VOC, IMAGENET):
        entry = architecture_named(settings.architecture)
        published = entry.coco_voc if settings.pretrained == COCO_VOC else entry.imagenet
        if published is None:
            raise WeightsUnavailableError(
                f"no {settings.pretrained} weights are published for {settings.architecture}",
                fix=f"Set model.pretrained to a weights file or {NONE}",
            )
        return cached_or_fetched(published, download=download)
    path = Path(settings.pretrained).expanduser()
    if path.is_dir():
        path = path / "model.safetensors"
    if not path.is_file():
        raise WeightsUnavailableError(
            "no such weights file",
            where=path,
            fix=f"model.pretrained is {COCO_VOC}, {IMAGENET}, {NONE}, a weights file or a run",
        )
    return path


def architecture_named(name: str) -> Architecture:
    """Look up a network by the name that settings use.

    Raises
    ------
    ModelError
        When there is none of that name; the closest one is named.
    """
    if name.startswith(SMP_PREFIX):
        return _smp_architecture(*split_smp_name(name))
    if name not in ARCHITECTURES:
        raise _unknown("architecture", name, [*ARCHITECTURES, "smp:unet:resnet18"])
    return ARCHITECTURES[name]


def split_smp_name(name: str) -> tuple[str, str]:
    """Split ``smp:NAME:ENCODER`` into a known network and its encoder.

    Raises
    ------
    ModelError
        When the name has another form or no such network or encoder exists.
    """
    network, colon, encoder = name.removeprefix(SMP_PREFIX).partition(":")
    if not colon or not encoder:
        raise ModelError(f"{name!r} has no encoder", fix="Write it as smp:unet:resnet18")
    if network not in smp.MODEL_ARCHITECTURES_MAPPING:
        raise _unknown("smp network", network, smp.MODEL_ARCHITECTURES_MAPPING)
    # Names with tu- belong to timm, which has a thousand and checks them itself.
    if not encoder.startswith("tu-") and encoder not in smp.encoders.encoders:
        raise _unknown("smp encoder", encoder, smp.encoders.get_encoder_names())
    return network, encoder


def _unknown(kind: str, name: str, known: Iterable[str]) -> ModelError:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    several = ", ".join(known[:12]) + (" and more" if len(known) > 12 else "")
    hint = f"did you mean {close[0]!r}?" if close else f"there are {several}"
    return ModelError(f"unknown {kind} {name!r}: {hint}")


def _smp_architecture(network: str, encoder: str) -> Architecture:
    # Vision transformers take one fixed size unless told otherwise.
    options = {"dynamic_img_size": True} if network == "dpt" else {}

    def build(n_classes: int, auxiliary: bool) -> nn.Module:
        try:
            model = smp.create_model(
                network, encoder, encoder_weights=None, classes=n_classes, **options
            )
        except (KeyError, ValueError, NotImplementedError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"smp cannot build {network} on {encoder}: {reason}") from error
        return PaddedNetwork(model)

    return Architecture(
        f"{network} on {encoder}, of segmentation-models-pytorch",
        build,
        imagenet=of_smp(encoder),
        auxiliary=False,
    )
