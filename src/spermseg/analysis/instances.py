"""Every sperm by itself: its head, midpiece and tail, also where tails cross."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.analysis.assignment import trace_courses
from spermseg.analysis.cutting import NOTHING, THIN_PARTS, Cutter, trimmed
from spermseg.analysis.head_outlines import HeadOutlines, widened
from spermseg.analysis.heads import separate_heads, thickest
from spermseg.analysis.necks import find_necks, with_passed_necks
from spermseg.analysis.skeleton import skeleton_graph
from spermseg.analysis.swaths import swath
from spermseg.analysis.tracing import Course
from spermseg.data.masks import Region
from spermseg.structures import HEAD_PARTS, Part, Segmentation, SpermInstance

Mask = NDArray[np.bool_]

CUT, NO_TAIL, NO_MIDPIECE, HEADLESS, TOUCHING = (
    "cut",
    "no_tail",
    "no_midpiece",
    "headless",
    "touching_head",
)
"""Flags of a sperm: it reaches the picture's border; a part is missing; it is a tail that no head
was found for; its head touches another head."""

_SPUR = 0.16
"""Branches of the skeleton shorter than this, in head lengths, are roughness."""

_NECK = 0.25
"""But not so near to a head, in head lengths: there they may be all that is seen of a midpiece."""

_MERGE = 0.2
"""Junctions closer than this, in head lengths, are one crossing."""

_HALF_WIDTH = (0.035, 0.09)
"""Least and largest half width of a tail or midpiece, in head lengths."""

_RIM = 2
"""So many pixels around a head, at the working scale, belong to it in the finer part map."""

_HOLE = 0.02
"""Holes in midpieces and tails smaller than this, in squared head lengths, are not seen: they would
make rings of the skeleton."""

_ORPHAN = 1.0
"""A tail without head is reported from this length on, in head lengths."""


_IS_HEAD, _IS_THIN = np.zeros((2, 256), bool)
_IS_HEAD[list(HEAD_PARTS)] = True
_IS_THIN[list(THIN_PARTS)] = True


@dataclass(frozen=True)
class _Working:
    """The parts at the network's working scale, where sperm are told apart."""

    parts: NDArray[np.uint8]
    confidence: NDArray[np.floating]
    thin: Mask
    head_length: float


def separate_sperm(segmentation: Segmentation) -> tuple[SpermInstance, ...]:
    """Tell the sperm of a picture apart.

    Heads are cut where they touch. What hangs on a head is followed along the skeleton of
    midpieces and tails, straight on at crossings, under heads and over short gaps; of all ways
    that the tails may take together, the likeliest is chosen. All of it is done at the working
    scale; the masks are then cut out of the part map at the picture's own size.

    Parameters
    ----------
    segmentation : Segmentation
        With an unknown scale, the thickest region of head in the picture is the measure.

    Returns
    -------
    tuple of SpermInstance
        Ids from 1, heads from top to bottom, then the tails without head (flag ``headless``).
        Masks of different sperm overlap where tails cross. The centre line is that of midpiece
        and tail, from the head on, in the picture's pixels. The score is the mean probability of
        the head's pixels times that of the midpiece's and tail's, reduced where these are missing
        or the head is cut by the border: such sperm are rarely complete enough to count.
    """
    working = _at_working_scale(segmentation)
    head_length = working.head_length
    heads = HeadOutlines(separate_heads(_IS_HEAD[working.parts], head_length))
    graph = skeleton_graph(
        _without_holes(working.thin, _HOLE * head_length**2),
        shortest_spur=_SPUR * head_length,
        kept=lambda points: heads.nearest(points)[0] <= _NECK * head_length,
        merge=_MERGE * head_length,
    )
    midpiece = working.parts == Part.MIDPIECE
    graph = with_passed_necks(graph, midpiece, heads, head_length)
    necks = find_necks(graph, midpiece, heads, head_length)
    courses = trace_courses(graph, necks, heads.heads > 0, head_length)
    least, most = (limit * head_length for limit in _HALF_WIDTH)
    owned = {
        head: swath(course.points[1:], working.thin, least, most)
        for head, course in courses.items()
    }
    cutter = Cutter(segmentation.part_map, working.parts.shape)
    orphans = _orphans(owned, working, cutter, first_id=int(heads.heads.max()) + 1)
    return (*_with_heads(heads, courses, owned, working, cutter), *orphans)


def _at_working_scale(segmentation: Segmentation) -> _Working:
    index, confidence = _highest(segmentation.scores)
    parts = segmentation.schema.to_ids(index)
    head_length = segmentation.scale.head_length_px
    if head_length is None:
        # Without a scale, the largest stretch of head in the picture has to do.
        head_length = max(8.0, 3.0 * thickest(_IS_HEAD[parts]))
    else:
        head_length *= parts.shape[0] / segmentation.part_map.shape[0]
    return _Working(parts, confidence, _IS_THIN[parts], head_length)


def _highest(scores: NDArray[np.floating]) -> tuple[NDArray[np.uint8], NDArray[np.floating]]:
    """Give the first channel of the highest score, and that score, (h, w) of (C, h, w)."""
    # Floats that are not negative sort as their bits do; few processors compare float16 itself.
    bits = scores.view(f"i{scores.itemsize}")
    best = bits[0].copy()
    index = np.zeros(best.shape, np.uint8)
    for channel, values in enumerate(bits[1:], start=1):
        np.copyto(index, channel, where=values > best)
        np.maximum(best, values, out=best)
    return index, best.view(scores.dtype)


def _without_holes(mask: Mask, smallest: float) -> Mask:
    labels, _ = ndimage.label(~mask)
    small = np.bincount(labels.ravel()) < smallest
    small[0] = False
    filled: Mask = mask | small[labels]
    return filled


def _with_heads(
    heads: HeadOutlines,
    courses: Mapping[int, Course],
    owned: Mapping[int, Region],
    working: _Working,
    cutter: Cutter,
) -> list[SpermInstance]:
    result: list[SpermInstance] = []
    for head, window in enumerate(ndimage.find_objects(heads.heads), start=1):
        # The finer part map has a little more of it.
        rows, columns = (slice(max(0, side.start - _RIM), side.stop + _RIM) for side in window)
        near = widened(heads.heads[rows, columns], _RIM) == head
        region = trimmed(Region(rows.start, columns.start, near))
        thin = trimmed(owned.get(head, NOTHING))
        masks, bbox = cutter.cut(region, thin)
        flags = {
            *([CUT] if cutter.at_border(bbox) else []),
            *([NO_TAIL] if Part.TAIL not in masks else []),
            *([NO_MIDPIECE] if Part.MIDPIECE not in masks else []),
            *([TOUCHING] if head in heads.touching else []),
        }
        score = _mean(working.confidence, region) * _thin_confidence(thin, working)
        if cutter.at_border(cutter.box(region)):
            score *= 0.4
        line = None
        if head in courses:
            line = cutter.to_picture(courses[head].points[1:])
        result.append(
            SpermInstance(len(result) + 1, bbox, masks, line, min(1.0, score), frozenset(flags))
        )
    return result


def _thin_confidence(region: Region, working: _Working) -> float:
    inside = region.mask & _seen(working.thin, region)
    if not inside.any():
        return 0.4
    return 0.5 + 0.5 * _mean(working.confidence, replace(region, mask=inside))


def _seen(values: NDArray[Any], region: Region) -> NDArray[Any]:
    """Give the part of an array (h, w) that lies in a region's window."""
    height, width = region.mask.shape
    return values[region.row0 : region.row0 + height, region.col0 : region.col0 + width]


def _mean(values: NDArray[np.floating], region: Region) -> float:
    return float(_seen(values, region)[region.mask].mean(dtype=np.float64))


def _orphans(
    owned: Mapping[int, Region], working: _Working, cutter: Cutter, first_id: int
) -> list[SpermInstance]:
    """Give the tails, long enough to be some, that belong to no head."""
    left = working.thin.copy()
    for region in owned.values():
        _seen(left, region)[region.mask] = False
    labels, _ = ndimage.label(left, np.ones((3, 3)))
    result: list[SpermInstance] = []
    shortest = _ORPHAN * working.head_length
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if np.hypot(*(side.stop - side.start for side in window)) < shortest:
            continue
        region = Region(window[0].start, window[1].start, labels[window] == index)
        masks, bbox = cutter.cut(NOTHING, region)
        flags = {HEADLESS, *([CUT] if cutter.at_border(bbox) else [])}
        score = 0.1 * _mean(working.confidence, region)
        result.append(
            SpermInstance(first_id + len(result), bbox, masks, None, score, frozenset(flags))
        )
    return result
