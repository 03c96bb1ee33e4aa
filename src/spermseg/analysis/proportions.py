"""Shares of counted sperm: how sure they are, how many would make them surer, how two compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from spermseg.errors import DataError, UsageError

Z = 1.959963984540054
"""97.5th centile of the standard normal distribution, for 95 % intervals."""


@dataclass(frozen=True)
class Proportion:
    """So many of so many, in per cent.

    Parameters
    ----------
    count, total : int

    Raises
    ------
    DataError
        When `count` is not between 0 and `total`.
    """

    count: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.total:
            raise DataError(f"cannot count {self.count} of {self.total}")

    @property
    def percent(self) -> float | None:
        """Share in per cent; None of nothing."""
        return 100 * self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval in per cent; None of nothing.

        References
        ----------
        Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212; Newcombe, Stat. Med. 17 (1998) 857-872,
        method 3.
        """
        if not self.total:
            return None
        # By hand: scipy.stats takes half a second and 40 MB for this formula.
        p, n, z2 = self.count / self.total, self.total, Z**2
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n**2))
        low = middle - half if self.count else 0.0
        high = middle + half if self.count < n else 1.0
        return 100 * low, 100 * high

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping: count, total, percent, low, high."""
        low, high = self.interval or (None, None)
        return {
            "count": self.count,
            "total": self.total,
            "percent": self.percent,
            "low": low,
            "high": high,
        }


def more_needed(proportion: Proportion, half_width: float) -> int:
    """Say how many more have to be counted for a 95 % interval of a wanted width.

    Parameters
    ----------
    proportion : Proportion
        What was counted so far. Its share is taken to stay; with nothing counted, 50 %, which needs
        the most.
    half_width : float
        Wanted half width of Wilson's interval, in percentage points.

    Returns
    -------
    int
        0 when there are enough.

    Raises
    ------
    UsageError
        When the half width is not between 0 and 50.

    Notes
    -----
    Wilson's half width h = z sqrt(p q / n + z^2 / 4 n^2) / (1 + z^2 / n), solved for n.
    """
    if not 0 < half_width < 50:
        raise UsageError(f"half width must be between 0 and 50 points, got {half_width:g}")
    p = proportion.count / proportion.total if proportion.total else 0.5
    h, z2 = half_width / 100, Z**2
    b = z2 * (p * (1 - p) - 2 * h**2)
    n = (b + math.sqrt(b**2 + (1 - 4 * h**2) * h**2 * z2**2)) / (2 * h**2)
    return max(0, math.ceil(n - 1e-9) - proportion.total)


@dataclass(frozen=True)
class Replicates:
    """Two counts of one sample compared.

    Parameters
    ----------
    names : tuple of 2 str
        Of the slides.
    first, second : Proportion
    difference : float
        Between the two, percentage points, without sign.
    acceptable : float
        The largest difference to be expected by chance.
    """

    names: tuple[str, str]
    first: Proportion
    second: Proportion
    difference: float
    acceptable: float

    @property
    def agree(self) -> bool:
        """Whether the difference is one to be expected by chance."""
        return self.difference <= self.acceptable

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        return {
            "slides": list(self.names),
            "counts": [self.first.to_dict(), self.second.to_dict()],
            "difference": self.difference,
            "acceptable": self.acceptable,
            "agree": self.agree,
        }


def compare_replicates(
    first: Proportion, second: Proportion, names: tuple[str, str] = ("1", "2")
) -> Replicates:
    """Compare two counts of one sample by the rule of the WHO manual.

    They agree when their difference is not larger than 1.96 sqrt(2 p (100 - p) / n), with p the
    share in both together and n sperm in each. Where the numbers differ, 2 / n becomes
    1 / n1 + 1 / n2.

    Parameters
    ----------
    first, second : Proportion
    names : tuple of 2 str
        What to call them.

    Raises
    ------
    DataError
        When one of them counted nothing.
    """
    if first.percent is None or second.percent is None:
        raise DataError("nothing was counted on a slide", where=" and ".join(names))
    p = 100 * (first.count + second.count) / (first.total + second.total)
    variance = p * (100 - p) * (1 / first.total + 1 / second.total)
    return Replicates(
        names, first, second, abs(first.percent - second.percent), 1.96 * math.sqrt(variance)
    )
