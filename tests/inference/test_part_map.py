"""Part maps against all scores resized by Pillow and compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from spermseg.data.preprocess import resize_scores
from spermseg.inference import tiling
from spermseg.inference.part_map import highest, paint_block, round_to_half
from spermseg.inference.tiling import Block, score_blocks

IDS = np.array([0, 2, 3, 4, 5, 6], np.uint8)
LENGTHS = st.integers(1, 70)


def random_scores(size, n=6, smooth=0.0, seed=0):
    noise = np.random.default_rng(seed).normal(0, 1, (n, *size))
    scores = np.exp(8 * (1 + smooth) * ndimage.gaussian_filter(noise, (0, smooth, smooth)))
    return (scores / scores.sum(0)).astype(np.float32)


def painted(scores, size):
    part_map = np.full(size, 99, np.uint8)
    working = scores.shape[1:]
    for block in score_blocks(
        working, lambda rows, columns: scores[:, slice(*rows), slice(*columns)].copy()
    ):
        paint_block(part_map, block, working, IDS[: len(scores)])
    return part_map


@settings(deadline=None, max_examples=100)
@given(st.tuples(LENGTHS, LENGTHS), st.tuples(LENGTHS, LENGTHS), st.integers(0, 5))
def test_any_size_to_any_size(working, size, seed):
    scores = random_scores(working, seed=seed)
    full = resize_scores(scores, size)
    wrong = painted(scores, size) != IDS[full.argmax(0)]
    # Only where two parts are equal to the last bits may either be painted.
    first, second = np.sort(full, axis=0)[-1:-3:-1]
    assert (first - second)[wrong].max(initial=0) < 1e-5


@pytest.mark.parametrize("size", [(1024, 1280), (700, 901), (300, 385)])
def test_smooth_regions(size):
    scores = random_scores((512, 640), smooth=4.0)
    expected = IDS[resize_scores(scores, size).argmax(0)]
    assert (painted(scores, size) == expected).mean() >= 0.9999


@pytest.mark.parametrize("size", [(1500, 1450), (900, 800), (300, 200)])
def test_block_by_block_as_at_once(monkeypatch, size):
    scores = random_scores((900, 800), n=3, smooth=2.0)
    expected = IDS[resize_scores(scores, size).argmax(0)]
    monkeypatch.setattr(tiling, "ONE_GO", 2**16)
    assert (painted(scores, size) == expected).mean() >= 0.9999


def test_a_border_between_two_pixels_by_hand():
    scores = np.array([[[0.9, 0.2]], [[0.1, 0.8]]], np.float32)
    part_map = np.zeros((1, 8), np.uint8)
    paint_block(part_map, Block(scores, (0, 0), ((0, 1), (0, 2))), (1, 2), IDS)
    # Own pixel x lies at (x + 0.5) / 4 - 0.5; both parts are equal at 4/7, between x = 3 and 4.
    assert part_map.tolist() == [[0, 0, 0, 0, 2, 2, 2, 2]]


def test_highest_is_argmax():
    scores = np.random.default_rng(3).integers(0, 4, (5, 40, 50)).astype(np.float32)
    np.testing.assert_array_equal(highest(scores), scores.argmax(0))


@given(arrays(np.float32, (3, 7), elements=st.floats(0, 1, width=32)))
def test_scores_are_rounded_as_numpy_rounds_them(scores):
    kept = np.zeros((6, 14), np.float16)
    round_to_half(scores, kept[::2, ::2])
    least = np.finfo(np.float16).tiny
    np.testing.assert_array_equal(kept[::2, ::2], np.maximum(scores, least).astype(np.float16))
    assert not kept[1::2].any()
