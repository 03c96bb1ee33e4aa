"""The skeleton of thin parts as a graph: branches between ends and junctions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from skimage.morphology import skeletonize

_AROUND = ((-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))


@dataclass(frozen=True)
class Branch:
    """A stretch of skeleton without junctions.

    Parameters
    ----------
    points : (n, 2) float
        Row and column along it, from the centre of one node to that of the other.
    start, end : int
        The nodes; the same one for a loop.
    """

    points: NDArray[np.float64]
    start: int
    end: int

    @cached_property
    def length(self) -> float:
        """Length in pixels along the points."""
        return polyline_length(self.points)


@dataclass(frozen=True)
class SkeletonGraph:
    """Branches, and the nodes where they meet or end.

    Parameters
    ----------
    branches : tuple of Branch
    nodes : (k, 2) float
        Centre of every node, row and column.
    """

    branches: tuple[Branch, ...]
    nodes: NDArray[np.float64]
    _leaving: tuple[tuple[tuple[int, bool], ...], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        leaving: list[list[tuple[int, bool]]] = [[] for _ in self.nodes]
        for index, branch in enumerate(self.branches):
            leaving[branch.start].append((index, True))
            leaving[branch.end].append((index, False))
        object.__setattr__(self, "_leaving", tuple(map(tuple, leaving)))

    def leaving(self, node: int) -> tuple[tuple[int, bool], ...]:
        """Give the branches that leave a node, and whether from their start; a loop twice."""
        return self._leaving[node]


def polyline_length(points: NDArray[np.floating]) -> float:
    """Length of the line through points (n, 2), in their unit."""
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def skeleton_graph(
    mask: NDArray[np.bool_],
    *,
    shortest_spur: float = 0.0,
    kept: Callable[[NDArray[np.float64]], NDArray[np.bool_]] | None = None,
    merge: float = 0.0,
) -> SkeletonGraph:
    """Thin a mask to its centre lines, and cut them at their junctions.

    Parameters
    ----------
    mask : (H, W) bool
    shortest_spur : float
        Branches shorter than this, in pixels, from a junction to a free end, and loops, are taken
        for roughness of the outline and dropped.
    kept : callable, optional
        Says of points (n, 2) whether a free end there keeps its branch.
    merge : float
        Junctions joined by a branch shorter than this become one: two lines that cross at a small
        angle have a skeleton with two junctions and a bridge.

    Returns
    -------
    SkeletonGraph
        A ring without junctions has one node, anywhere on it. Single pixels are left out.
    """
    graph = _cut(skeletonize(mask))
    kept_nodes = np.zeros(len(graph.nodes), bool) if kept is None else kept(graph.nodes)
    left = [b for b in graph.branches if not _is_spur(graph, b, shortest_spur, kept_nodes)]
    return _merged(_joined(SkeletonGraph(tuple(left), graph.nodes)), merge)


def split_branches(graph: SkeletonGraph, cuts: Mapping[int, Sequence[int]]) -> SkeletonGraph:
    """Put nodes into branches.

    Parameters
    ----------
    graph : SkeletonGraph
    cuts : mapping of int to sequence of int
        By branch, which of its points become nodes, in order; neither its first nor its last.

    Returns
    -------
    SkeletonGraph
        The nodes of before keep their numbers, the new ones come after.
    """
    branches, nodes = [], list(graph.nodes)
    for index, branch in enumerate(graph.branches):
        start, first = branch.start, 0
        for place in cuts.get(index, ()):
            nodes.append(branch.points[place])
            branches.append(Branch(branch.points[first : place + 1], start, len(nodes) - 1))
            start, first = len(nodes) - 1, place
        branches.append(Branch(branch.points[first:], start, branch.end))
    return SkeletonGraph(tuple(branches), np.array(nodes, float).reshape(-1, 2))


def _is_spur(
    graph: SkeletonGraph, branch: Branch, shortest: float, kept: NDArray[np.bool_]
) -> bool:
    if branch.length >= shortest:
        return False
    if branch.start == branch.end:
        return True
    free = [node for node in (branch.start, branch.end) if len(graph.leaving(node)) == 1]
    return len(free) == 1 and not kept[free[0]]


def _cut(skeleton: NDArray[np.bool_]) -> SkeletonGraph:
    places, around = _neighbours(skeleton)
    inside = np.flatnonzero((around >= 0).sum(1) == 2)
    # Pixels with two neighbours make lines; groups of the others are the nodes.
    on_line = np.zeros(len(places), bool)
    on_line[inside] = True
    node_of, nodes = _nodes(places, around, ~on_line)
    onward = np.full((len(places), 2), -1)
    onward[inside] = around[inside][around[inside] >= 0].reshape(-1, 2)
    ways: list[list[int]] = onward.tolist()
    free = on_line.tolist()

    def walk(pixel: int) -> list[int]:
        """Follow a line from one of its ends, taking its pixels out of `free`."""
        line = []
        while pixel >= 0:
            free[pixel] = False
            line.append(pixel)
            pixel = next((other for other in ways[pixel] if free[other]), -1)
        return line

    def branch(line: list[int], start: int, end: int) -> Branch:
        return Branch(np.concatenate([[nodes[start]], places[line], [nodes[end]]]), start, end)

    branches = []
    for pixel in np.flatnonzero(~on_line).tolist():
        start = node_of[pixel]
        for other in around[pixel][around[pixel] >= 0].tolist():
            if free[other]:
                line = walk(other)
                ends = [node_of[end] for end in ways[line[-1]] if node_of[end] >= 0]
                # A short line may lie beside the node it came from with both of its ends.
                others = [node for node in ends if node != start or len(line) > 2]
                branches.append(branch(line, start, others[0] if others else start))
    # What is left are rings.
    for pixel in inside.tolist():
        if free[pixel]:
            nodes.append(places[pixel].astype(float))
            branches.append(branch(walk(pixel), len(nodes) - 1, len(nodes) - 1))
    return SkeletonGraph(tuple(branches), np.array(nodes, float).reshape(-1, 2))


def _neighbours(skeleton: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give the pixels (n, 2) of a skeleton, and which of them lie around each, (n, 8), or -1."""
    # One pixel of margin: then every pixel has eight neighbours, at fixed distances in memory.
    padded = np.pad(skeleton, 1)
    width = padded.shape[1]
    flat = np.flatnonzero(padded)
    steps = np.array([down * width + right for down, right in _AROUND])
    number = np.zeros(padded.size, np.int32)
    number[flat] = np.arange(1, len(flat) + 1)
    around: NDArray[np.intp] = number[flat[:, np.newaxis] + steps].astype(np.intp) - 1
    return np.stack(np.divmod(flat, width), axis=1) - 1, around


def _nodes(
    places: NDArray[np.intp], around: NDArray[np.intp], is_node: NDArray[np.bool_]
) -> tuple[list[int], list[NDArray[np.float64]]]:
    """Group neighbouring node pixels; give each pixel's group, or -1, and the groups' centres."""
    pixels = np.flatnonzero(is_node)
    number = np.full(len(places) + 1, -1)
    number[pixels] = np.arange(len(pixels))
    beside = number[around[pixels]]
    one, which = np.nonzero(beside >= 0)
    joined = coo_array((np.ones(len(one)), (one, beside[one, which])), (len(pixels), len(pixels)))
    n_groups, groups = connected_components(joined, directed=False)
    node_of = np.full(len(places), -1)
    node_of[pixels] = groups
    sizes = np.bincount(groups, minlength=n_groups)[:, np.newaxis]
    sums = [np.bincount(groups, places[pixels, axis], n_groups) for axis in (0, 1)]
    return node_of.tolist(), list(np.stack(sums, axis=1) / sizes)


def _joined(graph: SkeletonGraph) -> SkeletonGraph:
    """Make one branch of two that meet where nothing else does any more, and drop bare nodes."""
    branches: dict[int, Branch] = dict(enumerate(graph.branches))
    ends: list[list[int]] = [
        [index for index, _ in graph.leaving(n)] for n in range(len(graph.nodes))
    ]
    for node, meeting in enumerate(ends):
        if len(meeting) != 2 or meeting[0] == meeting[1]:
            continue
        one, other = (branches.pop(index) for index in meeting)
        first = one.points if one.end == node else one.points[::-1]
        second = other.points if other.start == node else other.points[::-1]
        start = one.start if one.end == node else one.end
        end = other.end if other.start == node else other.start
        index = max(meeting)
        branches[index] = Branch(np.concatenate([first, second[1:]]), start, end)
        for far, old in ((start, meeting[0]), (end, meeting[1])):
            ends[far][ends[far].index(old)] = index
        ends[node] = []
    used = [node for node, meeting in enumerate(ends) if meeting]
    number = {node: place for place, node in enumerate(used)}
    return SkeletonGraph(
        tuple(Branch(b.points, number[b.start], number[b.end]) for b in branches.values()),
        graph.nodes[used],
    )


def _merged(graph: SkeletonGraph, longest: float) -> SkeletonGraph:
    """Make one node of junctions that a short branch joins."""
    junction = [len(graph.leaving(node)) > 2 for node in range(len(graph.nodes))]
    bridges = {
        index
        for index, branch in enumerate(graph.branches)
        if branch.length < longest and junction[branch.start] and junction[branch.end]
    }
    if not bridges:
        return graph
    home = list(range(len(graph.nodes)))

    def root(node: int) -> int:
        while home[node] != node:
            node = home[node]
        return node

    for index in bridges:
        branch = graph.branches[index]
        home[root(branch.end)] = root(branch.start)
    groups: dict[int, list[int]] = {}
    for node in range(len(graph.nodes)):
        groups.setdefault(root(node), []).append(node)
    number = {node: place for place, members in enumerate(groups.values()) for node in members}
    centres = np.array([graph.nodes[members].mean(0) for members in groups.values()])
    kept = [branch for index, branch in enumerate(graph.branches) if index not in bridges]
    branches = [Branch(b.points, number[b.start], number[b.end]) for b in kept]
    return SkeletonGraph(tuple(branches), centres)
