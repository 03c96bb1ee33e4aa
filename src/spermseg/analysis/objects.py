"""What was found: a sperm, a head or a tail by itself, or no sperm at all."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from spermseg.structures import Morphometry, SpermInstance

if TYPE_CHECKING:
    from spermseg.analysis.morphometry import Neighbours

ObjectClass = Literal["sperm", "loose head", "headless tail", "not a sperm"]

NO_HEAD = "no head"
LOOSE_HEAD = "neither midpiece nor tail"
HIDDEN = "neither midpiece nor tail seen, but another sperm lies against the head"
TOO_SMALL, TOO_LARGE, TOO_ROUND, TOO_ROUGH = (
    "too small for a head",
    "too large for a head",
    "round, without midpiece and tail",
    "rough outline, without midpiece and tail",
)

_OF_A_PIECE = (TOO_SMALL, TOO_ROUGH)

_AGAINST = 0.15
"""What lies this near to a head, in head lengths, may hide its midpiece and tail."""

_TYPICAL_AREA = math.pi / 6
"""Area of an ellipse of 3 : 2, a typical head, by its squared length."""

Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class ObjectLimits(BaseModel):
    """What is no sperm: limits relative to a typical head of the picture.

    Attributes
    ----------
    loose_heads : str
        Heads with neither midpiece nor tail are counted ``apart``, or judged as sperm, by which
        they are ``abnormal``.
    shortest : float
        Least length of a head, in typical head lengths, whatever hangs on it.
    largest : float
        Most area of a head, in typical head areas, whatever hangs on it.
    bare_shortest, bare_widest : float
        Least length and most width of a head with neither midpiece nor tail, in typical head
        lengths.
    bare_roundest : float
        Least length / width of such a head.
    bare_roughest : float
        Least roughness 4 pi A / P^2 of such a head.
    source : str
        Where the rule comes from.
    ours : str
        Why these numbers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    loose_heads: Literal["apart", "abnormal"]
    shortest: Positive
    largest: Positive
    bare_shortest: Positive
    bare_widest: Positive
    bare_roundest: Annotated[Positive, Field(ge=1)]
    bare_roughest: Annotated[Positive, Field(le=1)]
    source: Annotated[str, Field(min_length=1)]
    ours: str = ""


@dataclass(frozen=True)
class Found:
    """What one thing is.

    Parameters
    ----------
    object : str
    reason : str
        Why it is no sperm, or is one that cannot be assessed; empty for a sperm to be judged.
    """

    object: ObjectClass = "sperm"
    reason: str = ""


SPERM = Found()


def classify(
    instances: Sequence[SpermInstance],
    measured: Sequence[Morphometry],
    limits: ObjectLimits | None,
    head_length_px: float | None = None,
    *,
    among: Neighbours | None = None,
) -> tuple[Found, ...]:
    """Tell sperm from everything else that was found in a picture.

    Parameters
    ----------
    instances : sequence of SpermInstance
    measured : sequence of Morphometry
        Of each.
    limits : ObjectLimits, optional
        None takes all that has a head for a sperm.
    head_length_px : float, optional
        Typical head length of the picture. None takes the median of the heads that have a midpiece
        or tail; where there is none either, nothing is too small or too large.
    among : Neighbours, optional
        All sperm of the picture, where `instances` are only some of them.

    Returns
    -------
    tuple of Found
        What the border cuts, or touches another head, may be larger than is seen: it is a sperm.
    """
    from spermseg.analysis.morphometry import Neighbours

    typical = head_length_px or _typical_length(measured)
    neighbours = among or Neighbours(instances)
    return tuple(
        _found(*one, limits, typical, neighbours) for one in zip(instances, measured, strict=True)
    )


def _found(
    instance: SpermInstance,
    one: Morphometry,
    limits: ObjectLimits | None,
    typical: float,
    neighbours: Neighbours,
) -> Found:
    if "no_head" in one.flags:
        return Found("headless tail", NO_HEAD)
    if limits is None or one.flags & {"cut", "uncertain"}:
        return SPERM
    bare = {"no_midpiece", "no_tail"} <= one.flags
    reason = _no_sperm(one, limits, typical, bare=bare)
    # Of a pale head only a piece may be found, small or ragged, apart from its tail.
    if bare and reason in ("", *_OF_A_PIECE) and _lies_against(instance, typical, neighbours):
        return Found("sperm", HIDDEN)
    if reason:
        return Found("not a sperm", reason)
    if not bare or limits.loose_heads == "abnormal":
        return SPERM
    return Found("loose head", LOOSE_HEAD)


def _no_sperm(one: Morphometry, limits: ObjectLimits, typical: float, *, bare: bool) -> str:
    """Say why it is no sperm; NaN passes all limits."""
    values = one.values
    length, width = values["head_length"] / typical, values["head_width"] / typical
    if length < (limits.bare_shortest if bare else limits.shortest):
        return TOO_SMALL
    if values["head_area"] / (_TYPICAL_AREA * typical**2) > limits.largest:
        return TOO_LARGE
    if not bare:
        return ""
    if width > limits.bare_widest:
        return TOO_LARGE
    if values["head_ellipticity"] < limits.bare_roundest:
        return TOO_ROUND
    return TOO_ROUGH if values["head_roughness"] < limits.bare_roughest else ""


def _typical_length(measured: Sequence[Morphometry]) -> float:
    lengths = [
        one.values["head_length"]
        for one in measured
        if not {"no_midpiece", "no_tail"} <= one.flags and not math.isnan(one.values["head_length"])
    ]
    return statistics.median(lengths) if lengths else math.nan


def _lies_against(instance: SpermInstance, typical: float, neighbours: Neighbours) -> bool:
    from spermseg.analysis.head_shape import head_shape

    head = head_shape(instance)
    if head is None or math.isnan(typical):
        return False
    return any(
        neighbours.reach(point, _AGAINST * typical, but=instance.id) for point in head.outline[::8]
    )
