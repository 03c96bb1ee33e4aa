"""A network's ONNX file with everything inside: raw pixel values in, probabilities out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from spermseg.data.preprocess import Preprocessing
from spermseg.errors import ModelError

RAW, PROBABILITIES = "raw", "probabilities"
"""Names of input and output."""

OLDEST_OPSET = 13
"""Before this, Softmax did not go along one axis."""


@dataclass(frozen=True)
class SelfContained:
    """What a written file is like.

    Parameters
    ----------
    opset : int
        Version of ONNX's operators.
    single : bool
        It takes one picture at a time only.
    """

    opset: int
    single: bool


def write_self_contained(path: Path, network: Path, preprocessing: Preprocessing) -> SelfContained:
    """Put normalisation before a network and softmax behind it, for programs that know neither.

    Parameters
    ----------
    path : Path
        The file to write: from RGB (N, 3, H, W) float32, 0 ... 255, to probabilities (N, C, H, W).
    network : Path
        An ONNX file from normalised pictures to logits.
    preprocessing : Preprocessing
        Whose mean and standard deviation the network expects.

    Returns
    -------
    SelfContained

    Raises
    ------
    ModelError
        When the file is damaged, or its operators are older than `OLDEST_OPSET`.
    """
    try:
        model = onnx.load(network, load_external_data=False)
        opset = next(entry.version for entry in model.opset_import if not entry.domain)
        if opset < OLDEST_OPSET:
            raise ModelError(
                f"its operators are of ONNX opset {opset}, at least {OLDEST_OPSET} is needed",
                where=network,
                fix="Export it anew with a newer opset",
            )
        _wrap(model.graph, preprocessing)
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, DecodeError, OSError, StopIteration) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"no network to be wrapped: {reason}", where=network) from None
    onnx.save(model, path)
    return SelfContained(opset, single=_shape(model.graph)[0].dim_value == 1)


def _shape(graph: onnx.GraphProto) -> Any:
    return graph.input[0].type.tensor_type.shape.dim


def _wrap(graph: onnx.GraphProto, preprocessing: Preprocessing) -> None:
    picture, logits = graph.input[0].name, graph.output[0].name
    mean, std = (np.asarray(values) for values in (preprocessing.mean, preprocessing.std))
    # The arithmetic of `Preprocessing.normalise`, so that not a bit differs.
    constants = {"raw_scale": 1 / (255 * std), "raw_shift": mean / std}
    for name, values in constants.items():
        array = values.astype(np.float32).reshape(1, 3, 1, 1)
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    before = [
        onnx.helper.make_node("Mul", [RAW, "raw_scale"], ["raw_scaled"], "scale"),
        onnx.helper.make_node("Sub", ["raw_scaled", "raw_shift"], [picture], "shift"),
    ]
    for node in reversed(before):
        graph.node.insert(0, node)
    graph.node.append(
        onnx.helper.make_node("Softmax", [logits], [PROBABILITIES], "softmax", axis=1)
    )
    graph.input[0].name = RAW
    graph.output[0].name = PROBABILITIES
