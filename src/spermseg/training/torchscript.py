"""From the weights of a training to TorchScript: raw pixel values in, probabilities out."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spermseg.data.preprocess import Preprocessing
from spermseg.errors import ModelError
from spermseg.inference.card import ModelCard, read_card
from spermseg.inference.catalog import CARD_NAME
from spermseg.training.checkpoint import load_network, read_weights
from spermseg.training.models import create_model
from spermseg.training.parent import open_parent


def write_torchscript(path: Path, weights: Path, card: ModelCard) -> str:
    """Write a network as TorchScript, with its normalisation before it and softmax behind.

    Parameters
    ----------
    path : Path
        The file to write: from RGB (N, 3, H, W) float32, 0 ... 255, to probabilities (N, C, H, W).
    weights : Path
        The folder of the training that the model comes from, its weights as safetensors, or the
        folder of the model itself, see `open_parent`.
    card : ModelCard
        The model's own: its operating point (``logit_offsets``) is kept.

    Returns
    -------
    str
        Version of torch.

    Raises
    ------
    ModelError
        When the weights are of another architecture, or it cannot be traced.
    """
    network = _SelfContained(*_read(weights, card), card)
    # Not a multiple of the strides, so that what the network does about it is part of the trace.
    example = torch.zeros(1, 3, 70, 90)
    with warnings.catch_warnings(), torch.inference_mode():
        # TorchScript is what other programs read.
        warnings.simplefilter("ignore", FutureWarning)
        # Whether a value that became constant was one is for the comparison with ONNX to find out.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        try:
            traced = torch.jit.trace(network.eval(), example, check_trace=False)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"this network cannot be traced: {reason}", where=card.id) from error
        traced.save(str(path))
    _forget_sources(path)
    return torch.__version__.partition("+")[0]


def run_torchscript(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run what `write_torchscript` wrote, on the CPU."""
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore", FutureWarning)
        network = torch.jit.load(path, map_location="cpu")
        probabilities: NDArray[np.float32] = network(torch.from_numpy(images)).numpy()
    return probabilities


def _read(weights: Path, card: ModelCard) -> tuple[nn.Module, list[float]]:
    """Give a network, and what is still to be added to its logits."""
    named = card.recipe.get("logit_offsets", {})
    offsets = [named.get(part, 0.0) for part in card.schema.parts]
    if not weights.is_dir():
        network = create_model(card.architecture, card.schema.n_classes)
        read_weights(weights, network)
        return network, offsets
    if read_card(weights / CARD_NAME).weights.endswith(".onnx"):
        return open_parent(weights).network, [0.0] * len(offsets)
    return load_network(weights)[0], offsets


def _forget_sources(path: Path) -> None:
    """Leave out where on this machine each line of the network's code was."""
    with zipfile.ZipFile(path) as archive:
        kept = [(entry, archive.read(entry)) for entry in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in kept:
            if not name.endswith(".debug_pkl"):
                archive.writestr(zipfile.ZipInfo(name), content)


class _SelfContained(nn.Module):
    """A network between its normalisation and softmax."""

    def __init__(self, network: nn.Module, offsets: list[float], card: ModelCard):
        super().__init__()
        self.network = network
        constants = {**_normalisation(card.preprocessing), "offsets": offsets}
        for name, values in constants.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, raw: Tensor) -> Tensor:
        logits = self.network(raw * self.scale - self.shift)["out"]
        return torch.softmax(logits + self.offsets, 1)


def _normalisation(preprocessing: Preprocessing) -> dict[str, list[float]]:
    pairs = list(zip(preprocessing.mean, preprocessing.std, strict=True))
    return {
        "scale": [1 / (255 * std) for _, std in pairs],
        "shift": [mean / std for mean, std in pairs],
    }
