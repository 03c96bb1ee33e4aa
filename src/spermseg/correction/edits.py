"""What a person can change in the sperm of a picture; read from JSON and checked when made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from spermseg.errors import UsageError
from spermseg.structures import Part

MOST_POINTS = 2000
"""Of a line drawn by hand; at 60 points a second, half a minute of drawing."""

LARGEST_RADIUS = 500.0
"""Of a brush, in pixels: larger than any head that can be analysed."""

_FARTHEST = 1e6

Coordinate = Annotated[float, Field(ge=-_FARTHEST, le=_FARTHEST, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate]


def _as_tuples(value: Any) -> Any:
    """JSON has lists only; strict settings want tuples."""
    if not isinstance(value, list | tuple):
        return value
    return tuple(tuple(point) if isinstance(point, list) else point for point in value)


Points = Annotated[
    tuple[Point, ...], BeforeValidator(_as_tuples), Field(min_length=1, max_length=MOST_POINTS)
]
"""Of a line, (x, y) in continuous picture pixels: pixel (row, col) covers col <= x < col + 1."""

Line = Annotated[
    tuple[Point, ...], BeforeValidator(_as_tuples), Field(min_length=2, max_length=MOST_POINTS)
]
Radius = Annotated[float, Field(ge=0.5, le=LARGEST_RADIUS, allow_inf_nan=False)]
Width = Annotated[float, Field(ge=1, le=200, allow_inf_nan=False)]
SpermId = Annotated[int, Field(ge=1)]
PartId = Annotated[int, Field(ge=int(Part.HEAD), le=int(Part.VACUOLE))]


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def sperm_ids(self) -> tuple[int, ...]:
        """The sperm that it names."""
        named = getattr(self, "sperm", ())
        return named if isinstance(named, tuple) else (named,)

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping, which `edit_from_dict` reads."""
        return self.model_dump(mode="json", exclude_none=True)


class Paint(_Edit):
    """A stroke with brush or eraser.

    Attributes
    ----------
    sperm : int
    part : int
        Painted, and taken from the other parts of the same sperm; erased alone with `erase`, where
        0 erases all parts.
    points : tuple of (x, y)
    radius : float
        Pixels whose centre is no further from the line are covered.
    erase : bool
    """

    type: Literal["paint"] = "paint"
    sperm: SpermId
    part: Annotated[int, Field(ge=int(Part.BACKGROUND), le=int(Part.VACUOLE))]
    points: Points
    radius: Radius
    erase: bool = False

    @model_validator(mode="after")
    def _paints_something(self) -> Paint:
        if self.part == Part.BACKGROUND and not self.erase:
            raise ValueError("background (part 0) cannot be painted, only erased to")
        return self


class Split(_Edit):
    """A sperm divided along a line; what lies on one side of it becomes a new one."""

    type: Literal["split"] = "split"
    sperm: SpermId
    line: Line


class Merge(_Edit):
    """Several sperm made one, which has the id of the first one named."""

    type: Literal["merge"] = "merge"
    sperm: Annotated[
        tuple[SpermId, ...], BeforeValidator(_as_tuples), Field(min_length=2, max_length=100)
    ]

    @model_validator(mode="after")
    def _all_different(self) -> Merge:
        if len(set(self.sperm)) != len(self.sperm):
            raise ValueError(f"a sperm is named twice in {list(self.sperm)}")
        return self


class MoveTail(_Edit):
    """A tail drawn anew.

    Attributes
    ----------
    sperm : int
    points : tuple of (x, y)
        Its centre line, from the midpiece to its end.
    width : float, optional
        Pixels; None keeps that of the tail as it is.
    """

    type: Literal["tail"] = "tail"
    sperm: SpermId
    points: Line
    width: Width | None = None


class Delete(_Edit):
    """A sperm that is none."""

    type: Literal["delete"] = "delete"
    sperm: SpermId


class Add(_Edit):
    """The first stroke of a new sperm."""

    type: Literal["add"] = "add"
    points: Points
    radius: Radius
    part: PartId


Edit = Paint | Split | Merge | MoveTail | Delete | Add

_READER: TypeAdapter[Edit] = TypeAdapter(Annotated[Edit, Field(discriminator="type")])


def edit_from_dict(value: Mapping[str, Any]) -> Edit:
    """Read an edit as a browser sends it.

    Parameters
    ----------
    value : mapping
        ``type`` and the fields of that type, no others.

    Raises
    ------
    UsageError
        In one line: the first thing that is wrong with it.
    """
    try:
        return _READER.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"][1:])
        what = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"this edit cannot be: {place + ': ' if place else ''}{what}") from None
