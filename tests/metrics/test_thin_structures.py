import numpy as np
import pytest

from spermseg.metrics.thin_structures import centerline_counts, centerline_dice


def line(row, *, first=10, last=90, width=1):
    mask = np.zeros((60, 100), bool)
    mask[row - width // 2 : row + width // 2 + 1, first:last] = True
    return mask


def test_identical_lines():
    assert centerline_dice(centerline_counts(line(20), line(20))) == 1
    assert centerline_dice(centerline_counts(line(20, width=7), line(20, width=7))) == 1


def test_line_one_pixel_off_is_missed_and_within_the_width_is_found():
    assert centerline_dice(centerline_counts(line(20), line(21))) == 0
    assert centerline_dice(centerline_counts(line(20, width=5), line(21, width=5))) == 1


def test_half_a_line_by_hand():
    counts = centerline_counts(line(20), line(20, last=50))
    assert counts.tolist() == [40, 40, 40, 80]
    # Precision 1, sensitivity 1/2.
    assert centerline_dice(counts) == pytest.approx(2 / 3)


def test_width_does_not_count_but_a_second_line_does():
    wide = centerline_dice(centerline_counts(line(20, width=3), line(20, width=9)))
    assert wide == pytest.approx(1, abs=0.05)
    two = centerline_dice(centerline_counts(line(20), line(20) | line(40)))
    assert two == pytest.approx(2 / 3)


def test_nothing_against_nothing_and_against_something():
    empty = np.zeros((60, 100), bool)
    assert np.isnan(centerline_dice(centerline_counts(empty, empty)))
    assert centerline_dice(centerline_counts(empty, line(20))) == 0
    assert centerline_dice(centerline_counts(line(20), empty)) == 0


def test_ignored_pixels():
    counted = np.ones((60, 100), bool)
    counted[:, 50:] = False
    counts = centerline_counts(line(20, last=50), line(20), counted)
    assert counts.tolist() == [40, 40, 40, 40]


def test_pictures_are_pooled_and_scored_together():
    counts = np.array([[40, 40, 40, 80], [0, 0, 0, 0], [0, 10, 0, 10]])
    pooled = centerline_dice(counts.sum(0))
    assert pooled == pytest.approx(2 * (40 / 50) * (40 / 90) / (40 / 50 + 40 / 90))
    np.testing.assert_allclose(centerline_dice(counts), [2 / 3, np.nan, 0])
