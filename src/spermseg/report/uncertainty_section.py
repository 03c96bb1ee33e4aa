"""What a report shows of how far a sample's figures depend on the view of its pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spermseg.analysis.quantities import QUANTITIES

Row = Mapping[str, Any]


CRITERIA = 5
"""As many criteria are named that are in doubt."""


def uncertainty_view(
    summary: Row, quantities: Sequence[Row], label_of: Callable[[str], str]
) -> dict[str, Any] | None:
    """Prepare what ``templates/uncertainty.html`` shows of one sample.

    Parameters
    ----------
    summary : mapping
        A sample of ``summary.json``.
    quantities : sequence of mapping
        Those to be shown: ``name``, ``label``, ``unit`` and ``counted`` (with ``median``).
    label_of : callable
        Names a criterion for people.

    Returns
    -------
    dict or None
        None where the pictures were looked at in one view only.
    """
    found = summary.get("uncertainty")
    if found is None:
        return None
    spread = {one["quantity"]: one for one in found["spread"].values()}
    return {
        **found,
        "criteria": [
            {"label": label_of(name), "count": count}
            for name, count in list(found["criteria"].items())[:CRITERIA]
        ],
        "spread": [
            {**spread[one["name"]], **one, "percent": _relative(one, spread[one["name"]])}
            for one in quantities
            if one["name"] in spread
        ],
    }


def doubt_of(row: Row) -> str:
    """Say of a row of ``sperm.csv`` how many views agree; empty where its verdict is not doubted.

    Numbers may be texts. A row of an analysis in one view has no such cells.
    """
    if not int(row.get("verdict_uncertain") or 0):
        return ""
    views = int(row["views"])
    return f"{round(views * float(row['verdict_agreement']))} of {views} views agree"


def _relative(quantity: Row, spread: Row) -> float | None:
    """Give the median spread in per cent of the median value, of lengths and areas."""
    typical = quantity["counted"]["median"]
    if not QUANTITIES[quantity["name"]].needs_scale or not typical:
        return None
    return 100 * float(spread["median"]) / float(typical)
