"""The models that come with spermseg, and how any other is opened."""

from __future__ import annotations

from pathlib import Path

from spermseg.errors import ModelError
from spermseg.inference.backends import OnnxBackend
from spermseg.inference.card import ModelCard, read_card, verify_weights
from spermseg.inference.predictor import Predictor

PURPOSES = {"fast": "sperm-parts-fast-3", "accurate": "sperm-parts-accurate-2"}
"""The bundled model that is best for a purpose: any command takes these names, too."""

DEFAULT_MODEL = PURPOSES["fast"]
"""The model that is used when none is asked for."""

WEIGHTS = Path(__file__).parent / "weights"
"""Holds one folder a bundled model, of the model's name: ``card.json`` and an ONNX file."""

CARD_NAME = "card.json"


def list_models() -> list[Path]:
    """Give the folders of the bundled models, by name; a folder's name is the model's."""
    return sorted(path.parent for path in WEIGHTS.glob(f"*/{CARD_NAME}"))


def model_folder(model: str | Path | None = None) -> Path:
    """Find the folder that holds a model's card.

    Parameters
    ----------
    model : str or Path, optional
        Name of a bundled model or one of `PURPOSES`, a folder with ``card.json``, or an ONNX file
        beside one; None for `DEFAULT_MODEL`.

    Raises
    ------
    ModelError
        When there is no such model.
    """
    bundled = {folder.name: folder for folder in list_models()}
    name = DEFAULT_MODEL if model is None else PURPOSES.get(str(model), str(model))
    if name in bundled:
        return bundled[name]
    path = Path(name)
    folder = path.parent if path.suffix == ".onnx" and path.is_file() else path
    if model is not None and (folder / CARD_NAME).is_file():
        return folder
    if model is not None and path.exists():
        raise ModelError(f"there is no {CARD_NAME} here", where=path, fix="A model is both files")
    raise ModelError(
        f"no model {name!r}",
        fix=f"Bundled are: {', '.join(bundled) or 'none'}; or name a folder with {CARD_NAME}",
    )


def load_model(model: str | Path | None = None, *, threads: int | None = None) -> Predictor:
    """Open a model.

    Parameters
    ----------
    model : str or Path, optional
        See `model_folder`.
    threads : int, optional
        Threads of the network; None takes all physical cores.

    Raises
    ------
    ModelError
        When there is no such model, or card and network do not fit together.
    CheckpointError
        When the file of the weights is not the one that the card describes.
    """
    folder = model_folder(model)
    card = read_card(folder / CARD_NAME)
    if Path(card.weights).suffix != ".onnx":
        raise ModelError(
            f"the weights are {card.weights}, those of a training; ONNX is needed here",
            where=folder,
            fix=f"Export them with: spermseg export onnx {folder} -o FOLDER",
        )
    if model is not None and Path(model).suffix == ".onnx" and Path(model).name != card.weights:
        raise ModelError(f"the card beside it describes {card.weights}", where=model)
    backend = OnnxBackend(verify_weights(card, folder), threads)
    _check_fit(backend, card, folder)
    return Predictor(backend, card)


def _check_fit(backend: OnnxBackend, card: ModelCard, folder: Path) -> None:
    if backend.n_classes not in (None, card.schema.n_classes):
        raise ModelError(
            f"the network gives {backend.n_classes} classes, its card names "
            f"{card.schema.n_classes}: {', '.join(card.schema.parts)}",
            where=folder / card.weights,
        )
    seen = card.preprocessing.crop or card.preprocessing.size
    if backend.size not in (None, seen):
        raise ModelError(
            f"the network takes pictures of {backend.size} only, its card promises {seen or 'any'}",
            where=folder / card.weights,
            fix="Export it with dynamic height and width",
        )
