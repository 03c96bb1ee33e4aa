"""What is a sperm and what is not, by shapes drawn exactly."""

from __future__ import annotations

import numpy as np
import pytest

from spermseg.analysis.criteria import criteria_from, load_criteria
from spermseg.analysis.morphometry import measure_all
from spermseg.analysis.objects import HIDDEN, TOO_LARGE, TOO_ROUGH, TOO_ROUND, TOO_SMALL, classify
from spermseg.analysis.verdicts import judge
from spermseg.structures import Part, SpermInstance

LIMITS = load_criteria().objects
SIZE = (400, 500)
HEAD = 90.0


def ellipse(row, column, length, width):
    rows, columns = np.indices(SIZE)
    return (2 * (columns - column) / length) ** 2 + (2 * (rows - row) / width) ** 2 <= 1


def bar(row, first, last, width):
    rows, columns = np.indices(SIZE)
    return (abs(rows - row) <= width / 2) & (columns >= first) & (columns < last)


def thing(head, *, midpiece=None, tail=None, id=1, flags=()):
    masks = {Part.NUCLEUS: head, Part.MIDPIECE: midpiece, Part.TAIL: tail}
    masks = {part: mask for part, mask in masks.items() if mask is not None}
    return SpermInstance.from_full_masks(id, masks, flags=frozenset(flags))


def classes(*things, limits=LIMITS, head_length_px=HEAD):
    measured = measure_all(things, head_length_px=head_length_px, size=SIZE)
    return classify(things, measured, limits, head_length_px)


def with_tail(head, id=1):
    end = np.flatnonzero(head.any(0))[-1]
    row = round(np.flatnonzero(head.any(1)).mean())
    midpiece = bar(row, end, end + 80, 12) & ~head
    return thing(head, midpiece=midpiece, tail=bar(row, end + 80, end + 200, 8), id=id)


@pytest.mark.parametrize(
    ("head", "what", "reason"),
    [
        ((90, 55), "loose head", "neither midpiece nor tail"),
        ((70, 45), "loose head", "neither midpiece nor tail"),
        # A leukocyte; an immature germ cell; a pinhead; a stain blob.
        ((75, 72), "not a sperm", TOO_ROUND),
        ((120, 95), "not a sperm", TOO_LARGE),
        ((50, 30), "not a sperm", TOO_SMALL),
        ((30, 30), "not a sperm", TOO_SMALL),
        ((200, 130), "not a sperm", TOO_LARGE),
    ],
)
def test_a_head_with_neither_midpiece_nor_tail(head, what, reason):
    (found,) = classes(thing(ellipse(200, 200, *head)))
    assert (found.object, found.reason) == (what, reason)


@pytest.mark.parametrize("head", [(90, 55), (75, 72), (50, 30), (120, 95)])
def test_what_has_a_midpiece_and_a_tail_is_a_sperm_round_or_small_or_large(head):
    (found,) = classes(with_tail(ellipse(200, 200, *head)))
    assert (found.object, found.reason) == ("sperm", "")


@pytest.mark.parametrize(("head", "reason"), [((40, 30), TOO_SMALL), ((170, 130), TOO_LARGE)])
def test_no_tail_makes_a_sperm_of_a_speck_or_of_a_giant(head, reason):
    (found,) = classes(with_tail(ellipse(200, 150, *head)))
    assert (found.object, found.reason) == ("not a sperm", reason)


def test_debris_has_a_rough_outline():
    star = ellipse(200, 200, 90, 20) | ellipse(200, 200, 20, 70)
    star |= np.roll(ellipse(200, 200, 60, 12), (20, 10), (0, 1))
    (found,) = classes(thing(star))
    assert (found.object, found.reason) == ("not a sperm", TOO_ROUGH)


def test_what_the_border_cuts_or_touches_another_head_may_be_larger_than_is_seen():
    cut = thing(ellipse(10, 200, 60, 50))
    touching = thing(ellipse(200, 200, 60, 58), id=2, flags=["touching_head"])
    assert [found.object for found in classes(cut, touching)] == ["sperm", "sperm"]


def test_a_tail_may_be_hidden_by_a_sperm_that_lies_against_the_head():
    bare = thing(ellipse(200, 150, 90, 55))
    near = with_tail(ellipse(234, 150, 90, 4), id=2)
    far = with_tail(ellipse(270, 150, 90, 55), id=2)
    assert classes(bare, near)[0].object == "sperm"
    assert classes(bare, near)[0].reason == HIDDEN
    assert classes(bare, far)[0].object == "loose head"


def test_a_piece_of_a_pale_head_beside_its_tail_is_no_debris():
    piece, round_cell = thing(ellipse(200, 150, 45, 25)), thing(ellipse(200, 150, 75, 72))
    tail = thing(np.zeros(SIZE, bool), tail=bar(200, 180, 400, 8), id=2, flags=["headless"])
    assert classes(piece)[0].object == "not a sperm"
    assert classes(piece, tail)[0].reason == HIDDEN
    assert classes(round_cell, tail)[0].reason == TOO_ROUND


def test_a_tail_without_a_head():
    tail = SpermInstance.from_full_masks(
        1, {Part.TAIL: bar(200, 100, 300, 8)}, flags=frozenset({"headless"})
    )
    (found,) = classes(tail)
    assert (found.object, found.reason) == ("headless tail", "no head")


def test_without_a_scale_sperm_with_tails_are_the_measure():
    things = [
        with_tail(ellipse(60, 100, 90, 55), id=1),
        with_tail(ellipse(160, 100, 86, 55), id=2),
        thing(ellipse(300, 150, 45, 30), id=3),
        thing(ellipse(300, 350, 90, 55), id=4),
    ]
    found = classes(*things, head_length_px=None)
    assert [one.object for one in found] == ["sperm", "sperm", "not a sperm", "loose head"]
    # Nothing to compare with: only the shape counts.
    lone = classes(things[2], thing(ellipse(300, 350, 80, 78), id=2), head_length_px=None)
    assert [one.object for one in lone] == ["loose head", "not a sperm"]


def test_loose_heads_may_be_judged_and_are_abnormal():
    settings = load_criteria().to_dict()
    settings["objects"]["loose_heads"] = "abnormal"
    criteria = criteria_from(settings)
    things = (thing(ellipse(200, 200, 90, 55)), thing(ellipse(300, 400, 75, 72), id=2))
    found = classes(*things, limits=criteria.objects)
    assert [one.object for one in found] == ["sperm", "not a sperm"]
    measured = measure_all(things, head_length_px=HEAD, size=SIZE)
    verdict = judge(measured[0], criteria, found=found[0])
    assert verdict.normal is False
    assert {"midpiece_present", "tail_present"} <= {one.criterion for one in verdict.failed}


def test_without_limits_all_that_has_a_head_is_a_sperm():
    (found,) = classes(thing(ellipse(200, 200, 30, 30)), limits=None)
    assert found.object == "sperm"
