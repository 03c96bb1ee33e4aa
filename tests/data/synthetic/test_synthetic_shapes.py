"""Shapes whose measures are known from geometry."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from spermseg.data.synthetic import PRESETS
from spermseg.data.synthetic.anatomy import draw_anatomy
from spermseg.data.synthetic.distributions import Normal, Uniform, choose
from spermseg.data.synthetic.shapes import Ellipse, Head, acrosome_polygon, head_outline

lengths = st.floats(1.0, 8.0)


def line_length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


@given(lengths, lengths, st.floats(-0.9, 0.9), st.integers(0, 100))
def test_outline_has_exactly_the_extents_asked_for(length, width, taper, seed):
    rng = np.random.default_rng(seed)
    lumps = 0.05 * np.exp(1j * rng.uniform(0, 6, 3))
    outline = head_outline(length, width, taper=taper, bluntness=(0.5, 0.4), lumps=lumps)
    assert np.ptp(outline, axis=0) == pytest.approx([length, width])
    assert outline.max(0) == pytest.approx([length / 2, width / 2])


def test_plain_outline_is_an_ellipse():
    outline = head_outline(4.1, 2.8)
    assert shapely.Polygon(outline).area == pytest.approx(np.pi / 4 * 4.1 * 2.8, rel=1e-4)
    assert np.hypot(outline[:, 0] / 2.05, outline[:, 1] / 1.4) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("x", [-1.0, 0.0, 0.7])
def test_acrosome_of_an_ellipse_is_its_segment(x):
    """Area of the part of a unit disc left of h: arccos(-h) + h sqrt(1 - h^2), over pi."""
    head = Head(head_outline(4.0, 2.5), 4.0, 2.5, (x, 0.0, 0.0))
    h = x / 2
    expected = (np.arccos(-h) + h * np.sqrt(1 - h**2)) / np.pi
    assert head.acrosome_fraction == pytest.approx(expected, abs=1e-3)


def test_tilted_border_through_the_middle_halves_a_head():
    assert Head(head_outline(4, 3), 4, 3, (0.0, 0.5, 0.0)).acrosome_fraction == pytest.approx(0.5)


def test_vacuole_in_the_acrosome_is_not_acrosome():
    outline = head_outline(4, 2)
    hole = Ellipse(-1.0, 0.0, 0.4, 0.2, angle=0.3)
    head = Head(outline, 4, 2, (0.0, 0.0, 0.0), (hole,))
    area, lost = np.pi * 2 * 1, np.pi * 0.4 * 0.2
    assert head.vacuole_area == pytest.approx(lost, rel=0.01)
    assert head.acrosome_fraction == pytest.approx((area / 2 - lost) / area, abs=1e-3)


def test_ellipse_level_and_polygon_agree():
    ellipse = Ellipse(1.0, -2.0, 0.5, 0.3, angle=0.7)
    x, y = np.array(ellipse.polygon().exterior.coords).T
    assert ellipse.level(x, y) == pytest.approx(1)


def test_acrosome_lies_in_front_of_its_border():
    front = acrosome_polygon(head_outline(4, 3), (0.2, 0.1, 0.3))
    x, y = np.array(front.exterior.coords).T
    assert (x <= 0.2 + 0.1 * y + 0.3 * y**2 + 1e-3).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_drawn_sperm_measure_what_they_say(preset):
    for seed in range(25):
        anatomy = draw_anatomy(np.random.default_rng(seed), PRESETS[preset].anatomy)
        flagellum = anatomy.flagellum
        midpiece = flagellum.points[: flagellum.n_midpiece]
        assert line_length(midpiece) == pytest.approx(anatomy.midpiece_length)
        chord = midpiece[-1] - midpiece[0]
        angle = np.rad2deg(np.abs(np.arctan2(chord[1], chord[0])))
        assert angle == pytest.approx(anatomy.midpiece_angle, abs=1e-6)
        middle = flagellum.half_widths[flagellum.n_midpiece // 2]
        assert 2 * middle == pytest.approx(anatomy.midpiece_width, rel=0.01)
        if anatomy.tail_form == "absent":
            assert np.isnan(anatomy.tail_length)
            assert len(flagellum.tail_points) == 0
        else:
            assert line_length(flagellum.tail_points) == pytest.approx(anatomy.tail_length)
        for head in anatomy.heads:
            assert np.ptp(head.outline, axis=0) == pytest.approx([head.length, head.width])


def test_midpiece_begins_on_the_outline_of_the_head():
    for seed in range(20):
        anatomy = draw_anatomy(np.random.default_rng(seed), PRESETS["sperm-parsing"].anatomy)
        if len(anatomy.heads) == 1:
            start = shapely.Point(anatomy.flagellum.points[0])
            outline = shapely.LinearRing(anatomy.heads[0].outline)
            assert start.distance(outline) == pytest.approx(0, abs=1e-9)


def test_distributions_stay_within_their_limits():
    rng = np.random.default_rng(0)
    normal = [Normal(5, 2, spread=1).draw(rng) for _ in range(500)]
    assert 3 <= min(normal) < 3.5
    assert 6.5 < max(normal) <= 7
    assert all(2 <= Uniform(2, 3).draw(rng) < 3 for _ in range(100))
    drawn = [choose(rng, {"often": 9, "rare": 1, "never": 0}) for _ in range(1000)]
    assert drawn.count("never") == 0
    assert 850 < drawn.count("often") < 950
