"""From the folder of a training to a model that runs without torch."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spermseg.errors import ModelError, UsageError
from spermseg.files import new_folder
from spermseg.inference.card import ModelCard, file_sha256, write_card
from spermseg.structures import LabelSchema
from spermseg.training.average import AverageOfViews
from spermseg.training.checkpoint import load_network
from spermseg.training.merged import merge
from spermseg.training.models import ARCHITECTURES, MERGED
from spermseg.training.parity import check_parity

OPSET = 17
INPUT, OUTPUT = "image", "logits"


def export_run(
    run: Path,
    out: Path,
    *,
    id: str | None = None,
    opset: int = OPSET,
    logit_offsets: Mapping[str, float] | None = None,
    others: Sequence[Path] = (),
    views: int = 1,
    margin: int | None = None,
) -> ModelCard:
    """Write a training's network as ``model.onnx``, with its ``card.json``.

    The same training gives the same bytes with the same torch. Of several trainings or views the
    file gives the mean, see `AverageOfViews`: it costs as many times as much.

    Parameters
    ----------
    run : Path
        Folder of a finished training.
    out : Path
        A folder that does not exist yet, or is empty.
    id : str, optional
        Name of the model; None keeps the training's.
    opset : int
        Version of ONNX's operators.
    logit_offsets : mapping of str to float, optional
        Added to the logits of these parts inside the model, to move its operating point, for
        example to a higher recall of tails. Choose them on validation pictures.
    others : sequence of Path
        Folders of further trainings, of the same parts and preprocessing.
    views : int
        From how many sides every network looks: one of `VIEWS`.
    margin : int, optional
        Blank pixels around a picture, see `Preprocessing`; None keeps those of the training. Fewer
        cost less: compare on validation pictures.

    Returns
    -------
    ModelCard
        The training's, of the new weights; ``metrics`` has ``parity``, see `check_parity`;
        ``recipe`` has ``logit_offsets``, ``views`` and the ``others``' settings where there are
        any.

    Raises
    ------
    ModelError
        When the network cannot be exported, or does not score as it did in torch: nothing is left
        in `out` then.
    UsageError
        When there is something at `out`, an offset is of no part of the model, or the trainings
        do not go together.
    """
    network, card = load_network(run)
    offsets = offsets_by_channel(logit_offsets or {}, card.schema)
    lean = _lean(network, card)
    if others or views != 1:
        members = [_fitting(load_network(other), card, other) for other in others]
        lean = AverageOfViews([lean, *(_lean(*member) for member in members)], views)
        network = AverageOfViews([network, *(member for member, _ in members)], views)
        card = _averaged(card, [other for _, other in members], views)
    if margin is not None:
        card = replace(card, preprocessing=replace(card.preprocessing, margin=margin))
    network.eval()

    def reference(images: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(torch.from_numpy(images))["out"].numpy() + offsets

    with new_folder(out) as folder:
        path = folder / "model.onnx"
        write_onnx(path, _WithOffsets(lean, offsets), card.schema.n_classes, opset=opset)
        parity = check_parity(path, reference, card)
        exported = replace(
            card,
            id=id or card.id,
            weights=path.name,
            weights_sha256=file_sha256(path),
            metrics=card.metrics
            | {"parity": {"torch_weights_sha256": card.weights_sha256} | parity},
        )
        if logit_offsets:
            recipe = card.recipe | {"logit_offsets": dict(logit_offsets)}
            exported = replace(exported, recipe=recipe)
        write_card(folder / "card.json", exported)
    return exported


def _lean(network: nn.Module, card: ModelCard) -> nn.Module:
    return merge(network) if card.architecture + MERGED in ARCHITECTURES else network


def _fitting(
    member: tuple[nn.Module, ModelCard], card: ModelCard, run: Path
) -> tuple[nn.Module, ModelCard]:
    if (member[1].schema, member[1].preprocessing) != (card.schema, card.preprocessing):
        raise UsageError(f"other parts or preprocessing than {card.id}", where=run)
    return member


def _averaged(card: ModelCard, others: Sequence[ModelCard], views: int) -> ModelCard:
    members = [
        {
            "id": one.id,
            "architecture": one.architecture,
            "torch_weights_sha256": one.weights_sha256,
            "recipe": one.recipe,
        }
        for one in others
    ]
    return replace(
        card,
        architecture=" + ".join(one.architecture for one in (card, *others)),
        recipe=card.recipe | {"views": views, "others": members},
    )


def write_onnx(path: Path, network: nn.Module, n_classes: int, *, opset: int = OPSET) -> None:
    """Write a network as ONNX, with number and size of its pictures left open.

    Batch normalisations that are left are merged into convolutions by the exporter. Where there is
    none, the weights keep the names that they have in torch: nothing else is folded, a runtime does
    that when it loads the file.

    Parameters
    ----------
    path : Path
    network : torch.nn.Module
        From pictures (N, 3, H, W) to logits (N, n_classes, H, W).
    n_classes : int
    opset : int
        Version of ONNX's operators.

    Raises
    ------
    ModelError
        When an operation of the network has no equivalent.
    """
    sizes = {0: "batch", 2: "height", 3: "width"}
    normalised = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    # Not a multiple of the networks' strides, so that what they do about it is part of the trace.
    example = torch.zeros(1, 3, 70, 90)
    with warnings.catch_warnings():
        # The newer exporter needs one more package and gains nothing for these networks.
        warnings.simplefilter("ignore", DeprecationWarning)
        # Whether a value that became constant was one is for `check_parity` to find out.
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        try:
            torch.onnx.export(
                network.eval(),
                (example,),
                str(path),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=opset,
                do_constant_folding=normalised,
                dynamo=False,
                dynamic_axes={INPUT: sizes, OUTPUT: sizes},
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"this network cannot be exported: {reason}", fix="Train another architecture"
            ) from error
    _finish(path, n_classes)


def _finish(path: Path, n_classes: int) -> None:
    model = onnx.load(path, load_external_data=False)
    # Shape inference loses the channels wherever a picture's size enters a resize.
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = n_classes
    onnx.checker.check_model(model)
    onnx.save(model, path)


class _WithOffsets(nn.Module):
    """A network's main output, plus a constant a channel."""

    def __init__(self, network: nn.Module, offsets: NDArray[np.float32]):
        super().__init__()
        self.network = network
        self.register_buffer("offsets", torch.from_numpy(offsets))
        self.shifted = bool(offsets.any())

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)["out"]
        return logits + self.offsets if self.shifted else logits


def offsets_by_channel(offsets: Mapping[str, float], schema: LabelSchema) -> NDArray[np.float32]:
    """Give offsets of logits (1, C, 1, 1) in the order of the schema, 0 where none is given.

    Raises
    ------
    UsageError
        When one is of no part of the schema, or not finite.
    """
    unknown = [part for part in offsets if part not in schema.parts]
    if unknown:
        raise UsageError(
            f"no part {unknown[0]!r} to add an offset to",
            fix=f"The model has: {', '.join(schema.parts)}",
        )
    if not np.isfinite(list(offsets.values())).all():
        raise UsageError(f"offsets must be finite, got {dict(offsets)}")
    values = [offsets.get(part, 0.0) for part in schema.parts]
    return np.array(values, np.float32).reshape(1, -1, 1, 1)
