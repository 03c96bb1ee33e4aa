"""One sperm measured: all that `spermseg.analysis.quantities` defines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.centerline import Flagellum, flagellum_of
from spermseg.analysis.flagellum_shape import midpiece_values, tail_values, without_specks
from spermseg.analysis.head_shape import HeadShape, content_values, head_shape, outline_values
from spermseg.analysis.instances import CUT, HEADLESS, TOUCHING
from spermseg.analysis.quantities import QUANTITIES
from spermseg.analysis.visibility import room_ahead
from spermseg.data.part_maps import BORDER_MARGIN
from spermseg.structures import HEAD_PARTS, Morphometry, Part, SpermInstance

_NEAR = 0.1
"""A tail whose tip lies this near to another sperm, in head lengths, may go on there."""

_HEAD = tuple(name for name, quantity in QUANTITIES.items() if quantity.part == "head")
_WHOLE_MIDPIECE = (
    *("midpiece_length", "midpiece_insertion_angle", "droplet_area", "droplet_fraction"),
)
_WHOLE_TAIL = ("tail_length", "tail_curvature")
"""What cannot be said of a part of which an end is not seen; its width can, and a bend that is seen
is one."""

_RIM = 0.12
"""What ends this near to the border, in head lengths, goes on beyond it: networks stop short of it.
Of 107 sperm of a held-out day of Sperm Parsing that the border cuts, and that were found, predicted
masks reach within 3 px for 36 %, within this for 89 %."""


def measure_all(
    instances: Sequence[SpermInstance],
    *,
    head_length_px: float | None = None,
    size: tuple[int, int] | None = None,
) -> tuple[Morphometry, ...]:
    """Measure all sperm of a picture, each with the others in view: see `measure`."""
    others = Neighbours(instances)
    return tuple(
        measure(one, head_length_px=head_length_px, size=size, others=others) for one in instances
    )


def measure(
    instance: SpermInstance,
    *,
    head_length_px: float | None = None,
    size: tuple[int, int] | None = None,
    others: Neighbours | None = None,
) -> Morphometry:
    """Measure one sperm.

    Parameters
    ----------
    instance : SpermInstance
    head_length_px : float, optional
        Typical head length of the picture, the measure of what is near, short or a bend. None takes
        the sperm's own head.
    size : (height, width), optional
        Of the picture. Without it, every part of a sperm that the border cuts counts as cut.
    others : Neighbours, optional
        All sperm of the picture: a tail whose tip lies at another one may go on unseen.

    Returns
    -------
    Morphometry
        All quantities of `QUANTITIES`, in pixels. NaN, and a flag that says why, where a part is
        missing (``no_head``, ``no_midpiece``, ``no_tail``), cut by the border (``cut``), not seen
        to its end (``tail_incomplete``), or, of a head that touches another one, was cut off at a
        guess (``uncertain``). A tail without a head is not measured. NaN without a flag are the
        acrosome and the vacuoles where the parts of the head were not told apart.
    """
    values = dict.fromkeys(QUANTITIES, math.nan)
    margin = max(BORDER_MARGIN, _RIM * (head_length_px or 0))
    cut_parts = _cut_parts(instance, size, margin)
    flags = {"cut"} if cut_parts else set()
    head = None if HEADLESS in instance.flags else head_shape(instance)
    if head is None:
        return Morphometry(instance.id, values, frozenset({*flags, "no_head"}))
    head_length = head_length_px or head.length
    flags |= {name for name, part in _ABSENT.items() if part not in instance.masks}
    values |= outline_values(head) | content_values(instance, head)
    flagellum = flagellum_of(instance, head, head_length)
    if flagellum is not None:
        values |= _along(flagellum, instance, head, head_length)
        tip, near = flagellum.points[-1], _NEAR * head_length
        if Part.TAIL in instance.masks and others and others.reach(tip, near, but=instance.id):
            flags.add("tail_incomplete")
    if Part.TAIL in instance.masks and math.isnan(values["tail_length"]):
        flags.add("tail_incomplete")
    if flagellum is not None:
        seen = values["tail_length"] if Part.TAIL in instance.masks else 0.0
        hidden = "tail_incomplete" in flags or bool(cut_parts & {"midpiece", "tail"})
        room = 0.0 if hidden else room_ahead(flagellum.points, size, head_length, margin)
        values["tail_seen_length"] = seen
        values["tail_view"] = (seen + room) / head_length
    if TOUCHING in instance.flags:
        flags.add("uncertain")
    return Morphometry(instance.id, _known(values, flags, cut_parts), frozenset(flags))


class Neighbours:
    """All sperm of a picture, to be asked whether one of them lies at a place.

    Parameters
    ----------
    instances : sequence of SpermInstance
    """

    def __init__(self, instances: Sequence[SpermInstance]):
        self._instances = instances
        boxes = np.array([one.bbox for one in instances], float).reshape(-1, 4)
        self._low, self._high = boxes[:, :2], boxes[:, 2:]

    def reach(self, point: NDArray[np.float64], distance: float, *, but: int) -> bool:
        """Tell whether a pixel of a sperm, but of the one of that id, lies near a point (2,)."""
        near = ((self._low <= point + distance) & (self._high >= point - distance)).all(1)
        for index in np.flatnonzero(near).tolist():
            other = self._instances[index]
            if other.id == but:
                continue
            low = self._low[index]
            row0, column0 = np.maximum(0, np.floor(point - distance - low)).astype(int)
            row1, column1 = np.maximum(0, np.ceil(point + distance - low)).astype(int) + 1
            origin = np.array([row0, column0]) + low - point
            for mask in other.masks.values():
                pixels = np.argwhere(mask[row0:row1, column0:column1]) + origin
                if len(pixels) and float(np.hypot(*pixels.T).min()) <= distance:
                    return True
        return False


_ABSENT = {"no_midpiece": Part.MIDPIECE, "no_tail": Part.TAIL}


def _cut_parts(
    instance: SpermInstance, size: tuple[int, int] | None, margin: float
) -> frozenset[str]:
    """Give which of head, midpiece and tail end within `margin` pixels of the picture's border."""
    kinds = {"head": HEAD_PARTS, "midpiece": (Part.MIDPIECE,), "tail": (Part.TAIL,)}
    if size is None:
        return frozenset(kinds if CUT in instance.flags else ())
    low, far = np.array(instance.bbox[:2]), np.array(size) - 1
    inside = np.array(instance.bbox[2:]) - 1 <= far - margin
    if CUT not in instance.flags and inside.all() and (low >= margin).all():
        return frozenset()
    cut = set()
    for name, parts in kinds.items():
        for part in parts:
            if part not in instance.masks or not instance.masks[part].any():
                continue
            mask = instance.masks[part]
            for axis, lines in enumerate((mask.any(1), mask.any(0))):
                first, last = np.flatnonzero(lines)[[0, -1]] + low[axis]
                if first < margin or last > far[axis] - margin:
                    cut.add(name)
    # Cut where nothing of it is seen: only what is at the border of the box can be said.
    return frozenset(cut or (kinds if CUT in instance.flags else ()))


def _along(
    flagellum: Flagellum, instance: SpermInstance, head: HeadShape, head_length: float
) -> dict[str, float]:
    corner = np.array(instance.bbox[:2], float)
    values: dict[str, float] = {}
    if Part.MIDPIECE in instance.masks and len(flagellum.midpiece) > 2:
        midpiece = instance.masks[Part.MIDPIECE]
        values |= midpiece_values(flagellum, midpiece, corner, head_length)
        start, end = flagellum.midpiece[[0, -1]]
        values["midpiece_insertion_angle"] = head.angle_of(start, end)
        values["midpiece_insertion_offset"] = head.off_axis(start)
    if "droplet_area" in values:
        values["droplet_area"] = without_specks(values["droplet_area"], head.area)
        values["droplet_fraction"] = values["droplet_area"] / head.area
    if Part.TAIL in instance.masks:
        widest = values.get("midpiece_width", math.inf)
        tail = instance.masks[Part.TAIL]
        values |= tail_values(flagellum, tail, corner, head_length, widest=widest)
    return values


def _known(
    values: dict[str, float], flags: set[str], cut_parts: frozenset[str]
) -> dict[str, float]:
    """Make NaN of what the flags say cannot be known."""
    unknown: set[str] = set()
    if "head" in cut_parts or "uncertain" in flags:
        unknown |= {*_HEAD, "midpiece_insertion_angle", "midpiece_insertion_offset"}
    if "midpiece" in cut_parts:
        unknown |= set(_WHOLE_MIDPIECE)
    if "tail" in cut_parts or "tail_incomplete" in flags:
        unknown |= set(_WHOLE_TAIL)
    return {name: math.nan if name in unknown else value for name, value in values.items()}
