"""Sperm with known measurements; drawn lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from spermseg.structures import Morphometry

UM_PER_PX = 0.05

# In micrometres: the medians of normal stained sperm of the WHO manual, with a L / W of 1.6.
NORMAL_UM = {
    "head_length": 4.4,
    "head_width": 2.75,
    "head_area": 9.5,
    "head_perimeter": 11.4,
    "head_ellipticity": 1.6,
    "head_elongation": 0.23,
    "head_roughness": 0.92,
    "head_regularity": 1.0,
    "head_symmetry": 0.97,
    "acrosome_area": 5.0,
    "acrosome_fraction": 0.53,
    "vacuole_count": 1.0,
    "vacuole_fraction": 0.03,
    "vacuole_largest_fraction": 0.03,
    "vacuole_behind_acrosome": 0.0,
    "midpiece_length": 4.0,
    "midpiece_width": 0.6,
    "midpiece_insertion_angle": 5.0,
    "midpiece_insertion_offset": 0.1,
    "tail_length": 45.0,
    "tail_seen_length": 45.0,
    "tail_view": 12.0,
    "tail_width": 0.45,
    "tail_largest_bend": 20.0,
    "tail_coiling": 0.2,
    "droplet_fraction": 0.0,
}


def _sperm(*flags: str, **changes: float) -> Morphometry:
    """Make a normal sperm in pixels of 0.05 um, with changes in micrometres."""
    from spermseg.analysis.quantities import QUANTITIES

    powers = {"length": 1, "area": 2}
    values = {
        name: value / UM_PER_PX ** powers.get(QUANTITIES[name].dimension, 0)
        for name, value in {**NORMAL_UM, **changes}.items()
    }
    for flag, part in (("no_tail", "tail"), ("no_midpiece", "midpiece")):
        if flag in flags:
            values |= {name: math.nan for name in values if name.startswith(part)}
    return Morphometry(1, values, frozenset(flags))


@pytest.fixture(scope="session")
def sperm() -> Callable[..., Morphometry]:
    """`sperm(*flags, **changes)`: a normal sperm in pixels of 0.05 um, changed in micrometres."""
    return _sperm


def _stroke(mask: np.ndarray, *points: tuple[float, float], width: float = 4) -> np.ndarray:
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(float)
    for (row0, column0), (row1, column1) in pairwise(points):
        down, right = row1 - row0, column1 - column0
        length = np.hypot(down, right)
        along = np.clip(((rows - row0) * down + (columns - column0) * right) / length, 0, length)
        nearest = (row0 + along * down / length, column0 + along * right / length)
        mask |= np.hypot(rows - nearest[0], columns - nearest[1]) <= width / 2
    return mask


@pytest.fixture(scope="session")
def stroke() -> Callable[..., np.ndarray]:
    """`stroke(mask, *points, width)`: a line through points (row, column), drawn into a mask."""
    return _stroke
