"""One sperm as part masks and as amounts of dye."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.data.synthetic.anatomy import Anatomy, Head
from spermseg.data.synthetic.distributions import Normal, Uniform
from spermseg.data.synthetic.presets import StainSettings
from spermseg.data.synthetic.raster import (
    Field,
    Points,
    Pose,
    Window,
    band_distance,
    coverage,
    outline_distance,
)
from spermseg.structures import Part

MIN_HALF_WIDTH_PX = 0.75
"""A midpiece or tail is never labelled thinner than 1.5 px, so that its mask holds together."""


def placed_points(anatomy: Anatomy, pose: Pose) -> Points:
    """Give all outline and centre line points of a sperm as row, col, (n, 2)."""
    heads = [pose.shifted(h.origin, h.angle).place(h.outline) for h in anatomy.heads]
    return np.vstack([*heads, pose.place(anatomy.flagellum.points)])


def part_masks(anatomy: Anatomy, pose: Pose, window: Window) -> dict[int, NDArray[np.bool_]]:
    """Label the pixels of one sperm.

    Where its own parts lie over each other the later of tail, acrosome, nucleus, midpiece, vacuole
    wins; the midpiece begins at the outline of the head.

    Parameters
    ----------
    anatomy : Anatomy
    pose : Pose
    window : Window

    Returns
    -------
    dict of int to (h, w) bool
        Disjoint masks by part id.
    """
    head, nucleus, vacuole = np.zeros((3, *window.shape), bool)
    for one, frame, distance, (x, y) in _head_fields(anatomy, pose, window):
        at = frame.slices(window)
        inside = distance <= 0
        head[at] |= inside
        nucleus[at] |= inside & (x >= one.border_x(y))
        for hole in one.vacuoles:
            vacuole[at] |= inside & (hole.level(x, y) <= 1)
    distance, nearest = _flagellum_fields(anatomy, pose, window)
    flagellum = (distance <= 0) & ~head
    midpiece = flagellum & (nearest < anatomy.flagellum.n_midpiece)
    return {
        Part.TAIL: flagellum & ~midpiece,
        Part.ACROSOME: head & ~nucleus & ~vacuole,
        Part.NUCLEUS: nucleus & ~vacuole,
        Part.MIDPIECE: midpiece,
        Part.VACUOLE: vacuole,
    }


def dye_amounts(
    rng: np.random.Generator, anatomy: Anatomy, pose: Pose, window: Window, stain: StainSettings
) -> Field:
    """Give the amounts of blue and violet dye, (2, h, w) float32, that one sperm binds."""
    amounts = _flagellum_dye(rng, anatomy, pose, window, stain)
    for one, frame, distance, (x, y) in _head_fields(anatomy, pose, window):
        at = (slice(None), *frame.slices(window))
        amounts[at] = np.maximum(amounts[at], _head_dye(rng, one, distance, x, y, pose, stain))
    if anatomy.droplet is not None:
        x, y = pose.local(window)
        level = anatomy.droplet.level(x, y)
        blue = Uniform(0.5, 1.2).draw(rng) * stain.midpiece[0]
        amounts[0] += blue * np.clip((1.1 - level) / 0.2, 0, 1)
    result: Field = amounts * np.float32(stain.sperm_strength.draw(rng))
    return result


def _head_fields(
    anatomy: Anatomy, pose: Pose, window: Window
) -> Iterator[tuple[Head, Window, Field, tuple[Points, Points]]]:
    for head in anatomy.heads:
        own = pose.shifted(head.origin, head.angle)
        outline = own.place(head.outline)
        frame = Window.around(outline, 3, window)
        if not frame.empty:
            yield head, frame, outline_distance(outline, frame), own.local(frame)


def _flagellum_fields(
    anatomy: Anatomy, pose: Pose, window: Window
) -> tuple[Field, NDArray[np.int32]]:
    half_widths = np.maximum(anatomy.flagellum.half_widths / pose.um_per_px, MIN_HALF_WIDTH_PX)
    return band_distance(pose.place(anatomy.flagellum.points), half_widths, window)


def _flagellum_dye(
    rng: np.random.Generator, anatomy: Anatomy, pose: Pose, window: Window, stain: StainSettings
) -> Field:
    flagellum = anatomy.flagellum
    distance, nearest = _flagellum_fields(anatomy, pose, window)
    n, n_midpiece = len(flagellum.points), flagellum.n_midpiece
    # Dye fades from the midpiece's to the tail's over a micrometre, then towards the tail's end.
    s = np.linspace(0, 1, n - n_midpiece) if n > n_midpiece else np.empty(0)
    beyond = np.append(np.zeros(n_midpiece), 0.02 * np.arange(n - n_midpiece))
    fade = np.append(np.ones(n_midpiece), 1 - Uniform(0.3, 0.7).draw(rng) * s)
    is_midpiece = np.exp(-beyond / 0.8)
    thinness = np.minimum(1, flagellum.half_widths / pose.um_per_px / MIN_HALF_WIDTH_PX)
    strength = fade * thinness * _ripple(rng, n)
    amounts = np.zeros((2, *window.shape), np.float32)
    cover = coverage(distance)
    for dye in (0, 1):
        along = is_midpiece * stain.midpiece[dye] + (1 - is_midpiece) * stain.tail[dye]
        amounts[dye] = cover * (along * strength)[nearest]
    return amounts


def _ripple(rng: np.random.Generator, n: int) -> Points:
    """Give a slow variation around 1 along a line of `n` points."""
    knots = np.linspace(0, n, max(2, n // 60))
    result: Points = 1 + np.interp(np.arange(n), knots, rng.normal(0, 0.1, len(knots)))
    return result


def _head_dye(
    rng: np.random.Generator,
    head: Head,
    distance: Field,
    x: Points,
    y: Points,
    pose: Pose,
    stain: StainSettings,
) -> Field:
    depth = -distance * pose.um_per_px
    softness = Uniform(0.06, 0.28).draw(rng)
    nuclear = 1 / (1 + np.exp(-np.clip((x - head.border_x(y)) / softness, -30, 30)))
    # The acrosome darkens from the tip to its border; the nucleus has a bluer rim.
    acrosomal = np.clip(0.7 + 0.75 * (x + head.length / 2) / head.length, 0, 2)
    rim = np.exp(-np.clip(depth, 0, None) / 0.22)
    mottle = 1 + 0.12 * ndimage.gaussian_filter(
        rng.standard_normal(x.shape), 0.35 / pose.um_per_px, mode="nearest"
    ) / _smoothed_deviation(0.35 / pose.um_per_px)
    holes = np.ones_like(x)
    for vacuole in head.vacuoles:
        holes *= 1 - Uniform(0.3, 0.9).draw(rng) * np.clip((1.2 - vacuole.level(x, y)) / 0.4, 0, 1)
    strengths = Normal(1, 0.18).draw(rng), Normal(1, 0.15).draw(rng)
    body = coverage(distance) * mottle * holes
    blue, violet = (
        body
        * (
            (1 - nuclear) * acrosomal * strengths[0] * stain.acrosome[dye]
            + nuclear * strengths[1] * stain.nucleus[dye]
        )
        for dye in (0, 1)
    )
    rim_blue = 2.5 * stain.nucleus[0] * nuclear * rim * coverage(distance)
    return np.stack([blue + rim_blue, violet]).astype(np.float32)


def _smoothed_deviation(sigma: float) -> float:
    """Standard deviation of white noise of deviation 1 after a Gaussian of `sigma` pixels."""
    return float(1 / np.sqrt(1 + 4 * np.pi * sigma**2))
