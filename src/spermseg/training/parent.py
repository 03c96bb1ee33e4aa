"""The model that a training goes on from: a training's, or an exported one without its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from torch import Tensor, nn

from spermseg.errors import CheckpointError, ModelError
from spermseg.inference.card import ModelCard, read_card, verify_weights
from spermseg.inference.catalog import CARD_NAME, model_folder
from spermseg.training.checkpoint import load_network
from spermseg.training.merged import merge
from spermseg.training.models import ARCHITECTURES, MERGED, create_model

PREFIX = "network."
"""What `spermseg.training.export` puts before the names that weights have in torch."""

OFFSETS = "offsets"
"""Its constants that are added to the logits, (1, C, 1, 1); not there where all are 0."""


@dataclass(frozen=True)
class Parent:
    """A network to train on.

    Parameters
    ----------
    card : ModelCard
        Of the model, as it was found.
    architecture : str
        Of `network`: without batch normalisation, as it is exported, wherever there is such a one.
    network : torch.nn.Module
        Gives the very scores of the model.
    """

    card: ModelCard
    architecture: str
    network: nn.Module


def open_parent(model: str | Path | None = None) -> Parent:
    """Read the network of a model, for training.

    Batch normalisation is merged into the convolutions: its statistics over a few pictures of one
    stain would replace those of the whole training.

    Parameters
    ----------
    model : str or Path, optional
        Name of a bundled model, a folder with a card, of an exported model or of a training, or an
        ONNX file; None for the default model.

    Raises
    ------
    ModelError
        When there is no such model, or its file does not hold the weights of a known network.
    CheckpointError
        When the file of the weights is not the one that the card describes.
    """
    folder = model_folder(model)
    card = read_card(folder / CARD_NAME)
    if "data" not in card.recipe:
        raise _not_readable(card, folder, "its card has no recipe")
    merged = card.architecture + MERGED
    if Path(card.weights).suffix != ".safetensors":
        architecture = merged if merged in ARCHITECTURES else card.architecture
        return Parent(card, architecture, _exported_network(card, architecture, folder))
    network, card = load_network(folder)
    if merged in ARCHITECTURES:
        return Parent(card, merged, merge(network).train())
    return Parent(card, card.architecture, network)


def holds_weights(model: str | Path | None = None) -> bool:
    """Tell whether `open_parent` can read a model's weights."""
    try:
        open_parent(model)
    except ModelError:
        return False
    return True


def read_initializers(path: Path) -> dict[str, Tensor]:
    """Read the weights of an ONNX file, by name.

    Raises
    ------
    CheckpointError
        When the file is no ONNX, or keeps weights in other files.
    """
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except DecodeError as error:
        raise CheckpointError(f"no ONNX file: {error}", where=path) from None
    found = {}
    for tensor in graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise CheckpointError("keeps weights in other files", where=path)
        found[tensor.name] = torch.from_numpy(numpy_helper.to_array(tensor).copy())
    # Of weights that are equal the exporter keeps one, and gives the others' names to copies of it.
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]].clone()
    return found


def _exported_network(card: ModelCard, architecture: str, folder: Path) -> nn.Module:
    path = verify_weights(card, folder)
    if not architecture.endswith(MERGED) or architecture not in ARCHITECTURES:
        raise _not_readable(card, path, f"an exported {card.architecture} does not name them")
    stored = read_initializers(path)
    network = create_model(architecture, card.schema.n_classes)
    _load(network, stored, card, path)
    if OFFSETS in stored:
        _add_to_bias(network.network.segmentation_head[0], stored[OFFSETS].flatten())
    return network


def _load(network: nn.Module, stored: Mapping[str, Tensor], card: ModelCard, path: Path) -> None:
    wanted = network.state_dict()
    found = {name: stored[PREFIX + name] for name in wanted if PREFIX + name in stored}
    wrong = [n for n, value in wanted.items() if n not in found or found[n].shape != value.shape]
    if wrong:
        raise _not_readable(
            card, path, f"{len(wrong)} of {len(wanted)} are not under their names, as {wrong[0]}"
        )
    network.load_state_dict(found)


def _add_to_bias(last: nn.Conv2d, offsets: Tensor) -> None:
    """Make offsets of the classes (C,) part of the layer before the sub-pixel shuffle."""
    with torch.no_grad():
        last.bias += offsets.repeat_interleave(last.out_channels // len(offsets))


def _not_readable(card: ModelCard, path: Path, reason: str) -> ModelError:
    return ModelError(
        f"the weights of {card.id} cannot be read for training: {reason}",
        where=path,
        fix="Name the folder of its training, or export that again with this version",
    )
