import numpy as np
import pytest

from spermseg.errors import DataError
from spermseg.metrics.intervals import bootstrap_interval
from spermseg.metrics.parts import class_scores


def share(counts):
    return counts[..., 0] / counts.sum(-1)


def test_equal_pictures_leave_no_doubt():
    limits = bootstrap_interval(np.tile([3, 1], (9, 1)), share)
    np.testing.assert_allclose(limits, 0.75)


def test_share_of_many_pictures_has_the_binomial_interval():
    heads = np.arange(400) < 120
    limits = bootstrap_interval(np.stack([heads, ~heads], 1), share, resamples=4000, seed=1)
    # Normal approximation of a share of 0.3 in 400.
    width = 1.96 * np.sqrt(0.3 * 0.7 / 400)
    np.testing.assert_allclose(limits, [0.3 - width, 0.3 + width], atol=0.005)


def test_wider_confidence_is_wider():
    counts = np.random.default_rng(0).integers(1, 50, (30, 2))
    narrow = bootstrap_interval(counts, share, confidence=0.5)
    wide = bootstrap_interval(counts, share, confidence=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_pooled_like_the_slow_way():
    counts = np.random.default_rng(0).integers(0, 50, (6, 3, 3))
    limits = bootstrap_interval(counts, lambda c: class_scores(c)["iou"], resamples=50, seed=3)
    draws = np.random.default_rng(3).multinomial(6, np.full(6, 1 / 6), size=50)
    slow = [class_scores(sum(k * c for k, c in zip(d, counts, strict=True)))["iou"] for d in draws]
    np.testing.assert_allclose(limits, np.percentile(slow, (2.5, 97.5), axis=0))


def test_class_that_few_pictures_hold():
    counts = np.zeros((5, 2, 2), int)
    counts[:, 0, 0] = 10
    counts[0, 1, 1] = 4
    limits = bootstrap_interval(counts, lambda c: class_scores(c)["iou"])
    np.testing.assert_allclose(limits, [[1, 1], [1, 1]])
    counts[0] = counts[1]
    assert np.isnan(bootstrap_interval(counts, lambda c: class_scores(c)["iou"])[:, 1]).all()


def test_same_seed_same_interval_and_no_pictures():
    counts = np.random.default_rng(0).integers(1, 50, (30, 2))
    one, two = (bootstrap_interval(counts, share, seed=7) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    with pytest.raises(DataError, match="no pictures"):
        bootstrap_interval(counts[:0], share)
