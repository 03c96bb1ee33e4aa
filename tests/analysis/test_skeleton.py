from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spermseg.analysis.skeleton import polyline_length, skeleton_graph, split_branches


def drawn(size, *lines, width=5):
    """Bars along the lines (row0, column0, row1, column1)."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(float)
    mask = np.zeros(size, bool)
    for row0, column0, row1, column1 in lines:
        down, right = row1 - row0, column1 - column0
        length = np.hypot(down, right)
        along = ((rows - row0) * down + (columns - column0) * right) / length
        across = np.abs((rows - row0) * right - (columns - column0) * down) / length
        mask |= (across <= width / 2) & (along >= 0) & (along <= length)
    return mask


def degrees(graph):
    return sorted(len(graph.leaving(node)) for node in range(len(graph.nodes)))


def test_polyline_length_by_pythagoras():
    assert polyline_length(np.array([[0.0, 0], [3, 4], [3, 5]])) == 6
    assert polyline_length(np.array([[0.0, 0], [1, 1]])) == pytest.approx(np.sqrt(2))


def test_a_line_of_single_pixels_keeps_its_length():
    mask = np.zeros((20, 50), bool)
    mask[10, 5:45] = True
    (branch,) = skeleton_graph(mask).branches
    assert branch.length == 39
    assert sorted(branch.points[[0, -1]].tolist()) == [[10, 5], [10, 44]]


def test_a_diagonal_has_steps_of_sqrt_2():
    mask = np.eye(30, dtype=bool)
    (branch,) = skeleton_graph(mask).branches
    assert branch.length == pytest.approx(29 * np.sqrt(2))


def test_a_cross_has_four_branches_and_one_node_of_four():
    mask = drawn((80, 100), (40, 10, 40, 90), (8, 50, 72, 50))
    graph = skeleton_graph(mask, shortest_spur=6, merge=8)
    assert degrees(graph) == [1, 1, 1, 1, 4]
    (crossing,) = [graph.nodes[n] for n in range(5) if len(graph.leaving(n)) == 4]
    assert crossing == pytest.approx([40, 50], abs=2)
    assert sum(b.length for b in graph.branches) == pytest.approx(80 + 64, rel=0.1)


def test_a_flat_crossing_is_one_node_when_its_junctions_are_merged():
    mask = drawn((80, 200), (30, 10, 50, 190), (50, 10, 30, 190))
    apart, merged = (skeleton_graph(mask, shortest_spur=6, merge=m) for m in (0, 60))
    assert degrees(apart) == [1, 1, 1, 1, 3, 3]
    assert degrees(merged) == [1, 1, 1, 1, 4]


def test_spurs_are_dropped_and_the_line_goes_on_through_them():
    mask = drawn((60, 120), (30, 10, 30, 110), (30, 60, 21, 60), width=3)
    rough = skeleton_graph(mask)
    assert degrees(rough) == [1, 1, 1, 3]
    smooth = skeleton_graph(mask, shortest_spur=12)
    (branch,) = smooth.branches
    assert branch.length == pytest.approx(100, abs=4)
    assert degrees(smooth) == [1, 1]
    kept = skeleton_graph(mask, shortest_spur=12, kept=lambda points: points[:, 0] < 26)
    assert degrees(kept) == [1, 1, 1, 3]


def test_a_ring_is_one_closed_branch():
    rows, columns = np.mgrid[:80, :80]
    ring = np.abs(np.hypot(rows - 40, columns - 40) - 25) < 2
    graph = skeleton_graph(ring, shortest_spur=6, merge=8)
    (branch,) = graph.branches
    assert branch.start == branch.end
    # A chain of straight and diagonal steps is up to 8 % longer than the circle.
    assert 2 * np.pi * 25 <= branch.length <= 1.09 * 2 * np.pi * 25
    assert len(graph.leaving(0)) == 2


def test_many_rings_are_all_found():
    ring = np.ones((9, 9), bool)
    ring[1:-1, 1:-1] = False
    graph = skeleton_graph(np.tile(np.pad(ring, 3), (20, 20)))
    assert len(graph.branches) == 400
    # 28 straight steps of four sides of eight, with its corners cut.
    assert {round(branch.length, 6) for branch in graph.branches} == {round(24 + 4 * 2**0.5, 6)}


def test_a_branch_is_cut_where_asked():
    graph = skeleton_graph(drawn((60, 80), (30, 10, 30, 70)))
    (whole,) = graph.branches
    parts = split_branches(graph, {0: [10, 25]})
    assert [len(branch.points) for branch in parts.branches] == [11, 16, len(whole.points) - 25]
    assert sum(branch.length for branch in parts.branches) == pytest.approx(whole.length)
    assert degrees(parts) == [1, 1, 2, 2]
    assert parts.nodes[2:] == pytest.approx(whole.points[[10, 25]])


def test_nothing_gives_an_empty_graph():
    graph = skeleton_graph(np.zeros((30, 40), bool), shortest_spur=5, merge=5)
    assert graph.branches == ()
    assert graph.nodes.shape == (0, 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 12), st.floats(0, 12))
def test_any_mask_gives_branches_that_hang_on_their_nodes(seed, spur, merge):
    rng = np.random.default_rng(seed)
    lines = rng.uniform(2, 58, (rng.integers(1, 6), 4))
    lines[:, 2:] += 0.5
    graph = skeleton_graph(drawn((60, 60), *lines, width=4), shortest_spur=spur, merge=merge)
    assert sum(len(graph.leaving(n)) for n in range(len(graph.nodes))) == 2 * len(graph.branches)
    for branch in graph.branches:
        for node, point in ((branch.start, branch.points[0]), (branch.end, branch.points[-1])):
            # A merged node lies between the junctions that became it.
            assert np.hypot(*(graph.nodes[node] - point)) <= 4 * merge + 1e-9
        assert np.isfinite(branch.points).all()
