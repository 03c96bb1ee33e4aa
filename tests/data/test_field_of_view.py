"""Round fields drawn by hand: what is painted, and what is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spermseg.data.field_of_view import without_surround


def smear(size=(900, 1200), seed=0):
    """A bright field with a stained disc near its middle."""
    random = np.random.default_rng(seed)
    image = random.integers(200, 240, (*size, 3)).astype(np.uint8)
    rows, columns = np.ogrid[: size[0], : size[1]]
    image[np.hypot(rows - size[0] / 2, columns - size[1] / 2) < size[0] / 12] = (40, 20, 110)
    return image


def outside(size, radius):
    rows, columns = np.ogrid[: size[0], : size[1]]
    return np.hypot(rows - size[0] / 2, columns - size[1] / 2) > radius


@pytest.mark.parametrize("factor", [1, 257])
def test_the_surround_is_painted_and_the_field_is_not(factor):
    image = smear()
    dark = outside((900, 1200), 420)
    image[dark] = np.random.default_rng(1).integers(0, 15, (int(dark.sum()), 3))
    kind = np.uint8 if factor == 1 else np.uint16
    image = image.astype(kind) * kind(factor)
    before = image.copy()
    painted = without_surround(image)
    np.testing.assert_array_equal(image, before)
    assert painted.dtype == image.dtype
    # The background is drawn from 200 to 239.
    assert np.abs(painted[dark] / factor - 219.5).max() < 2
    # Steps of 2 pixels and the blurred rim, no more, are lost of the field.
    inside = ~outside((900, 1200), 420 - 9)
    np.testing.assert_array_equal(painted[inside], image[inside])


def test_ordinary_pictures_are_given_back_as_they_are():
    image = smear()
    assert without_surround(image) is image
    image[:80, :80] = 0
    image[-80:, -80:] = 0
    assert without_surround(image) is image
    image = smear()
    image[:, :300] = (60, 30, 150)
    assert without_surround(image) is image


def test_a_dark_picture_with_something_bright_is_left_alone():
    image = np.zeros((400, 400, 3), np.uint8)
    image[180:220, 180:220] = 250
    assert without_surround(image) is image


def test_bright_cells_on_a_dark_ground_are_left_alone():
    image = np.zeros((600, 800, 3), np.uint8)
    rows, columns = np.ogrid[:600, :800]
    for row, column in ((150, 150), (300, 400), (450, 650), (120, 600)):
        image[np.hypot(rows - row, columns - column) < 110] = 220
    assert (image > 0).mean() > 0.25
    assert without_surround(image) is image


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_any_small_picture_keeps_size_and_is_not_changed_in_place(height, width, seed):
    image = np.random.default_rng(seed).integers(0, 2, (height, width, 3)).astype(np.uint8) * 250
    before = image.copy()
    assert without_surround(image).shape == image.shape
    np.testing.assert_array_equal(image, before)
