"""Where midpieces begin: heads as discs of 10 pixels' radius, head lengths of 40."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from spermseg.analysis.head_outlines import HeadOutlines
from spermseg.analysis.necks import find_necks, with_passed_necks
from spermseg.analysis.skeleton import Branch, SkeletonGraph

SIZE = (80, 120)
EVERYWHERE, NOWHERE = np.ones(SIZE, bool), np.zeros(SIZE, bool)


def discs(*centres):
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    heads = np.zeros(SIZE, np.int32)
    for number, (row, column) in enumerate(centres, start=1):
        heads[np.hypot(rows - row, columns - column) <= 10] = number
    return HeadOutlines(heads)


def lines(*corners):
    """Branches that meet nowhere."""
    nodes = np.array([place for line in corners for place in (line[0], line[-1])], float)
    branches = []
    for number, line in enumerate(corners):
        pieces = [np.linspace(*ends, 40) for ends in pairwise(line)]
        branches.append(Branch(np.concatenate(pieces), 2 * number, 2 * number + 1))
    return SkeletonGraph(tuple(branches), nodes)


def test_a_midpiece_begins_near_its_head():
    graph = lines([(20, 33), (20, 110)], [(60, 50), (60, 110)])
    necks = find_necks(graph, EVERYWHERE, discs((20, 20)), 40)
    assert [neck.node for neck in necks[1]] == [0]
    # From the middle of the head, on the line to the neck; at 3 of at most 14 pixels.
    assert necks[1][0].origin == pytest.approx([20, 21])
    assert necks[1][0].cost == pytest.approx(3 / 14)
    assert find_necks(graph, NOWHERE, discs((20, 20)), 40) == {}


def test_one_place_between_two_heads_is_for_both_unless_the_farther_has_its_own():
    heads = discs((20, 20), (45, 20))
    between, own = [(33, 24), (33, 110)], [(7, 24), (5, 110)]
    necks = find_necks(lines(between), EVERYWHERE, heads, 40)
    assert {head: [neck.node for neck in found] for head, found in necks.items()} == {
        2: [0],
        1: [0],
    }
    necks = find_necks(lines(between, own), EVERYWHERE, heads, 40)
    assert {head: [neck.node for neck in found] for head, found in necks.items()} == {
        2: [0],
        1: [2],
    }


def test_a_line_that_bends_at_a_head_is_cut_there_if_a_midpiece_begins():
    graph, heads = lines([(70, 100), (33, 20), (40, 110)]), discs((20, 20))
    assert find_necks(graph, EVERYWHERE, heads, 40) == {}
    cut = with_passed_necks(graph, EVERYWHERE, heads, 40)
    assert cut.nodes[2] == pytest.approx([33, 20])
    assert len(cut.leaving(2)) == 2
    assert [neck.node for neck in find_necks(cut, EVERYWHERE, heads, 40)[1]] == [2]
    assert len(with_passed_necks(graph, NOWHERE, heads, 40).branches) == 1


def test_a_line_that_begins_at_a_head_or_passes_far_away_is_not_cut():
    graph = lines([(33, 20), (33, 110)], [(40, 0), (40, 110)])
    assert len(with_passed_necks(graph, EVERYWHERE, discs((20, 20)), 40).branches) == 2
