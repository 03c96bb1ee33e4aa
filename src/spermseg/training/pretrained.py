"""Weights files: where they are published, reading them, and putting them into a network."""

from __future__ import annotations

import hashlib
import http.client
import re
import sys
import urllib.error
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from spermseg.errors import CheckpointError, WeightsUnavailableError

SUFFIXES = (".safetensors", ".pth", ".pt")
DOCUMENTATION = "docs/weights.md"
# torch raises RuntimeError for a wrong checksum; a full disk, another OSError, is not for here.
DOWNLOAD_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    RuntimeError,
)

BACKBONES = ("backbone.", "network.encoder.")
HEADS = ("classifier.", "aux_classifier.", "network.segmentation_head.")
# How names of other sources become ours: as they are; of DistributedDataParallel; of a whole smp
# network; of torchvision's classification networks (ResNet, MobileNet); of an smp encoder alone; of
# a network of timm that is one.
RENAMINGS = (
    ("", ""),
    ("module.", ""),
    ("", "network."),
    ("", "backbone."),
    ("features.", "backbone."),
    ("", "network.encoder."),
    ("", "network.encoder.model."),
)
# The layers of a block in the PyTorch EfficientNets of Luke Melas-Kyriazi, from which others come:
# their names there, in timm, and in timm in a block that does not widen first.
EFFICIENTNET_LAYERS = (
    ("_expand_conv", "conv_pw", ""),
    ("_bn0", "bn1", ""),
    ("_depthwise_conv", "conv_dw", "conv_dw"),
    ("_bn1", "bn2", "bn1"),
    ("_project_conv", "conv_pwl", "conv_pw"),
    ("_bn2", "bn3", "bn2"),
)
EFFICIENTNET_ENDS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
}
# Where torchvision's and other training scripts put the weights among other things.
WRAPPERS = ("model", "state_dict", "model_state_dict")

# A deeper network of the same family (ResNet-101) holds every tensor of a shallower one under the
# same name and shape, so both the network and the file must be used up to these shares.
NETWORK_SHARE = 0.9
FILE_SHARE = 0.7


@dataclass(frozen=True)
class PublishedWeights:
    """A weights file in the internet.

    Parameters
    ----------
    url : str
    file_name : str
        Its name in torch's cache.
    sha256_prefix : str
        First digits of its checksum; empty where the publisher gives none.
    """

    url: str
    file_name: str
    sha256_prefix: str = ""

    @property
    def path(self) -> Path:
        """Where torch keeps it, there or not."""
        return Path(torch.hub.get_dir()) / "checkpoints" / self.file_name

    def is_cached(self) -> bool:
        """Whether it is there and has the right checksum."""
        if not self.path.is_file():
            return False
        with self.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return digest.startswith(self.sha256_prefix)


def of_torchvision(weights: WeightsEnum) -> PublishedWeights:
    """Give the file of one of torchvision's enums; its name carries the checksum."""
    name = weights.url.rpartition("/")[2]
    match = re.search(r"-([0-9a-f]{8,})\.", name)
    return PublishedWeights(weights.url, name, match[1] if match else "")


def of_smp(encoder: str) -> PublishedWeights | None:
    """Give the ImageNet weights that segmentation-models-pytorch publishes for an encoder."""
    settings = smp.encoders.encoders.get(encoder, {}).get("pretrained_settings", {})
    if "imagenet" not in settings:
        return None
    repository, revision = (settings["imagenet"][key] for key in ("repo_id", "revision"))
    url = f"https://huggingface.co/{repository}/resolve/{revision}/model.safetensors"
    return PublishedWeights(url, f"{repository.replace('/', '-')}.safetensors")


@dataclass(frozen=True)
class LoadReport:
    """What became of a weights file.

    Parameters
    ----------
    source : str
        The file's folder and name, or ``none``.
    loaded : tuple of str
        Tensors of the network that came from the file.
    fresh : tuple of str
        Tensors of the network that stay random.
    left_out : tuple of str
        Tensors of the file that were not used.
    """

    source: str
    loaded: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def text(self) -> str:
        """Say it in at most three lines."""
        if not self.loaded:
            return "weights: random"
        total = len(self.loaded) + len(self.fresh)
        lines = [f"weights: {len(self.loaded)} of {total} tensors from {self.source}"]
        if self.fresh:
            lines.append(f"  random: {_some(self.fresh)}")
        if self.left_out:
            lines.append(f"  left out of the file: {_some(self.left_out)}")
        return "\n".join(lines)


def load_weights(model: nn.Module, path: Path, *, fresh_classifier: bool = False) -> LoadReport:
    """Put a weights file into a network, matching tensors by name and shape.

    Names are understood as `create_model` gives them, as torchvision's classification networks and
    the encoders of segmentation-models-pytorch have them, and with the ``module.`` of
    DistributedDataParallel. A file need not have the tensors of modules with
    ``identity_at_first``: the network has grown since.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place.
    path : Path
        See `read_state_dict`.
    fresh_classifier : bool
        Keep the classifiers random; else they are loaded as far as their shapes agree.

    Returns
    -------
    LoadReport

    Raises
    ------
    CheckpointError
        When the file is damaged, no state dict, or of another architecture.
    """
    own = model.state_dict()
    found = _renamed(read_state_dict(path), own)
    fitting = {k: v for k, v in found.items() if k in own and v.shape == own[k].shape}
    spare = _identities(model)
    _check_architecture({k: v for k, v in own.items() if k not in spare}, found, fitting, path)
    if fresh_classifier:
        fitting = {k: v for k, v in fitting.items() if not k.startswith(HEADS)}
    model.load_state_dict(fitting, strict=False)
    unused = {k: v for k, v in found.items() if k not in fitting}
    return LoadReport(
        source=f"{path.parent.name}/{path.name}",
        loaded=tuple(fitting),
        fresh=tuple(name for name in own if name not in fitting),
        left_out=tuple(k + _mismatch(v, own.get(k)) for k, v in unused.items()),
    )


def cached_or_fetched(published: PublishedWeights, *, download: bool = True) -> Path:
    """Give the file in torch's cache, fetching it where it is missing or damaged.

    Raises
    ------
    WeightsUnavailableError
        When it cannot be had; says what to download and where to put it.
    """
    if published.is_cached():
        return published.path
    reason = "damaged" if published.path.exists() else "not on this machine"
    if download:
        published.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(
                published.url,
                str(published.path),
                hash_prefix=published.sha256_prefix or None,
                progress=sys.stderr.isatty(),
            )
            return published.path
        except DOWNLOAD_ERRORS as error:
            reason += f" and cannot be downloaded ({error})"
    raise WeightsUnavailableError(
        f"pretrained weights {published.file_name} are {reason}",
        fix=f"Download {published.url} and put it at {_from_home(published.path)} "
        f"(see {DOCUMENTATION})",
    )


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a weights file without running any code that it may hold.

    Parameters
    ----------
    path : Path
        ``.safetensors``, or ``.pth`` or ``.pt`` with a state dict, alone or under ``model``,
        ``state_dict`` or ``model_state_dict``.

    Raises
    ------
    CheckpointError
        When it is damaged, has another suffix, or holds something else.
    """
    if path.suffix not in SUFFIXES:
        raise CheckpointError(f"weights are one of {', '.join(SUFFIXES)} files", where=path)
    try:
        if path.suffix == ".safetensors":
            value: Any = load_file(path)
        else:
            value = torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, PermissionError, MemoryError):
        raise
    # A damaged archive or pickle raises almost anything, an OSError of an impossible seek included.
    except Exception as error:
        raise _unreadable(path, error) from error
    for key in WRAPPERS:
        if isinstance(value, Mapping) and isinstance(value.get(key), Mapping):
            value = value[key]
    if not isinstance(value, Mapping) or not value:
        raise CheckpointError(f"holds a {type(value).__name__}, no state dict", where=path)
    others = [str(name) for name, tensor in value.items() if not isinstance(tensor, Tensor)]
    if others:
        raise CheckpointError(
            f"no state dict: {_some(tuple(others))} are no tensors",
            where=path,
            fix="Save model.state_dict() alone",
        )
    return dict(value)


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    if "Unsupported global" in str(error) or "Unsupported class" in str(error):
        return CheckpointError(
            "holds Python objects, perhaps a whole pickled model, which are not run here",
            where=path,
            fix="Where that file is trusted, save model.state_dict() instead",
        )
    return CheckpointError(
        f"damaged or no weights file ({type(error).__name__})", where=path, fix="Fetch it again"
    )


def _renamed(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give `state` under the renaming that fits most names of the network."""
    if any(name.startswith("_blocks.") for name in state):
        state = _efficientnet_of_timm(state, own)
    candidates = [
        {
            new + name.removeprefix(old) if name.startswith(old) else name: tensor
            for name, tensor in state.items()
        }
        for old, new in RENAMINGS
    ]
    return max(candidates, key=lambda names: len(names.keys() & own.keys()))


def _efficientnet_of_timm(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of an EfficientNet that counts its blocks through, as timm names them."""
    places = [
        found.group(1)
        for name in own
        if (found := re.search(r"(blocks\.\d+\.\d+)\.conv_dw\.weight$", name))
    ]
    names = dict(EFFICIENTNET_ENDS)
    for number, place in enumerate(places):
        widens = f"_blocks.{number}._expand_conv.weight" in state
        for theirs, widening, plain in EFFICIENTNET_LAYERS:
            names[f"_blocks.{number}.{theirs}"] = f"{place}.{widening if widens else plain}"
    return {
        ".".join((names.get(layer, layer), last)): tensor
        for (layer, _, last), tensor in ((n.rpartition("."), t) for n, t in state.items())
    }


def _check_architecture(
    own: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    fitting: Mapping[str, Tensor],
    path: Path,
) -> None:
    needed, given, used = (_backbone(names) for names in (own, found, fitting))
    if len(used) >= NETWORK_SHARE * len(needed) and len(used) >= FILE_SHARE * len(given):
        return
    missing = _some(tuple(name for name in needed if name not in fitting), 2)
    surplus = _some(tuple(name for name in found if name not in fitting), 2)
    raise CheckpointError(
        f"weights of another architecture: {len(used)} of the backbone's {len(needed)} tensors "
        f"fit; missing {missing}; not used {surplus}",
        where=path,
        fix="Set model.architecture to that of the file",
    )


def _identities(model: nn.Module) -> set[str]:
    """Name the tensors of modules that do nothing until trained: no file needs to have them."""
    return {
        f"{name}.{key}"
        for name, module in model.named_modules()
        if getattr(module, "identity_at_first", False)
        for key in module.state_dict()
    }


def _backbone(names: Mapping[str, Tensor]) -> list[str]:
    # Files older than torch 0.4.1 have no num_batches_tracked, and nothing depends on it.
    return [n for n in names if n.startswith(BACKBONES) and not n.endswith("num_batches_tracked")]


def _mismatch(tensor: Tensor, own: Tensor | None) -> str:
    if own is None or own.shape == tensor.shape:
        return ""
    return f" {tuple(tensor.shape)}, here {tuple(own.shape)}"


def _some(names: tuple[str, ...], n: int = 3) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more


def _from_home(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
