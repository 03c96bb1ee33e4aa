"""One sperm as part masks and as amounts of dye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spermseg.data.synthetic.distributions import Normal, Uniform
from spermseg.data.synthetic.noise import smooth_field
from spermseg.data.synthetic.raster import (
    Field,
    Points,
    Pose,
    Window,
    band_distance,
    coverage,
    outline_distance,
)
from spermseg.data.synthetic.settings import StainSettings
from spermseg.data.synthetic.shapes import STEP_UM, Anatomy, Head
from spermseg.structures import Part

MIN_HALF_WIDTH_PX = 0.75
"""A midpiece or tail is never labelled thinner than 1.5 px, so that its mask holds together."""

EDGE_UM = 0.22
"""Over this depth the dye of a head rises to its full amount."""
RIM_UM = 0.34
"""Over this depth the blue of the nucleus falls to its least."""


@dataclass(frozen=True)
class HeadRaster:
    """A head on the pixels of `window`: signed distance (px) and own coordinates (um), (h, w)."""

    head: Head
    window: Window
    distance: Field
    x: Points
    y: Points


@dataclass(frozen=True)
class SpermRaster:
    """One sperm on the pixels of `window`.

    Parameters
    ----------
    anatomy : Anatomy
    pose : Pose
    window : Window
    heads : tuple of HeadRaster
        Those that lie in the window.
    distance : (h, w) float32
        Signed distance to midpiece and tail, px; infinite out of reach.
    point : (h, w) int32
        Index of the nearest point of the flagellum.
    half_widths : (n,) float
        Of the flagellum, px, as labelled.
    """

    anatomy: Anatomy
    pose: Pose
    window: Window
    heads: tuple[HeadRaster, ...]
    distance: Field
    point: NDArray[np.int32]
    half_widths: Points


def rasterise(anatomy: Anatomy, pose: Pose, window: Window) -> SpermRaster:
    """Bring one sperm onto the pixels of a window."""
    heads = []
    for head in anatomy.heads:
        own = pose.shifted(head.origin, head.angle)
        outline = own.place(head.outline)
        frame = Window.around(outline, 3, window)
        if not frame.empty:
            heads.append(
                HeadRaster(head, frame, outline_distance(outline, frame), *own.local(frame))
            )
    half_widths = np.maximum(anatomy.flagellum.half_widths / pose.um_per_px, MIN_HALF_WIDTH_PX)
    band = band_distance(pose.place(anatomy.flagellum.points), half_widths, window)
    return SpermRaster(anatomy, pose, window, tuple(heads), *band, half_widths)


def part_masks(raster: SpermRaster) -> dict[int, NDArray[np.bool_]]:
    """Label the pixels of one sperm.

    Where its own parts lie over each other the later of tail, acrosome, nucleus, midpiece, vacuole
    wins; the midpiece begins at the outline of the head.

    Returns
    -------
    dict of int to (h, w) bool
        Disjoint masks by part id.
    """
    head, nucleus, vacuole = np.zeros((3, *raster.window.shape), bool)
    for one in raster.heads:
        at = one.window.slices(raster.window)
        inside = one.distance <= 0
        head[at] |= inside
        nucleus[at] |= inside & (one.x >= one.head.border_x(one.y))
        for hole in one.head.vacuoles:
            vacuole[at] |= inside & (hole.level(one.x, one.y) <= 1)
    flagellum = (raster.distance <= 0) & ~head
    midpiece = flagellum & (raster.point < raster.anatomy.flagellum.n_midpiece)
    return {
        Part.TAIL: flagellum & ~midpiece,
        Part.ACROSOME: head & ~nucleus & ~vacuole,
        Part.NUCLEUS: nucleus & ~vacuole,
        Part.MIDPIECE: midpiece,
        Part.VACUOLE: vacuole,
    }


def dye_amounts(rng: np.random.Generator, raster: SpermRaster, stain: StainSettings) -> Field:
    """Give the amounts of blue and violet dye, (2, h, w) float32, that one sperm binds."""
    amounts = _flagellum_dye(rng, raster, stain)
    for head in raster.heads:
        at = (slice(None), *head.window.slices(raster.window))
        dye = _head_dye(rng, head, raster.pose.um_per_px, stain)
        amounts[at] = np.maximum(amounts[at], dye)
    droplet = raster.anatomy.droplet
    if droplet is not None:
        level = droplet.level(*raster.pose.local(raster.window))
        blue = Uniform(0.4, 1.0).draw(rng) * stain.midpiece[0]
        amounts[0] += blue * np.clip((1.1 - level) / 0.2, 0, 1)
    result: Field = amounts * np.float32(stain.sperm_strength.draw(rng))
    return result


def _flagellum_dye(rng: np.random.Generator, raster: SpermRaster, stain: StainSettings) -> Field:
    flagellum = raster.anatomy.flagellum
    n, n_midpiece = len(flagellum.points), flagellum.n_midpiece
    # Dye fades from the midpiece's to the tail's over a few micrometres, then towards its end.
    beyond = STEP_UM * np.clip(np.arange(n) - 0.8 * n_midpiece, 0, None)
    is_midpiece = Normal(1, 0.2).draw(rng) * np.exp(-beyond / Uniform(0.5, 2.5).draw(rng))
    fade = np.ones(n)
    fade[n_midpiece:] -= Uniform(0.25, 0.65).draw(rng) * np.linspace(0, 1, n - n_midpiece)
    thinness = flagellum.half_widths / raster.pose.um_per_px / raster.half_widths
    strength = fade * thinness * _ripple(rng, n, 3.0, 0.1) * _ripple(rng, n, 0.5, 0.12)
    # Light passes most dye in the middle of a round thread.
    off_axis = np.clip(1 + raster.distance / raster.half_widths[raster.point], 0, 1)
    cover = coverage(raster.distance) * (0.3 + np.sqrt(1 - off_axis**2)).astype(np.float32)
    along = np.outer(stain.midpiece, is_midpiece) + np.outer(stain.tail, 1 - is_midpiece)
    amounts: Field = (along * strength).astype(np.float32)[:, raster.point] * cover
    return amounts


def _ripple(rng: np.random.Generator, n: int, scale_um: float, strength: float) -> Points:
    """Give a variation around 1 along a centre line of `n` points."""
    knots = np.arange(0, n + scale_um / STEP_UM, scale_um / STEP_UM)
    result: Points = 1 + np.interp(np.arange(n), knots, rng.normal(0, strength, len(knots)))
    return result


def _head_dye(
    rng: np.random.Generator, raster: HeadRaster, um_per_px: float, stain: StainSettings
) -> Field:
    head, x, y = raster.head, raster.x, raster.y
    depth = np.clip(-raster.distance, 0, None) * um_per_px
    waviness = 0.08 * smooth_field(rng, x.shape, 0.6 / um_per_px)
    beyond = (x - head.border_x(y) + waviness) / Uniform(0.1, 0.5).draw(rng)
    nuclear = 1 / (1 + np.exp(-np.clip(beyond, -30, 30)))
    # The acrosome darkens from the tip to its border; the nucleus has a bluer rim.
    acrosomal = 0.75 + 0.7 * np.clip(x / head.length + 0.5, 0, 1)
    texture = 1 + 0.15 * smooth_field(rng, x.shape, 0.35 / um_per_px)
    body = coverage(raster.distance) * texture
    for vacuole in head.vacuoles:
        hole = np.clip((1.3 - vacuole.level(x, y)) / 0.6, 0, 1)
        body *= 1 - Uniform(0.4, 0.9).draw(rng) * hole
    # The head thins out towards its edge, where the nucleus is blue rather than violet.
    edge = np.exp(-((depth / EDGE_UM) ** 2))
    acrosomal = acrosomal * (1 - nuclear) * Normal(1, 0.2).draw(rng)
    nuclear = nuclear * Normal(1, 0.15).draw(rng)
    rim = stain.rim.draw(rng) * nuclear * np.exp(-((depth / RIM_UM) ** 2))
    blue = acrosomal * stain.acrosome[0] + nuclear * stain.nucleus[0] + rim
    violet = (acrosomal * stain.acrosome[1] + nuclear * stain.nucleus[1]) * (1 - edge)
    amounts: Field = (body * np.stack([blue, violet])).astype(np.float32)
    return amounts
