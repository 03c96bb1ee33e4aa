from __future__ import annotations

import numpy as np
import pytest

from spermseg.analysis.skeleton import skeleton_graph
from spermseg.analysis.tracing import Tracer

L = 40.0


def canvas(size=(200, 300)):
    return np.zeros(size, bool)


def node_at(graph, place):
    return int(np.hypot(*(graph.nodes - place).T).argmin())


def best(mask, start, origin, hidden=None, **options):
    graph = skeleton_graph(mask, shortest_spur=6, merge=9)
    return Tracer(graph, L, hidden, **options).courses(
        np.array(origin, float), node_at(graph, start)
    )


def test_a_tail_goes_straight_on_at_a_crossing(stroke):
    mask = stroke(canvas(), (100, 20), (100, 280))
    mask = stroke(mask, (20, 150), (180, 150))
    course = best(mask, (100, 20), (100, 8))[0]
    assert course.points[-1] == pytest.approx([100, 280], abs=4)
    assert course.length == pytest.approx(272, rel=0.05)


def test_a_loop_is_followed_round_and_left_straight_on(stroke):
    angles = np.linspace(0, 2 * np.pi, 40)
    loop = [(100 - 45 * np.sin(a + np.pi / 2), 150 + 45 * np.cos(a + np.pi / 2)) for a in angles]
    # In from the left along the top of the loop, once round, and out to the right.
    mask = stroke(canvas(), (55, 20), (55, 150), *loop[-2::-1], (55, 280))
    course = best(mask, (55, 20), (55, 8))[0]
    assert course.points[-1] == pytest.approx([55, 280], abs=4)
    assert len(course.branches) >= 2


@pytest.mark.parametrize("gap", [6, 20])
def test_a_gap_is_jumped_straight_ahead(stroke, gap):
    mask = stroke(canvas(), (100, 20), (100, 140))
    mask = stroke(mask, (100, 140 + gap), (100, 280))
    course = best(mask, (100, 20), (100, 8))[0]
    assert course.points[-1] == pytest.approx([100, 280], abs=4)


def test_a_gap_is_not_jumped_sideways_nor_too_far(stroke):
    mask = stroke(canvas(), (100, 20), (100, 140))
    aside = stroke(mask.copy(), (125, 150), (180, 150))
    far = stroke(mask.copy(), (100, 200), (100, 280))
    for drawn in (aside, far):
        course = best(drawn, (100, 20), (100, 8))[0]
        assert course.points[-1] == pytest.approx([100, 140], abs=4)


def test_a_tail_passes_under_a_head(stroke):
    mask = stroke(canvas(), (100, 20), (100, 130))
    mask = stroke(mask, (100, 175), (100, 280))
    hidden = canvas()
    hidden[80:120, 130:178] = True
    assert best(mask, (100, 20), (100, 8))[0].points[-1, 1] < 140
    assert best(mask, (100, 20), (100, 8), hidden)[0].points[-1, 1] > 270


def test_nothing_leads_backwards_into_the_head(stroke):
    mask = stroke(canvas(), (100, 20), (100, 140))
    assert best(mask, (100, 20), (100, 32)) == []


def test_a_tail_does_not_turn_sharply_at_a_crossing(stroke):
    mask = stroke(canvas(), (100, 20), (100, 150))
    mask = stroke(mask, (20, 150), (180, 150))
    course = best(mask, (100, 20), (100, 8))
    assert [c.points[-1] for c in course] == [pytest.approx([100, 150], abs=4)]


SHARED = ((100, 125), (100, 155))
"""Three quarters of a head length that two tails have in common."""


def test_tails_that_share_a_stretch_cross_there(stroke):
    mask = stroke(canvas(), (60, 20), *SHARED, (146, 280))
    mask = stroke(mask, (140, 20), *SHARED, (70, 280))
    # The other tail's way turns less off the shared stretch, but more from where this one came.
    assert best(mask, (60, 20), (56, 9))[0].points[-1] == pytest.approx([146, 280], abs=4)
    assert best(mask, (140, 20), (144, 9))[0].points[-1] == pytest.approx([70, 280], abs=4)


def test_a_tail_takes_a_short_step_along_the_line_that_it_crosses(stroke):
    mask = stroke(canvas(), (100, 20), (100, 150))
    mask = stroke(mask, (114, 154), (114, 280))
    mask = stroke(mask, (20, 127), (100, 150), (114, 154), (180, 173))
    ends = [course.points[-1] for course in best(mask, (100, 20), (100, 8))]
    # By cost alone it would end there, but what it goes on to is long.
    assert ends[0] == pytest.approx([100, 150], abs=4)
    assert ends[1] == pytest.approx([114, 280], abs=4)


def test_a_tail_rather_ends_than_bends_into_a_line_that_passes(stroke):
    mask = stroke(canvas(), (100, 20), (100, 150))
    # By 60 degrees, at a cost of 2 (60 / 45)^2 = 3.6; ending costs 3.
    mask = stroke(mask, (20, 104), (180, 196))
    ends = [course.points[-1] for course in best(mask, (100, 20), (100, 8))]
    assert ends[0] == pytest.approx([100, 150], abs=4)
    assert ends[1] == pytest.approx([180, 196], abs=4)


def test_a_tail_does_not_end_where_it_can_go_on(stroke):
    mask = stroke(canvas(), (100, 20), (100, 280))
    mask = stroke(mask, (20, 150), (180, 150))
    (course,) = best(mask, (100, 20), (100, 8))
    assert course.points[-1] == pytest.approx([100, 280], abs=4)
