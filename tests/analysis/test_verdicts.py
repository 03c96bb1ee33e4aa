"""One sperm judged, by hand-made measurements."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spermseg.analysis.criteria import criteria_from, load_criteria
from spermseg.analysis.objects import Found
from spermseg.analysis.quantities import QUANTITIES
from spermseg.analysis.verdicts import NO_SCALE, check_scale, judge
from spermseg.errors import DataError, UsageError
from spermseg.structures import MORPHOMETRY_FLAGS, Morphometry

WHO = load_criteria()
UM = 0.05
LENGTHS = {"head_length", "head_width", "midpiece_width", "tail_length"}
STAND_INS = {"midpiece_width_by_head", "tail_length_by_head"}


def head_only(*not_assessable: str):
    return criteria_from(
        {
            "format_version": 1,
            "name": "head",
            "title": "The head alone",
            "not_assessable": list(not_assessable),
            "criteria": [one for one in WHO.to_dict()["criteria"] if one["region"] == "head"],
        }
    )


def test_a_sperm_within_all_limits_is_normal(sperm):
    verdict = judge(sperm(), WHO, UM)
    assert verdict.normal is True
    assert verdict.failed == verdict.skipped == ()
    assert set(verdict.applied) == set(WHO.by_name) - STAND_INS


@pytest.mark.parametrize(
    ("changes", "criterion", "region", "value", "limit", "text"),
    [
        ({"head_length": 5.6}, "head_length", "head", 5.6, 5.0, "head too long"),
        ({"head_length": 3.5}, "head_length", "head", 3.5, 3.7, "head too short"),
        ({"head_width": 3.6}, "head_width", "head", 3.6, 3.5, "head too wide"),
        ({"head_ellipticity": 1.3}, "head_ellipticity", "head", 1.3, 1.5, "head too round"),
        ({"head_regularity": 1.15}, "head_regularity", "head", 1.15, 1.1, "not oval"),
        ({"head_symmetry": 0.8}, "head_symmetry", "head", 0.8, 0.84, "asymmetric"),
        ({"head_roughness": 0.7}, "head_roughness", "head", 0.7, 0.77, "not smooth"),
        ({"acrosome_fraction": 0.3}, "acrosome_fraction", "head", 0.3, 0.4, "acrosome too small"),
        ({"vacuole_count": 3}, "vacuole_count", "head", 3, 2, "more than two vacuoles"),
        ({"vacuole_fraction": 0.25}, "vacuole_fraction", "head", 0.25, 0.2, "a fifth"),
        ({"vacuole_behind_acrosome": 1}, "vacuole_place", "head", 1, 0, "behind the acrosome"),
        ({"midpiece_length": 8.8}, "midpiece_length", "midpiece", 2.0, 1.4, "midpiece too long"),
        ({"midpiece_width": 1.1}, "midpiece_width", "midpiece", 1.1, 1.0, "midpiece too thick"),
        ({"midpiece_insertion_angle": 45}, "midpiece_angle", "midpiece", 45, 20, "bent"),
        ({"midpiece_insertion_offset": 1.1}, "midpiece_offset", "midpiece", 0.4, 0.25, "axis"),
        ({"tail_length": 20}, "tail_length", "tail", 20, 22.5, "tail too short"),
        ({"tail_largest_bend": 120}, "tail_bend", "tail", 120, 90, "sharply bent"),
        ({"tail_coiling": 2.5}, "tail_coiling", "tail", 2.5, 1.5, "coiled"),
        ({"tail_width": 0.9}, "tail_width", "tail", 1.5, 1.45, "thicker than the midpiece"),
        ({"droplet_fraction": 0.4}, "residual_cytoplasm", "cytoplasm", 0.4, 0.333, "cytoplasm"),
    ],
)
def test_the_criterion_failed_is_named_with_value_and_limit(
    sperm, changes, criterion, region, value, limit, text
):
    verdict = judge(sperm(**changes), WHO, UM)
    assert verdict.normal is False
    (failure,) = verdict.failed
    assert (failure.criterion, failure.region) == (criterion, region)
    assert failure.value == pytest.approx(value)
    assert failure.limit == limit
    assert text in failure.text


def test_a_value_on_the_limit_passes():
    values = {"acrosome_fraction": 0.4}
    criteria = head_only()
    one = criteria.model_copy(update={"criteria": (criteria.by_name["acrosome_fraction"],)})
    assert judge(Morphometry(1, values), one).normal is True
    assert judge(Morphometry(1, {"acrosome_fraction": 0.7}), one).normal is True
    assert judge(Morphometry(1, {"acrosome_fraction": 0.7001}), one).normal is False


def test_failures_read_like_sentences(sperm):
    changes = {"head_length": 5.6, "acrosome_fraction": 0.3}
    verdict = judge(sperm("no_midpiece", "no_tail", **changes), WHO, UM)
    assert [str(failure) for failure in verdict.failed] == [
        "head too long (5.6 > 5 um)",
        "acrosome too small (0.3 < 0.4)",
        "no midpiece",
        "no tail",
    ]


def test_a_loose_head_that_is_judged_is_abnormal_and_its_tail_not_judged_further(sperm):
    verdict = judge(sperm("no_tail", "no_midpiece"), WHO, UM)
    assert [failure.criterion for failure in verdict.failed] == ["midpiece_present", "tail_present"]
    assert verdict.failed[0].value is None
    assert {one.criterion for one in verdict.skipped} == {
        "midpiece_length",
        "midpiece_width",
        "midpiece_angle",
        "midpiece_offset",
        "tail_length",
        "tail_bend",
        "tail_coiling",
        "tail_width",
    }


def test_a_tail_without_a_head_is_no_sperm(sperm):
    verdict = judge(sperm("no_head", "cut"), WHO, UM)
    assert verdict.not_assessable_reason == "no head"
    assert not verdict.is_sperm
    assert judge(sperm("no_head"), head_only(), UM).normal is None


@pytest.mark.parametrize(
    ("flags", "changes", "reason"),
    [
        (("uncertain", "tail_incomplete"), {}, "parts uncertain, for example overlapped"),
        (("no_tail",), {}, "no tail found"),
        (("cut", "no_midpiece", "no_tail"), {}, "no tail found"),
        (("cut",), {"head_width": math.nan}, "head cut by the border of the picture"),
        (("cut",), {"midpiece_length": math.nan}, "midpiece cut by the border of the picture"),
        (("cut",), {"tail_view": 5.1}, "less than 5.2 head lengths of tail in view"),
        ((), {"tail_view": 3.0, "tail_length": 10.0}, "less than 5.2 head lengths of tail in view"),
        (("tail_incomplete",), {"tail_view": math.nan}, "tail could not be followed"),
    ],
)
def test_what_is_not_seen_is_not_assessable_whatever_is_wrong_with_the_rest(
    sperm, flags, changes, reason
):
    verdict = judge(sperm(*flags, head_length=9, **changes), WHO, UM)
    assert verdict.normal is None
    assert verdict.failed == ()
    assert verdict.not_assessable_reason == reason
    assert verdict.is_sperm


UNSEEN = {"tail_length": math.nan, "tail_curvature": math.nan}


@pytest.mark.parametrize("flag", ["cut", "tail_incomplete"])
def test_a_tail_of_which_enough_is_seen_is_judged_though_its_end_is_not(sperm, flag):
    seen = {**UNSEEN, "tail_seen_length": 23.0, "tail_view": 5.3}
    assert judge(sperm(flag, **seen), WHO, UM).normal is True
    assert judge(sperm(flag, **seen), WHO).normal is True
    bent = judge(sperm(flag, **seen, tail_largest_bend=120.0), WHO, UM)
    assert [failure.criterion for failure in bent.failed] == ["tail_bend"]


def test_a_long_head_s_tail_may_be_too_long_to_be_seen_and_its_length_is_left_out(sperm):
    one = sperm("cut", **UNSEEN, head_length=4.9, tail_seen_length=23.0, tail_view=5.3)
    verdict = judge(one, WHO)
    assert verdict.normal is True
    assert [entry.criterion for entry in verdict.skipped if "tail" in entry.criterion] == [
        "tail_length",
        "tail_length_by_head",
    ]


@given(
    st.frozensets(st.sampled_from(["cut", "tail_incomplete", "uncertain", "no_tail"])),
    st.floats(0, 12),
    st.dictionaries(
        st.sampled_from(
            ["head_length", "head_width", "midpiece_length", "tail_length", "tail_largest_bend"]
        ),
        st.floats(0.1, 100),
    ),
)
def test_whether_a_sperm_is_assessed_does_not_depend_on_what_is_wrong_with_it(
    sperm, flags, view, changes
):
    changes = {k: v for k, v in changes.items() if "no_tail" not in flags or "tail" not in k}
    whole = judge(sperm(*flags, tail_view=view), WHO, UM)
    changed = judge(sperm(*flags, tail_view=view, **changes), WHO, UM)
    assert whole.not_assessable_reason == changed.not_assessable_reason


@pytest.mark.parametrize("what", ["loose head", "not a sperm"])
def test_what_is_no_sperm_is_not_judged(sperm, what):
    verdict = judge(sperm(head_length=9), WHO, UM, Found(what, "the reason"))
    assert (verdict.object, verdict.not_assessable_reason) == (what, "the reason")
    assert not verdict.is_sperm
    assert verdict.failed == verdict.applied == ()


def test_criteria_of_the_head_alone_may_judge_a_sperm_whose_tail_is_cut(sperm):
    assert judge(sperm("cut"), head_only(), UM).normal is True
    assert judge(sperm("cut"), head_only("cut"), UM).normal is None


def test_without_pixel_size_only_what_needs_none_is_applied_and_it_says_so(sperm):
    verdict = judge(sperm(head_length=9, head_width=5.6), WHO)
    assert {one.criterion for one in verdict.skipped} == LENGTHS
    assert {one.reason for one in verdict.skipped} == {NO_SCALE}
    assert set(verdict.applied) == set(WHO.by_name) - LENGTHS
    # A large head passes; its midpiece and tail are short by comparison: 4.0 / 9, 45 / 9.
    assert [failure.criterion for failure in verdict.failed] == ["midpiece_length"]


@pytest.mark.parametrize(
    ("changes", "criterion"),
    [
        ({"tail_length": 20.0}, "tail_length_by_head"),
        ({"midpiece_width": 1.1, "tail_width": 1.1}, "midpiece_width_by_head"),
    ],
)
def test_heads_stand_in_for_the_scale(sperm, changes, criterion):
    assert [failure.criterion for failure in judge(sperm(**changes), WHO).failed] == [criterion]


def test_what_must_be_known_and_could_not_be_measured_is_not_assessable(sperm):
    verdict = judge(sperm(midpiece_length=math.nan, head_length=9), WHO, UM)
    assert verdict.not_assessable_reason == "midpiece length / head length not measured"


def test_what_a_model_does_not_know_is_skipped(sperm):
    unknown = {
        name: math.nan
        for name in sperm().values
        if name.startswith(("acrosome", "vacuole", "droplet"))
    }
    verdict = judge(sperm(**unknown), WHO, UM)
    assert verdict.normal is True
    assert len(verdict.skipped) == 6
    assert verdict.skipped[0].reason == "acrosome fraction not measured"


def test_a_quantity_left_out_counts_as_not_measured():
    verdict = judge(Morphometry(1, {"head_length": 80.0}), WHO, UM)
    assert verdict.not_assessable_reason == "head width not measured"


def test_a_ratio_to_nothing_is_not_measured(sperm):
    verdict = judge(sperm(midpiece_width=0.0), WHO)
    assert verdict.skipped[-1].criterion == "tail_width"


def test_a_sperm_to_which_nothing_could_be_applied_is_not_normal(sperm):
    size = [one for one in WHO.to_dict()["criteria"] if one["name"] == "head_length"]
    criteria = criteria_from(head_only().to_dict() | {"criteria": size})
    verdict = judge(sperm(), criteria)
    assert verdict.normal is None
    assert verdict.not_assessable_reason == "no criterion could be applied"
    assert verdict.skipped[0].reason == NO_SCALE


def test_a_misspelt_measurement_is_named():
    with pytest.raises(DataError, match=r"sperm 7: unknown measurement 'head_lenght'.*head_length"):
        judge(Morphometry(7, {"head_lenght": 80.0}), WHO)


@pytest.mark.parametrize("um_per_px", [0, -1, math.nan, math.inf])
def test_a_pixel_size_that_is_none(sperm, um_per_px):
    with pytest.raises(UsageError, match="pixel size must be positive"):
        judge(sperm(), WHO, um_per_px)


def test_an_absurd_scale_is_refused(sperm):
    heads = [sperm(), sperm(head_length=math.nan), sperm(head_length=5)]
    check_scale(heads, UM)
    with pytest.raises(UsageError, match=r"with 4\.25532 um a pixel .* 400 um long.*pixel size"):
        check_scale(heads, 400 / 94)
    with pytest.raises(UsageError, match=r"about 4\.4 um"):
        check_scale(heads, UM / 10)
    check_scale([], 400)


@given(
    st.dictionaries(
        st.sampled_from(sorted(QUANTITIES)), st.floats(0, 1000) | st.just(math.nan), max_size=24
    ),
    st.frozensets(st.sampled_from(sorted(MORPHOMETRY_FLAGS))),
    st.none() | st.floats(0.01, 1),
)
def test_every_criterion_is_accounted_for(values, flags, um_per_px):
    verdict = judge(Morphometry(1, values, flags), WHO, um_per_px)
    assert (verdict.normal is None) == (verdict.not_assessable_reason is not None)
    assert {failure.criterion for failure in verdict.failed} <= set(verdict.applied)
    if verdict.normal is not None:
        skipped = {one.criterion for one in verdict.skipped}
        left_out = set() if um_per_px is None else STAND_INS
        assert skipped | set(verdict.applied) | left_out == set(WHO.by_name)
        assert not skipped & set(verdict.applied)
    json.dumps(verdict.to_dict(), allow_nan=False)


@given(st.floats(0.5, 20), st.floats(0.02, 0.5))
def test_a_verdict_does_not_depend_on_the_magnification(sperm, length_um, um_per_px):
    one = sperm(head_length=length_um)
    finer = Morphometry(
        1,
        {
            name: value * (UM / um_per_px) ** {"length": 1, "area": 2}.get(q.dimension, 0)
            for name, value in one.values.items()
            for q in (QUANTITIES[name],)
        },
    )
    before, after = judge(one, WHO, UM), judge(finer, WHO, um_per_px)
    if all(abs(length_um - limit) > 1e-6 for limit in (3.7, 5.0, 4.0 / 0.7, 4.0 / 1.4)):
        assert [f.criterion for f in before.failed] == [f.criterion for f in after.failed]
