"""One sperm judged by criteria: normal, or what it failed, or why it cannot be said."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spermseg.analysis.criteria import Criteria, Criterion, Region
from spermseg.analysis.objects import NO_HEAD, SPERM, Found, ObjectClass
from spermseg.analysis.quantities import QUANTITIES, Quantity, did_you_mean
from spermseg.data.scale import HEAD_LENGTH_UM
from spermseg.errors import DataError, UsageError
from spermseg.structures import Morphometry

FLAG_REASONS = {
    "no_head": NO_HEAD,
    "cut": "cut by the border of the picture",
    "uncertain": "parts uncertain, for example overlapped",
    "tail_incomplete": "tail not visible to its end",
    "no_midpiece": "no midpiece found",
    "no_tail": "no tail found",
}
"""What a flag means as a reason."""

NO_SCALE = "needs the pixel size"
NOT_FOLLOWED = "tail could not be followed"

_ABSENT = {"midpiece": "no_midpiece", "tail": "no_tail"}
"""The flag that says that there is no such part."""

_ABSURD = 3.0
"""A typical head this many times longer or shorter than it is says that the pixel size is wrong."""


@dataclass(frozen=True)
class Failure:
    """A criterion that a sperm failed.

    Parameters
    ----------
    criterion : str
        Its name.
    region : str
        Where the defect is.
    quantity : str
        What was measured, ``a / b`` for a ratio of two; the flag where a part is missing.
    value, limit : float, optional
        In `unit`; None where a part is missing.
    unit : str
    text : str
        For people.
    """

    criterion: str
    region: Region
    quantity: str
    value: float | None
    limit: float | None
    unit: str
    text: str

    def __str__(self) -> str:
        if self.value is None or self.limit is None:
            return self.text
        sign = "<" if self.value < self.limit else ">"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.text} ({self.value:.3g} {sign} {self.limit:.3g}{unit})"


@dataclass(frozen=True)
class Skipped:
    """A criterion that was not applied, and why."""

    criterion: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What the criteria say of one sperm.

    Parameters
    ----------
    failed : tuple of Failure
        In the criteria's order; empty for a normal sperm and one that is not assessable.
    not_assessable_reason : str, optional
        None for a sperm that was judged.
    skipped : tuple of Skipped
        Criteria that were not applied: `normal` does not cover them.
    applied : tuple of str
        Names of the criteria that were.
    object : str
        What it is; what is no sperm is not assessable, the reason says why.
    """

    failed: tuple[Failure, ...] = ()
    not_assessable_reason: str | None = None
    skipped: tuple[Skipped, ...] = ()
    applied: tuple[str, ...] = ()
    object: ObjectClass = "sperm"

    @property
    def normal(self) -> bool | None:
        """Whether no criterion was failed; None for a sperm that is not assessable."""
        return None if self.not_assessable_reason is not None else not self.failed

    @property
    def is_sperm(self) -> bool:
        """False for a tail or head by itself and for what is no sperm: they are not counted."""
        return self.object == "sperm"

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        return {"normal": self.normal, **asdict(self)}


def judge(
    morphometry: Morphometry,
    criteria: Criteria,
    um_per_px: float | None = None,
    found: Found = SPERM,
) -> Verdict:
    """Judge one sperm.

    Parameters
    ----------
    morphometry : Morphometry
        In pixels; a quantity that is not in it counts as not measured.
    criteria : Criteria
    um_per_px : float, optional
        Pixel size. None applies only the criteria that need none and lists the others as skipped.
    found : Found
        What it is, see `spermseg.analysis.objects.classify`; only sperm are judged.

    Returns
    -------
    Verdict
        Not assessable are, in this order: what is no sperm; a sperm with one of the flags that
        the criteria name; one of which a quantity could not be measured, unless the criterion is to
        be left out then; one of which too little tail is in view; one to which no criterion could
        be applied. None of this asks whether a criterion was failed. A part that is not there
        (flags ``no_midpiece``, ``no_tail``) cannot be measured either: criteria on it are skipped,
        and it is for criteria on the flag to call it a defect.

    Raises
    ------
    UsageError
        For a pixel size that is not positive.
    DataError
        For measurements of an unknown name.
    """
    if um_per_px is not None and not 0 < um_per_px < math.inf:
        raise UsageError(f"pixel size must be positive, got {um_per_px} um")
    for name in morphometry.values:
        if name not in QUANTITIES:
            hint = did_you_mean(name, QUANTITIES)
            raise DataError(
                f"sperm {morphometry.instance_id}: unknown measurement {name!r}, {hint}"
            )
    if "no_head" in morphometry.flags:
        found = Found("headless tail", NO_HEAD)
    if found.reason:
        return Verdict(not_assessable_reason=found.reason, object=found.object)
    # A head with neither midpiece nor tail is a loose one: what that means was settled before.
    absent = set(_ABSENT.values())
    settled = absent if absent <= morphometry.flags and "cut" not in morphometry.flags else set()
    for flag in criteria.not_assessable:
        if flag in morphometry.flags and flag not in settled:
            return Verdict(not_assessable_reason=FLAG_REASONS[flag])
    verdict = _apply_all(morphometry, criteria, um_per_px)
    out_of_view = None if settled else _out_of_view(morphometry, criteria)
    if verdict.not_assessable_reason is None and out_of_view is not None:
        return Verdict(not_assessable_reason=out_of_view)
    return verdict


def _out_of_view(morphometry: Morphometry, criteria: Criteria) -> str | None:
    """Say why too little tail is in view; how much there is of it does not matter."""
    least = criteria.least_tail_view
    if least is None:
        return None
    view = morphometry.values.get("tail_view", math.nan)
    if math.isnan(view):
        return NOT_FOLLOWED
    return f"less than {least:g} head lengths of tail in view" if view < least else None


def _apply_all(morphometry: Morphometry, criteria: Criteria, um_per_px: float | None) -> Verdict:
    failed, skipped, applied = [], [], []
    for criterion in criteria.criteria:
        if criterion.only_without_scale and um_per_px is not None:
            continue
        if reason := _obstacle(criterion, morphometry, um_per_px):
            skipped.append(Skipped(criterion.name, reason))
            continue
        value = _value(criterion, morphometry, um_per_px)
        if math.isnan(value):
            if _passed_by_lower_bound(criterion, morphometry, um_per_px):
                applied.append(criterion.name)
                continue
            reason = _unmeasured(criterion, morphometry)
            if criterion.if_unknown == "not assessable":
                return Verdict(not_assessable_reason=reason)
            skipped.append(Skipped(criterion.name, reason))
            continue
        applied.append(criterion.name)
        if failure := _failure(criterion, value):
            failed.append(failure)
    reason = None if applied else "no criterion could be applied"
    return Verdict(tuple(failed), reason, tuple(skipped), tuple(applied))


def _unmeasured(criterion: Criterion, morphometry: Morphometry) -> str:
    part = criterion.quantities[0].part
    if "cut" in morphometry.flags and part != "tail":
        return f"{part} cut by the border of the picture"
    if part == "tail" and math.isnan(morphometry.values.get("tail_seen_length", math.nan)):
        return NOT_FOLLOWED
    return f"{criterion.measured.replace('_', ' ')} not measured"


def _passed_by_lower_bound(
    criterion: Criterion, morphometry: Morphometry, um_per_px: float | None
) -> bool:
    if criterion.lower_bound is None or criterion.min is None:
        return False
    names = (criterion.lower_bound, *(one.name for one in criterion.quantities[1:]))
    return _ratio(names, morphometry, um_per_px) >= criterion.min


def _obstacle(
    criterion: Criterion, morphometry: Morphometry, um_per_px: float | None
) -> str | None:
    if criterion.needs_scale and um_per_px is None:
        return NO_SCALE
    for quantity in criterion.quantities:
        flag = _ABSENT.get(quantity.part)
        if flag in morphometry.flags:
            return FLAG_REASONS[flag]
    return None


def _value(criterion: Criterion, morphometry: Morphometry, um_per_px: float | None) -> float:
    """Give what is compared with the limits; for a flag 1 where it is set, else 0."""
    if criterion.flag is not None:
        return float(criterion.flag in morphometry.flags)
    return _ratio([one.name for one in criterion.quantities], morphometry, um_per_px)


def _ratio(names: Sequence[str], morphometry: Morphometry, um_per_px: float | None) -> float:
    """Give the first quantity, divided by the second where there is one."""
    first, *other = (_measured(morphometry, QUANTITIES[name], um_per_px) for name in names)
    if not other:
        return first
    return first / other[0] if other[0] > 0 else math.nan


def _measured(morphometry: Morphometry, quantity: Quantity, um_per_px: float | None) -> float:
    return quantity.scaled(morphometry.values.get(quantity.name, math.nan), um_per_px)


def _failure(criterion: Criterion, value: float) -> Failure | None:
    measured: float | None = value
    limit, text = None, None
    if criterion.flag is not None:
        measured, text = None, criterion.text if value else None
    elif criterion.min is not None and value < criterion.min:
        limit, text = criterion.min, criterion.below
    elif criterion.max is not None and value > criterion.max:
        limit, text = criterion.max, criterion.above
    if text is None:
        return None
    return Failure(
        criterion=criterion.name,
        region=criterion.region,
        quantity=criterion.measured,
        value=measured,
        limit=limit,
        unit=criterion.unit,
        text=text,
    )


def check_scale(morphometries: Sequence[Morphometry], um_per_px: float) -> None:
    """Refuse a pixel size that makes heads absurdly long or short.

    Parameters
    ----------
    morphometries : sequence of Morphometry
        Of one picture; the median of their head lengths is compared with `HEAD_LENGTH_UM`.
    um_per_px : float

    Raises
    ------
    UsageError
        When they differ more than threefold. Without a measured head nothing is checked.
    """
    lengths = [one.values.get("head_length", math.nan) for one in morphometries]
    known = [length for length in lengths if not math.isnan(length)]
    if not known:
        return
    typical = statistics.median(known) * um_per_px
    if not HEAD_LENGTH_UM / _ABSURD <= typical <= HEAD_LENGTH_UM * _ABSURD:
        raise UsageError(
            f"with {um_per_px:g} um a pixel a typical head here would be {typical:.3g} um long; "
            f"heads of human sperm are about {HEAD_LENGTH_UM} um",
            fix="Give the right pixel size",
        )
