"""What a network expects, what it gives and where it comes from: the model card."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from spermseg import DISCLAIMER, __version__
from spermseg.data.preprocess import Preprocessing
from spermseg.errors import CheckpointError, DataError, ModelError
from spermseg.files import write_json
from spermseg.structures import LabelSchema

CARD_FORMAT = 1

NOT_STATED = "not stated"
"""For a licence that nobody has named."""


@dataclass(frozen=True)
class ParentModel:
    """The model whose weights a training began with: its id, and the sha256 of its weights."""

    id: str
    weights_sha256: str


@dataclass(frozen=True)
class ModelCard:
    """Everything about a network that its weights do not say.

    Parameters
    ----------
    id : str
        Name of the model, put into every output made with it.
    architecture : str
        As in the settings of its training.
    schema : LabelSchema
        The score channels' parts, in order.
    preprocessing : Preprocessing
    weights : str
        Name of the weights file, in the folder of the card.
    weights_sha256 : str
        64 hexadecimal digits, lower case.
    seed : int
        Of the training.
    recipe : dict
        Settings of the training, JSON-ready.
    data : str
        What it was trained on, in words.
    data_licence : str
        What the licence of that data allows.
    metrics : dict
        Measured quality, JSON-ready; empty when it was not measured.
    limits : str
        Where the model is not to be trusted.
    intended_use : str
        Holds the words `spermseg.DISCLAIMER`.
    parent : ParentModel, optional
        Of a model that was trained on from another.
    spermseg_version : str
        The version that trained it.
    format_version : int
        Of the card itself.

    Raises
    ------
    ModelError
        When a field holds what it cannot.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    id: str
    architecture: str
    schema: LabelSchema
    preprocessing: Preprocessing
    weights: str
    weights_sha256: str
    seed: int
    recipe: dict[str, Any]
    data: str
    data_licence: str = NOT_STATED
    metrics: dict[str, Any] = field(default_factory=dict)
    limits: str = "Not tested on stains, microscopes or magnifications other than its data's."
    intended_use: str = f"Segmentation of stained human sperm in microscope pictures. {DISCLAIMER}"
    parent: ParentModel | None = None
    spermseg_version: str = __version__
    format_version: int = CARD_FORMAT

    def __post_init__(self) -> None:
        if self.format_version != CARD_FORMAT:
            raise ModelError(
                f"model card has format {self.format_version}, this version reads {CARD_FORMAT}"
            )
        if not self.id:
            raise ModelError("model card has an empty id")
        if not re.fullmatch(r"[0-9a-f]{64}", self.weights_sha256):
            raise ModelError(
                f"weights_sha256 must be 64 lower-case hexadecimal digits, "
                f"got {self.weights_sha256!r}"
            )
        if not self.weights or Path(self.weights).name != self.weights or "\\" in self.weights:
            raise ModelError(f"weights must be a file name without folders, got {self.weights!r}")
        if DISCLAIMER not in self.intended_use:
            raise ModelError(f"intended_use must hold the words {DISCLAIMER!r}")

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        result: dict[str, Any] = _CARD.dump_python(self, mode="json")
        return result


_CARD = TypeAdapter(ModelCard)


def write_card(path: Path | str, card: ModelCard) -> None:
    """Write a card as JSON."""
    write_json(path, card.to_dict())


def read_card(path: Path | str) -> ModelCard:
    """Read and check a card.

    Raises
    ------
    ModelError
        When the file is missing, is no JSON or holds a wrong, unknown or missing field.
    """
    try:
        return _CARD.validate_python(json.loads(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ModelError("no model card here", where=path) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(key) for key in first["loc"]) or "card"
        raise ModelError(f"{name}: {first['msg']}", where=path) from None
    except ValueError as error:
        raise ModelError(f"not readable as JSON: {error}", where=path) from None
    except (ModelError, DataError) as error:
        raise ModelError(error.what, where=path, fix=error.fix) from None


def file_sha256(path: Path | str) -> str:
    """Give the SHA-256 of a file in 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify_weights(card: ModelCard, folder: Path | str) -> Path:
    """Give the path of a card's weights after comparing their checksum.

    Raises
    ------
    CheckpointError
        When the file is missing or is not the one the card describes.
    """
    path = Path(folder) / card.weights
    if not path.is_file():
        raise CheckpointError("the weights file of the model card is missing", where=path)
    found = file_sha256(path)
    if found != card.weights_sha256:
        raise CheckpointError(
            f"sha256 is {found}, the model card says {card.weights_sha256}",
            where=path,
            fix="The file is damaged or belongs to another card; copy both again",
        )
    return path
