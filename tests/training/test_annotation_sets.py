"""Votes counted by hand."""

from __future__ import annotations

import numpy as np
import torch

from spermseg.structures import IGNORE_ID
from spermseg.training.annotation_sets import majority, shares

NONE = IGNORE_ID


def row(*values):
    return np.array([values], np.uint8)


def test_the_majority_of_three():
    #                all alike, two of three, all different, one silent, two silent, all silent
    sets = row(1, 0, 3, NONE, NONE, NONE), row(1, 2, 1, 2, NONE, NONE), row(1, 2, 0, 2, 4, NONE)
    assert majority(sets).tolist() == [[1, 2, 3, 2, 4, NONE]]
    assert majority(sets).dtype == np.uint8


def test_of_a_tie_the_earliest_set_that_chose_one_of_them_decides():
    # Five sets: 0 has one vote, 2 and 1 have two each, and 2 was said first.
    assert majority([row(0), row(2), row(1), row(1), row(2)]).tolist() == [[2]]
    # A silent first set does not decide.
    assert majority([row(NONE), row(3), row(1)]).tolist() == [[3]]


def test_one_set_is_its_own_majority():
    one = np.random.default_rng(0).integers(0, 6, (7, 9), np.uint8)
    assert np.array_equal(majority([one]), one)


def test_shares_of_three():
    sets = [torch.tensor([values]) for values in ([1, 0, NONE], [1, 2, NONE], [1, NONE, NONE])]
    share = shares(sets, 3)
    assert share.dtype == torch.float32
    assert share.shape == (3, 1, 3)
    assert share[:, 0].T.tolist() == [[0, 1, 0], [0.5, 0, 0.5], [0, 0, 0]]
