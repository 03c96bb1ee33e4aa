"""The shape of one sperm, in micrometres.

A sperm's own frame has its origin in the middle of the head; x runs along the head's axis from the
tip to the base, y across it. Every measurement is taken from this geometry, never from pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

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
    taper: float = 0.0,
    bluntness: tuple[float, float] = (0.5, 0.5),
    lumps: NDArray[np.complex128] | None = None,
) -> Points:
    """Give the outline of a head.

    The half width at ``u = x / (length / 2)`` is ``(1 - u^2)^p (1 - taper u)``, where p goes from
    the first to the second `bluntness` with u from -1 to 1: an ellipse for both 0.5 and taper 0.
    It is scaled so that the extents are `length` and `width`.

    Parameters
    ----------
    length, width : float
    taper : float
        Positive for a head that narrows towards the midpiece; between -1 and 1.
    bluntness : tuple of 2 float
        Of tip and base; smaller is blunter.
    lumps : (m,) complex, optional
        Relative bulges of the radius: amplitude and phase of the harmonics 2, 3, ...

    Returns
    -------
    (n, 2) float
        x, y of the corners, starting at the tip.
    """
    t = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    u = -np.cos(t)
    power = bluntness[0] + (bluntness[1] - bluntness[0]) * (u + 1) / 2
    v = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 * power) * (1 - taper * u)
    if lumps is not None:
        harmonics = np.exp(1j * np.outer(t, np.arange(2, 2 + len(lumps))))
        radius = 1 + (harmonics @ lumps).real
        u, v = u * radius, v * radius
    u = (u - u.min()) / np.ptp(u) - 0.5
    v = (v - v.min()) / np.ptp(v) - 0.5
    return np.column_stack([u * length, v * width])
