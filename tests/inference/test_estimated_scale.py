"""Scales estimated from drawn heads whose length is known."""

from __future__ import annotations

import re

import numpy as np
import pytest

from spermseg.data.field_of_view import without_surround
from spermseg.errors import DataError
from spermseg.inference import scale
from spermseg.inference.predictor import given_scale
from spermseg.structures import SCHEMAS, Sample, Scale

SCHEMA = SCHEMAS["report-2021"]
WORKING = 45.0


@pytest.fixture
def network(network):
    """Let a midpiece begin at the left of every head."""

    class WithMidpieces:
        sizes = network.sizes

        def __call__(self, batch):
            logits = network(batch)
            head = logits[0, 1] > 0
            beside = np.logical_or.reduce([np.roll(head, -step, axis=1) for step in range(1, 9)])
            logits[0, 2, beside & ~head] = 20
            return logits

    return WithMidpieces()


def four_places(size):
    """Give four places, away from the border and from one another."""
    return [(row * size[0], column * size[1]) for row in (0.27, 0.73) for column in (0.27, 0.73)]


# Heads of 91 px in 1280 x 1024, resized; and the lengths that other objectives give.
@pytest.mark.parametrize(
    ("length", "size"),
    [
        (91, (1024, 1280)),
        (27, (307, 384)),
        (45, (512, 640)),
        (182, (2048, 2560)),
        (14, (200, 220)),
        (350, (1300, 1400)),
    ],
)
def test_any_length_is_found(predictor, smear, length, size):
    segmentation = predictor.segment(smear(size, length, four_places(size)))
    assert segmentation.scale.source == "estimated"
    assert segmentation.scale.head_length_px == pytest.approx(length, rel=0.06)
    assert segmentation.scale.um_per_px is None
    assert segmentation.warnings == ()


def test_a_usual_picture_is_run_once(predictor, network, smear):
    segmentation = predictor.segment(smear((512, 640), 91, [(150, 150), (300, 400)]))
    assert network.sizes == [(256, 320)]
    assert segmentation.scores.shape == (4, 256, 320)


def test_the_wrong_first_guess_is_run_twice(predictor, network, smear):
    predictor.segment(smear((512, 640), 60, [(150, 150), (300, 400)]))
    assert len(network.sizes) == 2
    assert network.sizes[1] == pytest.approx((512 * 45 / 60, 640 * 45 / 60), abs=32)


def test_a_single_head_is_enough(predictor, smear):
    scale = predictor.segment(smear((300, 300), 50, [(140, 160)])).scale
    assert scale.head_length_px == pytest.approx(50, rel=0.06)


def test_specks_do_not_count_for_much(predictor, network, smear):
    sample = smear((512, 640), 91, [(150, 150), (300, 400)])
    rng = np.random.default_rng(1)

    def with_specks(batch):
        logits = network(batch)
        for row, column in rng.integers(10, 240, (25, 2)):
            logits[0, :, row : row + 6, column : column + 6] = [[[0]], [[9]], [[0]], [[0]]]
        return logits

    predictor.backend = with_specks
    assert predictor.segment(sample).scale.head_length_px == pytest.approx(91, rel=0.06)


def test_in_a_large_picture_only_parts_are_looked_at(predictor, network, smear):
    size = (6000, 6000)
    # All sperm lie in one corner, which has the most contrast.
    places = [(row, column) for row in range(200, 1200, 200) for column in range(200, 1200, 200)]
    sample = smear(size, 60, places)
    found = scale.estimate_head_length(
        sample.image, look_through(predictor, sample), SCHEMA, WORKING
    )
    assert found.measured_px == pytest.approx(60, rel=0.05)
    assert len(network.sizes) <= 3
    assert max(h * w for h, w in network.sizes) <= 800**2


def test_a_large_field_of_view_is_not_looked_at_along_its_rim(predictor, smear, monkeypatch):
    monkeypatch.setattr(scale, "LOOKS", 1)
    sample = smear((1200, 6000), 91, [(500, 2900), (700, 3000)])
    rows, columns = np.ogrid[-600:600, -3000:3000]
    sample.image[(rows / 580) ** 2 + (columns / 2980) ** 2 > 1] = 10
    found = scale.estimate_head_length(
        without_surround(sample.image), look_through(predictor, sample), SCHEMA, WORKING
    )
    assert found.measured_px == pytest.approx(91, rel=0.05)


def look_through(predictor, sample):
    def look_for(box, assumed):
        top, left, bottom, right = (int(edge) for edge in box)
        part = Sample("part", sample.image[top:bottom, left:right], head_length_px=assumed)
        return predictor.working_scores(part)

    return look_for


@pytest.mark.parametrize("size", [(512, 640), (1, 1), (1, 4000), (20, 20)])
def test_without_sperm_the_scale_is_unknown_and_the_result_empty(predictor, smear, size):
    segmentation = predictor.segment(smear(size, 10, []))
    assert segmentation.scale == Scale("unknown")
    assert segmentation.part_map.shape == size
    assert not segmentation.part_map.any()
    assert len(segmentation.warnings) == 1
    assert "90 px" in segmentation.warnings[0]


def test_heads_without_a_length_of_their_own(predictor, smear):
    # The only head is cut by the border: it is painted, but nothing can be measured.
    segmentation = predictor.segment(smear((200, 200), 91, [(100, 0)]))
    assert segmentation.scale.source == "unknown"
    assert segmentation.part_map.any()


def test_what_is_dark_around_a_round_field_does_not_count(predictor, network, smear):
    sample = smear((600, 600), 91, [(250, 250), (330, 400)])
    rows, columns = np.mgrid[-300:300, -300:300]
    outside = np.hypot(rows, columns) > 295
    sample.image[outside] = 5

    def with_surroundings(batch):
        logits = network(batch)
        surroundings = batch[0, 0] < 0.05
        logits[0, :, surroundings] = [0, 30, 0, 0]
        return logits

    predictor.backend = with_surroundings
    assert predictor.segment(sample).scale.head_length_px == pytest.approx(91, rel=0.06)
    assert len(network.sizes) == 1


def scores_of(head, midpiece=None, certainty=0.98):
    """Give scores of "report-2021" by masks (h, w)."""
    scores = np.zeros((4, *head.shape), np.float32)
    scores[1] = np.where(head, certainty, 0.01)
    if midpiece is not None:
        scores[:, midpiece] = [[0], [0], [1], [0]]
    scores[0] = 1 - scores[1:].sum(0)
    return scores


@pytest.fixture
def drawn(smear):
    """Give a mask of heads of 45 px at the places given, of (400, 400)."""
    return lambda *places: smear((400, 400), 45, places).image[..., 0] < 100


@pytest.mark.parametrize(
    ("certainty", "patch", "found"),
    [(0.98, 0, True), (0.98, 20, True), (0.98, 100, False), (0.82, 0, False)],
    ids=["sure", "a little else", "much else", "not sure"],
)
def test_little_evidence_is_believed_where_nothing_better_is_seen(drawn, certainty, patch, found):
    looks = []

    def look_for(box, assumed):
        looks.append(assumed)
        head = drawn((350, 350))
        head[50 : 50 + patch, 50 : 50 + patch] = True
        return scores_of(head if assumed == 90 else head & False, certainty=certainty)

    estimate = scale.estimate_head_length(
        np.zeros((800, 800, 3), np.uint8), look_for, SCHEMA, WORKING
    )
    # A head without a midpiece: longer ones are tried first, shorter ones only in vain.
    assert set(looks) == {90, 180, 360} | (set() if found else {45, 22.5})
    assert (estimate is not None) == found
    assert estimate is None or estimate.measured_px == pytest.approx(90, rel=0.05)


def test_the_scale_with_most_evidence_is_taken(drawn):
    """Dark specks seen as heads of 45 px, without midpieces; sperm of 22 px."""
    few, many = drawn((100, 100)), drawn((100, 100), (100, 300), (300, 200))
    midpiece = np.roll(many, -8, axis=1) & ~many

    def look_for(box, assumed):
        if assumed == 22.5:
            return scores_of(many, midpiece, certainty=0.95)
        return scores_of(few if assumed == 45 else few & False)

    estimate = scale.estimate_head_length(
        np.zeros((300, 300, 3), np.uint8), look_for, SCHEMA, WORKING
    )
    assert estimate.measured_px == pytest.approx(22.5, rel=0.05)


def test_absurd_lengths_are_refused(predictor, smear, monkeypatch):
    monkeypatch.setattr(scale, "HEAD_LENGTHS_PX", (8.0, 200.0))
    segmentation = predictor.segment(smear((1300, 1400), 300, [(400, 400), (900, 900)]))
    assert segmentation.scale.source == "unknown"


def test_what_is_given_is_not_estimated(predictor, network, smear):
    sample = smear((512, 640), 91, [(150, 150)], head_length_px=45.0, um_per_px=0.1)
    segmentation = predictor.segment(sample)
    assert network.sizes == [(512, 640)]
    assert segmentation.scale == Scale("head length given", 45.0, 0.1)


@pytest.mark.parametrize(
    ("given", "contradicted"),
    [(91, False), (70, False), (120, False), (55, True), (170, True)],
)
def test_a_scale_given_is_compared_with_what_is_found(
    predictor, network, smear, given, contradicted
):
    sample = smear((1024, 1280), 91, four_places((1024, 1280)), head_length_px=given)
    segmentation = predictor.segment(sample)
    assert len(network.sizes) == 1
    assert segmentation.scale.head_length_px == given
    assert len(segmentation.warnings) == contradicted
    if contradicted:
        assert f"they would be {given} px" in segmentation.warnings[0]
        found = int(re.search(r"about (\d+) px long", segmentation.warnings[0])[1])
        assert found == pytest.approx(91, rel=0.05)


def test_an_empty_picture_contradicts_nothing(predictor, smear):
    segmentation = predictor.segment(smear((300, 300), 10, [], um_per_px=0.05))
    assert segmentation.warnings == ()


def test_pixel_size_becomes_a_head_length():
    image = np.zeros((2, 2, 3), np.uint8)
    # A head of 4.4 um over 0.05 um/px.
    assert given_scale(Sample("a", image, um_per_px=0.05)) == Scale(
        "pixel size", pytest.approx(88), 0.05
    )
    assert given_scale(Sample("a", image)) == Scale("unknown")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"um_per_px": 2.0}, "pixel size of 2 um, with heads 2.2 px long"),
        ({"um_per_px": 1e-4}, "heads 4.4e\\+04 px long"),
        ({"head_length_px": 3.0}, "head length of 3 px"),
        ({"head_length_px": 5000.0}, "head length of 5000 px"),
    ],
)
def test_a_scale_that_cannot_be_true(predictor, fields, message):
    sample = Sample("slide", np.zeros((9, 9, 3), np.uint8), **fields)
    with pytest.raises(DataError, match=message) as caught:
        predictor.segment(sample)
    assert str(caught.value).startswith("slide: ")
    assert "pixel size in micrometres" in caught.value.fix
