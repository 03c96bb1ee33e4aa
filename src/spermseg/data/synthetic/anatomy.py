"""Draw the anatomy of one sperm at random."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely
from scipy.optimize import brentq

from spermseg.data.synthetic.distributions import Distribution, Normal, Uniform, choose
from spermseg.data.synthetic.settings import AnatomySettings
from spermseg.data.synthetic.shapes import (
    STEP_UM,
    Anatomy,
    Ellipse,
    Flagellum,
    Head,
    Points,
    acrosome_polygon,
    head_outline,
)


@dataclass(frozen=True)
class _HeadForm:
    """How a form of head is drawn: see `head_outline`.

    `length` is a factor on the preset's; `elongation` None is the preset's.
    """

    length: Distribution
    elongation: Distribution | None
    taper: Distribution
    tip: float
    base: float
    lumps: Distribution


_NORMAL_HEAD = _HeadForm(
    length=Uniform(1.0, 1.0),
    elongation=None,
    taper=Normal(0.1, 0.07),
    tip=0.48,
    base=0.43,
    lumps=Uniform(0.02, 0.02),
)

_HEAD_FORMS = {
    "normal": _NORMAL_HEAD,
    "tapered": replace(
        _NORMAL_HEAD,
        length=Uniform(1.0, 1.25),
        elongation=Uniform(2.0, 2.7),
        taper=Uniform(0.1, 0.4),
        tip=0.55,
        base=0.55,
    ),
    "pyriform": replace(
        _NORMAL_HEAD,
        length=Uniform(1.0, 1.25),
        elongation=Uniform(1.6, 2.1),
        taper=Uniform(0.4, 0.65),
        tip=0.54,
        base=0.54,
    ),
    "round": replace(_NORMAL_HEAD, length=Uniform(0.75, 1.0), elongation=Uniform(1.02, 1.2)),
    "pin": replace(_NORMAL_HEAD, length=Uniform(0.34, 0.54), elongation=Uniform(1.1, 1.5)),
    "amorphous": replace(
        _NORMAL_HEAD,
        length=Uniform(0.75, 1.3),
        elongation=Uniform(1.1, 2.0),
        taper=Uniform(-0.3, 0.5),
        lumps=Uniform(0.02, 0.07),
    ),
}


def draw_anatomy(rng: np.random.Generator, settings: AnatomySettings) -> Anatomy:
    """Draw one sperm.

    Parameters
    ----------
    rng : numpy.random.Generator
    settings : AnatomySettings

    Returns
    -------
    Anatomy
    """
    head_form = choose(rng, settings.forms["head"])
    heads = _draw_heads(rng, settings, head_form)
    midpiece_form = choose(rng, settings.forms["midpiece"])
    start = _insertion(rng, heads)
    length = settings.midpiece_length.draw(rng)
    width = settings.midpiece_width.draw(rng)
    angle = settings.midpiece_angle.draw(rng)
    if midpiece_form == "thick":
        width *= Uniform(1.5, 2.2).draw(rng)
    if midpiece_form == "bent":
        angle = float(rng.choice([-1, 1])) * Uniform(35, 110).draw(rng)
    midpiece = _midpiece_line(start, length, np.deg2rad(angle), Normal(0, 0.05).draw(rng))
    tail_form = choose(rng, settings.forms["tail"])
    tail_length = _draw_tail_length(rng, settings, tail_form)
    points, half_widths = midpiece, _midpiece_half_widths(len(midpiece), length, width)
    if tail_form != "absent":
        tail = _tail_line(rng, midpiece, tail_length, tail_form)
        half_width = 0.5 * min(settings.tail_width.draw(rng), width)
        own = half_width * np.linspace(1, 0.7, len(tail))
        # Its width comes out of the midpiece's within a micrometre or two.
        step = half_widths[-1] - half_width
        own += step * np.exp(-((np.linspace(0, tail_length, len(tail)) / 1.2) ** 2))
        points, half_widths = np.vstack([points, tail[1:]]), np.append(half_widths, own[1:])
    return Anatomy(
        heads=heads,
        flagellum=Flagellum(points, half_widths, len(midpiece)),
        droplet=_droplet(rng, midpiece) if midpiece_form == "droplet" else None,
        head_form=head_form,
        midpiece_form=midpiece_form,
        tail_form=tail_form,
        midpiece_length=length,
        midpiece_width=width,
        midpiece_angle=abs(angle),
        tail_length=tail_length,
    )


def _draw_heads(rng: np.random.Generator, settings: AnatomySettings, form: str) -> tuple[Head, ...]:
    if form != "double":
        return (_draw_head(rng, settings, form),)
    heads = []
    half_angle = np.deg2rad(Uniform(24, 42).draw(rng))
    for sign in (-1, 1):
        head = _draw_head(rng, settings, "normal")
        # Both heads sit with their bases together, where the sperm's frame has x = 1.
        angle = sign * half_angle
        middle = (1 - head.length / 2 * np.cos(angle), -head.length / 2 * np.sin(angle))
        heads.append(replace(head, origin=middle, angle=angle))
    return tuple(heads)


def _draw_head(rng: np.random.Generator, settings: AnatomySettings, name: str) -> Head:
    form = _HEAD_FORMS[name]
    length = settings.head_length.draw(rng) * form.length.draw(rng)
    width = length / (form.elongation or settings.head_elongation).draw(rng)
    phases = np.exp(1j * rng.uniform(0, 2 * np.pi, 4))
    outline = head_outline(
        length,
        width,
        taper=form.taper.draw(rng),
        bluntness=(Normal(form.tip, 0.03).draw(rng), Normal(form.base, 0.03).draw(rng)),
        lumps=form.lumps.draw(rng) / np.arange(1, 5) * phases,
    )
    border = _acrosome_border(rng, outline, settings.acrosome_fraction.draw(rng))
    n_vacuoles = 0 if name == "pin" else max(0, round(settings.vacuoles.draw(rng)))
    vacuoles = [_draw_vacuole(rng, length, width) for _ in range(n_vacuoles)]
    inside = shapely.Polygon(outline).buffer(-0.1)
    whole = tuple(vacuole for vacuole in vacuoles if inside.contains(vacuole.polygon()))
    return Head(outline, length, width, border, whole)


def _acrosome_border(
    rng: np.random.Generator, outline: Points, fraction: float
) -> tuple[float, float, float]:
    tilt, curvature = Normal(0, 0.25).draw(rng), Normal(0.1, 0.15).draw(rng)
    coarse = outline[::10]
    whole = shapely.Polygon(coarse).area

    def excess(x: float) -> float:
        return float(acrosome_polygon(coarse, (x, tilt, curvature)).area / whole - fraction)

    reach = float(np.ptp(outline[:, 0])) * 2
    return float(brentq(excess, -reach, reach, xtol=1e-4)), tilt, curvature


def _draw_vacuole(rng: np.random.Generator, length: float, width: float) -> Ellipse:
    along = Uniform(0.14, 0.38).draw(rng)
    return Ellipse(
        x=length * Uniform(-0.35, 0.3).draw(rng),
        y=width * Uniform(-0.35, 0.35).draw(rng),
        along=along,
        across=along * Uniform(0.6, 1.0).draw(rng),
        angle=rng.uniform(0, np.pi),
    )


def _insertion(rng: np.random.Generator, heads: tuple[Head, ...]) -> Points:
    """Give the point of the outline where the midpiece begins, in the sperm's frame."""
    if len(heads) > 1:
        return np.array([1.0, 0.0])
    outline = heads[0].outline
    base = outline[outline[:, 0] > 0.25 * heads[0].length]
    offset = Normal(0, 0.06).draw(rng) * heads[0].width
    point: Points = base[np.abs(base[:, 1] - offset).argmin()]
    return point


def _line(start: Points, headings: Points, length: float) -> Points:
    """Join ``len(headings)`` pieces, together `length` long, with the given headings (radians)."""
    step = length / len(headings)
    pieces = step * np.column_stack([np.cos(headings), np.sin(headings)])
    return np.vstack([start, start + np.cumsum(pieces, axis=0)])


def _midpiece_line(start: Points, length: float, angle: float, curvature: float) -> Points:
    """Give an arc whose chord has the direction `angle`."""
    n = int(np.ceil(length / STEP_UM))
    s = (np.arange(n) + 0.5) / n - 0.5
    return _line(start, angle + curvature * length * s, length)


def _midpiece_half_widths(n: int, length: float, width: float) -> Points:
    """Give half widths that fall a little from the neck on; `width` is the one half way."""
    s = np.linspace(0, length, n)
    return 0.5 * width * (1 + 0.2 * (0.5 - s / length) + 0.5 * np.exp(-((s / 0.3) ** 2)))


def _draw_tail_length(rng: np.random.Generator, settings: AnatomySettings, form: str) -> float:
    length = settings.tail_length.draw(rng)
    if form == "absent":
        return float("nan")
    return length * Uniform(0.12, 0.4).draw(rng) if form == "short" else length


def _tail_line(rng: np.random.Generator, midpiece: Points, length: float, form: str) -> Points:
    n = int(np.ceil(length / STEP_UM))
    s = (np.arange(n) + 0.5) * length / n
    leave = float(np.arctan2(*(midpiece[-1] - midpiece[-2])[::-1]))
    headings = leave + _beat(rng, s, length)
    if form == "bent":
        where = length * Uniform(0.08, 0.6).draw(rng)
        turn = float(rng.choice([-1, 1])) * Uniform(1.4, 2.8).draw(rng)
        headings += turn / (1 + np.exp(-(s - where) / 0.15))
    elif form == "looped":
        where, turn_length = length * Uniform(0.1, 0.7).draw(rng), Uniform(9, 26).draw(rng)
        turn = float(rng.choice([-1, 1])) * Uniform(5.5, 7.5).draw(rng)
        headings += turn * np.clip((s - where) / turn_length, 0, 1)
    elif form == "coiled":
        radius = Uniform(0.7, 1.3).draw(rng) * (1 + s / length)
        radius *= 1 + 0.25 * np.sin(s / Uniform(2, 5).draw(rng))
        begin = Uniform(0.5, 4).draw(rng)
        turns = np.cumsum(np.where(s > begin, length / n / radius, 0))
        headings = leave + float(rng.choice([-1, 1])) * turns
    return _line(midpiece[-1], headings, length)


def _beat(rng: np.random.Generator, s: Points, length: float) -> Points:
    """Give the wander of a tail's heading: drift, a slow wave, gentle bends and a few kinks."""
    drift = Normal(0, 0.012).draw(rng) * s
    wave = Uniform(0.05, 0.5).draw(rng) * np.sin(
        2 * np.pi * s / Uniform(14, 40).draw(rng) + rng.uniform(0, 2 * np.pi)
    )
    knots = np.arange(0, length + 4, 3.0)
    bends = np.cumsum(rng.normal(0, Uniform(0.03, 0.18).draw(rng), len(knots)))
    wander = drift + wave + np.interp(s, knots, bends)
    for where in rng.uniform(0, length, rng.poisson(length / 15)):
        wander += Normal(0, 0.25).draw(rng) / (1 + np.exp(-(s - where) / 0.2))
    # The tail leaves the midpiece in line with it.
    result: Points = (wander - wander[0]) * (1 - np.exp(-s / 1.5))
    return result


def _droplet(rng: np.random.Generator, midpiece: Points) -> Ellipse:
    where = midpiece[int(len(midpiece) * Uniform(0.05, 0.35).draw(rng))]
    along = Uniform(0.6, 1.3).draw(rng)
    across = along * Uniform(0.5, 0.8).draw(rng)
    side = float(rng.choice([-1, 1])) * across * 0.7
    axis = midpiece[-1] - midpiece[0]
    angle = float(np.arctan2(axis[1], axis[0]))
    return Ellipse(
        float(where[0] - side * np.sin(angle)),
        float(where[1] + side * np.cos(angle)),
        along,
        across,
        angle,
    )
