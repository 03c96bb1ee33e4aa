"""Where midpieces begin at their heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.analysis.skeleton import SkeletonGraph

_REACH = 0.35
"""A midpiece begins no further from its head than this, in head lengths."""

_LEAST_MIDPIECE = 0.1
"""Share of midpiece around that place, at least."""


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


def find_necks(
    graph: SkeletonGraph,
    midpiece: NDArray[np.bool_],
    heads: NDArray[np.int32],
    head_length: float,
) -> dict[int, list[Neck]]:
    """Find where midpieces begin, by head.

    Parameters
    ----------
    graph : SkeletonGraph
        Of midpieces and tails.
    midpiece : (H, W) bool
    heads : (H, W) int
        Numbers of the heads from 1.
    head_length : float
        Typical length in pixels.

    Returns
    -------
    dict of int to list of Neck
        Heads without any are left out. A tail that only passes a head has no midpiece there.
    """
    if not len(graph.nodes) or not heads.any():
        return {}
    side = 2 * round(0.125 * head_length) + 1
    around = ndimage.uniform_filter(midpiece.astype(np.float32), side)
    distance, nearest = ndimage.distance_transform_edt(heads == 0, return_indices=True)
    centres = ndimage.center_of_mass(heads > 0, heads, range(1, int(heads.max()) + 1))
    necks: dict[int, list[Neck]] = {}
    for node, place in enumerate(graph.nodes):
        row, column = np.rint(place).astype(int)
        away = float(distance[row, column]) / (_REACH * head_length)
        share = float(around[row, column])
        if away > 1 or share < _LEAST_MIDPIECE:
            continue
        head = int(heads[tuple(nearest[:, row, column])])
        outwards = place - np.array(centres[head - 1])
        origin = place - outwards / max(float(np.hypot(*outwards)), 1e-6) * 0.3 * head_length
        necks.setdefault(head, []).append(Neck(origin, node, away + 4 * max(0.0, 0.4 - share)))
    return necks
