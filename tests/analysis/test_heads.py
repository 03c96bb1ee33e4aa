from __future__ import annotations

import numpy as np
import pytest

from spermseg.analysis.heads import separate_heads, thickest


def ellipse(size, centre, length, width, angle=0.0):
    rows, columns = np.mgrid[: size[0], : size[1]]
    down, right = rows - centre[0], columns - centre[1]
    along = np.cos(angle) * right + np.sin(angle) * down
    across = -np.sin(angle) * right + np.cos(angle) * down
    return (along / (length / 2)) ** 2 + (across / (width / 2)) ** 2 <= 1


def test_separate_heads_are_numbered_and_specks_left_out():
    one = ellipse((120, 200), (40, 50), 45, 30)
    other = ellipse((120, 200), (80, 150), 45, 30, 1.0)
    speck = ellipse((120, 200), (100, 20), 6, 6)
    heads = separate_heads(one | other | speck, 45)
    assert heads.max() == 2
    assert (heads > 0).tolist() == (one | other).tolist()
    assert len({heads[40, 50], heads[80, 150]}) == 2


@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi / 2])
def test_touching_heads_are_cut_at_their_waist(angle):
    one = ellipse((120, 160), (60, 55), 45, 28, angle)
    step = {0.0: (0, 40), 0.7: (6, 36), np.pi / 2: (0, 26)}[angle]
    other = ellipse((120, 160), (60 + step[0], 55 + step[1]), 45, 28, angle)
    assert (one & other).any()
    heads = separate_heads(one | other, 45)
    assert heads.max() == 2
    for mask, centre in ((one, (60, 55)), (other, (60 + step[0], 55 + step[1]))):
        mine = heads == heads[centre]
        assert (mine & mask).sum() / (mine | mask).sum() > 0.85


@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_small_heads_side_by_side_stay_apart(angle):
    beside = (40 + 25 * np.cos(angle), 50 - 25 * np.sin(angle))
    one = ellipse((90, 120), (40, 50), 36, 22, angle)
    other = ellipse((90, 120), beside, 36, 22, angle)
    # Together they are smaller than one and a half heads, and the gap is one that is closed.
    assert not (one & other).any()
    heads = separate_heads(one | other, 45)
    assert heads.max() == 2
    assert (heads[one] == heads[40, 50]).all()
    assert (heads[other] != heads[40, 50]).all()


def test_a_long_or_pear_shaped_head_stays_whole():
    tapered = ellipse((90, 140), (45, 60), 70, 26)
    pear = ellipse((90, 140), (45, 50), 40, 34) | ellipse((90, 140), (45, 72), 36, 18)
    assert separate_heads(tapered, 45).max() == 1
    assert separate_heads(pear, 45).max() == 1


def test_a_line_between_acrosome_and_nucleus_does_not_cut_a_head():
    head = ellipse((90, 120), (45, 60), 46, 30)
    head[:, 60:62] = False
    heads = separate_heads(head, 45)
    assert heads.max() == 1
    assert not heads[45, 60]


def test_a_hole_belongs_to_the_area_of_a_head_but_not_to_its_pixels():
    head = ellipse((90, 120), (45, 60), 46, 30)
    holed = head & ~ellipse((90, 120), (45, 60), 20, 14)
    # By the area without its hole it would be debris.
    heads = separate_heads(holed, 45 * 3.2)
    assert heads.max() == 1
    assert ((heads > 0) == holed).all()


def test_the_thickest_place_is_that_of_the_roundest_region():
    mask = ellipse((90, 140), (45, 30), 40, 10) | ellipse((90, 140), (45, 100), 31, 31)
    assert thickest(mask) == pytest.approx(16, abs=0.5)
    assert thickest(np.zeros((5, 5), bool)) == 0


def test_no_head():
    assert not separate_heads(np.zeros((20, 30), bool), 45).any()
