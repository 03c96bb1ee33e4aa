"""Where midpieces begin at their heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.head_outlines import HeadOutlines
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
        Heads without any are left out. A tail that only passes a head has no midpiece there.
    """
    distances, numbers = heads.nearest(graph.nodes)
    away = distances / (_REACH * head_length)
    near = np.flatnonzero(away <= 1)
    if not len(near):
        return {}
    shares = _shares(midpiece, graph.nodes[near], round(0.125 * head_length))
    centres = heads.centres()
    necks: dict[int, list[Neck]] = {}
    for node, share in zip(near.tolist(), shares.tolist(), strict=True):
        if share < _LEAST_MIDPIECE:
            continue
        place, head = graph.nodes[node], int(numbers[node])
        outwards = place - centres[head - 1]
        origin = place - outwards / max(float(np.hypot(*outwards)), 1e-6) * 0.3 * head_length
        cost = float(away[node]) + 4 * max(0.0, 0.4 - share)
        necks.setdefault(head, []).append(Neck(origin, node, cost))
    return necks


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
