from __future__ import annotations

import numpy as np
import pytest

from spermseg.analysis.directions import angle_between, direction


def test_direction_leaves_the_first_point():
    line = np.array([[0.0, 0], [0, 10], [10, 10]])
    assert direction(line, 8) == pytest.approx([0, 1])
    assert direction(line[::-1], 8) == pytest.approx([-1, 0])
    assert direction(np.zeros((2, 2)), 8) is None


@pytest.mark.parametrize(
    ("one", "other", "angle"),
    [((0, 1), (0, 5), 0), ((0, 1), (2, 0), 90), ((1, 1), (-1, -1), 180), ((0, 1), (1, 1), 45)],
)
def test_angles(one, other, angle):
    assert angle_between(np.array(one, float), np.array(other, float)) == pytest.approx(angle)
