"""Small regions, drawn by hand, leave a part map and its scores; nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spermseg.inference.specks import clear_specks

TAIL, NUCLEUS = 3, 5
IDS = np.array([0, 2, 3, 4, 5, 6], np.uint8)


def scores_of(part_map, working):
    """One-hot scores (6, h, w) float16 of a part map seen at another size."""
    rows, columns = (
        (np.arange(n) * own) // n for n, own in zip(working, part_map.shape, strict=True)
    )
    small = part_map[np.ix_(rows, columns)]
    return (small == IDS[:, None, None]).astype(np.float16)


def drawn():
    """A sperm of a head (40 x 26 px) and a tail, a speck of tail, a speck of head."""
    part_map = np.zeros((200, 300), np.uint8)
    part_map[100:126, 20:60] = NUCLEUS
    part_map[112:115, 60:260] = TAIL
    part_map[20:23, 50:90] = TAIL
    part_map[160:168, 200:208] = NUCLEUS
    return part_map


@pytest.mark.parametrize("working", [(200, 300), (100, 150), (225, 337)])
def test_specks_go_and_the_sperm_stays(working):
    part_map = drawn()
    sperm = part_map.copy()
    sperm[20:23] = 0
    sperm[160:168] = 0
    scores = scores_of(part_map, working)
    clear_specks(part_map, scores, 40.0)
    np.testing.assert_array_equal(part_map, sperm)
    np.testing.assert_array_equal(IDS[scores.argmax(0)], IDS[scores_of(sperm, working).argmax(0)])
    np.testing.assert_allclose(scores.sum(0), 1)


def test_the_area_that_stays_is_in_squared_head_lengths():
    for area, left in ((0.149, 0), (0.151, 1)):
        part_map = np.zeros((60, 400), np.uint8)
        part_map[30, : round(area * 50**2)] = TAIL
        clear_specks(part_map, scores_of(part_map, (60, 400)), 50.0)
        assert part_map.any() == left


def test_pieces_of_one_tail_count_together():
    part_map = np.zeros((60, 400), np.uint8)
    for start in range(0, 400, 20):
        part_map[30:32, start : start + 19] = TAIL
    whole = part_map.copy()
    clear_specks(part_map, scores_of(part_map, (60, 400)), 50.0)
    np.testing.assert_array_equal(part_map, whole)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 9), st.integers(5, 90), st.integers(5, 90), st.floats(4, 60))
def test_what_goes_is_small_and_what_is_large_stays(seed, height, width, head_length):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 2)
    before = np.where(noise > 0.05, NUCLEUS, 0).astype(np.uint8)
    after = before.copy()
    clear_specks(after, scores_of(before, (height, width)), head_length)
    assert set(np.unique(after)) <= {0, NUCLEUS}
    assert (before[after > 0] > 0).all()
    regions, n = ndimage.label(before, np.ones((3, 3)))
    for number in range(1, n + 1):
        kept = after[regions == number]
        assert (kept > 0).all() or not kept.any()
        if len(kept) >= 0.15 * head_length**2:
            assert kept.all()
