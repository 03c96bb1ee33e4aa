"""A tail followed to its end: through crossings, under heads, over gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spermseg.analysis.directions import angle_between, direction
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
        self._under = np.zeros((0, 0), bool) if hidden is None else hidden
        # All courses ask the same of the same places again and again.
        self._leaving: dict[tuple[int, bool], Points | None] = {}
        self._gaps: dict[tuple[float, float], list[tuple[int, Points, float]]] = {}
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
        first = Course(np.stack([origin, self.graph.nodes[node]]), (), 0.0)
        growing, done = [(first, node)], []
        while growing:
            grown = []
            for course, node in growing:
                onward = list(self._onward(course, node))
                grown += onward
                if not onward and course.branches:
                    done.append(course)
            grown.sort(key=lambda entry: entry[0].cost)
            growing = grown[: self.settings.candidates]
        return sorted(done, key=lambda course: course.cost)[: self.settings.candidates]

    def _onward(self, course: Course, node: int) -> Iterator[tuple[Course, int]]:
        if course.length > self.settings.longest * self.head_length:
            return
        arm = self.settings.arm * self.head_length
        heading = direction(course.points[::-1], arm)
        if heading is None:
            return
        for branch, from_start in self.graph.leaving(node):
            if branch not in course.branches:
                yield from self._turn(course, -heading, branch, from_start)
        yield from self._jump(course, -heading, node)

    def _turn(
        self, course: Course, heading: Points, branch: int, from_start: bool
    ) -> Iterator[tuple[Course, int]]:
        points = self._along(branch, from_start)
        leaving = self._direction_of(branch, from_start)
        angle = 0.0 if leaving is None else angle_between(heading, leaving)
        # A midpiece may leave its head at any angle forwards; that is a defect, not a crossing.
        settings = self.settings
        limit = settings.sharpest_turn if course.branches else settings.sharpest_insertion
        if angle <= limit:
            yield self._extended(course, points, branch, from_start, (angle / 45) ** 2)

    def _jump(self, course: Course, heading: Points, node: int) -> Iterator[tuple[Course, int]]:
        """Go on where another line lies ahead and goes the same way."""
        settings, here = self.settings, course.points[-1]
        for other, gap, distance in self._gaps_from(here):
            if other == node or gap @ heading <= 0:
                continue
            for branch, from_start in self.graph.leaving(other):
                if branch in course.branches:
                    continue
                points = self._along(branch, from_start)
                leaving = self._direction_of(branch, from_start)
                if leaving is None:
                    continue
                # For a gap of a few pixels their direction means little.
                far = np.hypot(*gap) > 0.1 * self.head_length
                sideways = angle_between(heading, gap) if far else 0.0
                turn = angle_between(heading, leaving)
                if max(sideways, turn) <= settings.turn_in_gap:
                    share = distance / (settings.longest_gap * self.head_length)
                    cost = 0.5 + (turn / 45) ** 2 + (sideways / 45) ** 2 + share
                    yield self._extended(course, points, branch, from_start, cost)

    def _gaps_from(self, here: Points) -> list[tuple[int, Points, float]]:
        """Give the nodes a gap may lead to, from here to there, and what is unseen between."""
        key = (float(here[0]), float(here[1]))
        if key not in self._gaps:
            longest = self.settings.longest_gap * self.head_length
            # Some way under heads is allowed besides.
            reach = longest + 1.5 * self.head_length
            near = [] if self._nodes is None else self._nodes.query_ball_point(here, reach)
            nodes = self.graph.nodes
            gaps = [(n, nodes[n] - here, self._unseen(here, nodes[n])) for n in sorted(near)]
            self._gaps[key] = [gap for gap in gaps if gap[2] <= longest]
        return self._gaps[key]

    def _direction_of(self, branch: int, from_start: bool) -> Points | None:
        key = (branch, from_start)
        if key not in self._leaving:
            arm = self.settings.arm * self.head_length
            self._leaving[key] = direction(self._along(branch, from_start), arm)
        return self._leaving[key]

    def _unseen(self, here: Points, there: Points) -> float:
        """Length of a gap, without what lies under heads."""
        length = float(np.hypot(*(there - here)))
        if not self._under.size:
            return length
        line = np.linspace(here, there, max(2, round(length)))
        rows, columns = np.rint(line).astype(int).T
        return length * (1 - float(self._under[rows, columns].mean()))

    def _extended(
        self, course: Course, points: Points, branch: int, from_start: bool, cost: float
    ) -> tuple[Course, int]:
        longer = Course(
            np.concatenate([course.points, points]),
            (*course.branches, branch),
            course.cost + cost,
        )
        return longer, self._far_node(branch, from_start)

    def _along(self, branch: int, from_start: bool) -> Points:
        points = self.graph.branches[branch].points
        return points if from_start else points[::-1]

    def _far_node(self, branch: int, from_start: bool) -> int:
        entry = self.graph.branches[branch]
        return entry.end if from_start else entry.start
