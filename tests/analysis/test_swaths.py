from __future__ import annotations

import numpy as np
import pytest

from spermseg.analysis.swaths import swath

SIZE = (80, 120)


def bar(width, row=40.0):
    rows = np.mgrid[: SIZE[0], : SIZE[1]][0]
    return np.abs(rows - row) <= (width - 1) / 2


@pytest.mark.parametrize("width", [3, 5, 7])
def test_a_swath_is_as_wide_as_the_tail_and_a_pixel_more(width):
    line = np.array([[40.0, 20], [40, 100]])
    found = swath(line, bar(width), least=1.5, most=4).full(SIZE)
    assert (found[:, 60] == bar(width + 2)[:, 60]).all()
    assert not found[:, :15].any()
    assert not found[:, 106:].any()


def test_a_swath_holds_nothing_of_a_tail_that_it_crosses():
    line = np.array([[40.0, 5], [40, 115]])
    other = np.zeros(SIZE, bool)
    other[:, 58:63] = True
    found = swath(line, bar(5) | other, least=1.5, most=4).full(SIZE)
    assert (found[:, 59:62].sum(0) <= 9).all()
    assert found[38:43, 59:62].all()


def test_a_swath_is_no_wider_than_a_tail_can_be():
    line = np.array([[40.0, 20], [40, 100]])
    found = swath(line, np.ones(SIZE, bool), least=1.5, most=4).full(SIZE)
    assert found[:, 60].sum() == 2 * 5 + 1


def test_at_the_picture_s_border_it_ends():
    line = np.array([[0.0, 0], [0, 119]])
    found = swath(line, bar(3, row=0), least=1.5, most=4)
    assert found.mask.shape[1] == SIZE[1]
    assert found.full(SIZE)[:3].all()
    assert not found.full(SIZE)[3:].any()
