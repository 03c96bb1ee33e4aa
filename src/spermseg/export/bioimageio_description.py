"""The description ``rdf.yaml`` of a package, in the zoo's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bioimageio.spec.model import ModelDescr

from spermseg.data.scale import HEAD_LENGTH_UM
from spermseg.export.onnx_graph import PROBABILITIES, RAW, SelfContained
from spermseg.inference.card import ModelCard, file_sha256
from spermseg.inference.tiling import OVERLAP, STRIDE

SMALLEST = 8 * STRIDE
"""Height and width of the smallest picture; others are larger by multiples of `STRIDE`."""

HALO = OVERLAP // 2
"""Outermost pixels of a tile that other programs leave out: there it lacks its surroundings."""

CITATIONS = {
    "Sperm Parsing": (
        "Chen et al. 2024, CP-Net: Instance-aware part segmentation network for biological cell "
        "parsing (the Sperm Parsing Dataset). Medical Image Analysis.",
        "10.1016/j.media.2024.103243",
    ),
    "unet": (
        "Ronneberger et al. 2015, U-Net: Convolutional Networks for Biomedical Image Segmentation.",
        "10.1007/978-3-319-24574-4_28",
    ),
    "mobilenetv4": (
        "Qin et al. 2024, MobileNetV4: Universal Models for the Mobile Ecosystem.",
        "10.48550/arXiv.2404.10518",
    ),
    "deeplabv3": (
        "Chen et al. 2017, Rethinking Atrous Convolution for Semantic Image Segmentation.",
        "10.48550/arXiv.1706.05587",
    ),
}
"""Text and DOI, by a word of the card's data or architecture."""


def describe(
    folder: Path,
    card: ModelCard,
    graph: SelfContained,
    authors: Sequence[str],
    torch_version: str | None = None,
) -> dict[str, Any]:
    """Describe a package.

    Parameters
    ----------
    folder : Path
        With all files of the package but its description.
    card : ModelCard
    graph : SelfContained
        What ``weights.onnx`` is like.
    authors : sequence of str
    torch_version : str, optional
        That wrote ``weights.pt``; None where there is none.

    Returns
    -------
    dict
        To be written as YAML.
    """

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": file_sha256(folder / name)}

    onnx: dict[str, Any] = {**file("weights.onnx"), "opset_version": graph.opset}
    weights = {"onnx": onnx}
    if torch_version is not None:
        weights["torchscript"] = {**file("weights.pt"), "pytorch_version": torch_version}
        onnx["parent"] = "torchscript"
    batch: dict[str, Any] = {"type": "batch"} | ({"size": 1} if graph.single else {})
    about = f"{card.data} {card.architecture}"
    return {
        "type": "model",
        "format_version": ModelDescr.implemented_format_version,
        "name": re.sub(r"[^\w+() -]", "-", f"Parts of human sperm ({card.id})", flags=re.ASCII)[
            :64
        ],
        "description": "Background and parts of stained human sperm in bright-field pictures: "
        f"{', '.join(card.schema.parts[1:])}. {card.intended_use}",
        "authors": [{"name": name} for name in authors],
        "cite": [
            {"text": text, "doi": doi}
            for word, (text, doi) in CITATIONS.items()
            if word.lower() in about.lower()
        ],
        "license": file("LICENSE.md"),
        "tags": [
            "sperm",
            "semantic-segmentation",
            "2d",
            "transmission-light-microscopy",
            "cells",
            "pytorch",
            *(["unet"] if "unet" in card.architecture else []),
        ],
        "covers": [file("cover.jpg")],
        "documentation": file("README.md"),
        "attachments": [file("card.json")],
        "inputs": [_input(card, batch) | {"test_tensor": file("test-input.npy")}],
        "outputs": [_output(card, batch) | {"test_tensor": file("test-output.npy")}],
        "weights": weights,
        "config": {
            "bioimageio": {
                "modality": "bright-field microscopy of stained smears",
                "target_structure": ["sperm"],
                "task": "semantic-segmentation",
                "out_of_scope_use": card.intended_use,
                "bias_risks_limitations": {"limitations": card.limits},
            }
        },
    }


def _input(card: ModelCard, batch: dict[str, Any]) -> dict[str, Any]:
    fixed = card.preprocessing.crop or card.preprocessing.size
    length = card.preprocessing.head_length_px
    heads = f", heads {length:g} px long" if length else ""
    sizes = fixed or [{"min": SMALLEST, "step": STRIDE} for _ in range(2)]
    return {
        "id": RAW,
        "description": f"RGB, values 0 to 255 as they are{heads}",
        "axes": [
            dict(batch),
            {"type": "channel", "channel_names": ["red", "green", "blue"]},
            *(
                {"id": id, "size": size} | _space(card)
                for id, size in zip("yx", sizes, strict=True)
            ),
        ],
        "data": {"type": "float32", "range": [0, 255]},
    }


def _output(card: ModelCard, batch: dict[str, Any]) -> dict[str, Any]:
    fixed = card.preprocessing.crop or card.preprocessing.size
    halo = {} if fixed else {"halo": HALO}
    return {
        "id": PROBABILITIES,
        "description": "Probability of each part; they sum to 1 in every pixel",
        "axes": [
            dict(batch),
            {"type": "channel", "channel_names": list(card.schema.parts)},
            *(
                {"id": id, "size": {"tensor_id": RAW, "axis_id": id}} | _space(card) | halo
                for id in "yx"
            ),
        ],
        "data": {"type": "float32", "range": [0, 1]},
    }


def _space(card: ModelCard) -> dict[str, Any]:
    length = card.preprocessing.head_length_px
    scale = {"unit": "micrometer", "scale": round(HEAD_LENGTH_UM / length, 6)} if length else {}
    return {"type": "space"} | scale
