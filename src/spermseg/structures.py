"""The data that travels through spermseg: frozen, and checked when made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spermseg.errors import DataError, UsageError

IGNORE_ID = 255


class Part(IntEnum):
    """Part ids, the same in every file that spermseg reads or writes."""

    BACKGROUND = 0
    HEAD = 1
    MIDPIECE = 2
    TAIL = 3
    ACROSOME = 4
    NUCLEUS = 5
    VACUOLE = 6


HEAD_PARTS = (Part.HEAD, Part.ACROSOME, Part.NUCLEUS, Part.VACUOLE)
"""The head is the union of these."""


@dataclass(frozen=True)
class LabelSchema:
    """Which parts a data set or a network tells apart.

    Parameters
    ----------
    parts : tuple of str
        Names, background first; the order is that of a network's score channels.
    ids : tuple of int
        The part id (`Part`) of each name.
    ignore_id : int
        Label of pixels that count neither in training nor in evaluation.

    Raises
    ------
    DataError
        When names and ids do not pair up, repeat, or do not start with background 0.
    """

    parts: tuple[str, ...]
    ids: tuple[int, ...]
    ignore_id: int = IGNORE_ID

    def __post_init__(self) -> None:
        if len(self.parts) != len(self.ids) or len(set(self.ids)) != len(self.ids):
            raise DataError(f"schema needs one distinct id a part, got {self.parts} and {self.ids}")
        if not self.ids or self.ids[0] != Part.BACKGROUND:
            raise DataError(f"the first part of a schema is background (id 0), got {self.ids}")
        if self.ignore_id in self.ids:
            raise DataError(f"ignore id {self.ignore_id} is also the id of a part")

    @property
    def n_classes(self) -> int:
        """Number of classes, background included."""
        return len(self.ids)

    def to_indices(self, part_map: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn part ids into class indices 0 ... n_classes - 1.

        A sub-part of the head that this schema lacks becomes head, where the schema has it.

        Parameters
        ----------
        part_map : (H, W) uint8
            Part ids, `ignore_id` where unknown.

        Returns
        -------
        (H, W) uint8
            Class indices; `ignore_id` stays.

        Raises
        ------
        DataError
            When the map holds ids that the schema cannot express; the ids are named.
        """
        table = np.full(256, 254, np.uint8)
        table[self.ignore_id] = self.ignore_id
        for index, part in enumerate(self.ids):
            table[part] = index
        if Part.HEAD in self.ids:
            for part in HEAD_PARTS:
                if part not in self.ids:
                    table[part] = self.ids.index(Part.HEAD)
        indices: NDArray[np.uint8] = table[part_map]
        if (indices == 254).any():
            unknown = np.unique(part_map[indices == 254]).tolist()
            raise DataError(f"part ids {unknown} are not in the schema {self.ids}")
        return indices

    def to_ids(self, indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn class indices (H, W) uint8 back into part ids; `ignore_id` stays."""
        table = np.full(256, self.ignore_id, np.uint8)
        table[: self.n_classes] = self.ids
        result: NDArray[np.uint8] = table[indices]
        return result

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        return {"parts": list(self.parts), "ids": list(self.ids), "ignore_id": self.ignore_id}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> LabelSchema:
        """Read what `to_dict` gave."""
        return cls(tuple(value["parts"]), tuple(value["ids"]), int(value["ignore_id"]))


SCHEMAS: Mapping[str, LabelSchema] = {
    # The four classes of the 2021 report; its "body" is the midpiece.
    "report-2021": LabelSchema(("background", "head", "midpiece", "tail"), (0, 1, 2, 3)),
    # The six classes of the Sperm Parsing benchmark.
    "sperm-parsing": LabelSchema(
        ("background", "midpiece", "tail", "acrosome", "nucleus", "vacuole"), (0, 2, 3, 4, 5, 6)
    ),
}


@dataclass(frozen=True)
class SpermInstance:
    """One sperm.

    Parameters
    ----------
    id : int
        Unique in its picture, from 1.
    bbox : tuple of int
        Half-open box (row0, col0, row1, col1) in pixels, as in scikit-image.
    masks : mapping of int to (row1 - row0, col1 - col0) bool
        One mask a part id, cropped to the box. Masks of different sperm may overlap.
    centerline : (n, 2) float, optional
        Points (row, col) of the tail's centre line from the midpiece on, whole-picture pixels.
    score : float
        Confidence between 0 and 1; 1 for an annotation.
    flags : frozenset of str
        For example ``"cut"`` for a sperm that touches the picture's border.

    Raises
    ------
    DataError
        When a mask does not have the size of the box.
    """

    id: int
    bbox: tuple[int, int, int, int]
    masks: Mapping[int, NDArray[np.bool_]]
    centerline: NDArray[np.float64] | None = None
    score: float = 1.0
    flags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        size = (self.bbox[2] - self.bbox[0], self.bbox[3] - self.bbox[1])
        for part, mask in self.masks.items():
            if mask.shape != size:
                raise DataError(f"sperm {self.id}: mask of part {part} is {mask.shape}, box {size}")

    @classmethod
    def from_full_masks(
        cls, id: int, masks: Mapping[int, NDArray[np.bool_]], **fields: Any
    ) -> SpermInstance | None:
        """Crop whole-picture masks, (H, W) bool a part; None when all of them are empty."""
        masks = {part: mask for part, mask in masks.items() if mask.any()}
        if not masks:
            return None
        union = np.logical_or.reduce(list(masks.values()))
        rows, cols = np.flatnonzero(union.any(1)), np.flatnonzero(union.any(0))
        bbox = (int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
        window = np.s_[bbox[0] : bbox[2], bbox[1] : bbox[3]]
        return cls(id, bbox, {part: mask[window].copy() for part, mask in masks.items()}, **fields)

    def full_mask(self, part: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Give the mask of `part` on the whole picture, `shape` (H, W); empty if it is missing."""
        result = np.zeros(shape, bool)
        if part in self.masks:
            row0, col0, row1, col1 = self.bbox
            result[row0:row1, col0:col1] = self.masks[part]
        return result


MORPHOMETRY_FLAGS = frozenset(
    {"cut", "no_head", "no_midpiece", "no_tail", "tail_incomplete", "uncertain"}
)
"""What a reader of a sperm's measurements has to know: it touches the picture's border; a part was
looked for and is not there; its tail's end was not found; its parts could not be told for sure."""


@dataclass(frozen=True)
class Morphometry:
    """The measurements of one sperm.

    Parameters
    ----------
    instance_id : int
        `SpermInstance.id`.
    values : mapping of str to float
        By name without unit, see `spermseg.analysis.quantities`: lengths in pixels, areas in square
        pixels, angles in degrees. NaN where the part is missing, cut or uncertain.
    flags : frozenset of str
        Of `MORPHOMETRY_FLAGS`.

    Raises
    ------
    DataError
        For an id below 1, a value that is infinite, or a flag that does not exist.
    """

    instance_id: int
    values: Mapping[str, float]
    flags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.instance_id < 1:
            raise DataError(f"a sperm's id is at least 1, got {self.instance_id}")
        if unknown := self.flags - MORPHOMETRY_FLAGS:
            raise DataError(
                f"sperm {self.instance_id}: no such flags {sorted(unknown)}, "
                f"there are {sorted(MORPHOMETRY_FLAGS)}"
            )
        for name, value in self.values.items():
            if math.isinf(value):
                raise DataError(f"sperm {self.instance_id}: {name} is infinite; unknown is NaN")


@dataclass(frozen=True)
class Sample:
    """One picture.

    Parameters
    ----------
    id : str
        Its path below the folder it came from, without extension, ``/`` between folders.
    image : (H, W, 3) uint8 or uint16
    um_per_px : float, optional
        Pixel size in micrometres; None when it is not known.
    group : str
        Original picture, slide, donor or acquisition day: a split never cuts through a group.
    head_length_px : float, optional
        Typical length of a sperm's head in this picture; None when it is not known.
    warnings : tuple of str
        What a reader of any result has to know about how the picture was read, in words.

    Raises
    ------
    DataError
        When the array has another shape or type, or a scale is not positive.
    """

    id: str
    image: NDArray[Any]
    um_per_px: float | None = None
    group: str = ""
    head_length_px: float | None = None
    warnings: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3:
            raise DataError(f"picture must be (H, W, 3), got {self.image.shape}", where=self.id)
        if self.image.dtype not in (np.uint8, np.uint16):
            raise DataError(
                f"picture must be uint8 or uint16, got {self.image.dtype}", where=self.id
            )
        for what, value in (("pixel size", self.um_per_px), ("head length", self.head_length_px)):
            if value is not None and not 0 < value < float("inf"):
                raise DataError(f"{what} must be positive, got {value}", where=self.id)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.image.shape[0]), int(self.image.shape[1])


@dataclass(frozen=True)
class LabelledSample(Sample):
    """One picture with its annotation.

    Parameters
    ----------
    part_map : (H, W) uint8
        Part ids; `IGNORE_ID` where the annotation says nothing.
    instances : tuple of SpermInstance, optional
        The sperm one by one; None when the data set does not tell them apart.

    Raises
    ------
    DataError
        When the map is not uint8 of the picture's height and width.
    """

    part_map: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    instances: tuple[SpermInstance, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.part_map.shape != self.size or self.part_map.dtype != np.uint8:
            raise DataError(
                f"part map must be uint8 of the picture's size {self.size}, "
                f"got {self.part_map.dtype} {self.part_map.shape}",
                where=self.id,
            )


@dataclass(frozen=True)
class Prediction:
    """What a network says about one picture.

    Parameters
    ----------
    scores : (C, H, W) float32
        Probabilities at the picture's own size, channels in the schema's order.
    schema : LabelSchema
    card_id : str
        The model card's id.

    Raises
    ------
    DataError
        When channels and schema do not agree.
    """

    scores: NDArray[np.float32]
    schema: LabelSchema
    card_id: str = ""

    def __post_init__(self) -> None:
        if self.scores.ndim != 3 or self.scores.shape[0] != self.schema.n_classes:
            raise DataError(
                f"scores must be ({self.schema.n_classes}, H, W), got {self.scores.shape}"
            )

    @property
    def part_map(self) -> NDArray[np.uint8]:
        """Part ids (H, W) uint8 of the highest scores."""
        return self.schema.to_ids(self.scores.argmax(0).astype(np.uint8))


ScaleSource = Literal["head length given", "pixel size", "estimated", "unknown"]


@dataclass(frozen=True)
class Scale:
    """How large sperm are in one picture, and how that is known.

    Parameters
    ----------
    source : str
        ``head length given``, ``pixel size`` (given, or of the file), ``estimated`` from the
        picture itself, or ``unknown``: then the picture was processed as it is.
    head_length_px : float, optional
        Typical head length in the picture's own pixels; None when unknown.
    um_per_px : float, optional
        Pixel size; None unless given or of the file: an estimate is never made a pixel size.
    """

    source: ScaleSource
    head_length_px: float | None = None
    um_per_px: float | None = None


@dataclass(frozen=True)
class Segmentation:
    """The parts in one picture of any size, small enough to keep in memory.

    Parameters
    ----------
    part_map : (H, W) uint8
        Part ids at the picture's own size.
    scores : (C, h, w) float16 or float32
        Probabilities at the network's working scale, channels in the schema's order.
    schema : LabelSchema
    scale : Scale
    card_id : str
        The model card's id.
    warnings : tuple of str
        What a reader of the result has to know, in words.
    working_size : (h, w)
        Size at which the network saw the picture; of a very large one fewer scores are kept.

    Raises
    ------
    DataError
        When channels and schema do not agree.
    """

    part_map: NDArray[np.uint8]
    scores: NDArray[Any]
    schema: LabelSchema
    scale: Scale
    card_id: str = ""
    warnings: tuple[str, ...] = ()
    working_size: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.scores.ndim != 3 or self.scores.shape[0] != self.schema.n_classes:
            raise DataError(
                f"scores must be ({self.schema.n_classes}, h, w), got {self.scores.shape}"
            )


def schema_named(name: str) -> LabelSchema:
    """Look a schema up by its name in settings files.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    if name not in SCHEMAS:
        raise UsageError(f"no label schema {name!r}", fix=f"There are: {', '.join(SCHEMAS)}")
    return SCHEMAS[name]
