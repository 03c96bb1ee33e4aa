"""Shapes on pixels, against formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spermseg.data.synthetic.camera import take_picture
from spermseg.data.synthetic.distributions import Uniform
from spermseg.data.synthetic.noise import smooth_field
from spermseg.data.synthetic.presets import PRESETS
from spermseg.data.synthetic.raster import (
    Pose,
    Window,
    band_distance,
    coverage,
    outline_distance,
)
from spermseg.data.synthetic.settings import CameraSettings

FRAME = Window(0, 0, 60, 80)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 6.3), st.floats(0.01, 1))
def test_local_undoes_place(row, col, direction, um_per_px):
    pose = Pose(row, col, direction, um_per_px)
    window = Window(3, -2, 5, 1)
    x, y = pose.local(window)
    back = pose.place(np.column_stack([x.ravel(), y.ravel()]))
    pixels = [[3, -2], [3, -1], [3, 0], [4, -2], [4, -1], [4, 0]]
    assert back == pytest.approx(np.array(pixels), abs=1e-6)


def test_shifted_pose_turns_and_moves():
    pose = Pose(10, 20, 0.0, 0.5).shifted((1.0, 0.0), np.pi / 2)
    # Along x is along a row, so 1 um is 2 px to the right; turned, x points down.
    assert (pose.row, pose.col) == pytest.approx((10, 22))
    assert pose.place(np.array([[0.5, 0.0]])) == pytest.approx(np.array([[11, 22]]))


def test_distance_to_a_circle():
    t = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    circle = np.array([30.3, 40.6]) + 12.5 * np.column_stack([np.sin(t), np.cos(t)])
    distance = outline_distance(circle, FRAME)
    rows, cols = np.mgrid[:60, :80]
    expected = np.hypot(rows - 30.3, cols - 40.6) - 12.5
    assert distance == pytest.approx(expected, abs=0.02)
    assert coverage(distance).sum() == pytest.approx(np.pi * 12.5**2, rel=2e-3)


def test_distance_to_a_straight_band():
    line = np.column_stack([np.full(400, 20.0), np.linspace(10, 60, 400)])
    distance, point = band_distance(line, np.linspace(4, 2, 400), FRAME)
    assert distance[20, 10] == pytest.approx(-4, abs=0.1)
    assert distance[20, 60] == pytest.approx(-2, abs=0.1)
    assert distance[22, 35] == pytest.approx(2 - 3, abs=0.1)
    assert np.isinf(distance[40, 35])
    assert point[20, 35] == pytest.approx(200, abs=20)
    # A trapezium and two half discs.
    area = 50 * 6 + np.pi / 2 * (4**2 + 2**2)
    assert coverage(distance).sum() == pytest.approx(area, rel=0.01)


def test_bands_outside_of_the_window_leave_nothing():
    line = np.column_stack([np.full(50, -30.0), np.linspace(0, 20, 50)])
    assert np.isinf(band_distance(line, np.full(50, 3.0), FRAME)[0]).all()


def test_smooth_noise_has_deviation_one_and_the_size_asked_for():
    field = smooth_field(np.random.default_rng(0), (300, 410), 6.0)
    assert field.shape == (300, 410)
    assert field.std() == pytest.approx(1, abs=0.15)
    # Neighbours within the scale are alike, those far apart are not.
    assert np.corrcoef(field[:, :-1].ravel(), field[:, 1:].ravel())[0, 1] > 0.9
    assert abs(np.corrcoef(field[:, :-40].ravel(), field[:, 40:].ravel())[0, 1]) < 0.2


def test_light_follows_beer_and_lambert():
    none, one = Uniform(0, 0), Uniform(1, 1)
    camera = CameraSettings(
        light=(Uniform(200, 200), Uniform(210, 210), Uniform(220, 220)),
        brightness=one,
        light_fall=none,
        light_tilt=none,
        blur=one,
        defocus=none,
        sharpening=none,
        saturation=one,
        noise=none,
        grain=none,
        dust=0,
    )
    stain = PRESETS["tiny"].stain
    amounts = np.empty((2, 20, 30), np.float32)
    amounts[0], amounts[1] = 0.3, 0.2
    picture = take_picture(np.random.default_rng(0), amounts, stain, camera, 1.0)
    density = 0.3 * np.array(stain.blue) + 0.2 * np.array(stain.violet)
    # What is left is half a grey value of shading.
    assert picture == pytest.approx(
        np.broadcast_to(np.array([200, 210, 220]) * 10**-density, (20, 30, 3)), abs=3
    )
