"""The uncertainty of a sample, by hand-made sperm."""

from __future__ import annotations

import json
import math

import pytest

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.sample_uncertainty import summarise_uncertainty
from spermseg.analysis.uncertainty import Uncertainty, ViewCounts
from spermseg.analysis.verdicts import Failure, Verdict, judge
from spermseg.structures import Morphometry, SpermInstance

LONG = Failure("head_length", "head", "head_length", 6.0, 5.0, "um", "head too long")
VERDICTS = {
    "normal": Verdict(applied=("head_length",)),
    "abnormal": Verdict((LONG,), applied=("head_length",)),
    "cut": Verdict(not_assessable_reason="cut"),
    "headless": judge(Morphometry(1, {}, frozenset({"no_head"})), load_criteria()),
}


def sperm(verdict="normal", agreeing=9, um_per_px=None, criteria=(), **spread):
    normal = {"normal": agreeing, "abnormal": 9 - agreeing}.get(verdict, 0)
    abnormal = 9 - normal if verdict in ("normal", "abnormal") else 0
    uncertainty = Uncertainty(9, 9, agreeing, normal, abnormal, spread, criteria)
    one = AnalysedSperm(
        SpermInstance(1, (0, 0, 1, 1), {}), Morphometry(1, {}), VERDICTS[verdict], uncertainty
    )
    return one, um_per_px


def test_uncertain_verdicts_are_counted_by_verdict():
    found = [
        *(sperm(), sperm(agreeing=8), sperm(agreeing=6)),
        *(sperm("abnormal"), sperm("cut", 5), sperm("headless", 1)),
    ]
    result = summarise_uncertainty(found, [])
    assert (result.uncertain.count, result.uncertain.total) == (2, 5)
    assert (result.both_ways.count, result.both_ways.total) == (2, 5)
    shares = {name: (one.count, one.total) for name, one in result.by_verdict.items()}
    assert shares == {"normal": (1, 3), "abnormal": (0, 1), "not assessable": (1, 1)}


def test_criteria_are_named_the_commonest_first():
    found = [
        sperm(criteria=("head_width",)),
        sperm(criteria=("head_length", "head_width")),
        sperm("headless", criteria=("tail_length",)),
    ]
    assert list(summarise_uncertainty(found, []).criteria.items()) == [
        ("head_width", 2),
        ("head_length", 1),
    ]


def test_pictures_are_added_up_view_by_view():
    pictures = [
        [ViewCounts("as it is", 10, 8, 4), ViewCounts("mirrored", 9, 8, 2)],
        [ViewCounts("as it is", 3, 2, 1), ViewCounts("mirrored", 3, 2, 0)],
        [ViewCounts("as it is", 0, 0, 0), ViewCounts("mirrored", 0, 0, 0)],
    ]
    result = summarise_uncertainty([], pictures)
    assert result.views == (ViewCounts("as it is", 13, 10, 5), ViewCounts("mirrored", 12, 10, 2))
    assert result.normal_percent == (20.0, 50.0)


def test_spread_is_in_micrometres_where_any_pixel_size_is_known():
    found = [sperm(head_length=value, acrosome_fraction=0.02) for value in (1.0, 2.0, 3.0)]
    spread = summarise_uncertainty(found, []).spread
    assert set(spread) == {"head_length_px", "acrosome_fraction"}
    assert spread["head_length_px"].median == 2.0
    # Between the second and the third of three: 2 + 0.8.
    assert spread["head_length_px"].ninth_decile == pytest.approx(2.8)
    known = [*found, sperm(um_per_px=0.5, head_length=1.0, acrosome_fraction=math.nan)]
    spread = summarise_uncertainty(known, []).spread
    assert (spread["head_length_um"].n, spread["head_length_um"].median) == (1, 0.5)
    assert spread["acrosome_fraction"].n == 3


def test_an_empty_sample_is_valid():
    result = json.loads(json.dumps(summarise_uncertainty([], []).to_dict(), allow_nan=False))
    assert result["views"] == []
    assert result["uncertain"]["percent"] is None
    assert result["normal_percent_lowest"] is result["normal_percent_highest"] is None
