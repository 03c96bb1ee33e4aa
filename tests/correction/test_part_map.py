"""The part map follows the sperm, and keeps what belongs to none."""

from __future__ import annotations

import numpy as np
import pytest

from spermseg.correction import current_part_map
from spermseg.data.part_maps import paint_part_map

from .conftest import SIZE


@pytest.fixture
def found(picture):
    """A part map with a stretch of tail that belongs to nobody."""
    part_map = paint_part_map([one.instance for one in picture.sperm], SIZE)
    part_map[110, 20:60] = 3
    return part_map


def test_nothing_corrected_is_the_very_same(picture, found):
    assert current_part_map(found, picture.sperm, picture.sperm) is found


def test_a_deleted_sperm_leaves_what_others_and_nobody_have(picture, found):
    found[60:64, 150] = 2  # Of the third, as it was found; nothing was corrected here.
    after = picture.after(type="delete", sperm=1)

    painted = current_part_map(found, picture.sperm, after.sperm)

    assert (painted[30, 20:148] == 0).all()
    assert (painted[26:60, 149:152] == 3).all()  # The third sperm's tail, which crosses it.
    assert (painted[60:64, 150] == 2).all()
    assert (painted[110, 20:60] == 3).all()
    assert (found[30, 60:160] == 3).all()  # Itself as it was.


def test_what_is_painted_is_in_the_map_and_nothing_else_changes(picture, found):
    after = picture.after(type="paint", sperm=2, part=6, points=[[28, 90.5]], radius=3)

    painted = current_part_map(found, picture.sperm, after.sperm)

    assert (painted == 6).sum() == after.mask(2, "vacuole").sum()
    assert ((painted != found) == (after.mask(2, "vacuole"))).all()


def test_a_new_sperm_covers_what_belongs_to_nobody_until_it_is_undone(picture, found):
    after = picture.after(type="add", points=[[40, 110]], radius=4, part=5)

    painted = current_part_map(found, picture.sperm, after.sperm)

    assert painted[110, 40] == 5
    assert (painted[110, 20:35] == 3).all()
    assert (current_part_map(found, picture.sperm, picture.sperm) == found).all()


def test_split_and_merge_change_no_pixel(picture, found):
    split = picture.after(type="split", sperm=2, line=[[80, 80], [80, 100]])
    merged = split.after(type="merge", sperm=[2, 4])

    for after in (split, merged):
        assert np.array_equal(current_part_map(found, picture.sperm, after.sperm), found)
