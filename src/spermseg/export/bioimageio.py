"""A model as a package of the BioImage Model Zoo, for ilastik, deepImageJ, Icy and others."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from bioimageio.core import test_description
from loguru import logger
from numpy.typing import NDArray

from spermseg.data.preprocess import Preprocessing
from spermseg.data.scale import HEAD_LENGTH_UM
from spermseg.data.synthetic import PRESETS, synthesize_sample
from spermseg.errors import ModelError, UsageError
from spermseg.export.bioimageio_description import SMALLEST, describe
from spermseg.export.bioimageio_pages import licence_page, readme
from spermseg.export.onnx_graph import write_self_contained
from spermseg.files import atomic_path, new_folder
from spermseg.inference.backends import OnnxBackend
from spermseg.inference.card import ModelCard, read_card, verify_weights
from spermseg.inference.catalog import CARD_NAME, model_folder
from spermseg.report.overlays import draw_outlines, encode

LARGEST_DIFFERENCE = 1e-3
"""Of any probability, between the two kinds of weights."""

SEED = 5
"""Of the synthetic smear: one with whole sperm in its middle."""

COVER_SIDE = 2 * SMALLEST
"""Of the cover's two pictures; the test tensors hold the middle of it."""


def export_bioimageio(
    model: str | Path | None,
    out: Path | str,
    *,
    training: Path | str | None = None,
    authors: Sequence[str] = ("The spermseg developers",),
) -> None:
    """Write a package of the BioImage Model Zoo that passes the zoo's own test.

    Its weights take raw pixel values and give probabilities: normalisation and softmax are inside.

    Parameters
    ----------
    model : str or Path, optional
        See `model_folder`.
    out : Path
        A folder that does not exist yet or is empty, or a ``.zip`` file that does not exist.
    training : Path, optional
        The training that the model comes from, its folder or its safetensors, for the TorchScript
        weights. None takes them from the model itself, where torch is installed and the file keeps
        them under their names, as those of the bundled model; else there is ONNX alone.
    authors : sequence of str

    Raises
    ------
    ModelError
        When there is no such model, `training` is of another one, or the package fails its test.
    CheckpointError
        When weights are damaged or of another architecture.
    UsageError
        When there is something at `out` already.
    """
    source, out = model_folder(model), Path(out)
    card = read_card(source / CARD_NAME)
    training = _own_weights(source) if training is None else Path(training)
    if out.suffix != ".zip":
        with new_folder(out) as hidden:
            _write_package(hidden, source, card, training, authors)
        return
    if out.exists():
        raise UsageError("there is something here already", where=out, fix="Choose a new file")
    with tempfile.TemporaryDirectory() as folder, atomic_path(out) as temporary:
        content = Path(folder) / "package"
        content.mkdir()
        _write_package(content, source, card, training, authors)
        packed = shutil.make_archive(str(Path(folder) / "packed"), "zip", content)
        shutil.copyfile(packed, temporary)


def _own_weights(source: Path) -> Path | None:
    if importlib.util.find_spec("torch") is None:
        return None
    from spermseg.training.parent import holds_weights

    return source if holds_weights(source) else None


def _write_package(
    folder: Path, source: Path, card: ModelCard, training: Path | None, authors: Sequence[str]
) -> None:
    picture = example_picture(card.preprocessing)
    graph = write_self_contained(
        folder / "weights.onnx", verify_weights(card, source), card.preprocessing
    )
    network = OnnxBackend(folder / "weights.onnx")
    raw = _tensor(_middle(picture) if card.preprocessing.size is None else picture)
    probabilities = network(raw)
    np.save(folder / "test-input.npy", raw)
    np.save(folder / "test-output.npy", probabilities)
    labels = network(_tensor(picture))[0].argmax(0).astype(np.uint8)
    outlined = draw_outlines(picture, card.schema.to_ids(labels))
    (folder / "cover.jpg").write_bytes(encode(np.hstack([picture, outlined]), "jpeg"))
    shutil.copyfile(source / CARD_NAME, folder / CARD_NAME)
    (folder / "README.md").write_text(readme(card), encoding="utf-8")
    (folder / "LICENSE.md").write_text(licence_page(card), encoding="utf-8")
    torch_version = None
    if training is not None:
        torch_version = _add_torchscript(folder, training, card, raw, probabilities)
    description = describe(folder, card, graph, authors, torch_version)
    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True)
    (folder / "rdf.yaml").write_text(text, encoding="utf-8")
    check_package(folder / "rdf.yaml")


def check_package(package: Path) -> None:
    """Test a package with bioimageio.core: its description, and all weights on the test tensors.

    Parameters
    ----------
    package : Path
        Its ``rdf.yaml``, or the package as ``.zip``.

    Raises
    ------
    ModelError
        Naming what failed.
    """
    # It tells every step on stderr.
    logger.disable("bioimageio")
    try:
        with warnings.catch_warnings():
            # torch calls TorchScript deprecated, whoever loads it.
            warnings.simplefilter("ignore", FutureWarning)
            summary = test_description(package, devices=["cpu"])
    finally:
        logger.enable("bioimageio")
    if summary.status != "passed":
        reasons = [error.msg for detail in summary.details for error in detail.errors]
        reason = " ".join(reasons[0].split())[:300] if reasons else summary.status
        raise ModelError(f"bioimageio.core's test failed: {reason}", where=package.name)


def _add_torchscript(
    folder: Path,
    training: Path,
    card: ModelCard,
    raw: NDArray[np.float32],
    probabilities: NDArray[np.float32],
) -> str:
    from spermseg.training.torchscript import run_torchscript, write_torchscript

    path = folder / "weights.pt"
    version = write_torchscript(path, training, card)
    difference = np.abs(run_torchscript(path, raw) - probabilities).max()
    if not difference <= LARGEST_DIFFERENCE:
        raise ModelError(
            f"these weights are not those of {card.id}: probabilities differ by {difference:.2g} "
            f"(allowed {LARGEST_DIFFERENCE:g})",
            where=training,
            fix="Give the training that the model was exported from",
        )
    return version


def example_picture(preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Give a synthetic smear (h, w, 3) as a network of this preprocessing is to see it."""
    length = preprocessing.head_length_px
    preset = replace(PRESETS["sperm-parsing"], size=(COVER_SIDE, COVER_SIDE))
    if length is not None:
        preset = replace(preset, um_per_px=HEAD_LENGTH_UM / length)
    image = synthesize_sample(preset, seed=SEED, index=0).sample.image
    return preprocessing.prepare_image(image)


def _middle(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    start, stop = (COVER_SIDE - SMALLEST) // 2, (COVER_SIDE + SMALLEST) // 2
    return picture[start:stop, start:stop]


def _tensor(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give (h, w, 3) as (1, 3, h, w), values as they are."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[np.newaxis], np.float32)
