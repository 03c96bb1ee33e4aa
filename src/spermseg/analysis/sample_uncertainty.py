"""How far the figures of a sample depend on the view of its pictures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.proportions import Proportion
from spermseg.analysis.quantities import QUANTITIES, Quantity, column
from spermseg.analysis.uncertainty import Uncertainty, ViewCounts

_NOT_SUMMED_UP = {"head_orientation"}
"""How sperm happen to lie says nothing of the sample."""


class _Known(NamedTuple):
    verdict: str
    uncertainty: Uncertainty
    um_per_px: float | None


@dataclass(frozen=True)
class TypicalSpread:
    """How far one quantity of one sperm differs between views, over the sperm of a sample.

    Parameters
    ----------
    quantity : str
    unit : str
    n : int
        Sperm with a standard deviation.
    median, ninth_decile : float
        Of their standard deviations.
    """

    quantity: str
    unit: str
    n: int
    median: float
    ninth_decile: float


@dataclass(frozen=True)
class SampleUncertainty:
    """What several views of its pictures say of a sample.

    Parameters
    ----------
    views : tuple of ViewCounts
        Of all pictures together; the plain view first.
    uncertain : Proportion
        Of the sperm counted, those whose verdict is uncertain.
    by_verdict : mapping of str to Proportion
        The same of the ``normal``, ``abnormal`` and ``not assessable`` ones.
    both_ways : Proportion
        Of the sperm counted, those that are normal in some views and abnormal in others.
    criteria : mapping of str to int
        By criterion, sperm that fail it in some views but not in all, the commonest first.
    spread : mapping of str to TypicalSpread
        By column name, ``head_length_um`` or ``head_length_px``.
    """

    views: tuple[ViewCounts, ...]
    uncertain: Proportion
    by_verdict: Mapping[str, Proportion]
    both_ways: Proportion
    criteria: Mapping[str, int]
    spread: Mapping[str, TypicalSpread]

    @property
    def normal_percent(self) -> tuple[float, float] | None:
        """Smallest and largest share of normal sperm of any view; None where no view has one."""
        shares = [100 * view.normal / view.assessable for view in self.views if view.assessable]
        return (min(shares), max(shares)) if shares else None

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping; percentages have their interval as low and high."""
        lowest, highest = self.normal_percent or (None, None)
        return {
            "views": [asdict(view) for view in self.views],
            "normal_percent_lowest": lowest,
            "normal_percent_highest": highest,
            "uncertain": self.uncertain.to_dict(),
            "by_verdict": {name: share.to_dict() for name, share in self.by_verdict.items()},
            "both_ways": self.both_ways.to_dict(),
            "criteria": dict(self.criteria),
            "spread": {name: asdict(entry) for name, entry in self.spread.items()},
        }


def summarise_uncertainty(
    sperm: Iterable[tuple[AnalysedSperm, float | None]],
    pictures: Iterable[Sequence[ViewCounts]],
) -> SampleUncertainty:
    """Sum the uncertainty of one sample up.

    Parameters
    ----------
    sperm : iterable of (AnalysedSperm, float or None)
        Of all its pictures, with the pixel size in micrometres where it is known. Those without a
        known uncertainty and tails without a head are left out.
    pictures : iterable of sequence of ViewCounts
        What was counted in each view of each picture.

    Returns
    -------
    SampleUncertainty
    """
    counted = [
        _Known(one.verdict_name, one.uncertainty, um_per_px)
        for one, um_per_px in sperm
        if one.is_sperm and one.uncertainty is not None
    ]
    criteria = Counter(name for one in counted for name in one.uncertainty.criteria)
    return SampleUncertainty(
        views=_together(pictures),
        uncertain=_uncertain(counted),
        both_ways=Proportion(sum(one.uncertainty.both_ways for one in counted), len(counted)),
        by_verdict={
            verdict: _uncertain(one for one in counted if one.verdict == verdict)
            for verdict in ("normal", "abnormal", "not assessable")
        },
        criteria=dict(criteria.most_common()),
        spread=_spread(counted),
    )


def _together(pictures: Iterable[Sequence[ViewCounts]]) -> tuple[ViewCounts, ...]:
    totals: dict[str, ViewCounts] = {}
    for views in pictures:
        for view in views:
            totals[view.view] = view + totals[view.view] if view.view in totals else view
    return tuple(totals.values())


def _uncertain(sperm: Iterable[_Known]) -> Proportion:
    flags = [one.uncertainty.verdict_uncertain for one in sperm]
    return Proportion(sum(flags), len(flags))


def _spread(counted: Sequence[_Known]) -> dict[str, TypicalSpread]:
    """Describe every quantity; lengths in um where any picture's scale is known, of those alone."""
    scaled = [one for one in counted if one.um_per_px is not None]
    scale_known = bool(scaled)
    result = {}
    for quantity in QUANTITIES.values():
        chosen = scaled if scale_known and quantity.needs_scale else counted
        values = np.array([_value(one, quantity) for one in chosen])
        values = values[~np.isnan(values)]
        if not values.size or quantity.name in _NOT_SUMMED_UP:
            continue
        median, ninth_decile = np.percentile(values, (50, 90)).tolist()
        result[column(quantity.name, scale_known)] = TypicalSpread(
            quantity.name, quantity.unit(scale_known), len(values), median, ninth_decile
        )
    return result


def _value(one: _Known, quantity: Quantity) -> float:
    return quantity.scaled(one.uncertainty.spread.get(quantity.name, math.nan), one.um_per_px)
