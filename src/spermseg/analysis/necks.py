"""Where midpieces begin at their heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.analysis.head_outlines import HeadOutlines
from spermseg.analysis.skeleton import SkeletonGraph, split_branches

_REACH = 0.35
"""A midpiece begins no further from its head than this, in head lengths."""

_PASSING = 0.2
"""Nor further than this where its line does not end there, but goes on as another's."""

_LEAST_MIDPIECE = 0.1
"""Share of midpiece around that place, at least."""

_AROUND = 0.125
"""Half the side, in head lengths, of the square in which that share is taken."""


@dataclass(frozen=True)
class Neck:
    """Where something may hang on a head.

    Parameters
    ----------
    origin : (2,) float
        A point of the head.
    node : int
        Node of the skeleton that is near the head.
    cost : float
        What its distance, and how little midpiece there is, speak against it.
    """

    origin: NDArray[np.float64]
    node: int
    cost: float


def with_passed_necks(
    graph: SkeletonGraph, midpiece: NDArray[np.bool_], heads: HeadOutlines, head_length: float
) -> SkeletonGraph:
    """Cut the branches that bend at a head where a midpiece begins.

    Where another tail meets a midpiece right at its head, the skeleton of both is one line that
    neither ends nor forks there.

    Parameters
    ----------
    graph : SkeletonGraph
        Of midpieces and tails.
    midpiece : (H, W) bool
    heads : HeadOutlines
    head_length : float
        Typical length in pixels.

    Returns
    -------
    SkeletonGraph
        With a node at each such place.
    """
    cuts: dict[int, list[int]] = {}
    for index, branch in enumerate(graph.branches):
        distances, _ = heads.nearest(branch.points)
        stretches, _ = ndimage.label(distances <= _PASSING * head_length)
        for (stretch,) in ndimage.find_objects(stretches):
            if stretch.start == 0 or stretch.stop == len(distances):
                # A node lies near the head as it is.
                continue
            place = stretch.start + int(distances[stretch].argmin())
            share = _shares(midpiece, branch.points[[place]], round(_AROUND * head_length))
            if share[0] >= _LEAST_MIDPIECE:
                cuts.setdefault(index, []).append(place)
    return split_branches(graph, cuts)


def find_necks(
    graph: SkeletonGraph, midpiece: NDArray[np.bool_], heads: HeadOutlines, head_length: float
) -> dict[int, list[Neck]]:
    """Find where midpieces begin, by head.

    Parameters
    ----------
    graph : SkeletonGraph
        Of midpieces and tails.
    midpiece : (H, W) bool
    heads : HeadOutlines
    head_length : float
        Typical length in pixels.

    Returns
    -------
    dict of int to list of Neck
        Heads without any are left out. A tail that only passes a head has no midpiece there. A
        place near two heads is the nearer one's, and also the other's if that has nothing else.
    """
    reach = _REACH * head_length
    around = heads.around(graph.nodes, reach)
    shares = _shares(midpiece, graph.nodes, round(_AROUND * head_length))
    centres = heads.centres()
    found: dict[int, list[Neck]] = {}
    own: dict[int, list[Neck]] = {}
    for node, distances in enumerate(around):
        if shares[node] < _LEAST_MIDPIECE:
            continue
        for head, distance in distances.items():
            outwards = graph.nodes[node] - centres[head - 1]
            inwards = -outwards / max(float(np.hypot(*outwards)), 1e-6)
            origin = graph.nodes[node] + 0.3 * head_length * inwards
            neck = Neck(origin, node, distance / reach + 4 * max(0.0, 0.4 - float(shares[node])))
            found.setdefault(head, []).append(neck)
            if distance == min(distances.values()):
                own.setdefault(head, []).append(neck)
    return found | own


def _shares(
    mask: NDArray[np.bool_], points: NDArray[np.float64], reach: int
) -> NDArray[np.float64]:
    """Give the share of a mask within a square of 2 reach + 1 pixels around points (n, 2)."""
    steps = np.arange(-reach, reach + 1)
    pixels = np.rint(points).astype(np.intp)
    rows, columns = (
        # Beyond the border the picture is mirrored.
        _mirrored(pixels[:, axis, np.newaxis] + steps, mask.shape[axis])
        for axis in (0, 1)
    )
    shares: NDArray[np.float64] = mask[rows[:, :, np.newaxis], columns[:, np.newaxis]].mean((1, 2))
    return shares


def _mirrored(indices: NDArray[np.intp], extent: int) -> NDArray[np.intp]:
    indices = np.where(indices < 0, -1 - indices, indices)
    return np.where(indices >= extent, 2 * extent - 1 - indices, indices).clip(0, extent - 1)
