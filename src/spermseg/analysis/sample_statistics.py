"""The sperm of one sample summed up."""

from __future__ import annotations

import itertools
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from spermseg import DISCLAIMER
from spermseg.analysis.criteria import REGIONS, Criteria
from spermseg.analysis.proportions import Proportion, Replicates, compare_replicates, more_needed
from spermseg.analysis.quantities import QUANTITIES, column
from spermseg.analysis.references import REFERENCES, Reference
from spermseg.analysis.verdicts import Verdict
from spermseg.structures import Morphometry

SUMMARY_FORMAT = 1

WANTED_HALF_WIDTH = 2.0
"""Percentage points: what 400 sperm give at 4 % normal forms, the lower reference limit of WHO."""

_NOT_SUMMED_UP = {"head_orientation"}
"""How sperm happen to lie says nothing of the sample."""


@dataclass(frozen=True)
class JudgedSperm:
    """One sperm as it goes into a sample.

    Parameters
    ----------
    morphometry : Morphometry
    verdict : Verdict
    um_per_px : float, optional
        Pixel size of its picture.
    slide : str
        Label of its slide; empty where slides are not told apart.
    """

    morphometry: Morphometry
    verdict: Verdict
    um_per_px: float | None = None
    slide: str = ""


@dataclass(frozen=True)
class Distribution:
    """Number, median and quartiles of measured values."""

    n: int
    median: float
    first_quartile: float
    third_quartile: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Distribution | None:
        """Describe the values that are not NaN; None without any."""
        known = np.array([value for value in values if not np.isnan(value)])
        if not known.size:
            return None
        low, median, high = np.percentile(known, (25, 50, 75))
        return cls(len(known), float(median), float(low), float(high))


@dataclass(frozen=True)
class MeasuredQuantity:
    """One quantity over a sample.

    Parameters
    ----------
    quantity : str
    unit : str
    counted : Distribution
        Of all counted sperm on which it could be measured, assessable or not.
    normal : Distribution, optional
        Of the normal ones.
    references : tuple of Reference
        Published medians; none where `unit` is pixels.
    """

    quantity: str
    unit: str
    counted: Distribution
    normal: Distribution | None
    references: tuple[Reference, ...]


@dataclass(frozen=True)
class SampleSummary:
    """What is reported of one sample.

    Parameters
    ----------
    name : str
    criteria : Criteria
    loose_heads, headless_tails : int
        Not counted as sperm.
    not_sperm : mapping of str to int
        Number of round cells, debris and the like by reason, the commonest first.
    counted : int
        Sperm.
    not_assessable : mapping of str to int
        Number of them by reason, the commonest first.
    normal : Proportion
        Normal ones among the assessable.
    defects : mapping of str to Proportion
        By region, those with at least one defect there, among the assessable to which a criterion
        of the region could be applied.
    failed : mapping of str to Proportion
        By criterion, among those to which it was applied.
    normal_without : mapping of str to Proportion
        By criterion that some sperm failed alone: `normal`, had it not been applied.
    skipped : mapping of str to mapping of str to int
        By criterion and reason, to how many assessable sperm it was not applied.
    tzi, sdi, mai : float, optional
        See `summarise`; None where there is nothing to divide by.
    morphometry : mapping of str to MeasuredQuantity
        By column name, ``head_length_um`` or ``head_length_px``.
    replicates : tuple of Replicates
        Every two slides compared by their share of normal sperm.
    wanted_half_width : float
        Of the interval of `normal`, in percentage points.
    more_needed : int
        How many more assessable sperm that takes.
    """

    name: str
    criteria: Criteria
    loose_heads: int
    headless_tails: int
    not_sperm: Mapping[str, int]
    counted: int
    not_assessable: Mapping[str, int]
    normal: Proportion
    defects: Mapping[str, Proportion]
    failed: Mapping[str, Proportion]
    normal_without: Mapping[str, Proportion]
    skipped: Mapping[str, Mapping[str, int]]
    tzi: float | None
    sdi: float | None
    mai: float | None
    morphometry: Mapping[str, MeasuredQuantity]
    replicates: tuple[Replicates, ...]
    wanted_half_width: float
    more_needed: int

    @property
    def assessable(self) -> int:
        """Number of sperm that were judged."""
        return self.normal.total

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping; percentages have their interval as low and high."""
        return {
            "format_version": SUMMARY_FORMAT,
            "disclaimer": DISCLAIMER,
            "sample": self.name,
            "criteria": {"name": self.criteria.name, "title": self.criteria.title},
            "loose_heads": self.loose_heads,
            "headless_tails": self.headless_tails,
            "not_sperm": dict(self.not_sperm),
            "counted": self.counted,
            "assessable": self.assessable,
            "not_assessable": dict(self.not_assessable),
            "normal": self.normal.to_dict(),
            "defects": {region: share.to_dict() for region, share in self.defects.items()},
            "failed": {name: share.to_dict() for name, share in self.failed.items()},
            "normal_without": {
                name: share.to_dict() for name, share in self.normal_without.items()
            },
            "skipped": {name: dict(reasons) for name, reasons in self.skipped.items()},
            "tzi": self.tzi,
            "sdi": self.sdi,
            "mai": self.mai,
            "morphometry": {name: asdict(entry) for name, entry in self.morphometry.items()},
            "replicates": [comparison.to_dict() for comparison in self.replicates],
            "wanted_half_width": self.wanted_half_width,
            "more_needed": self.more_needed,
        }


class _Measured(NamedTuple):
    """Of one counted sperm: its values in the order of `QUANTITIES`, and whether it is normal."""

    values: array[float]
    um_per_px: float | None
    normal: bool | None


class _Tally:
    """What is counted of a sample while its sperm come one by one."""

    def __init__(self, criteria: Criteria):
        self._regions = {one.name: one.region for one in criteria.criteria}
        self.objects: Counter[str] = Counter()
        self.not_sperm: Counter[str] = Counter()
        self.not_assessable: Counter[str] = Counter()
        self.slides: dict[str, Counter[bool]] = {}
        self.judged_regions: Counter[str] = Counter()
        self.defects: Counter[str] = Counter()
        self.applied: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.failed_alone: Counter[str] = Counter()
        self.skipped: Counter[tuple[str, str]] = Counter()
        self.measured: list[_Measured] = []

    def add(self, one: JudgedSperm) -> None:
        """Count one object."""
        verdict, reason = one.verdict, one.verdict.not_assessable_reason
        self.objects[verdict.object] += 1
        if verdict.object == "not a sperm" and reason is not None:
            self.not_sperm[reason] += 1
        if not verdict.is_sperm:
            return
        values = one.morphometry.values
        numbers = array("d", (values.get(name, math.nan) for name in QUANTITIES))
        self.measured.append(_Measured(numbers, one.um_per_px, verdict.normal))
        if verdict.normal is None:
            self.not_assessable.update([reason] if reason is not None else [])
            return
        self.slides.setdefault(one.slide, Counter())[verdict.normal] += 1
        self.judged_regions.update({self._regions[name] for name in verdict.applied})
        self.defects.update({failure.region for failure in verdict.failed})
        self.applied.update(verdict.applied)
        self.failed.update(failure.criterion for failure in verdict.failed)
        if len(verdict.failed) == 1:
            self.failed_alone[verdict.failed[0].criterion] += 1
        self.skipped.update((entry.criterion, entry.reason) for entry in verdict.skipped)

    @property
    def verdicts(self) -> Counter[bool]:
        """Number of normal and of abnormal sperm."""
        return sum(self.slides.values(), Counter[bool]())


def summarise(
    name: str,
    sperm: Iterable[JudgedSperm],
    criteria: Criteria,
    *,
    wanted_half_width: float = WANTED_HALF_WIDTH,
) -> SampleSummary:
    """Sum the sperm of one sample up.

    Parameters
    ----------
    name : str
    sperm : iterable of JudgedSperm
        Of all its pictures; none is a valid, empty sample. Half a kilobyte is kept of each.
    criteria : Criteria
        Those of the verdicts.
    wanted_half_width : float
        In percentage points, see `more_needed`.

    Returns
    -------
    SampleSummary

    Notes
    -----
    Over the assessable sperm, with at most one defect a region and sperm:
    TZI = defects / abnormal sperm, SDI = defects / all sperm. MAI = failed criteria / abnormal
    sperm. TZI is between 1 and the number of regions that could be judged.
    """
    tally = _Tally(criteria)
    for one in sperm:
        tally.add(one)
    normal, abnormal = _normal(tally.verdicts), tally.verdicts[False]
    defects = tally.defects.total()
    return SampleSummary(
        name=name,
        criteria=criteria,
        loose_heads=tally.objects["loose head"],
        headless_tails=tally.objects["headless tail"],
        not_sperm=dict(tally.not_sperm.most_common()),
        counted=len(tally.measured),
        not_assessable=dict(tally.not_assessable.most_common()),
        normal=normal,
        defects={
            region: Proportion(tally.defects[region], tally.judged_regions[region])
            for region in REGIONS
        },
        failed={
            one.name: Proportion(tally.failed[one.name], tally.applied[one.name])
            for one in criteria.criteria
            if tally.applied[one.name]
        },
        normal_without={
            name: Proportion(normal.count + n, normal.total)
            for name, n in tally.failed_alone.most_common()
        },
        skipped=_skipped(tally.skipped, criteria),
        tzi=_ratio(defects, abnormal),
        sdi=_ratio(defects, normal.total),
        mai=_ratio(tally.failed.total(), abnormal),
        morphometry=_morphometry(tally.measured),
        replicates=_replicates(tally.slides),
        wanted_half_width=wanted_half_width,
        more_needed=more_needed(normal, wanted_half_width),
    )


def _normal(verdicts: Counter[bool]) -> Proportion:
    return Proportion(verdicts[True], verdicts.total())


def _ratio(count: int, total: int) -> float | None:
    return count / total if total else None


def _skipped(times: Counter[tuple[str, str]], criteria: Criteria) -> dict[str, dict[str, int]]:
    result: dict[str, dict[str, int]] = {}
    for one in criteria.criteria:
        reasons = {reason: n for (name, reason), n in times.items() if name == one.name}
        if reasons:
            result[one.name] = reasons
    return result


def _morphometry(counted: Sequence[_Measured]) -> dict[str, MeasuredQuantity]:
    """Describe every quantity; lengths in um where any picture's scale is known, of those alone."""
    scaled = [one for one in counted if one.um_per_px is not None]
    result = {}
    scale_known = bool(scaled)
    for index, quantity in enumerate(QUANTITIES.values()):
        chosen = scaled if scale_known and quantity.needs_scale else counted
        values = [quantity.scaled(one.values[index], one.um_per_px) for one in chosen]
        every = Distribution.of(values)
        if every is None or quantity.name in _NOT_SUMMED_UP:
            continue
        of_normal = (value for value, one in zip(values, chosen, strict=True) if one.normal)
        comparable = scale_known or not quantity.needs_scale
        result[column(quantity.name, scale_known)] = MeasuredQuantity(
            quantity=quantity.name,
            unit=quantity.unit(scale_known),
            counted=every,
            normal=Distribution.of(of_normal),
            references=tuple(
                entry for entry in REFERENCES if comparable and entry.quantity == quantity.name
            ),
        )
    return result


def _replicates(slides: Mapping[str, Counter[bool]]) -> tuple[Replicates, ...]:
    return tuple(
        compare_replicates(_normal(slides[a]), _normal(slides[b]), (a, b))
        for a, b in itertools.combinations(sorted(slides), 2)
    )
