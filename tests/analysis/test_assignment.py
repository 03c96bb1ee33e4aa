from __future__ import annotations

import numpy as np
import pytest

from spermseg.analysis.assignment import choose_courses, trace_courses
from spermseg.analysis.head_outlines import HeadOutlines
from spermseg.analysis.necks import find_necks
from spermseg.analysis.skeleton import skeleton_graph
from spermseg.analysis.tracing import Course

L = 40.0


def heads_at(size, *centres):
    rows, columns = np.mgrid[: size[0], : size[1]]
    heads = np.zeros(size, np.int32)
    for number, (row, column) in enumerate(centres, start=1):
        heads[np.hypot((rows - row) / 13, (columns - column) / 19) <= 1] = number
    return heads


def test_two_tails_that_cross_belong_to_their_own_heads(stroke):
    size = (200, 300)
    heads = heads_at(size, (40, 20), (160, 20))
    mask = stroke(np.zeros(size, bool), (40, 42), (48, 60), (160, 280))
    mask = stroke(mask, (160, 42), (152, 60), (40, 280))
    midpiece = mask.copy()
    midpiece[:, 70:] = False
    graph = skeleton_graph(mask & (heads == 0), shortest_spur=6, merge=9)
    necks = find_necks(graph, midpiece, HeadOutlines(heads), L)
    assert set(necks) == {1, 2}
    courses = trace_courses(graph, necks, heads > 0, L)
    assert courses[1].points[-1] == pytest.approx([160, 280], abs=5)
    assert courses[2].points[-1] == pytest.approx([40, 280], abs=5)


def test_a_tail_that_only_passes_a_head_is_not_its_own(stroke):
    size = (200, 300)
    heads = heads_at(size, (100, 150))
    mask = stroke(np.zeros(size, bool), (118, 20), (118, 152))
    graph = skeleton_graph(mask & (heads == 0), shortest_spur=6, merge=9)
    assert find_necks(graph, np.zeros(size, bool), HeadOutlines(heads), L) == {}
    assert trace_courses(graph, {}, heads > 0, L) == {}


def test_a_tail_does_not_turn_off_into_a_longer_one_without_head(stroke):
    size = (300, 400)
    heads = heads_at(size, (100, 20))
    mask = stroke(np.zeros(size, bool), (100, 40), (100, 210))
    # Across it, at 45 degrees; six head lengths of it lie ahead, of its own only one.
    mask = stroke(mask, (40, 110), (100, 170), (280, 350))
    midpiece = mask.copy()
    midpiece[:, 70:] = False
    graph = skeleton_graph(mask & (heads == 0), shortest_spur=6, merge=9)
    necks = find_necks(graph, midpiece, HeadOutlines(heads), L)
    course = trace_courses(graph, necks, heads > 0, L)[1]
    assert course.points[-1] == pytest.approx([100, 210], abs=5)


def test_courses_are_shared_out():
    point = np.zeros((2, 2))
    both, left, right = (
        Course(point, b, c) for b, c in (((0, 1), 0.0), ((0, 1), 0.1), ((2, 3), 0.5))
    )
    # Alone the second sperm would take the same way as the first; together it takes the other.
    assert choose_courses([[both], [left, right]], [1, 5, 1, 5]) == [0, 1]
    assert choose_courses([[left, right]], [1, 5, 1, 5]) == [0]
    assert choose_courses([], []) == []


def test_a_turn_is_taken_for_a_long_way_that_nobody_else_explains():
    point = np.zeros((2, 2))
    stops, turns = Course(point, (0,), 0.0), Course(point, (0, 1), 1.0)
    assert choose_courses([[stops, turns]], [1, 5]) == [1]
    assert choose_courses([[stops, turns]], [1, 2]) == [0]
    assert choose_courses([[stops, turns], [Course(point, (1,), 0.0)]], [1, 5]) == [0, 0]
