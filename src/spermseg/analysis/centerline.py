"""The centre line of midpiece and tail: found in masks, made smooth, cut where the tail begins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.assignment import trace_courses
from spermseg.analysis.head_outlines import HeadOutlines
from spermseg.analysis.head_shape import HeadShape
from spermseg.analysis.necks import find_necks
from spermseg.analysis.skeleton import skeleton_graph
from spermseg.structures import Part, SpermInstance

Points = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SMOOTHING = 0.35
"""Length of the stretches to which a cubic is fitted, in head lengths."""

_SPUR, _MERGE, _NECK = 0.16, 0.2, 0.25
"""As in `spermseg.analysis.instances`, in head lengths."""

_REACH = 0.4
"""A line that begins further from the head than this, in head lengths, lacks the midpiece."""

_BESIDE = 0.08
"""A little over half a midpiece's width, in head lengths: so near a head, a line is none yet."""

_DETOUR = 1.5
"""It goes straight on to the head where that is no further than so many times the shortest way."""

_TIP = 0.2
"""A skeleton ends before its mask does, by no more than this, in head lengths."""

_ARM = 0.15
"""Length over which the direction of a line's end is taken, in head lengths."""


@dataclass(frozen=True)
class Flagellum:
    """Midpiece and tail along their centre line.

    Parameters
    ----------
    points : (n, 2) float
        Row and column in the picture, a pixel apart, from the head's outline to the tail's tip.
    n_midpiece : int
        The tail begins with the point of this index; 0 without a midpiece, n without a tail.
    step : float
        Distance between neighbouring points, pixels.
    """

    points: Points
    n_midpiece: int
    step: float

    @property
    def midpiece(self) -> Points:
        """The midpiece's points, its end included."""
        return self.points[: self.n_midpiece + 1] if self.n_midpiece else self.points[:0]

    @property
    def tail(self) -> Points:
        """The tail's points."""
        return self.points[self.n_midpiece :]


def flagellum_of(instance: SpermInstance, head: HeadShape, head_length: float) -> Flagellum | None:
    """Give the centre line of a sperm's midpiece and tail.

    Parameters
    ----------
    instance : SpermInstance
        Its own centre line is taken where it begins at the head; otherwise one is found in the
        masks, as for a picture in `spermseg.analysis.instances`.
    head : HeadShape
    head_length : float
        Pixels.

    Returns
    -------
    Flagellum, or None where there is no line
        The line is made smooth by fitting cubics to stretches of 0.35 head lengths (Savitzky and
        Golay): a chain of pixels is up to 8 % longer than the line it stands for, and a cubic,
        unlike a mean, does not cut corners. It is prolonged to the head's outline and to the
        end of the mask, which a skeleton does not reach.
    """
    line = instance.centerline
    if line is None or not _begins_at(line, head, head_length):
        line = traced_line(instance, head.in_box(instance.bbox), head_length)
    if line is None or _is_short(line):
        return None
    corner = np.array(instance.bbox[:2], float)
    midpiece, tail = (_mask(instance, part) for part in (Part.MIDPIECE, Part.TAIL))
    line = _from_head(smooth_line(line, _SMOOTHING * head_length), head, head_length)
    line, step = even_line(_to_tip(line - corner, midpiece | tail, head_length))
    return Flagellum(line + corner, _border(line, midpiece, tail), step)


def _mask(instance: SpermInstance, part: Part) -> Mask:
    row0, column0, row1, column1 = instance.bbox
    return instance.masks.get(part, np.zeros((row1 - row0, column1 - column0), bool))


def _is_short(line: Points) -> bool:
    """Whether a line has no length to speak of."""
    return len(line) < 2 or float(np.ptp(line, axis=0).max()) < 2


def _begins_at(line: Points, head: HeadShape, head_length: float) -> bool:
    away = np.hypot(*(head.outline - line[:1]).T)
    return bool(len(away)) and float(away.min()) <= _REACH * head_length


def traced_line(instance: SpermInstance, head: Mask, head_length: float) -> Points | None:
    """Find the centre line of midpiece and tail in a sperm's masks, whatever line it has.

    Parameters
    ----------
    instance : SpermInstance
    head : (h, w) bool
        In the sperm's box.
    head_length : float
        Pixels.

    Returns
    -------
    (n, 2) float, or None where nothing begins at the head
        Rows and columns in the picture, from the head on: pixels of the skeleton, not smooth yet.
    """
    thin = (_mask(instance, Part.MIDPIECE) | _mask(instance, Part.TAIL)) & ~head
    if not thin.any() or not head.any():
        return None
    heads = HeadOutlines(head.astype(np.int32))
    graph = skeleton_graph(
        thin,
        shortest_spur=_SPUR * head_length,
        kept=lambda points: heads.nearest(points)[0] <= _NECK * head_length,
        merge=_MERGE * head_length,
    )
    # Without a midpiece, whatever begins at the head will do.
    midpiece = _mask(instance, Part.MIDPIECE)
    midpiece = midpiece if midpiece.any() else thin
    necks = find_necks(graph, midpiece, heads, head_length)
    courses = trace_courses(graph, necks, head, head_length)
    return courses[1].points[1:] + instance.bbox[:2] if 1 in courses else None


def even_line(line: Points) -> tuple[Points, float]:
    """Put points about a pixel apart, evenly, along a line (n, 2); give their distance too."""
    walked = np.r_[0, np.hypot(*np.diff(line, axis=0).T).cumsum()]
    n = max(2, round(float(walked[-1])) + 1)
    places = np.linspace(0, walked[-1], n)
    even = np.stack([np.interp(places, walked, line[:, axis]) for axis in (0, 1)], axis=1)
    return even, float(walked[-1]) / (n - 1)


def smooth_line(line: Points, stretch: float) -> Points:
    """Make a line of pixels smooth.

    Parameters
    ----------
    line : (n, 2) float
    stretch : float
        A cubic is fitted to every stretch of this length, in pixels, and its middle taken.

    Returns
    -------
    (m, 2) float
        Points about a pixel apart.

    References
    ----------
    Savitzky & Golay, Anal. Chem. 36 (1964) 1627-1639.
    """
    even, _ = even_line(line)
    window = min(2 * max(2, round(stretch / 2)) + 1, len(even) - 1 + len(even) % 2)
    if window < 5:
        return even
    fit, half = _cubic_fit(window), window // 2
    middle = [np.correlate(places, fit[half], "valid") for places in even.T]
    ends = fit[:half] @ even[:window], fit[half + 1 :] @ even[-window:]
    smooth: Points = np.concatenate([ends[0], np.stack(middle, axis=1), ends[1]])
    return smooth


@lru_cache(maxsize=64)
def _cubic_fit(window: int) -> NDArray[np.float64]:
    """Give the matrix that turns so many values into those of the cubic fitted to them.

    Here and not by scipy.signal, which takes longer to load than a picture to analyse.
    """
    powers = np.vander(np.linspace(-1, 1, window), 4)
    basis = np.linalg.qr(powers)[0]
    fit: NDArray[np.float64] = basis @ basis.T
    return fit


def _from_head(line: Points, head: HeadShape, head_length: float) -> Points:
    """Let a line begin on the head's outline."""
    outside = np.flatnonzero(~_at(head.mask, line - head.corner))
    if not len(outside) or outside[0] > len(line) - 2:
        return line
    line = line[outside[0] :]
    # Where a midpiece meets the head its skeleton forks to the corners, or runs along the head.
    neck = line[: round(_NECK * head_length)]
    away = np.hypot(*(head.outline - neck[:, None]).transpose(2, 0, 1)).min(1)
    beside = np.flatnonzero(away <= _BESIDE * head_length)
    line = line[min(beside[-1], len(line) - 2) :] if len(beside) else line
    distances = np.hypot(*(head.outline - line[0]).T)
    nearest = int(distances.argmin())
    if distances[nearest] > _REACH * head_length:
        return line
    ahead = _ray(line, head_length, min(_REACH * head_length, _DETOUR * distances[nearest] + 1))
    hits = np.flatnonzero(_at(head.mask, ahead - head.corner))
    return np.concatenate([[ahead[hits[0]] if len(hits) else head.outline[nearest]], line])


def _to_tip(line: Points, thin: Mask, head_length: float) -> Points:
    """Let a line end where the mask does."""
    ahead = _ray(line[::-1], head_length, _TIP * head_length)
    misses = np.flatnonzero(~_at(thin, ahead))
    reached = ahead[: misses[0]] if len(misses) else ahead[:0]
    return np.concatenate([line, reached])


def _ray(line: Points, head_length: float, reach: float) -> Points:
    """Give points half a pixel apart straight on from a line's first point."""
    arm = min(len(line) - 1, max(2, round(_ARM * head_length)))
    step = line[0] - line[arm]
    step = step / max(float(np.hypot(*step)), 1e-9)
    ray: Points = line[0] + np.arange(0.5, reach + 0.5, 0.5)[:, None] * step
    return ray


def _at(mask: Mask, points: Points) -> Mask:
    """Look points (n, 2) up in a mask; False outside of it."""
    rows, columns = np.rint(points.T).astype(int)
    inside = (rows >= 0) & (rows < mask.shape[0]) & (columns >= 0) & (columns < mask.shape[1])
    found: Mask = np.zeros(len(points), bool)
    found[inside] = mask[rows[inside], columns[inside]]
    return found


def _border(line: Points, midpiece: Mask, tail: Mask) -> int:
    """Give the index where midpiece turns into tail: most of each lies on its own side of it."""
    if not tail.any():
        return len(line) - 1
    votes = _at(midpiece, line).astype(int) - _at(tail, line)
    return int(np.r_[0, votes.cumsum()].argmax()) if midpiece.any() else 0
