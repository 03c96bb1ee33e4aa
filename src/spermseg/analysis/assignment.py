"""Which tail goes with which head: one course for each sperm, chosen together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.necks import Neck
from spermseg.analysis.skeleton import SkeletonGraph
from spermseg.analysis.tracing import Course, Tracer, TracingSettings


def trace_courses(
    graph: SkeletonGraph,
    necks: Mapping[int, Sequence[Neck]],
    hidden: NDArray[np.bool_],
    head_length: float,
    settings: TracingSettings | None = None,
) -> dict[int, Course]:
    """Follow what hangs on every head, and settle who goes where.

    Parameters
    ----------
    graph : SkeletonGraph
    necks : mapping of int to sequence of Neck
        By head; see `find_necks`.
    hidden : (H, W) bool
        Where a tail may pass unseen: under heads.
    head_length : float
        Typical length in pixels.
    settings : TracingSettings, optional

    Returns
    -------
    dict of int to Course
        By head; heads whose necks lead nowhere are left out.
    """
    tracer = Tracer(graph, head_length, hidden, settings)
    options: dict[int, list[Course]] = {}
    for head, candidates in necks.items():
        courses = [
            replace(course, cost=course.cost + neck.cost)
            for neck in candidates
            for course in tracer.courses(neck.origin, neck.node)
        ]
        if courses:
            options[head] = sorted(courses, key=lambda course: course.cost)
    lengths = [branch.length / head_length for branch in graph.branches]
    chosen = choose_courses(list(options.values()), lengths)
    return {
        head: courses[index] for (head, courses), index in zip(options.items(), chosen, strict=True)
    }


def choose_courses(
    options: Sequence[Sequence[Course]],
    lengths: Sequence[float],
    *,
    sharing: float = 1.0,
    explaining: float = 0.3,
) -> list[int]:
    """Choose one course for every sperm so that together they explain the skeleton best.

    Parameters
    ----------
    options : sequence of sequences of Course
        For every sperm, the best first; none of them empty.
    lengths : sequence of float
        Of the branches, in head lengths.
    sharing : float
        What a head length of branch costs when a further sperm goes along it.
    explaining : float
        What a head length of branch that no other sperm goes along speaks for a course.

    Returns
    -------
    list of int
        Index of the course chosen for every sperm. Found by turns: each sperm takes what is best
        given the others, until nothing changes.
    """
    chosen = [0] * len(options)
    taken = Counter(branch for courses in options for branch in courses[0].branches)

    def burden(course: Course) -> float:
        shared = sum(lengths[b] for b in course.branches if taken[b])
        alone = sum(lengths[b] for b in course.branches if not taken[b])
        return course.cost + sharing * shared - explaining * alone

    for _ in range(10):
        before = list(chosen)
        for sperm, courses in enumerate(options):
            taken.subtract(courses[chosen[sperm]].branches)
            chosen[sperm] = min(range(len(courses)), key=lambda i: burden(courses[i]))
            taken.update(courses[chosen[sperm]].branches)
        if chosen == before:
            break
    return chosen
