"""Conclusions on made-up results whose verdict is plain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spermseg.experiments.catalog import EXPERIMENTS, load_experiment
from spermseg.experiments.conclusions import (
    check_conclusions,
    compare_networks,
    judge_defects,
)
from spermseg.experiments.measured import MEAN, Measured, difference

PARTS = ("background", "head", "midpiece", "tail")


def confusion(head, midpiece, tail):
    """One picture of 100 true pixels a part, of which these many are found and none invented."""
    matrix = np.diag([10_000, head, midpiece, tail])
    matrix[1:, 0] = [100 - head, 100 - midpiece, 100 - tail]
    return matrix


def measured(name, *pictures, seconds=10.0):
    config = load_experiment(name).config
    return Measured(
        load_experiment(name),
        "done",
        started_from=config.model.pretrained,
        config=config.to_dict(),
        log=[{"kind": "epoch", "seconds": seconds}] * config.training.epochs,
        evaluation={
            "schema": {"parts": PARTS},
            "pictures": [{"confusion": confusion(*picture).tolist()} for picture in pictures],
        },
    )


def results(**changes):
    """Four pictures an experiment, all alike, but for those in `changes`."""
    plain = {name: [(80, 60, 50)] * 4 for name in EXPERIMENTS}
    plain |= {name.replace("_", "-"): pictures for name, pictures in changes.items()}
    return {name: measured(name, *pictures) for name, pictures in plain.items()}


def verdicts(found):
    return [conclusion.verdict for conclusion in check_conclusions(found)]


def test_iou_is_pooled_over_pictures():
    one = measured("experiment-1", (100, 50, 0), (50, 50, 0))
    assert one.iou("head") == pytest.approx(0.75)
    assert one.iou("tail") == 0
    assert one.iou(MEAN) == pytest.approx((0.75 + 0.5 + 0) / 3)


def test_difference_draws_the_same_pictures_for_both():
    one = measured("experiment-1", (90, 50, 50), (30, 50, 50))
    other = measured("experiment-2", (80, 50, 50), (20, 50, 50))
    gain = difference(one, other, "head")
    assert gain.value == pytest.approx(0.1)
    assert (gain.low, gain.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert gain.sign == 1
    assert difference(other, one, "head").sign == -1


def test_pretraining_holds_only_when_both_pairs_rise():
    weak = [(10, 5, 0)] * 4
    assert verdicts(results(experiment_2=weak, experiment_4=weak))[0] == "holds"
    assert verdicts(results(experiment_2=weak))[0] == "not told apart"
    assert verdicts(results(experiment_1=weak))[0] == "does not hold"
    half = results(experiment_2=weak)
    del half["experiment-4"]
    assert verdicts(half)[0] == "not tested"


def test_pictures_that_disagree_are_not_told_apart():
    mixed = [(90, 60, 50), (70, 60, 50), (90, 60, 50), (70, 60, 50)]
    assert verdicts(results(experiment_2=mixed, experiment_4=mixed))[0] == "not told apart"


def test_longer_training_needs_a_part_that_is_found():
    nothing, traces = [(0, 0, 0)] * 4, [(2, 1, 1)] * 4
    some = [(30, 0, 0)] * 4
    assert verdicts(results(experiment_4=nothing, experiment_2=some))[1] == "holds"
    assert verdicts(results(experiment_4=nothing, experiment_2=traces))[1] == "does not hold"
    assert verdicts(results())[1] == "not told apart"


def test_compound_loss_is_judged_by_the_tail_alone():
    better_tail = [(10, 10, 70)] * 4
    assert verdicts(results(cross_entropy_plus_dice=better_tail))[2] == "holds"
    worse_tail = [(95, 95, 40)] * 4
    assert verdicts(results(cross_entropy_plus_dice=worse_tail))[2] == "does not hold"


def test_small_batches_need_both_quality_and_time():
    # Equal seconds an epoch: 10 epochs take 40 % of the time of 25.
    assert verdicts(results())[3] == "holds"
    assert verdicts(results(experiment_3=[(60, 40, 30)] * 4))[3] == "does not hold"
    slow = results()
    slow["experiment-3"] = measured("experiment-3", *[(80, 60, 50)] * 4, seconds=20.0)
    assert verdicts(slow)[3] == "does not hold"


def test_variations_are_refuted_by_one_that_is_better():
    assert verdicts(results())[4] == "holds"
    assert verdicts(results(adadelta=[(90, 70, 60)] * 4))[4] == "does not hold"


def test_what_is_missing_is_named():
    found = results()
    del found["experiment-2"], found["experiment-4"]
    conclusions = check_conclusions(found)
    assert [c.verdict for c in conclusions[:2]] == ["not tested", "not tested"]
    assert "experiment-2, experiment-4" in conclusions[0].figures[0]
    assert {c.verdict for c in check_conclusions({})} == {"not tested"}


def test_figures_are_quoted():
    text = check_conclusions(results(experiment_2=[(10, 5, 0)] * 4))[0].figures[0]
    assert "0.633 (experiment-1) against 0.050 (experiment-2)" in text
    assert "+0.583 [+0.583, +0.583]" in text


def test_networks_are_compared_with_deeplab():
    lines = compare_networks(results(lraspp=[(70, 50, 40)] * 4))
    assert lines[0].startswith("fcn-resnet50 (fcn_resnet50): not told apart from DeepLabV3")
    assert lines[1].startswith("lraspp (lraspp_mobilenet_v3_large): worse than DeepLabV3")
    assert compare_networks({})[0].startswith("fcn-resnet50: not tested")


def test_defects_are_judged_in_truth_and_by_the_reports_own_figure():
    found = results(both_as_published=[(70, 50, 40)] * 4)
    for name, own in (("experiment-3", 0.30), ("both-as-published", 0.35)):
        variants = {"as-published": {"report_2021": {"iou": own}}}
        found[name] = replace(found[name], variants=variants)
    del found["labels-as-published"], found["corners-as-published"]
    lines = judge_defects(found)
    assert lines[0] == "labels-as-published: not tested (labels-as-published missing)"
    assert "the network is worse" in lines[2]
    assert "on its own labels it looks better (0.350 against 0.300)" in lines[2]


def test_two_that_miss_the_tail_are_said_to():
    blind = [(80, 60, 0)] * 4
    found = results(experiment_3=blind, cross_entropy_plus_dice=blind)
    assert "neither finds the tail (IoU below 0.05)" in check_conclusions(found)[2].figures
