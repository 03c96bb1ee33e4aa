"""Every sperm by itself: its head, midpiece and tail, also where tails cross."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from spermseg.analysis.assignment import trace_courses
from spermseg.analysis.heads import separate_heads
from spermseg.analysis.necks import find_necks
from spermseg.analysis.skeleton import skeleton_graph
from spermseg.analysis.tracing import Course
from spermseg.structures import HEAD_PARTS, Part, Segmentation, SpermInstance

THIN_PARTS = (Part.MIDPIECE, Part.TAIL)

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

_ORPHAN = 1.0
"""A tail without head is reported from this length on, in head lengths."""


@dataclass(frozen=True)
class _Working:
    """The parts at the network's working scale, where sperm are told apart."""

    parts: NDArray[np.uint8]
    confidence: NDArray[np.float32]
    head_length: float

    @cached_property
    def thin(self) -> NDArray[np.bool_]:
        return np.isin(self.parts, THIN_PARTS)


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
    heads = separate_heads(np.isin(working.parts, HEAD_PARTS), working.head_length)
    away, wide = _distance_and_nearest(heads)
    graph = skeleton_graph(
        working.thin,
        shortest_spur=_SPUR * working.head_length,
        kept=(away <= _NECK * working.head_length) & (wide > 0),
        merge=_MERGE * working.head_length,
    )
    necks = find_necks(graph, working.parts == Part.MIDPIECE, heads, working.head_length)
    courses = trace_courses(graph, necks, heads > 0, working.head_length)
    owned = _owned_pixels(courses, working)
    cutter = _Cutter(segmentation.part_map, working.parts.shape)
    wide[away > _RIM] = 0
    found = _with_heads(wide, _touching(heads), courses, owned, working, cutter)
    return (*found, *_orphans(owned, working, cutter, first_id=len(found) + 1))


def _at_working_scale(segmentation: Segmentation) -> _Working:
    scores = segmentation.scores
    parts = segmentation.schema.to_ids(scores.argmax(0).astype(np.uint8))
    head_length = segmentation.scale.head_length_px
    if head_length is None:
        # Without a scale, the largest stretch of head in the picture has to do.
        inside = ndimage.distance_transform_edt(np.isin(parts, HEAD_PARTS)).max()
        head_length = max(8.0, 3.0 * float(inside))
    else:
        head_length *= parts.shape[0] / segmentation.part_map.shape[0]
    return _Working(parts, scores.max(0).astype(np.float32), head_length)


def _owned_pixels(courses: Mapping[int, Course], working: _Working) -> dict[int, NDArray[np.intp]]:
    """Give the pixels (n, 2) of midpiece and tail beside every course, by head."""
    thin = working.thin
    # One pixel more, so that nothing of the finer part map is lost at the rim.
    pixels = np.argwhere(ndimage.binary_dilation(thin, np.ones((3, 3))))
    if not len(pixels):
        return {}
    depth = ndimage.distance_transform_edt(thin)
    tree = cKDTree(pixels)
    least, most = (limit * working.head_length for limit in _HALF_WIDTH)
    owned = {}
    for head, course in courses.items():
        points = _every_pixel(course.points[1:])
        rows, columns = np.rint(points).astype(int).T
        # At a crossing the depth is that of both tails: the median along the way is not.
        half_width = np.clip(ndimage.median_filter(depth[rows, columns], 15), least, most)
        near = tree.query_ball_point(points, half_width + 1.0)
        owned[head] = pixels[np.unique(np.concatenate(near).astype(int))]
    return owned


def _distance_and_nearest(
    heads: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Give the distance of every pixel to the nearest head, and that head's number."""
    away, (rows, columns) = ndimage.distance_transform_edt(heads == 0, return_indices=True)
    return away, heads[rows, columns]


def _with_heads(
    wide: NDArray[np.int32],
    touching: Collection[int],
    courses: Mapping[int, Course],
    owned: Mapping[int, NDArray[np.intp]],
    working: _Working,
    cutter: _Cutter,
) -> list[SpermInstance]:
    none = np.zeros((0, 2), np.intp)
    result: list[SpermInstance] = []
    for head, window in enumerate(ndimage.find_objects(wide), start=1):
        corner = [window[0].start, window[1].start]
        head_pixels = np.argwhere(wide[window] == head) + corner
        thin_pixels = owned.get(head, none)
        masks, bbox = cutter.cut(head_pixels, thin_pixels)
        flags = {
            *([CUT] if cutter.at_border(bbox) else []),
            *([NO_TAIL] if Part.TAIL not in masks else []),
            *([NO_MIDPIECE] if Part.MIDPIECE not in masks else []),
            *([TOUCHING] if head in touching else []),
        }
        rows, columns = head_pixels.T
        score = float(working.confidence[rows, columns].mean())
        score *= _thin_confidence(thin_pixels, working)
        if cutter.at_border(cutter.box(head_pixels)):
            score *= 0.4
        line = None
        if head in courses:
            line = cutter.to_picture(courses[head].points[1:])
        result.append(
            SpermInstance(len(result) + 1, bbox, masks, line, min(1.0, score), frozenset(flags))
        )
    return result


def _thin_confidence(pixels: NDArray[np.intp], working: _Working) -> float:
    inside = pixels[working.thin[tuple(pixels.T)]]
    if not len(inside):
        return 0.4
    return 0.5 + 0.5 * float(working.confidence[tuple(inside.T)].mean())


def _touching(heads: NDArray[np.int32]) -> set[int]:
    """Find heads that another head lies beside."""
    found: set[int] = set()
    for one, other in ((heads[1:], heads[:-1]), (heads[:, 1:], heads[:, :-1])):
        meeting = (one != other) & (one > 0) & (other > 0)
        found |= set(one[meeting].tolist()) | set(other[meeting].tolist())
    return found


def _orphans(
    owned: Mapping[int, NDArray[np.intp]], working: _Working, cutter: _Cutter, first_id: int
) -> list[SpermInstance]:
    """Give the tails, long enough to be some, that belong to no head."""
    left = working.thin.copy()
    for pixels in owned.values():
        left[tuple(pixels.T)] = False
    labels, _ = ndimage.label(left, np.ones((3, 3)))
    result: list[SpermInstance] = []
    shortest = _ORPHAN * working.head_length
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        if np.hypot(*(s.stop - s.start for s in window)) < shortest:
            continue
        corner = [window[0].start, window[1].start]
        pixels = np.argwhere(labels[window] == index) + corner
        masks, bbox = cutter.cut(pixels[:0], pixels)
        flags = {HEADLESS, *([CUT] if cutter.at_border(bbox) else [])}
        score = 0.1 * float(working.confidence[tuple(pixels.T)].mean())
        result.append(
            SpermInstance(first_id + len(result), bbox, masks, None, score, frozenset(flags))
        )
    return result


class _Cutter:
    """Cuts masks out of the part map, by the pixels of the working scale that a sperm owns."""

    def __init__(self, part_map: NDArray[np.uint8], size: tuple[int, ...]):
        self.part_map = part_map
        self.size = size
        # Where in the working scale the centre of each row and column of the picture lies.
        self._rows, self._columns = (
            np.minimum(((np.arange(full) + 0.5) * small / full).astype(int), small - 1)
            for full, small in zip(part_map.shape, size, strict=True)
        )

    def box(self, pixels: NDArray[np.intp]) -> tuple[int, int, int, int]:
        """Give the half-open box in the picture of pixels (n, 2) of the working scale."""
        (row0, column0), (row1, column1) = pixels.min(0), pixels.max(0) + 1
        rows = np.searchsorted(self._rows, [row0, row1])
        columns = np.searchsorted(self._columns, [column0, column1])
        return int(rows[0]), int(columns[0]), int(rows[1]), int(columns[1])

    def cut(
        self, head: NDArray[np.intp], thin: NDArray[np.intp]
    ) -> tuple[dict[int, NDArray[np.bool_]], tuple[int, int, int, int]]:
        """Give masks by part, and their box, of the head and thin pixels (n, 2) of one sperm."""
        together = np.concatenate([head, thin])
        bbox = self.box(together)
        first, last = together.min(0), together.max(0)
        parts = self.part_map[bbox[0] : bbox[2], bbox[1] : bbox[3]]
        rows = self._rows[bbox[0] : bbox[2]] - first[0]
        columns = self._columns[bbox[1] : bbox[3]] - first[1]
        masks = {}
        for pixels, kinds in ((head, HEAD_PARTS), (thin, THIN_PARTS)):
            if not len(pixels):
                continue
            own = np.zeros(tuple(last - first + 1), bool)
            own[tuple((pixels - first).T)] = True
            finer = own[np.ix_(rows, columns)]
            for part in kinds:
                mask = finer & (parts == part)
                if mask.any():
                    masks[int(part)] = mask
        return masks, bbox

    def at_border(self, bbox: tuple[int, int, int, int]) -> bool:
        """Whether a box reaches the picture's border, or the rim that the network blurs there."""
        rim = np.ceil(np.array(self.part_map.shape) / self.size)
        near = np.array(bbox[:2]) < rim
        far = np.array(bbox[2:]) > np.array(self.part_map.shape) - rim
        return bool((near | far).any())

    def to_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring points (n, 2) of the working scale into the picture's pixels."""
        factor = np.array(self.part_map.shape) / self.size
        return (points + 0.5) * factor - 0.5


def _every_pixel(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put points (m, 2) at every pixel of length along a line (n, 2)."""
    walked = np.r_[0, np.hypot(*np.diff(points, axis=0).T).cumsum()]
    places = np.linspace(0, walked[-1], max(2, round(walked[-1]) + 1))
    return np.stack([np.interp(places, walked, points[:, axis]) for axis in (0, 1)], axis=1)
