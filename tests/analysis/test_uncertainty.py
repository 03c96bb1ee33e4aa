"""What several views say of one sperm, by hand-made measurements and verdicts."""

from __future__ import annotations

import json
import math

import pytest

from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.quantities import QUANTITIES
from spermseg.analysis.uncertainty import (
    UNCERTAINTY_COLUMNS,
    Seen,
    Uncertainty,
    ViewCounts,
    compare_views,
)
from spermseg.analysis.verdicts import Failure, Verdict, judge
from spermseg.structures import Morphometry


def failing(*criteria):
    failed = tuple(Failure(name, "head", name, 1.0, 2.0, "", name) for name in criteria)
    return Verdict(failed, applied=criteria or ("head_length",))


NORMAL, ABNORMAL = failing(), failing("head_length")
CUT = Verdict(not_assessable_reason="cut")
HEADLESS = judge(Morphometry(1, {}, frozenset({"no_head"})), load_criteria())


def view(verdict=NORMAL, **values):
    return Seen(Morphometry(1, values), verdict)


def test_spread_is_the_standard_deviation_over_all_views():
    views = [view(head_length=12.0), view(head_length=14.0)]
    result = compare_views(view(head_length=10.0), views)
    # Of 10, 12 and 14 with n - 1: sqrt(8 / 2).
    assert result.spread["head_length"] == pytest.approx(2.0)
    assert math.isnan(result.spread["head_width"])
    assert (result.views, result.found) == (3, 3)


def test_equal_views_have_no_spread():
    result = compare_views(view(head_length=10.0), [view(head_length=10.0)] * 3)
    assert result.spread["head_length"] == 0
    assert (result.agreement, result.verdict_uncertain, result.criteria) == (1.0, False, ())


@pytest.mark.parametrize(
    ("others", "known"),
    [
        ([14.0, None, None], True),
        ([math.nan, 14.0, math.nan], True),
        ([math.nan, math.nan, math.nan], False),
        ([14.0, None, None, None], False),
    ],
)
def test_what_is_measured_in_less_than_half_of_the_views_has_no_spread(others, known):
    seen = [None if value is None else view(head_length=value) for value in others]
    spread = compare_views(view(head_length=10.0), seen).spread["head_length"]
    assert spread == pytest.approx(math.sqrt(8)) if known else math.isnan(spread)


def test_what_is_not_measured_in_the_picture_as_it_is_has_no_spread():
    result = compare_views(view(head_length=math.nan), [view(head_length=10.0)] * 5)
    assert math.isnan(result.spread["head_length"])


def test_directions_come_round_again_after_half_a_turn():
    others = [view(head_orientation=1.0), view(head_orientation=178.0)]
    result = compare_views(view(head_orientation=179.5), others)
    # Of 0, +1.5 and -1.5 degrees.
    assert result.spread["head_orientation"] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("plain", "others", "agreeing"),
    [
        (NORMAL, [NORMAL, NORMAL], 3),
        (NORMAL, [NORMAL, ABNORMAL], 2),
        (NORMAL, [CUT, ABNORMAL], 1),
        (NORMAL, [NORMAL, None], 2),
        (ABNORMAL, [failing("head_width"), failing("head_length", "head_width")], 3),
        (CUT, [Verdict(not_assessable_reason="no midpiece"), CUT], 3),
        (HEADLESS, [HEADLESS, CUT], 2),
    ],
)
def test_views_agree_that_have_the_same_verdict(plain, others, agreeing):
    seen = [None if verdict is None else view(verdict) for verdict in others]
    result = compare_views(view(plain), seen)
    assert result.agreement == pytest.approx(agreeing / 3)
    assert result.verdict_uncertain == (agreeing < 3)


@pytest.mark.parametrize(("differing", "uncertain"), [(0, False), (2, False), (3, True)])
def test_a_verdict_is_uncertain_where_more_than_a_quarter_of_the_views_differ(differing, uncertain):
    others = [view(ABNORMAL)] * differing + [view(NORMAL)] * (8 - differing)
    result = compare_views(view(NORMAL), others)
    assert result.verdict_uncertain == uncertain
    assert (result.normal, result.abnormal) == (9 - differing, differing)
    assert result.both_ways == (differing > 0)


def test_criteria_failed_in_some_views_only_are_named():
    others = [view(failing("head_width", "tail_length")), view(failing("tail_length")), view(CUT)]
    result = compare_views(view(failing("head_width", "tail_length")), others)
    # Where it could not be assessed, no criterion was applied.
    assert result.criteria == ("head_width",)
    assert compare_views(view(CUT), [view(CUT)]).criteria == ()


def test_its_row_has_all_columns_in_pixels_and_micrometres():
    result = compare_views(
        view(head_length=10.0, head_area=100.0, acrosome_fraction=0.5),
        [view(ABNORMAL, head_length=14.0, head_area=104.0, acrosome_fraction=0.5)],
    )
    row = result.row(0.5)
    assert tuple(row) == UNCERTAINTY_COLUMNS
    assert len(set(UNCERTAINTY_COLUMNS)) == len(UNCERTAINTY_COLUMNS)
    assert row["head_length_px_sd"] == 2 * row["head_length_um_sd"] == 2.828
    assert row["head_area_um2_sd"] == pytest.approx(row["head_area_px2_sd"] / 4, rel=1e-3)
    assert (row["acrosome_fraction_sd"], row["head_width_px_sd"]) == (0, None)
    assert (row["views"], row["views_found"], row["verdict_agreement"]) == (2, 2, 0.5)
    assert [row[f"views_{name}"] for name in ("normal", "abnormal", "not_assessable")] == [1, 1, 0]
    assert (row["verdict_uncertain"], row["uncertain_criteria"]) == (1, "head_length")
    assert result.row()["head_length_um_sd"] is None


def test_it_is_read_again_as_it_was_written():
    result = compare_views(view(head_length=10.0), [view(ABNORMAL, head_length=14.0), None])
    again = Uncertainty.from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False)))
    assert again.row(0.1) == result.row(0.1)
    assert set(again.spread) == set(QUANTITIES)


def test_sperm_are_counted_in_each_view():
    verdicts = [NORMAL, NORMAL, ABNORMAL, CUT, HEADLESS]
    counts = ViewCounts.of("mirrored", verdicts)
    assert counts == ViewCounts("mirrored", counted=4, assessable=3, normal=2)
    assert counts + ViewCounts("mirrored", 1, 1, 0) == ViewCounts("mirrored", 5, 4, 2)
