"""Every quantity that is measured on a sperm: its name, dimension, definition and source."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from spermseg.errors import UsageError

Dimension = Literal["length", "area", "curvature", "angle", "fraction", "count", "ratio"]
Part = Literal["head", "midpiece", "tail"]

_UNITS: Mapping[Dimension, tuple[str, str]] = {
    "length": ("px", "um"),
    "area": ("px2", "um2"),
    "curvature": ("per_px", "per_um"),
    "angle": ("deg", "deg"),
    "fraction": ("", ""),
    "count": ("", ""),
    "ratio": ("", ""),
}
"""Units without and with a known pixel size."""

_POWERS: Mapping[Dimension, int] = {"length": 1, "area": 2, "curvature": -1}
"""With which power of the pixel size a quantity grows; 0 for all others."""


@dataclass(frozen=True)
class Quantity:
    """What is measured.

    Parameters
    ----------
    name : str
        Without unit, for example ``head_length``.
    part : str
        The part it is measured on: where the sperm has none, there is nothing to measure.
    dimension : str
        ``fraction`` is between 0 and 1, ``ratio`` any number without unit.
    definition : str
        In one line.
    source : str
        Who defined or uses it.
    """

    name: str
    part: Part
    dimension: Dimension
    definition: str
    source: str

    @property
    def needs_scale(self) -> bool:
        """Whether its value in physical units needs the pixel size."""
        return self.dimension in _POWERS

    def unit(self, scale_known: bool) -> str:
        """Give ``um``, ``um2``, ``per_um``, ``px``, ..., ``deg``, or nothing for pure numbers."""
        return _UNITS[self.dimension][scale_known]

    def scaled(self, value: float, um_per_px: float | None) -> float:
        """Turn a value in pixels into micrometres; without a pixel size it stays in pixels."""
        return value if um_per_px is None else value * um_per_px ** _POWERS.get(self.dimension, 0)


_WHO = "WHO laboratory manual, 6th edition, 2021"
_OPENCASA = "OpenCASA (Alquezar-Baeta et al. 2019)"
_OURS = "spermseg"

_TABLE = (
    Quantity("head_length", "head", "length", "extent of the head along its long axis", _WHO),
    Quantity("head_width", "head", "length", "extent of the head across its long axis", _WHO),
    Quantity("head_area", "head", "area", "area within the head's outline", _OPENCASA),
    Quantity("head_perimeter", "head", "length", "length of the head's outline", _OPENCASA),
    Quantity("head_ellipticity", "head", "ratio", "L / W, length by width", _OPENCASA),
    Quantity("head_elongation", "head", "ratio", "(L - W) / (L + W)", _OPENCASA),
    Quantity("head_roughness", "head", "ratio", "4 pi A / P^2: 1 for a circle", _OPENCASA),
    Quantity("head_regularity", "head", "ratio", "pi L W / (4 A): 1 for an ellipse", _OPENCASA),
    Quantity(
        *("head_symmetry", "head", "fraction"),
        "IoU of the head with its mirror image about the long axis: 1 is symmetric",
        _OURS,
    ),
    Quantity(
        *("head_orientation", "head", "angle"),
        "of the long axis to the picture's horizontal, counter-clockwise, 0 to 180",
        _OURS,
    ),
    Quantity("acrosome_area", "head", "area", "area of the acrosome", _WHO),
    Quantity("acrosome_fraction", "head", "fraction", "area of the acrosome / of the head", _WHO),
    Quantity("vacuole_count", "head", "count", "number of vacuoles in the head", _WHO),
    Quantity("vacuole_fraction", "head", "fraction", "area of all vacuoles / of the head", _WHO),
    Quantity(
        *("vacuole_largest_fraction", "head", "fraction"),
        "area of the largest vacuole / of the head",
        _WHO,
    ),
    Quantity(
        *("vacuole_behind_acrosome", "head", "count"),
        "1 where a vacuole lies behind the acrosome, else 0",
        _WHO,
    ),
    Quantity(
        "midpiece_length", "midpiece", "length", "arc length of the midpiece's centre line", _WHO
    ),
    Quantity("midpiece_width", "midpiece", "length", "median width across the centre line", _WHO),
    Quantity(
        *("midpiece_insertion_angle", "midpiece", "angle"),
        "between the head's long axis and the line through the midpiece's ends: 0 is in line",
        _WHO,
    ),
    Quantity(
        *("midpiece_insertion_offset", "midpiece", "length"),
        "distance of the midpiece's front end from the head's long axis",
        _WHO,
    ),
    Quantity(
        "tail_length", "tail", "length", "arc length of the centre line behind the midpiece", _WHO
    ),
    Quantity(
        *("tail_seen_length", "tail", "length"),
        "the same as far as the tail is seen, where its end is not",
        _OURS,
    ),
    Quantity(
        *("tail_view", "tail", "ratio"),
        "length of tail that could be seen, in head lengths of the picture: as far as it is seen "
        "and, where it ends in view, straight on to the border",
        _OURS,
    ),
    Quantity("tail_width", "tail", "length", "median width across the centre line", _WHO),
    Quantity(
        *("tail_width_front", "tail", "length"),
        "median width over the first third of the centre line",
        _OURS,
    ),
    Quantity(*("tail_width_middle", "tail", "length"), "the same over the second third", _OURS),
    Quantity(*("tail_width_rear", "tail", "length"), "the same over the last third", _OURS),
    Quantity(
        *("tail_curvature", "tail", "curvature"),
        "mean turning, in radians by length, over stretches of 1/4 head length",
        _OURS,
    ),
    Quantity(
        *("tail_largest_bend", "tail", "angle"),
        "largest angle between two chords of 1/4 head length that meet, as far as the tail is "
        "seen: 0 is straight",
        _WHO,
    ),
    Quantity(
        *("tail_coiling", "tail", "ratio"),
        "largest turning between two places of the centre line, as far as it is seen, "
        "/ 360 degrees: 1 is a full turn",
        _WHO,
    ),
    Quantity(
        *("droplet_area", "midpiece", "area"),
        "area by which the midpiece bulges beyond 1.5 times its usual width",
        _OURS,
    ),
    Quantity(
        *("droplet_fraction", "head", "fraction"),
        "area of the cytoplasmic droplet / of the head; 0 without one",
        _WHO,
    ),
)

QUANTITIES: Mapping[str, Quantity] = {quantity.name: quantity for quantity in _TABLE}
"""All quantities by name, in the order of columns."""


def quantity_named(name: str) -> Quantity:
    """Look a quantity up.

    Raises
    ------
    UsageError
        When there is none of that name; the closest one is named.
    """
    if name not in QUANTITIES:
        raise UsageError(f"no quantity {name!r}: {did_you_mean(name, QUANTITIES)}")
    return QUANTITIES[name]


def column(name: str, scale_known: bool) -> str:
    """Name a quantity with its unit, as in ``sperm.csv``.

    Parameters
    ----------
    name : str
        Of `QUANTITIES`.
    scale_known : bool
        Whether the values are in micrometres; otherwise they are in pixels, and it says so.

    Returns
    -------
    str
        For example ``head_length_um``, ``head_area_px2``, ``tail_largest_bend_deg``,
        ``acrosome_fraction``.

    Raises
    ------
    UsageError
        When there is no such quantity.
    """
    unit = quantity_named(name).unit(scale_known)
    return f"{name}_{unit}" if unit else name


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name is close, or else which ones there are, 30 at most."""
    known = list(known)
    if close := difflib.get_close_matches(name, known, n=1, cutoff=0.6):
        return f"did you mean {close[0]!r}?"
    more = f" and {len(known) - 30} more" if len(known) > 30 else ""
    return f"there are {', '.join(known[:30])}{more}"
