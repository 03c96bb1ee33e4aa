"""The shape of one sperm and its true measurements, in micrometres.

A sperm's own frame has its origin in the middle of the head; x runs along the head's axis from the
tip to the base, y across it. Every measurement is taken from this geometry, never from pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import brentq

from spermseg.data.synthetic.distributions import Normal, Uniform, choose
from spermseg.data.synthetic.presets import AnatomySettings

Points = NDArray[np.float64]

STEP_UM = 0.02
"""Distance between neighbouring points of a centre line, at most."""
OUTLINE_POINTS = 1000


@dataclass(frozen=True)
class Ellipse:
    """Ellipse with semi-axes `along` and `across` an axis at `angle` (radians) to x."""

    x: float
    y: float
    along: float
    across: float
    angle: float = 0.0

    def level(self, x: Points, y: Points) -> Points:
        """Give 0 in the middle, 1 on the outline and more outside, at points (x, y)."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        dx, dy = x - self.x, y - self.y
        result: Points = np.hypot(
            (dx * cos + dy * sin) / self.along, (dy * cos - dx * sin) / self.across
        )
        return result

    def polygon(self) -> shapely.Polygon:
        """Give the outline as a polygon of 64 corners."""
        t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        u, v = self.along * np.cos(t), self.across * np.sin(t)
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return shapely.Polygon(
            np.column_stack([self.x + u * cos - v * sin, self.y + u * sin + v * cos])
        )


@dataclass(frozen=True)
class Head:
    """A head in its own frame.

    Parameters
    ----------
    outline : (n, 2) float
        x, y of its corners; their extent is exactly `length` along x and `width` along y.
    length, width : float
    border : tuple of 3 float
        c0, c1, c2: the acrosome lies where ``x < c0 + c1 y + c2 y^2``.
    vacuoles : tuple of Ellipse
        Inside the outline.
    origin : tuple of 2 float
        The middle of this head in the sperm's frame.
    angle : float
        Its axis in the sperm's frame, radians.
    """

    outline: Points
    length: float
    width: float
    border: tuple[float, float, float]
    vacuoles: tuple[Ellipse, ...] = ()
    origin: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0

    def border_x(self, y: Points) -> Points:
        """Give x of the border between acrosome and nucleus at `y`."""
        c0, c1, c2 = self.border
        return c0 + c1 * y + c2 * y**2

    @property
    def area(self) -> float:
        """Area within the outline, um2."""
        return float(shapely.Polygon(self.outline).area)

    @property
    def vacuole_area(self) -> float:
        """Area of all vacuoles together, um2."""
        return float(shapely.union_all([v.polygon() for v in self.vacuoles]).area)

    @property
    def acrosome_fraction(self) -> float:
        """Area of the acrosome, without vacuoles in it, by the area of the head."""
        acrosome = acrosome_polygon(self.outline, self.border)
        holes = shapely.union_all([v.polygon() for v in self.vacuoles])
        return float(acrosome.difference(holes).area / self.area)


@dataclass(frozen=True)
class Flagellum:
    """Midpiece and tail as one centre line in the sperm's frame.

    Parameters
    ----------
    points : (n, 2) float
        x, y from the head on.
    half_widths : (n,) float
    n_midpiece : int
        The points before this one belong to the midpiece; the next one begins the tail.
    """

    points: Points
    half_widths: Points
    n_midpiece: int

    @property
    def tail_points(self) -> Points:
        """Centre line of the tail from the end of the midpiece; empty without a tail."""
        if self.n_midpiece == len(self.points):
            return np.empty((0, 2))
        return self.points[self.n_midpiece - 1 :]


@dataclass(frozen=True)
class Anatomy:
    """One whole sperm with its forms and true measurements.

    A measurement that makes no sense for a form (the length of a double head, the length of a
    missing tail) is NaN.
    """

    heads: tuple[Head, ...]
    flagellum: Flagellum
    droplet: Ellipse | None
    head_form: str
    midpiece_form: str
    tail_form: str
    midpiece_length: float
    midpiece_width: float
    midpiece_angle: float
    tail_length: float


def arc_length(points: Points) -> float:
    """Length of the line through `points` (n, 2)."""
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def acrosome_polygon(outline: Points, border: tuple[float, float, float]) -> shapely.Polygon:
    """Give the part of an outline (n, 2) in front of the border; see `Head`."""
    y = np.linspace(outline[:, 1].min() - 1, outline[:, 1].max() + 1, 200)
    x = border[0] + border[1] * y + border[2] * y**2
    far = outline[:, 0].min() - 10
    front = np.vstack([np.column_stack([x, y]), [(far, y[-1]), (far, y[0])]])
    return shapely.Polygon(outline).intersection(shapely.Polygon(front))


def head_outline(
    length: float,
    width: float,
    *,
    taper: float,
    bluntness: float = 0.5,
    base_bluntness: float = 0.5,
    lumps: Points | None = None,
) -> Points:
    """Give the outline of a head.

    The half width at ``u = x / (length / 2)`` is ``(1 - u^2)^p (1 - taper u)``, where p goes from
    `bluntness` at the tip to `base_bluntness` at the base: an ellipse for both 0.5 and taper 0. It
    is scaled so that the extents are `length` and `width`.

    Parameters
    ----------
    length, width : float
    taper : float
        Positive for a head that narrows towards the midpiece; between -1 and 1.
    bluntness, base_bluntness : float
        Smaller for blunter ends.
    lumps : (m,) complex, optional
        Relative bulges of the radius: amplitude and phase of the harmonics 2, 3, ...

    Returns
    -------
    (n, 2) float
        x, y of the corners, starting at the tip.
    """
    t = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    u = -np.cos(t)
    power = bluntness + (base_bluntness - bluntness) * (u + 1) / 2
    v = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 * power) * (1 - taper * u)
    if lumps is not None:
        harmonics = np.exp(1j * np.outer(t, np.arange(2, 2 + len(lumps))))
        radius = 1 + (harmonics @ lumps).real
        u, v = u * radius, v * radius
    u = (u - u.min()) / np.ptp(u) - 0.5
    v = (v - v.min()) / np.ptp(v) - 0.5
    return np.column_stack([u * length, v * width])


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
        heads.append(
            Head(head.outline, head.length, head.width, head.border, head.vacuoles, middle, angle)
        )
    return tuple(heads)


def _draw_head(rng: np.random.Generator, settings: AnatomySettings, form: str) -> Head:
    length, elongation = settings.head_length.draw(rng), settings.head_elongation.draw(rng)
    taper, bluntness, lumps = Normal(0.1, 0.07).draw(rng), Normal(0.48, 0.03).draw(rng), 0.02
    if form == "tapered":
        elongation, taper, bluntness = (
            Uniform(2.0, 2.7).draw(rng),
            Uniform(0.1, 0.4).draw(rng),
            0.55,
        )
        length *= Uniform(1.0, 1.25).draw(rng)
    elif form == "pyriform":
        elongation, taper, bluntness = (
            Uniform(1.6, 2.1).draw(rng),
            Uniform(0.4, 0.65).draw(rng),
            0.54,
        )
        length *= Uniform(1.0, 1.25).draw(rng)
    elif form == "round":
        elongation, length = Uniform(1.02, 1.2).draw(rng), length * Uniform(0.75, 1.0).draw(rng)
    elif form == "pin":
        elongation, length = Uniform(1.1, 1.5).draw(rng), Uniform(1.4, 2.2).draw(rng)
    elif form == "amorphous":
        lumps = Uniform(0.02, 0.07).draw(rng)
        length, elongation = length * Uniform(0.75, 1.3).draw(rng), Uniform(1.1, 2.0).draw(rng)
        taper = Uniform(-0.3, 0.5).draw(rng)
    width = length / elongation
    base = Normal(0.43, 0.05).draw(rng) if form in ("normal", "round", "amorphous") else bluntness
    bulges = lumps / np.arange(1, 5) * np.exp(1j * rng.uniform(0, 2 * np.pi, 4))
    outline = head_outline(
        length, width, taper=taper, bluntness=bluntness, base_bluntness=base, lumps=bulges
    )
    border = _acrosome_border(rng, outline, settings.acrosome_fraction.draw(rng))
    n_vacuoles = 0 if form == "pin" else max(0, round(settings.vacuoles.draw(rng)))
    vacuoles = tuple(_draw_vacuole(rng, length, width) for _ in range(n_vacuoles))
    inside = shapely.Polygon(outline).buffer(-0.1)
    return Head(
        outline, length, width, border, tuple(v for v in vacuoles if inside.contains(v.polygon()))
    )


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
