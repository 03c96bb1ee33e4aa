from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from spermseg.errors import DataError
from spermseg.evaluation.comparison import (
    BETTER,
    FEW,
    SAME,
    WORSE,
    ModelComparison,
    compare_models,
    quote_comparison,
)
from spermseg.inference.card import read_card, write_card
from spermseg.inference.predictor import Predictor
from spermseg.metrics.parsing import FIGURES, ParsingScore, compare_sperm
from spermseg.structures import Part, SpermInstance


@pytest.fixture
def dataset(memory_dataset, drawn_sperm):
    """Six pictures; a network that reads colours has half the tail's pixels in all of them."""
    return memory_dataset({f"p{i}": drawn_sperm for i in range(6)})


@pytest.fixture
def blind(colour_predictor):
    """Sees background only."""
    seeing = colour_predictor()

    def backend(batch):
        scores = seeing.backend(batch)
        return np.where(np.arange(4).reshape(1, 4, 1, 1) == 0, 12, 0 * scores)

    return Predictor(backend, replace(seeing.card, id="blind"))


def test_every_part_before_and_after(dataset, blind, colour_predictor):
    calls = []
    comparison = compare_models(
        blind,
        colour_predictor(),
        dataset,
        dataset.ids,
        on_progress=lambda *call: calls.append(call),
    )
    found = {one.name: one for one in comparison.iou}
    assert list(found) == ["background", "head", "midpiece", "tail", "mean"]
    # Two of the tail's four rows are where they should be: 2 / 6.
    tail = found["tail"]
    assert (tail.before, tail.after) == (0, pytest.approx(1 / 3))
    # All pictures are alike: however they are drawn, the difference is the same.
    assert tail.low == tail.high == pytest.approx(1 / 3)
    assert found["head"].after == 1
    assert {one.name: one.after for one in comparison.recall}["tail"] == pytest.approx(1 / 2)
    assert comparison.verdict == BETTER
    assert calls == [(done, 12) for done in range(1, 13)]
    assert comparison.sperm == ()


def test_worse_the_same_and_too_few(dataset, blind, colour_predictor):
    seeing = colour_predictor()
    assert compare_models(seeing, blind, dataset, dataset.ids).verdict == WORSE
    assert compare_models(seeing, seeing, dataset, dataset.ids).verdict == SAME
    assert compare_models(blind, seeing, dataset, dataset.ids[:4]).verdict == FEW


def test_an_interval_pairs_the_pictures(memory_dataset, drawn_sperm, blind, colour_predictor):
    truth, seen = drawn_sperm
    empty = np.zeros_like(truth)
    # What is won in one picture is lost in no other: the draws differ only in how often it is in.
    dataset = memory_dataset({f"p{i}": (truth, seen if i else empty) for i in range(6)})
    tail = compare_models(blind, colour_predictor(), dataset, dataset.ids).iou[3]
    assert 0 < tail.low < tail.after < tail.high == pytest.approx(1 / 3)


def test_other_pictures_cannot_be_compared(dataset, blind, colour_predictor):
    comparison = compare_models(blind, colour_predictor(), dataset, dataset.ids[:2])
    other = replace(comparison.after, pictures=comparison.after.pictures[:1])
    with pytest.raises(DataError, match="same pictures"):
        ModelComparison(comparison.before, other)


def square(top: int) -> SpermInstance:
    return SpermInstance(1, (top, 2, top + 8, 10), {Part.NUCLEUS: np.ones((8, 8), bool)})


def test_sperm_one_by_one(dataset, blind, colour_predictor):
    comparison = compare_models(blind, colour_predictor(), dataset, dataset.ids[:2])
    truth, size = [square(4)], (20, 20)
    with_sperm = [
        replace(
            result,
            pictures=tuple(
                replace(picture, parsing=compare_sperm(sperm, truth, size))
                for picture in result.pictures
            ),
        )
        for result, sperm in ((comparison.before, []), (comparison.after, truth))
    ]
    found = {one.name: one for one in ModelComparison(*with_sperm).sperm}
    assert tuple(found) == FIGURES
    assert (found["ap50"].before, found["ap50"].after) == (0, 1)
    assert (found["ap50"].low, found["ap50"].high) == (1, 1)


def test_paired_intervals_of_sperm_like_drawing_pictures_one_by_one():
    truth, size = [square(4)], (20, 20)
    before, after = ParsingScore(), ParsingScore()
    for old, new in ((4, 4), (11, 5), (5, 4), (12, 12)):
        before.add([square(old)], truth, size)
        after.add([square(new)], truth, size)
    limits = after.intervals(minus=before, resamples=200)
    draws = np.random.default_rng(0).multinomial(4, np.full(4, 1 / 4), size=200)
    slow = []
    for times in draws:
        scores = []
        for score in (before, after):
            drawn = ParsingScore()
            drawn.pictures.extend(
                picture for picture, n in zip(score.pictures, times, strict=True) for _ in range(n)
            )
            scores.append(drawn.result().miou)
        slow.append(scores[1] - scores[0])
    assert limits["miou"] == pytest.approx(np.percentile(slow, (2.5, 97.5)))
    with pytest.raises(DataError, match="4 pictures against 0"):
        after.intervals(minus=ParsingScore())


def test_the_card_of_the_new_model_says_what_became_better(
    tmp_path, dataset, blind, colour_predictor
):
    comparison = compare_models(blind, colour_predictor(), dataset, dataset.ids)
    write_card(tmp_path / "card.json", replace(comparison.after.card, metrics={"other": 1}))
    quote_comparison(tmp_path, comparison)
    metrics = read_card(tmp_path / "card.json").metrics
    assert set(metrics) == {"other", "compared_with_parent"}
    quoted = metrics["compared_with_parent"]
    assert (quoted["verdict"], quoted["pictures"]) == (BETTER, 6)
    assert quoted["iou"]["head"] == {
        "before": 0.0,
        "after": 1.0,
        "interval_of_difference": [1.0, 1.0],
    }
    assert BETTER in (tmp_path / "README.md").read_text()
    json.dumps(comparison.to_dict(), allow_nan=False)
