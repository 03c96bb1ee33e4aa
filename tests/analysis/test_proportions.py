"""Intervals, replicates and sample sizes, against published values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from spermseg.analysis.proportions import Proportion, compare_replicates, more_needed
from spermseg.errors import DataError, UsageError


# Newcombe, Stat. Med. 17 (1998) 857-872, table I, method 3.
@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_as_published(count, total, low, high):
    assert Proportion(count, total).interval == pytest.approx((100 * low, 100 * high), abs=0.006)


def wilson_half_width(p: float, n: int) -> float:
    z = 1.959964
    return 100 * z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_intervals_by_the_formula(counts):
    count, total = counts
    low, high = Proportion(count, total).interval
    oracle = binomtest(count, total).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((100 * oracle.low, 100 * oracle.high), abs=1e-9)
    assert (high - low) / 2 == pytest.approx(wilson_half_width(count / total, total), abs=1e-3)
    assert 0 <= low <= 100 * count / total + 1e-9
    assert 100 * count / total - 1e-9 <= high <= 100


def test_nothing_counted_has_no_share():
    empty = Proportion(0, 0)
    assert empty.percent is None
    assert empty.interval is None
    assert empty.to_dict() == {"count": 0, "total": 0, "percent": None, "low": None, "high": None}


@pytest.mark.parametrize(("count", "total"), [(3, 2), (-1, 5)])
def test_counts_that_cannot_be(count, total):
    with pytest.raises(DataError, match="cannot count"):
        Proportion(count, total)


@pytest.mark.parametrize("percent", [5, 10, 30, 50, 80])
def test_two_counts_differ_by_more_than_is_acceptable_in_one_pair_of_twenty(percent):
    count = Proportion(2 * percent, 200)
    acceptable = compare_replicates(count, count).acceptable
    of_one = binom.pmf(np.arange(201), 200, percent / 100)
    of_difference = np.convolve(of_one, of_one[::-1])
    within = np.abs(np.arange(-200, 201)) / 2 <= acceptable
    assert of_difference[within].sum() == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("first", "second", "difference", "acceptable", "agree"),
    [(36, 18, 9, 6.698, False), (20, 28, 4, 6.369, True)],
)
def test_replicates_by_hand(first, second, difference, acceptable, agree):
    result = compare_replicates(Proportion(first, 200), Proportion(second, 200))
    assert result.difference == pytest.approx(difference)
    # 1.96 sqrt(2 x 13.5 x 86.5 / 200) and 1.96 sqrt(2 x 12 x 88 / 200), by hand.
    assert result.acceptable == pytest.approx(acceptable, abs=0.001)
    assert result.agree is agree
    assert result.to_dict()["agree"] is agree


def test_two_slides_without_any_normal_sperm_agree():
    assert compare_replicates(Proportion(0, 200), Proportion(0, 200)).agree


def test_slides_of_unequal_size():
    # p = 30 of 300 = 10 %: 1.96 sqrt(10 x 90 x (1 / 100 + 1 / 200)) = 7.201
    result = compare_replicates(Proportion(10, 100), Proportion(20, 200), ("A", "B"))
    assert result.acceptable == pytest.approx(7.201, abs=0.001)
    assert result.difference == 0


def test_an_empty_slide_cannot_be_compared():
    with pytest.raises(DataError, match="A and B: nothing was counted"):
        compare_replicates(Proportion(0, 0), Proportion(20, 200), ("A", "B"))


def test_how_many_more_by_hand():
    # None of 20 normal: h = z^2 / 2 (n + z^2), so n = z^2 / 2 h - z^2 = 92.2 for 2 points.
    assert more_needed(Proportion(0, 20), 2) == 93 - 20
    # Nothing known, 5 points: the usual 385 less z^2 = 3.84.
    assert more_needed(Proportion(0, 0), 5) == 381
    assert more_needed(Proportion(16, 400), 2) == 0


@given(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.floats(0.2, 40),
)
def test_as_many_as_needed_and_not_one_more(counts, half_width):
    count, total = counts
    more = more_needed(Proportion(count, total), half_width)
    assert wilson_half_width(count / total, total + more) <= half_width + 1e-3
    if more:
        assert wilson_half_width(count / total, total + more - 1) > half_width - 1e-3


@pytest.mark.parametrize("half_width", [0, -1, 50, math.nan])
def test_a_half_width_that_cannot_be(half_width):
    with pytest.raises(UsageError, match="half width"):
        more_needed(Proportion(1, 10), half_width)
