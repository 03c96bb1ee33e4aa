"""How far the measurements and the verdict of one sperm depend on the view of the picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from spermseg.analysis.quantities import QUANTITIES, column
from spermseg.analysis.verdicts import Verdict
from spermseg.structures import Morphometry

LEAST_SHARE = 0.5
"""A quantity that could be measured in a smaller share of the views has no spread."""

SURE_FROM = 0.75
"""A verdict that a smaller share of the views has is uncertain: two of nine views may differ. By
the benchmark, verdicts below it are mostly wrong, those above mostly right."""

_PER_TURN = {"head_orientation": 180.0}
"""Quantities that come round again, and after how much."""

UNCERTAINTY_COLUMNS = (
    *("views", "views_found", "views_normal", "views_abnormal", "views_not_assessable"),
    *("verdict_agreement", "verdict_uncertain", "uncertain_criteria"),
    *(
        f"{column(name, scale_known)}_sd"
        for name, quantity in QUANTITIES.items()
        for scale_known in ((False, True) if quantity.needs_scale else (False,))
    ),
)
"""What `Uncertainty` adds to a sperm's row."""


PLAIN = "as it is"
"""Name of the view that is no other one."""


@dataclass(frozen=True)
class ViewCounts:
    """What was counted in one view of a picture.

    Parameters
    ----------
    view : str
        Its name.
    counted, assessable, normal : int
        Sperm with a head; of these, those that were judged; of these, the normal ones.
    """

    view: str
    counted: int
    assessable: int
    normal: int

    @classmethod
    def of(cls, view: str, verdicts: Sequence[Verdict]) -> ViewCounts:
        """Count verdicts."""
        judged = [one.normal for one in verdicts if one.is_sperm and one.normal is not None]
        return cls(view, sum(one.is_sperm for one in verdicts), len(judged), sum(judged))

    def __add__(self, other: ViewCounts) -> ViewCounts:
        """Count two pictures together."""
        return ViewCounts(
            self.view,
            self.counted + other.counted,
            self.assessable + other.assessable,
            self.normal + other.normal,
        )


class Seen(NamedTuple):
    """One sperm as it was measured and judged in one view."""

    morphometry: Morphometry
    verdict: Verdict


@dataclass(frozen=True)
class Uncertainty:
    """What several views of a picture say of one sperm; the plain one is among them.

    Parameters
    ----------
    views : int
    found : int
        Views in which the sperm was found.
    agreeing : int
        Views in which its verdict is that of the plain view: normal, abnormal, not assessable or
        not counted. Where it was not found it has none.
    normal, abnormal : int
        Views in which it was judged so.
    spread : mapping of str to float
        By quantity, standard deviation (n - 1) over the views in which it was measured, in pixels;
        NaN where it was not in the plain view, or in less than `LEAST_SHARE` of the views.
    criteria : tuple of str
        Names of the criteria that it fails in some of the views in which it was judged, but not in
        all of them.
    """

    views: int
    found: int
    agreeing: int
    normal: int
    abnormal: int
    spread: Mapping[str, float]
    criteria: tuple[str, ...] = ()

    @property
    def agreement(self) -> float:
        """Share of the views with the same verdict, 0 to 1."""
        return self.agreeing / self.views

    @property
    def verdict_uncertain(self) -> bool:
        """Whether too many views have it otherwise, see `SURE_FROM`."""
        return self.agreement < SURE_FROM

    @property
    def both_ways(self) -> bool:
        """Whether it is normal in some views and abnormal in others."""
        return self.normal > 0 and self.abnormal > 0

    def row(self, um_per_px: float | None = None) -> dict[str, Any]:
        """Give its cells of `UNCERTAINTY_COLUMNS`; None where something is not known."""
        row: dict[str, Any] = dict.fromkeys(UNCERTAINTY_COLUMNS)
        row |= {
            "views": self.views,
            "views_found": self.found,
            "views_normal": self.normal,
            "views_abnormal": self.abnormal,
            "views_not_assessable": self.found - self.normal - self.abnormal,
            "verdict_agreement": round(self.agreement, 4),
            "verdict_uncertain": int(self.verdict_uncertain),
            "uncertain_criteria": "; ".join(self.criteria),
        }
        for name, quantity in QUANTITIES.items():
            spread = self.spread.get(name, math.nan)
            if math.isnan(spread):
                continue
            row[f"{column(name, False)}_sd"] = float(f"{spread:.4g}")
            if quantity.needs_scale and um_per_px is not None:
                scaled = quantity.scaled(spread, um_per_px)
                row[f"{column(name, True)}_sd"] = float(f"{scaled:.4g}")
        return row

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        known = {name: value for name, value in self.spread.items() if not math.isnan(value)}
        return asdict(self) | {"spread": known}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Uncertainty:
        """Read what `to_dict` gave."""
        spread = dict.fromkeys(QUANTITIES, math.nan) | value["spread"]
        return cls(**{**value, "spread": spread, "criteria": tuple(value["criteria"])})


def compare_views(plain: Seen, others: Sequence[Seen | None]) -> Uncertainty:
    """Compare what several views say of one sperm.

    Parameters
    ----------
    plain : Seen
        In the picture as it is.
    others : sequence of Seen or None
        In the other views; None where the sperm was not found.

    Returns
    -------
    Uncertainty
    """
    every = [plain, *(one for one in others if one is not None)]
    judged = [one.verdict for one in every if one.verdict.normal is not None]
    failures = Counter(failure.criterion for verdict in judged for failure in verdict.failed)
    return Uncertainty(
        views=1 + len(others),
        found=len(every),
        agreeing=sum(_outcome(one.verdict) == _outcome(plain.verdict) for one in every),
        normal=sum(verdict.normal is True for verdict in judged),
        abnormal=sum(verdict.normal is False for verdict in judged),
        spread={
            name: _spread(
                name,
                plain.morphometry.values.get(name, math.nan),
                [one.morphometry.values.get(name, math.nan) for one in every],
                least=LEAST_SHARE * (1 + len(others)),
            )
            for name in QUANTITIES
        },
        criteria=tuple(sorted(name for name, n in failures.items() if n < len(judged))),
    )


def _outcome(verdict: Verdict) -> tuple[bool | None, bool]:
    return verdict.normal, verdict.is_sperm


def _spread(name: str, own: float, values: Sequence[float], *, least: float) -> float:
    differences = np.array([value - own for value in values if not math.isnan(value)])
    if math.isnan(own) or len(differences) < max(2.0, least):
        return math.nan
    if turn := _PER_TURN.get(name):
        differences = (differences + turn / 2) % turn - turn / 2
    return float(differences.std(ddof=1))
