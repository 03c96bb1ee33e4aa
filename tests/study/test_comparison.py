from __future__ import annotations

import numpy as np
import pytest

from spermseg.errors import DataError, UsageError
from spermseg.experiments.measured import Interval
from spermseg.files import write_json
from spermseg.metrics.parsing import ParsingScore
from spermseg.study.book import failure_file
from spermseg.study.comparison import HELPS, HURTS, ONE_SEED, SAME, Difference, compare_study
from spermseg.study.plan import run_folder
from spermseg.study.results import FIGURES, PAINTED, RAW, read_result

AGAINST_BASE = {"base": "base"}
FIVE, EIGHT = [5] * 6, [8] * 6


def mean_iou(hits, pictures=6):
    """Mean IoU of background and tail, where `hits` of 10 tail pixels a picture are seen."""
    return (90 * pictures / (100 * pictures - hits) + hits / (10 * pictures)) / 2


def test_differences_are_those_worked_out_by_hand(make_study):
    hits = {(name, seed): FIVE for name in ("base",) for seed in (0, 1)}
    hits |= {("better", 0): EIGHT, ("better", 1): [6] * 6}
    comparison = compare_study(make_study({"base": {}, "better": AGAINST_BASE}, hits))
    better = comparison.row("better")
    for figure in (PAINTED, RAW):
        gains = mean_iou(48) - mean_iou(30), mean_iou(36) - mean_iou(30)
        difference = better.differences[figure]
        assert list(difference.by_seed.values()) == pytest.approx(gains)
        # Every picture is like the others, so that it does not matter which are drawn.
        limits = difference.mean.low, difference.mean.value, difference.mean.high
        assert limits == pytest.approx([np.mean(gains)] * 3)
    assert better.differences["tail"].mean.value == pytest.approx(0.2)
    assert better.differences["tail_recall"].by_seed == pytest.approx({0: 0.3, 1: 0.1})
    assert np.isnan(better.differences["vacuole"].mean.value)
    assert better.figure("pcp50") == {0: 0.5, 1: 0.5}


@pytest.mark.parametrize(
    ("seeds", "verdict"),
    [
        ({0: EIGHT, 1: [6] * 6}, HELPS),
        ({0: [2] * 6, 1: [4] * 6}, HURTS),
        # Far above in the mean, but not with both seeds.
        ({0: [10] * 6, 1: [4] * 6}, SAME),
        # Above with both seeds, but by two pictures of six.
        ({0: [9, 9, 4, 4, 4, 4], 1: [9, 9, 4, 4, 4, 4]}, SAME),
        ({0: FIVE, 1: FIVE}, SAME),
        ({0: EIGHT}, ONE_SEED),
        ({}, "not run"),
    ],
)
def test_verdicts_follow_the_rule(seeds, verdict, make_study):
    hits = {("base", 0): FIVE, ("base", 1): FIVE}
    hits |= {("other", seed): values for seed, values in seeds.items()}
    comparison = compare_study(make_study({"base": {}, "other": AGAINST_BASE}, hits))
    assert comparison.row("other").verdict == verdict
    assert comparison.row("base").verdict == ""


def test_a_difference_on_the_edge_is_not_told_apart():
    assert Difference(Interval(0.1, 0.0, 0.2), {0: 0.1, 1: 0.1}).verdict == SAME
    assert Difference(Interval(0.1, 0.001, 0.2), {0: 0.2, 1: 0.0}).verdict == SAME
    assert Difference(Interval(-0.1, -0.2, -0.001), {0: -0.1, 1: -0.1}).verdict == HURTS


def test_pictures_are_drawn_together(make_study):
    """Hard pictures are hard for both: the difference is sure although the figures are not."""
    easy_and_hard = [1, 9, 1, 9, 1, 9]
    hits = {(name, seed): easy_and_hard for name in ("base",) for seed in (0, 1)}
    hits |= {("other", seed): [n + 1 for n in easy_and_hard] for seed in (0, 1)}
    comparison = compare_study(make_study({"base": {}, "other": AGAINST_BASE}, hits))
    tail = comparison.row("other").differences["tail"].mean
    assert (tail.low, tail.high) == pytest.approx((0.1, 0.1))


def test_with_one_seed_intervals_are_those_of_the_metric(make_study, make_result):
    """Oracle: the interval of the difference that two `ParsingScore`s give."""
    base, other = ([5, 3, 7, 2, 9, 6], [1, 0, 1, 1, 0, 1]), ([6, 3, 9, 1, 9, 8], [1, 1, 1, 0, 1, 1])
    options = {"base": {"found": base[1]}, "other": {"found": other[1]}}
    hits = {("base", 0): base[0], ("other", 0): other[0]}
    experiments = {"base": {}, "other": AGAINST_BASE}
    found = compare_study(make_study(experiments, hits, seeds=(0,), **options)).row("other")
    scores = []
    for values, sperm in (base, other):
        scores.append(ParsingScore())
        result = make_result("x", 0, values, found=sperm)
        scores[-1].pictures.extend(picture.parsing for picture in result.pictures)
    expected = scores[1].intervals(minus=scores[0])
    for name, figure in ((PAINTED, "miou"), ("ap50", "ap50"), ("pcp50", "pcp50")):
        interval = found.differences[name].mean
        assert (interval.low, interval.high) == pytest.approx(expected[figure])
        gain = getattr(scores[1].result(), figure) - getattr(scores[0].result(), figure)
        assert interval.value == pytest.approx(gain)


def test_only_common_seeds_are_compared_and_variants_with_their_own_weights(make_study):
    variant = {"name": "views-8", "title": "8 views", "question": "Views?", "views": 8}
    experiments = {"base": {"evaluate": [variant]}, "other": AGAINST_BASE}
    hits = {("base", 0): FIVE, ("base", 1): [1] * 6, ("other", 1): EIGHT, ("other", 2): FIVE}
    hits |= {("base+views-8", 0): EIGHT}
    comparison = compare_study(make_study(experiments, hits, seeds=(0, 1, 2)))
    assert list(comparison.row("other").differences[RAW].by_seed) == [1]
    views = comparison.row("base+views-8")
    assert (views.base, views.question) == ("base", "Views?")
    assert views.differences["tail_recall"].by_seed == pytest.approx({0: 0.3})
    assert comparison.cost(views, "training") is None


def test_what_is_compared_with_comes_first_and_questions_stay_together(make_study):
    experiments = {
        "a": AGAINST_BASE | {"question": "A?"},
        "b": AGAINST_BASE,
        "c": AGAINST_BASE | {"question": "A?"},
        "base": {},
    }
    comparison = compare_study(make_study(experiments, {}))
    assert [row.name for row in comparison.rows] == ["base", "a", "b", "c"]
    by_question = {q: [row.name for row in rows] for q, rows in comparison.questions.items()}
    assert by_question == {"What is compared?": ["base", "b"], "A?": ["a", "c"]}


def test_cost_is_in_times_of_the_base_on_the_same_machine(make_study):
    hits = {(name, 0): FIVE for name in ("base", "slow", "elsewhere")}
    gpu = {"cpu": "x", "cores": 1, "threads": 1, "accelerator": "1 x GPU", "system": "x"}
    comparison = compare_study(
        make_study(
            {"base": {}, "slow": AGAINST_BASE, "elsewhere": AGAINST_BASE},
            hits,
            slow={"cpu_seconds": 250.0},
            elsewhere={"machine": gpu},
        )
    )
    costs = [comparison.cost(comparison.row(name), "training") for name in ("slow", "elsewhere")]
    assert costs == [
        {"seconds": 250.0, "unit": "CPU s", "times_base": 2.5},
        {"seconds": 60.0, "unit": "s", "times_base": None},
    ]


def test_why_something_was_not_run_is_told(make_study):
    out = make_study({"base": {}, "other": AGAINST_BASE}, {})
    failure = {"status": "failed", "reason": "out of memory"}
    write_json(failure_file(run_folder(out, "other", 1)), failure)
    assert compare_study(out).row("other").reason == "failed: out of memory"


def test_results_of_other_pictures_are_refused(make_study):
    out = make_study(
        {"base": {}, "other": AGAINST_BASE}, {("base", 0): FIVE, ("other", 0): [5] * 5}
    )
    with pytest.raises(DataError, match="other of seed 0 was evaluated on other pictures"):
        compare_study(out)


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no study was run here"):
        compare_study(tmp_path)


def test_results_are_read_as_they_were_written(make_result, tmp_path):
    result = make_result("base", 0, [5, 0, 3], found=[1, 0, 1])
    result.write(tmp_path / "result.json")
    again = read_result(tmp_path / "result.json")
    np.testing.assert_array_equal(again.values, result.values)
    draws = np.random.default_rng(0).integers(0, 3, (4, 3)).astype(float)
    np.testing.assert_array_equal(again.figures(draws), result.figures(draws))
    assert len(again.values) == len(FIGURES)
    write_json(tmp_path / "other.json", {"format": "something"})
    with pytest.raises(DataError, match="expected spermseg study result"):
        read_result(tmp_path / "other.json")
