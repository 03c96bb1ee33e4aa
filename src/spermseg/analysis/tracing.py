"""A tail followed to its end: through crossings, under heads, over gaps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spermseg.analysis.directions import angle_between, angles_between, direction
from spermseg.analysis.skeleton import SkeletonGraph, polyline_length

Points = NDArray[np.float64]


@dataclass(frozen=True)
class TracingSettings:
    """Lengths in head lengths, angles in degrees.

    Attributes
    ----------
    arm : float
        Length over which the direction of a line is taken.
    sharpest_turn : float
        A tail turns no more than this at a crossing.
    sharpest_insertion : float
        And no more where it leaves its head.
    price_of_turn : float
        Cost of a turn of 45 degrees at a crossing; it grows as the square of the angle.
    shared : float
        Two tails that cross at a small angle may have a stretch up to this length in common: what
        a tail turns there is taken from before to behind the stretch.
    bridge : float
        Of the turn into a bridge between two crossings that is shorter than this, only the share
        counts that the bridge has of it: it may be but the width of what is crossed.
    dearest_way_on : float
        A tail may end where it could go on, if that costs more than this.
    price_of_end : float
        Cost of that.
    longest_gap : float
        Where nothing is seen of the tail, it may still go on after this.
    turn_in_gap : float
        And turns no more than this on both sides of the gap.
    longest : float
        Of a whole tail: ten head lengths are normal (WHO 2021), more is two tails.
    candidates : int
        Courses that are kept for every sperm while it is traced.
    """

    arm: float = 0.3
    sharpest_turn: float = 70.0
    sharpest_insertion: float = 100.0
    price_of_turn: float = 2.0
    shared: float = 1.0
    bridge: float = 0.5
    dearest_way_on: float = 1.5
    price_of_end: float = 3.0
    longest_gap: float = 0.7
    turn_in_gap: float = 35.0
    longest: float = 16.0
    candidates: int = 8


@dataclass(frozen=True)
class Course:
    """One way that a tail may take.

    Parameters
    ----------
    points : (n, 2) float
        Row and column from the head on.
    branches : tuple of int
        The branches of the skeleton it goes along.
    cost : float
        What its turns and gaps speak against it.
    """

    points: Points
    branches: tuple[int, ...]
    cost: float

    @property
    def length(self) -> float:
        """Length in pixels."""
        return polyline_length(self.points)


@dataclass(frozen=True, slots=True)
class _Way:
    """A course while it grows."""

    pieces: tuple[Points, ...]
    branches: tuple[int, ...]
    cost: float
    length: float
    node: int
    from_start: bool = True
    """Which way it went along its last branch."""

    @property
    def here(self) -> Points:
        end: Points = self.pieces[-1][-1]
        return end


@dataclass(frozen=True, slots=True)
class _Gaps:
    """Where a tail may go on from one place, after a gap: n branches."""

    across: Points
    """Vectors (n, 2) from here to where they begin."""
    far: NDArray[np.bool_]
    """Whether these are long enough to have a direction."""
    leaving: Points
    """Directions (n, 2) of the branches."""
    share: Points
    """What is unseen, of the longest gap there may be, (n,)."""
    branches: tuple[tuple[int, bool], ...]
    nodes: NDArray[np.intp]


class Tracer:
    """Follows tails over a skeleton.

    Parameters
    ----------
    graph : SkeletonGraph
    head_length : float
        Typical length in pixels.
    hidden : (H, W) bool, optional
        Where a tail may pass unseen: under heads.
    settings : TracingSettings, optional
    """

    def __init__(
        self,
        graph: SkeletonGraph,
        head_length: float,
        hidden: NDArray[np.bool_] | None = None,
        settings: TracingSettings | None = None,
    ):
        self.graph = graph
        self.head_length = head_length
        self.settings = settings or TracingSettings()
        self._arm = self.settings.arm * head_length
        self._under = np.zeros((0, 0), bool) if hidden is None else hidden
        # All courses ask the same of the same places again and again.
        self._leaving: dict[tuple[int, bool], Points | None] = {}
        self._gaps: dict[tuple[float, float], _Gaps | None] = {}
        self._nodes = cKDTree(graph.nodes) if len(graph.nodes) else None

    def courses(self, origin: Points, node: int) -> list[Course]:
        """Give the likeliest courses from a head through a node, the best first.

        Parameters
        ----------
        origin : (2,) float
            Point of the head, so far from the node that the line between them is a direction.
        node : int
            Where the skeleton begins.

        Returns
        -------
        list of Course
            With `origin` as their first point; empty when nothing leaves the node forwards.
        """
        first = np.stack([origin, self.graph.nodes[node]])
        growing, done = [_Way((first,), (), 0.0, polyline_length(first), node)], []
        while growing:
            grown = []
            for way in growing:
                onward = list(self._onward(way))
                grown += onward
                if way.branches and not onward:
                    done.append(way)
                elif way.branches and self._may_end(way, onward):
                    done.append(replace(way, cost=way.cost + self.settings.price_of_end))
            grown.sort(key=lambda way: way.cost)
            growing = grown[: self.settings.candidates]
        done.sort(key=lambda way: way.cost)
        return [
            Course(np.concatenate(way.pieces), way.branches, way.cost)
            for way in done[: self.settings.candidates]
        ]

    def _may_end(self, way: _Way, onward: list[_Way]) -> bool:
        cheapest = min(other.cost for other in onward) - way.cost
        return cheapest > self.settings.dearest_way_on

    def _onward(self, way: _Way) -> Iterator[_Way]:
        if way.length > self.settings.longest * self.head_length:
            return
        heading = self._heading(way)
        if heading is None:
            return
        bearing = self._bearing(way, heading)
        for branch, from_start in self.graph.leaving(way.node):
            if branch not in way.branches:
                yield from self._turn(way, bearing, branch, from_start)
        yield from self._jump(way, heading)

    def _heading(self, way: _Way) -> Points | None:
        """Give the direction in which a way arrives."""
        if way.branches and self.graph.branches[way.branches[-1]].length > self._arm:
            back = self._direction_of(way.branches[-1], not way.from_start)
        else:
            back = direction(np.concatenate(way.pieces)[::-1], self._arm)
        return None if back is None else -back

    def _bearing(self, way: _Way, heading: Points) -> Points:
        """Give the direction that a way had before what it may share with another tail."""
        if len(way.branches) < 2:
            return heading
        if self.graph.branches[way.branches[-1]].length > self.settings.shared * self.head_length:
            return heading
        back = direction(np.concatenate(way.pieces[:-1])[::-1], self._arm)
        return heading if back is None else -back

    def _turn(self, way: _Way, bearing: Points, branch: int, from_start: bool) -> Iterator[_Way]:
        leaving = self._direction_of(branch, from_start)
        angle = 0.0 if leaving is None else angle_between(bearing, leaving)
        settings = self.settings
        if way.branches:
            angle *= math.sqrt(self._counted(branch))
        # A midpiece may leave its head at any angle forwards; that is a defect, not a crossing.
        limit = settings.sharpest_turn if way.branches else settings.sharpest_insertion
        if angle <= limit:
            cost = settings.price_of_turn * (angle / 45) ** 2
            yield self._extended(way, branch, from_start, cost)

    def _counted(self, branch: int) -> float:
        """Give the share that counts of the cost of a turn into a branch."""
        entry = self.graph.branches[branch]
        if min(len(self.graph.leaving(node)) for node in (entry.start, entry.end)) < 3:
            return 1.0
        return min(1.0, entry.length / (self.settings.bridge * self.head_length))

    def _jump(self, way: _Way, heading: Points) -> Iterator[_Way]:
        """Go on where another line lies ahead and goes the same way."""
        gaps = self._gaps_from(way.here)
        if gaps is None:
            return
        turn = angles_between(heading, gaps.leaving)
        sideways = np.where(gaps.far, angles_between(heading, gaps.across), 0.0)
        possible = (gaps.across @ heading > 0) & (gaps.nodes != way.node)
        possible &= np.maximum(sideways, turn) <= self.settings.turn_in_gap
        for index in np.flatnonzero(possible).tolist():
            branch, from_start = gaps.branches[index]
            if branch not in way.branches:
                cost = 0.5 + (turn[index] / 45) ** 2 + (sideways[index] / 45) ** 2
                yield self._extended(way, branch, from_start, float(cost + gaps.share[index]))

    def _gaps_from(self, here: Points) -> _Gaps | None:
        """Give where a tail may go on that ends here for now; None if nowhere."""
        key = (float(here[0]), float(here[1]))
        if key not in self._gaps:
            self._gaps[key] = self._look_around(here)
        return self._gaps[key]

    def _look_around(self, here: Points) -> _Gaps | None:
        longest = self.settings.longest_gap * self.head_length
        if self._nodes is None:
            return None
        # Some way under heads is allowed besides.
        near = sorted(self._nodes.query_ball_point(here, longest + 1.5 * self.head_length))
        unseen = self._unseen(here, self.graph.nodes[near])
        found = [
            (node, branch, gap, leaving)
            for node, gap in zip(near, unseen.tolist(), strict=True)
            if gap <= longest
            for branch in self.graph.leaving(node)
            if (leaving := self._direction_of(*branch)) is not None
        ]
        if not found:
            return None
        nodes, branches, gaps, directions = zip(*found, strict=True)
        across = self.graph.nodes[list(nodes)] - here
        return _Gaps(
            across,
            np.hypot(*across.T) > 0.1 * self.head_length,
            np.array(directions),
            np.array(gaps) / longest,
            branches,
            np.array(nodes),
        )

    def _direction_of(self, branch: int, from_start: bool) -> Points | None:
        key = (branch, from_start)
        if key not in self._leaving:
            self._leaving[key] = direction(self._along(branch, from_start), self._arm)
        return self._leaving[key]

    def _unseen(self, here: Points, there: Points) -> Points:
        """Lengths of the gaps from here to points (n, 2), without what lies under heads."""
        lengths: Points = np.hypot(*(there - here).T)
        if not self._under.size:
            return lengths
        # As many places on each as it has pixels.
        n_places = np.maximum(2, np.rint(lengths)).astype(np.intp)
        starts = np.r_[0, n_places.cumsum()]
        gap = np.repeat(np.arange(len(there)), n_places)
        along = (np.arange(starts[-1]) - starts[gap]) / (n_places[gap] - 1)
        places = here + along[:, np.newaxis] * (there - here)[gap]
        rows, columns = np.rint(places).astype(np.intp).T
        under = np.bincount(gap, self._under[rows, columns], len(there))
        return np.multiply(lengths, 1 - under / n_places)

    def _extended(self, way: _Way, branch: int, from_start: bool, cost: float) -> _Way:
        points, entry = self._along(branch, from_start), self.graph.branches[branch]
        return _Way(
            (*way.pieces, points),
            (*way.branches, branch),
            way.cost + cost,
            way.length + math.dist(way.here, points[0]) + entry.length,
            entry.end if from_start else entry.start,
            from_start,
        )

    def _along(self, branch: int, from_start: bool) -> Points:
        points = self.graph.branches[branch].points
        return points if from_start else points[::-1]
