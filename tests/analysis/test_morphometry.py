"""Sperm drawn from exact shapes, and what is measured on them."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_filter
from scipy.special import ellipe

from spermseg.analysis.centerline import even_line, smooth_line
from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.flagellum_shape import headings, largest_bend, width_profile
from spermseg.analysis.head_shape import head_shape, outline_values
from spermseg.analysis.morphometry import measure, measure_all
from spermseg.analysis.quantities import QUANTITIES
from spermseg.analysis.skeleton import polyline_length
from spermseg.structures import MORPHOMETRY_FLAGS, Part, SpermInstance

LENGTH, WIDTH = 90.0, 55.0
SIZE = (420, 520)


def ellipse(centre, length, width, degrees, size=(140, 140)):
    """Pixels whose centre lies in an ellipse; the angle is counter-clockwise."""
    rows, columns = np.indices(size)
    down, right = rows - centre[0], columns - centre[1]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along, across = right * cos - down * sin, right * sin + down * cos
    return (2 * along / length) ** 2 + (2 * across / width) ** 2 <= 1


def band(points, width, size=SIZE):
    """Pixels whose centre lies within half a width of a line."""
    from scipy.spatial import cKDTree

    pixels = np.indices(size).reshape(2, -1).T
    return (cKDTree(points).query(pixels)[0] <= width / 2).reshape(size)


def on_line(*corners, step=0.25):
    """Points close together on the straight lines between corners."""
    corners = np.array(corners, float)
    pieces = [
        np.linspace(a, b, max(2, round(float(np.hypot(*(b - a))) / step)))
        for a, b in pairwise(corners)
    ]
    return np.concatenate(pieces)


def arc(centre, radius, start, end):
    t = np.radians(np.linspace(start, end, 2000))
    return np.stack([centre[0] - radius * np.sin(t), centre[1] + radius * np.cos(t)], axis=1)


def head_at(row, column, size=SIZE):
    """A head whose axis is the picture's horizontal: acrosome in front, on the left."""
    whole = ellipse((row, column), LENGTH, WIDTH, 0, size)
    front = whole & (np.indices(size)[1] < column)
    return {Part.ACROSOME: front, Part.NUCLEUS: whole & ~front}


def sperm(tail, *, midpiece=None, at=(200.5, 100.5), width=8.0, extra=None, **fields):
    """A sperm with its head on the left; midpiece and tail are lines, 12 and `width` px wide."""
    masks = head_at(*at)
    head = masks[Part.ACROSOME] | masks[Part.NUCLEUS]
    if midpiece is None:
        midpiece = on_line((at[0], at[1] + LENGTH / 2), (at[0], at[1] + LENGTH / 2 + 88))
    middle = band(midpiece, 12) & ~head if len(midpiece) else np.zeros(SIZE, bool)
    if extra is not None:
        middle |= extra & ~head
    masks[Part.MIDPIECE] = middle
    if tail is not None:
        masks[Part.TAIL] = band(tail, width) & ~head & ~middle
    return SpermInstance.from_full_masks(1, masks, **fields)


STRAIGHT = on_line((200.5, 233.5), (200.5, 500.5))


@pytest.mark.parametrize("degrees", range(0, 180, 15))
def test_ellipses_as_large_as_heads_are_measured_within_one_per_cent(degrees):
    mask = ellipse((70.3, 69.6), LENGTH, WIDTH, degrees)
    shape = head_shape(SpermInstance.from_full_masks(1, {Part.HEAD: mask}))
    values = outline_values(shape)
    perimeter = 2 * LENGTH * ellipe(1 - (WIDTH / LENGTH) ** 2)
    assert values["head_length"] == pytest.approx(LENGTH, rel=0.01)
    assert values["head_width"] == pytest.approx(WIDTH, rel=0.01)
    assert values["head_perimeter"] == pytest.approx(perimeter, rel=0.003)
    assert values["head_area"] == pytest.approx(math.pi / 4 * LENGTH * WIDTH, rel=0.005)
    assert values["head_ellipticity"] == pytest.approx(LENGTH / WIDTH, rel=0.015)
    assert values["head_elongation"] == pytest.approx(35 / 145, rel=0.03)
    assert values["head_regularity"] == pytest.approx(1, abs=0.015)
    assert values["head_symmetry"] > 0.97
    turn = abs(values["head_orientation"] - degrees)
    assert min(turn, 180 - turn) < 1


@pytest.mark.parametrize("radius", [10, 25, 40])
def test_a_disc_has_roughness_one(radius):
    mask = ellipse((70.2, 70.7), 2 * radius, 2 * radius, 0)
    values = outline_values(head_shape(SpermInstance.from_full_masks(1, {Part.HEAD: mask})))
    assert values["head_perimeter"] == pytest.approx(2 * math.pi * radius, rel=0.01)
    assert values["head_roughness"] == pytest.approx(1, abs=0.015)


@settings(max_examples=15)
@given(
    length=st.floats(70, 120),
    ratio=st.floats(1.3, 2.2),
    degrees=st.floats(0, 180),
    shift=st.floats(-0.5, 0.5),
)
def test_shape_factors_depend_neither_on_size_nor_on_direction(length, ratio, degrees, shift):
    mask = ellipse((70 + shift, 70 - shift), length, length / ratio, degrees)
    values = outline_values(head_shape(SpermInstance.from_full_masks(1, {Part.HEAD: mask})))
    assert values["head_length"] == pytest.approx(length, rel=0.015)
    assert values["head_ellipticity"] == pytest.approx(ratio, rel=0.025)
    assert values["head_regularity"] == pytest.approx(1, abs=0.03)
    assert values["head_symmetry"] > 0.95


def test_a_lopsided_head_is_less_symmetric_by_as_much_as_its_halves_differ():
    upper = ellipse((70, 70), 90, 60, 0) & (np.indices((140, 140))[0] <= 70)
    lower = ellipse((70, 70), 90, 30, 0) & (np.indices((140, 140))[0] > 70)
    values = outline_values(
        head_shape(SpermInstance.from_full_masks(1, {Part.HEAD: upper | lower}))
    )
    # The centre of gravity of a half ellipse lies 4 / 3 pi of its height from the flat side.
    axis = 4 / (3 * math.pi) * (30 * 30 - 15 * 15) / (30 + 15)
    height = np.sqrt(1 - np.linspace(-1, 1, 2001) ** 2)
    up, down = 30 * height - axis, 15 * height + axis
    inside = (up + down > 0) & (np.minimum(up, down) > 0)
    expected = np.minimum(up, down)[inside].sum() / np.maximum(up, down).sum()
    assert values["head_symmetry"] == pytest.approx(expected, abs=0.03)


def test_the_parts_of_a_head_are_shares_of_its_area():
    instance = sperm(STRAIGHT)
    small, large = (
        ellipse((190, 80), 10, 10, 0, SIZE),
        ellipse((210, 120), 16, 16, 0, SIZE),
    )
    speck = np.zeros(SIZE, bool)
    speck[200, 90] = True
    masks = {part: instance.full_mask(part, SIZE) for part in instance.masks}
    masks[Part.VACUOLE] = small | large | speck
    for part in (Part.ACROSOME, Part.NUCLEUS):
        masks[part] &= ~masks[Part.VACUOLE]
    values = measure(SpermInstance.from_full_masks(1, masks)).values
    area = math.pi / 4 * LENGTH * WIDTH
    assert values["vacuole_count"] == 2
    assert values["vacuole_fraction"] == pytest.approx(math.pi * (25 + 64) / area, rel=0.05)
    assert values["vacuole_largest_fraction"] == pytest.approx(math.pi * 64 / area, rel=0.05)
    assert values["vacuole_behind_acrosome"] == 1
    assert values["acrosome_fraction"] == pytest.approx(0.5 - math.pi * 25 / area, abs=0.01)
    masks[Part.NUCLEUS] |= large
    masks[Part.VACUOLE] &= ~large
    values = measure(SpermInstance.from_full_masks(1, masks)).values
    assert values["vacuole_behind_acrosome"] == 0


def test_a_straight_sperm_has_the_lengths_and_widths_it_was_drawn_with():
    values = measure(sperm(STRAIGHT), head_length_px=LENGTH).values
    assert values["midpiece_length"] == pytest.approx(88 + 6, rel=0.03)  # a round end of 6 px
    assert values["midpiece_width"] == pytest.approx(12, abs=0.5)
    assert values["midpiece_insertion_angle"] == pytest.approx(0, abs=2)
    assert values["midpiece_insertion_offset"] == pytest.approx(0, abs=1.5)
    assert values["tail_length"] == pytest.approx(500 + 4 - 233 - 6, rel=0.01)
    for name in ("tail_width", "tail_width_front", "tail_width_middle", "tail_width_rear"):
        assert values[name] == pytest.approx(8, abs=0.5)
    assert values["tail_largest_bend"] < 3
    assert values["tail_coiling"] < 0.02
    assert values["tail_curvature"] < 0.0005
    assert values["droplet_area"] == 0


@pytest.mark.parametrize("degrees", [20, 45, 70])
def test_a_bent_midpiece_has_its_angle(degrees):
    start = np.array([200, 145.0])
    end = start + 88 * np.array([math.sin(math.radians(degrees)), math.cos(math.radians(degrees))])
    tail = on_line(end, (min(end[0] + 150, 400), end[1] + 60))
    values = measure(sperm(tail, midpiece=on_line(start, end)), head_length_px=LENGTH).values
    assert values["midpiece_insertion_angle"] == pytest.approx(degrees, abs=5)


def test_a_midpiece_beside_the_axis_has_its_offset():
    midpiece = on_line((212, 140), (212, 233))
    values = measure(sperm(on_line((212, 233), (212, 480)), midpiece=midpiece)).values
    assert values["midpiece_insertion_offset"] == pytest.approx(12, abs=1.5)


def test_a_tail_on_an_arc_is_as_long_and_as_bent_as_the_arc():
    radius = 100
    curve = arc((300, 233), radius, 90, -120)
    values = measure(sperm(curve), head_length_px=LENGTH).values
    expected = math.radians(210) * radius + 4 - 6
    assert values["tail_length"] == pytest.approx(expected, rel=0.01)
    assert values["tail_curvature"] == pytest.approx(1 / radius, rel=0.05)
    assert values["tail_coiling"] == pytest.approx(210 / 360, abs=0.06)
    assert values["tail_largest_bend"] == pytest.approx(math.degrees(22.5 / radius), abs=4)


def test_a_tail_that_crosses_itself_is_followed_round_its_loop():
    t = np.linspace(-math.pi, math.pi, 4000)
    trochoid = np.stack([200 - 80 * np.cos(t), 343 + 35 * t - 80 * np.sin(t)], axis=1)
    loop = np.concatenate([trochoid, on_line((280, 453), (280, 490))])
    midpiece = on_line((280, 145), (280, 233))
    values = measure(sperm(loop, midpiece=midpiece, at=(280.0, 100.0))).values
    expected = polyline_length(loop) + 4 - 6
    assert values["tail_length"] == pytest.approx(expected, rel=0.02)
    assert values["tail_coiling"] == pytest.approx(1, abs=0.1)


def test_a_broken_tail_has_its_bend():
    corner = on_line((200, 233), (200, 350), (330, 350))
    values = measure(sperm(corner), head_length_px=LENGTH).values
    assert values["tail_largest_bend"] == pytest.approx(90, abs=10)


def test_a_wound_up_tail_is_measured_by_its_area():
    t = np.linspace(0, 6 * math.pi, 4000)
    radii = 20 + 6 * t / (2 * math.pi)
    spiral = np.stack([200 - radii * np.sin(t), 290 - radii * np.cos(t)], axis=1)
    tail = np.concatenate([on_line((200, 233), (200, 262)), spiral])
    morphometry = measure(sperm(tail), head_length_px=LENGTH)
    assert morphometry.values["tail_coiling"] > 1.5
    # 3 turns; what lies under the rest is not seen.
    assert 0.5 < morphometry.values["tail_length"] / polyline_length(tail) < 1.1


def test_a_droplet_is_what_bulges_out_of_the_midpiece():
    droplet = ellipse((200, 185), 40, 44, 0, SIZE)
    values = measure(sperm(STRAIGHT, extra=droplet), head_length_px=LENGTH).values
    beyond = math.pi / 4 * 40 * 44 - 40 * 18  # 1.5 times the width of 12
    assert values["droplet_area"] == pytest.approx(beyond, rel=0.2)
    assert values["droplet_fraction"] == pytest.approx(values["droplet_area"] / values["head_area"])
    assert values["midpiece_width"] < 20


@pytest.mark.parametrize("amplitude", [0, 10, 25])
def test_a_smoothed_chain_of_pixels_is_as_long_as_the_sine_it_stands_for(amplitude):
    x = np.linspace(0, 400, 8001)
    exact = np.stack([100 + amplitude * np.sin(x / 25), x], axis=1) @ [
        [math.cos(0.4), math.sin(0.4)],
        [-math.sin(0.4), math.cos(0.4)],
    ]
    chain = np.rint(exact)
    chain = chain[np.r_[True, (np.diff(chain, axis=0) != 0).any(1)]]
    smooth = smooth_line(chain, 0.35 * LENGTH)
    assert polyline_length(chain) > 1.04 * polyline_length(exact)
    assert polyline_length(smooth) == pytest.approx(polyline_length(exact), rel=0.015)


@pytest.mark.parametrize("length", [6, 11, 32, 33, 200])
def test_smoothing_is_that_of_savitzky_and_golay(length):
    line = np.random.default_rng(length).uniform(0, 3, (length, 2)).cumsum(0)
    even, _ = even_line(line)
    window = min(33, len(even) - 1 + len(even) % 2)
    expected = savgol_filter(even, window, 3, axis=0, mode="interp")
    np.testing.assert_allclose(smooth_line(line, 32), expected, atol=1e-9)


@pytest.mark.parametrize("degrees", [4, 17, 40, 80])
@pytest.mark.parametrize("width", [3.0, 8.0, 11.5])
def test_widths_are_those_of_the_band(degrees, width):
    step = np.array([math.sin(math.radians(degrees)), math.cos(math.radians(degrees))])
    points = np.array([20.3, 20.4]) + np.arange(0, 100)[:, None] * step
    mask = band(np.array([20.3, 20.4]) + np.arange(-5, 105, 0.1)[:, None] * step, width, (140, 140))
    widths = width_profile(points, mask, np.zeros(2), 20)
    assert np.median(widths) == pytest.approx(width, abs=0.5)
    assert widths.mean() == pytest.approx(width, rel=0.05)


def test_a_bend_before_the_tail_does_not_count():
    points = on_line((0, 0), (0, 50), (100, 50), step=1)
    assert largest_bend(points, 0, 20) == pytest.approx(90, abs=5)
    assert largest_bend(points, 75, 20) == pytest.approx(0, abs=1)
    assert math.isnan(largest_bend(points[:30], 0, 20))


def test_all_quantities_are_there_whatever_is_missing():
    whole = measure(sperm(STRAIGHT))
    assert set(whole.values) == set(QUANTITIES)
    assert not any(math.isnan(value) for value in whole.values.values())
    assert whole.flags == frozenset()


def test_what_is_missing_is_nan_and_flagged():
    loose = measure(SpermInstance.from_full_masks(1, head_at(200, 100)))
    assert loose.flags == {"no_midpiece", "no_tail"}
    assert loose.values["head_length"] == pytest.approx(LENGTH, rel=0.01)
    assert math.isnan(loose.values["tail_length"])
    assert math.isnan(loose.values["midpiece_width"])
    tailless = measure(sperm(None))
    assert tailless.flags == {"no_tail"}
    assert tailless.values["midpiece_length"] == pytest.approx(94, rel=0.05)
    tail = SpermInstance.from_full_masks(7, {Part.TAIL: band(STRAIGHT, 8)})
    orphan = measure(replace(tail, flags=frozenset({"headless"})))
    assert orphan.flags == {"no_head"}
    assert orphan.instance_id == 7
    assert all(math.isnan(value) for value in orphan.values.values())


def test_a_head_without_parts_has_no_acrosome_to_measure():
    masks = {Part.HEAD: ellipse((200, 100), LENGTH, WIDTH, 0, SIZE)}
    values = measure(SpermInstance.from_full_masks(1, masks)).values
    assert math.isnan(values["acrosome_fraction"])
    assert math.isnan(values["vacuole_count"])
    assert values["head_width"] == pytest.approx(WIDTH, rel=0.01)


@pytest.mark.parametrize(
    ("turns", "beat", "coiled"),
    [(0, 50, False), (0.75, 0, False), (1, 0, False), (1, 50, False), (2, 0, True), (2, 50, True)],
)
def test_a_loop_is_no_coil_though_the_tail_beats(turns, beat, coiled):
    # A tail of 8 head lengths that turns in its middle third and beats by so many degrees.
    way = np.linspace(0, 1, int(8 * LENGTH))
    heading = 2 * np.pi * turns * np.clip(3 * way - 1, 0, 1)
    heading = heading + math.radians(beat) * np.sin(2 * np.pi * 2.5 * way)
    points = np.stack([np.sin(heading), np.cos(heading)], axis=1).cumsum(0)
    turning = float(np.ptp(headings(points, LENGTH / 4))) / (2 * np.pi)
    limit = load_criteria().by_name["tail_coiling"].max
    assert (turning > limit) is coiled
    assert turning == pytest.approx(turns + 2 * beat / 360, abs=0.13)


def test_only_the_part_that_the_border_cuts_is_unknown():
    cut = sperm(on_line((200.5, 233.5), (200.5, 519.5)), flags=frozenset({"cut"}))
    known = measure(cut, size=SIZE)
    assert known.flags == {"cut"}
    assert math.isnan(known.values["tail_length"])
    assert known.values["tail_width"] == pytest.approx(8, abs=0.5)
    assert known.values["head_length"] == pytest.approx(LENGTH, rel=0.01)
    assert known.values["midpiece_length"] == pytest.approx(94, rel=0.05)
    assert known.values["tail_seen_length"] == pytest.approx(286, rel=0.03)
    assert known.values["tail_view"] == pytest.approx(286 / LENGTH, rel=0.03)
    assert known.values["tail_largest_bend"] < 3
    without_size = measure(cut)
    assert math.isnan(without_size.values["head_length"])
    inside = measure(sperm(STRAIGHT), size=SIZE)
    assert inside.flags == frozenset()


def test_a_tail_that_ends_just_before_the_border_goes_on_beyond_it():
    # 0.12 of 90 px are 10.8 px: the last column is 519, the masks end at 504.5 and 511.5.
    for end, cut in ((500.5, False), (507.5, True)):
        found = measure(sperm(on_line((200, 233), (200, end))), head_length_px=LENGTH, size=SIZE)
        assert ("cut" in found.flags) is cut
        assert math.isnan(found.values["tail_length"]) is cut


def test_how_much_of_a_tail_could_be_seen_does_not_depend_on_its_length():
    short, long = (
        measure(sperm(on_line((200, 233), (200, end))), head_length_px=LENGTH, size=SIZE).values
        for end in (360, 450)
    )
    assert short["tail_length"] < long["tail_length"] - 80
    assert short["tail_view"] == pytest.approx(long["tail_view"], abs=0.02)
    # Nothing of a tail is there; it would have begun where the midpiece ends.
    without = sperm(on_line((200, 233), (200, 450)))
    masks = {p: without.full_mask(p, SIZE) for p in without.masks if p != Part.TAIL}
    none = measure(SpermInstance.from_full_masks(1, masks), head_length_px=LENGTH, size=SIZE)
    assert none.values["tail_seen_length"] == 0
    assert none.values["tail_view"] == pytest.approx(long["tail_view"], abs=0.05)


def test_a_head_that_touches_another_is_uncertain():
    touching = measure(sperm(STRAIGHT, flags=frozenset({"touching_head"})))
    assert touching.flags == {"uncertain"}
    assert math.isnan(touching.values["head_width"])
    assert math.isnan(touching.values["midpiece_insertion_angle"])
    assert touching.values["tail_length"] > 0


def test_a_tail_that_ends_at_another_sperm_may_go_on():
    one = sperm(STRAIGHT)
    other = SpermInstance.from_full_masks(2, {Part.HEAD: ellipse((200, 512), 16, 90, 0, SIZE)})
    far = SpermInstance.from_full_masks(3, {Part.HEAD: ellipse((100, 400), 30, 30, 0, SIZE)})
    assert "tail_incomplete" in measure_all([one, other])[0].flags
    assert math.isnan(measure_all([one, other])[0].values["tail_length"])
    assert measure_all([one, far])[0].flags == frozenset()


def test_a_tail_of_which_a_part_was_not_reached_is_incomplete():
    pieces = np.concatenate([on_line((200, 233), (200, 330))])
    instance = sperm(pieces)
    masks = {part: instance.full_mask(part, SIZE) for part in instance.masks}
    masks[Part.TAIL] |= band(on_line((330, 200), (330, 480)), 8)
    morphometry = measure(SpermInstance.from_full_masks(1, masks), head_length_px=LENGTH)
    assert "tail_incomplete" in morphometry.flags
    assert math.isnan(morphometry.values["tail_length"])


def test_a_centre_line_that_is_given_is_followed():
    rough = np.rint(on_line((200, 140), (200, 500), step=2)) + [[0, 0], [1, 0]] * 90
    given = measure(sperm(STRAIGHT, centerline=rough), head_length_px=LENGTH).values
    traced = measure(sperm(STRAIGHT), head_length_px=LENGTH).values
    assert given["tail_length"] == pytest.approx(traced["tail_length"], rel=0.01)


def test_flags_are_those_that_exist():
    assert measure(sperm(None)).flags <= MORPHOMETRY_FLAGS
