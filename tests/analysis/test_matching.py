"""Sperm of two analyses of one picture, as squares."""

from __future__ import annotations

import numpy as np
import pytest

from spermseg.analysis.matching import match_sperm
from spermseg.structures import Part, SpermInstance


def square(row, column, side=10, *, id=1, tail=0, head=True):
    """Give a sperm: a square head, a tail one pixel high to its right."""
    shape = (side, side + tail)
    masks = {}
    if head:
        masks[Part.NUCLEUS] = np.zeros(shape, bool)
        masks[Part.NUCLEUS][:, :side] = True
    if tail:
        masks[Part.TAIL] = np.zeros(shape, bool)
        masks[Part.TAIL][side // 2, side:] = True
    return SpermInstance(id, (row, column, row + shape[0], column + shape[1]), masks)


@pytest.mark.parametrize(
    ("shift", "found"),
    # Of two squares of 10 px, 3 px apart: 70 / 130 = 0.54; 4 px: 60 / 140 = 0.43.
    [(0, 0), (3, 0), (4, None), (50, None)],
)
def test_heads_are_the_same_that_overlap_by_half(shift, found):
    assert match_sperm([square(20, 20)], [square(20, 20 + shift)]) == (found,)


def test_only_heads_count_where_both_have_one():
    long, short = square(20, 20, tail=200), square(20, 20)
    assert match_sperm([long], [short]) == (0,)
    # The tails agree, the heads do not.
    assert match_sperm([square(20, 20, tail=200)], [square(26, 20, tail=200)]) == (None,)


def test_a_sperm_without_a_head_is_known_by_its_whole():
    tail = square(20, 20, tail=200, head=False)
    assert match_sperm([tail], [square(20, 20, tail=200, head=False)]) == (0,)
    assert match_sperm([tail], [square(20, 20, tail=200)]) == (0,)
    assert match_sperm([tail], [square(20, 20, tail=20)]) == (None,)


def test_the_best_pairs_come_first_and_nobody_is_taken_twice():
    sperm = [square(20, 20), square(20, 22), square(80, 80)]
    others = [square(80, 81), square(20, 22)]
    assert match_sperm(sperm, others) == (None, 1, 0)


def test_nobody_and_nothing():
    empty = SpermInstance(1, (20, 20, 30, 30), {Part.NUCLEUS: np.zeros((10, 10), bool)})
    assert match_sperm([], [square(0, 0)]) == ()
    assert match_sperm([square(0, 0)], []) == (None,)
    assert match_sperm([empty], [empty]) == (None,)
