"""Samples summed up, with counts worked out by hand."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.objects import Found
from spermseg.analysis.sample_statistics import Distribution, JudgedSperm, summarise
from spermseg.analysis.verdicts import judge
from spermseg.structures import Morphometry

WHO = load_criteria()
UM = 0.05

HEAD = {"head_length": 5.6}
HEAD_TWICE = {"head_length": 5.6, "acrosome_fraction": 0.3}
MIDPIECE = {"midpiece_insertion_angle": 60.0}
TAIL = {"tail_largest_bend": 120.0}
CYTOPLASM = {"droplet_fraction": 0.5}


@pytest.fixture
def judged(sperm):
    def make(*flags: str, um_per_px: float | None = UM, slide: str = "", **changes: float):
        one = sperm(*flags, **changes)
        return JudgedSperm(one, judge(one, WHO, um_per_px), um_per_px, slide)

    return make


@pytest.fixture
def apart(sperm):
    def make(what: str, reason: str):
        one = sperm("no_midpiece", "no_tail")
        return JudgedSperm(one, judge(one, WHO, UM, Found(what, reason)), UM)

    return make


@pytest.fixture
def sample(judged, apart):
    """Ten assessable sperm, three that are not, two headless tails, a loose head, debris."""
    return [
        *[judged() for _ in range(4)],
        judged(**HEAD),
        judged(**HEAD_TWICE),
        judged(**HEAD, **MIDPIECE, **TAIL),
        judged(**TAIL),
        judged(**HEAD_TWICE, **MIDPIECE, **TAIL, **CYTOPLASM),
        judged(tail_length=20.0),
        *[judged("cut", **HEAD, tail_view=3.0) for _ in range(2)],
        judged("uncertain"),
        *[judged("no_head") for _ in range(2)],
        apart("loose head", "neither midpiece nor tail"),
        *[apart("not a sperm", "too small for a head") for _ in range(2)],
        apart("not a sperm", "round, without midpiece and tail"),
    ]


def test_counts(sample):
    summary = summarise("A", sample, WHO)
    assert summary.headless_tails == 2
    assert summary.loose_heads == 1
    assert summary.not_sperm == {
        "too small for a head": 2,
        "round, without midpiece and tail": 1,
    }
    assert summary.counted == 13
    assert summary.assessable == 10
    assert summary.not_assessable == {
        "less than 5.2 head lengths of tail in view": 2,
        "parts uncertain, for example overlapped": 1,
    }
    assert (summary.normal.count, summary.normal.total) == (4, 10)
    assert summary.normal.percent == pytest.approx(40)
    # Wilson for 4 of 10 by hand: (0.4 + 0.19207 -+ 1.95996 sqrt(0.024 + 0.009604)) / 1.38415
    assert summary.normal.interval == pytest.approx((16.82, 68.73), abs=0.01)


def test_a_sperm_counts_once_a_region(sample):
    defects = summarise("A", sample, WHO).defects
    assert {region: (one.count, one.total) for region, one in defects.items()} == {
        "head": (4, 10),
        "midpiece": (2, 10),
        "tail": (4, 10),
        "cytoplasm": (1, 10),
    }


def test_indices_by_hand(sample):
    summary = summarise("A", sample, WHO)
    # Six abnormal sperm with 1, 1, 3, 1, 4 and 1 defective regions, and 1, 2, 3, 1, 5, 1 anomalies.
    assert summary.tzi == pytest.approx(11 / 6)
    assert summary.sdi == pytest.approx(11 / 10)
    assert summary.mai == pytest.approx(13 / 6)


def test_criteria_failed(sample):
    failed = summarise("A", sample, WHO).failed
    assert (failed["head_length"].count, failed["head_length"].total) == (4, 10)
    assert failed["acrosome_fraction"].count == 2
    assert failed["tail_length"].count == 1
    assert (failed["tail_bend"].count, failed["tail_bend"].total) == (3, 10)
    assert failed["vacuole_count"].count == 0
    assert "tail_length_by_head" not in failed


def test_what_rests_on_one_criterion_alone(sample):
    # Two are too long only, or bent only, or short only; the rest fails twice or more.
    without = summarise("A", sample, WHO).normal_without
    assert {name: (one.count, one.total) for name, one in without.items()} == {
        "head_length": (5, 10),
        "tail_bend": (5, 10),
        "tail_length": (5, 10),
    }


def test_a_region_that_was_never_judged_has_no_share_of_defects(judged):
    summary = summarise("A", [judged(droplet_fraction=math.nan) for _ in range(3)], WHO)
    assert summary.defects["cytoplasm"].percent is None
    assert summary.defects["head"].percent == 0
    assert summary.skipped == {"residual_cytoplasm": {"droplet fraction not measured": 3}}


def test_a_normal_sample_has_no_indices_of_its_abnormal_sperm(judged):
    summary = summarise("A", [judged()], WHO)
    assert summary.tzi is None
    assert summary.mai is None
    assert summary.sdi == 0


@pytest.mark.parametrize("flags", [None, ("uncertain",), ("no_tail",), ("no_head",)])
def test_a_sample_without_anything_to_judge_is_valid(judged, flags):
    sperm = [] if flags is None else [judged(*flags) for _ in range(3)]
    summary = summarise("A", sperm, WHO)
    assert summary.assessable == 0
    assert summary.normal.percent is None
    assert summary.tzi is summary.sdi is summary.mai is None
    # Nothing is known: as many as for 50 %, z^2 (0.25 / h^2 - 1) = 2397.1
    assert summary.more_needed == 2398
    json.dumps(summary.to_dict(), allow_nan=False)


def test_morphometry_in_micrometres_beside_the_published(judged):
    lengths = [3.8, 4.0, 4.2, 4.4, 6.0]
    summary = summarise("A", [judged(head_length=length) for length in lengths], WHO)
    length = summary.morphometry["head_length_um"]
    assert length.unit == "um"
    assert length.counted.n == 5
    assert length.counted.median == pytest.approx(4.2)
    assert length.counted.first_quartile == pytest.approx(4.0)
    assert length.counted.third_quartile == pytest.approx(4.4)
    assert length.normal is not None
    assert length.normal.n == 4
    assert [(one.median, one.low, one.high) for one in length.references] == [
        (4.1, 3.7, 4.7),
        (4.4, None, None),
    ]
    assert summary.morphometry["head_area_um2"].references[0].median == 9.8
    assert summary.morphometry["acrosome_fraction"].references[0].median == 0.475


def test_heads_of_cut_sperm_are_measured_all_the_same(judged):
    sperm = [judged(), judged("cut", head_length=4.8, tail_length=math.nan), judged("no_head")]
    morphometry = summarise("A", sperm, WHO).morphometry
    assert morphometry["head_length_um"].counted.n == 2
    assert morphometry["tail_length_um"].counted.n == 1


def test_without_pixel_size_lengths_are_in_pixels_beside_nothing(judged):
    morphometry = summarise("A", [judged(um_per_px=None)], WHO).morphometry
    assert morphometry["head_length_px"].counted.median == pytest.approx(88)
    assert morphometry["head_length_px"].references == ()
    assert morphometry["head_ellipticity"].references
    assert "head_length_um" not in morphometry


def test_how_sperm_happen_to_lie_is_not_summed_up(sperm):
    one = sperm()
    turned = Morphometry(1, {**one.values, "head_orientation": 30.0})
    summary = summarise("A", [JudgedSperm(turned, judge(turned, WHO, UM), UM)], WHO)
    assert "head_orientation_deg" not in summary.morphometry


def test_pixels_and_micrometres_are_never_mixed(judged):
    morphometry = summarise("A", [judged(), judged(um_per_px=None)], WHO).morphometry
    assert morphometry["head_length_um"].counted.n == 1
    assert morphometry["head_ellipticity"].counted.n == 2
    assert "head_length_px" not in morphometry


def test_pictures_of_two_magnifications(sperm):
    one = sperm()
    half = JudgedSperm(one, judge(one, WHO, UM / 2), UM / 2)
    whole = JudgedSperm(one, judge(one, WHO, UM), UM)
    length = summarise("A", [half, whole], WHO).morphometry["head_length_um"]
    assert length.counted.median == pytest.approx((4.4 + 2.2) / 2)


def test_two_slides_are_compared(judged):
    first = [judged(slide="1") for _ in range(9)] + [judged(slide="1", **HEAD)]
    second = [judged(slide="2") for _ in range(1)] + [judged(slide="2", **HEAD) for _ in range(9)]
    (comparison,) = summarise("A", [*first, *second], WHO).replicates
    assert comparison.names == ("1", "2")
    assert comparison.difference == pytest.approx(80)
    # 1.96 sqrt(2 x 50 x 50 / 10)
    assert comparison.acceptable == pytest.approx(43.83, abs=0.01)
    assert not comparison.agree
    assert summarise("A", first, WHO).replicates == ()
    three = summarise("A", [*first, *second, judged(slide="3")], WHO)
    assert [one.names for one in three.replicates] == [("1", "2"), ("1", "3"), ("2", "3")]


def test_how_many_more_for_a_wanted_precision(sample):
    summary = summarise("A", sample, WHO, wanted_half_width=20)
    # 40 %, 20 points: (3.8415 (0.24 - 0.08) + sqrt(0.61464^2 + 0.84 x 0.04 x 3.8415^2)) / 0.08
    assert summary.more_needed == math.ceil(19.369) - 10


def test_the_summary_as_json(sample):
    value = json.loads(json.dumps(summarise("A", sample, WHO).to_dict(), allow_nan=False))
    assert value["format_version"] == 1
    assert value["disclaimer"] == "For research use, not for clinical diagnosis."
    assert value["sample"] == "A"
    assert value["criteria"]["name"] == "who-2021"
    assert value["normal"]["percent"] == pytest.approx(40)
    assert value["morphometry"]["head_length_um"]["references"][0]["median"] == 4.1
    assert value["more_needed"] > 0


def test_a_distribution_leaves_out_what_is_not_known():
    assert Distribution.of([math.nan]) is None
    assert Distribution.of([1, math.nan, 3]) == Distribution(2, 2.0, 1.5, 2.5)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([(), (), ("uncertain",), ("no_tail",), ("no_head",)]),
            st.sampled_from([{}, HEAD, HEAD_TWICE, MIDPIECE, TAIL, CYTOPLASM, HEAD | TAIL]),
        ),
        max_size=25,
    )
)
def test_all_sperm_are_accounted_for(sperm, entries):
    judged = []
    for flags, changes in entries:
        one = sperm(*flags, **changes)
        judged.append(JudgedSperm(one, judge(one, WHO, UM), UM))
    summary = summarise("A", judged, WHO)
    assert summary.headless_tails + summary.counted == len(entries)
    assert summary.assessable + sum(summary.not_assessable.values()) == summary.counted
    if summary.tzi is not None:
        assert 1 <= summary.tzi <= 4
        assert summary.tzi <= summary.mai
        abnormal = summary.normal.total - summary.normal.count
        assert summary.sdi == pytest.approx(summary.tzi * abnormal / summary.assessable)
