"""What each kind of edit makes of the sperm that it names: their parts, centre line and flags."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.analysed_sperm import CORRECTED, AnalysedSperm
from spermseg.analysis.centerline import flagellum_of, traced_line
from spermseg.analysis.cutting import THIN_PARTS
from spermseg.analysis.head_shape import head_shape
from spermseg.analysis.instances import CUT, HEADLESS, NO_MIDPIECE, NO_TAIL, TOUCHING
from spermseg.correction.dividing import divide
from spermseg.correction.edits import Add, Delete, Edit, Merge, MoveTail, Paint, Split
from spermseg.correction.ground import Ground
from spermseg.correction.patch import Patch
from spermseg.correction.strokes import check_near, stroke
from spermseg.data.part_maps import BORDER_MARGIN
from spermseg.data.preprocess import Size
from spermseg.errors import UsageError
from spermseg.structures import HEAD_PARTS, Part, SpermInstance

Points = NDArray[np.float64]
Changed = dict[int, SpermInstance | None]
"""Sperm by id as they are after an edit; None for one that is gone."""

_TAIL_WIDTH = 0.1
"""Of a new tail, in head lengths: 0.45 of 4.4 micrometres (WHO 2021; Bellastella et al. 2010)."""

_LEAST_TAIL_WIDTH = 2.0
"""Pixels: a thinner line comes apart."""

_LINE_DECIMALS = 2
"""As saved, so that a sperm read again is measured to the same."""


def changed_by(edit: Edit, sperm: Mapping[int, AnalysedSperm], ground: Ground) -> Changed:
    """Give the sperm that an edit changes, makes or removes, as they are after it.

    Parameters
    ----------
    edit : Edit
    sperm : mapping of int to AnalysedSperm
        All of the picture, by id.
    ground : Ground

    Raises
    ------
    UsageError
        When the edit names a sperm or part that is not there, is impossible, or changes nothing.
    """
    for id in edit.sperm_ids:
        if id not in sperm:
            raise UsageError(f"there is no sperm {id} in this picture")
    return _CHANGES[type(edit)](edit, sperm, ground)


def _paint(edit: Paint, sperm: Mapping[int, AnalysedSperm], ground: Ground) -> Changed:
    _check_part(edit.part, ground)
    before = sperm[edit.sperm].instance
    covered = stroke(edit.points, edit.radius, ground.size)
    patch = Patch.of([before])
    if edit.erase:
        parts = patch.parts
        erased = patch.seen(covered) & ((parts == edit.part) if edit.part else (parts > 0))
        after = Patch(patch.row0, patch.col0, np.where(erased, np.uint8(0), parts))
    elif covered.mask.any():
        patch = patch.around(covered)
        parts = np.where(patch.seen(covered), np.uint8(edit.part), patch.parts)
        after = Patch(patch.row0, patch.col0, parts)
    else:
        raise UsageError("the stroke lies outside of the picture")
    different = after.parts != patch.parts
    if not different.any():
        what = "to erase" if edit.erase else "that is not painted already"
        raise UsageError(f"the stroke covers nothing of sperm {edit.sperm} {what}")
    # A head painted over the line's beginning leaves its course as it was.
    drawn = (patch if edit.erase else after).parts[different]
    line = None if np.isin(drawn, THIN_PARTS).any() else before.centerline
    return {
        edit.sperm: _instance(
            edit.sperm,
            after,
            ground,
            line=line,
            touching=TOUCHING in before.flags and not _is_head(patch, after, different),
        )
    }


def _is_head(before: Patch, after: Patch, different: NDArray[np.bool_]) -> bool:
    """Tell whether some of the pixels that differ are or were head."""
    values = np.concatenate([before.parts[different], after.parts[different]])
    return bool(np.isin(values, HEAD_PARTS).any())


def _split(edit: Split, sperm: Mapping[int, AnalysedSperm], ground: Ground) -> Changed:
    check_near(edit.line, ground.size)
    first, second = divide(Patch.of([sperm[edit.sperm].instance]), edit.line, ground.size)
    new = _next_id(sperm)
    return {
        edit.sperm: _instance(edit.sperm, first, ground),
        new: _instance(new, second, ground),
    }


def _merge(edit: Merge, sperm: Mapping[int, AnalysedSperm], ground: Ground) -> Changed:
    first, *others = edit.sperm
    together = Patch.of([sperm[id].instance for id in edit.sperm])
    return {first: _instance(first, together, ground), **dict.fromkeys(others)}


def _move_tail(edit: MoveTail, sperm: Mapping[int, AnalysedSperm], ground: Ground) -> Changed:
    _check_part(Part.TAIL, ground)
    one = sperm[edit.sperm]
    width = edit.width or _tail_width(one, ground)
    covered = stroke(edit.points, width / 2, ground.size)
    if not covered.mask.any():
        raise UsageError("the tail lies outside of the picture")
    patch = Patch.of([one.instance]).around(covered)
    kept = np.where(patch.parts == Part.TAIL, np.uint8(0), patch.parts)
    parts = np.where(patch.seen(covered) & (kept == 0), np.uint8(Part.TAIL), kept)
    after = _instance(
        edit.sperm,
        Patch(patch.row0, patch.col0, parts),
        ground,
        line=_with_midpiece(edit.points, one.instance, ground),
        touching=TOUCHING in one.instance.flags,
    )
    return {edit.sperm: after}


def _delete(edit: Delete, sperm: Mapping[int, AnalysedSperm], ground: Ground) -> Changed:
    return {edit.sperm: None}


def _add(edit: Add, sperm: Mapping[int, AnalysedSperm], ground: Ground) -> Changed:
    _check_part(edit.part, ground)
    covered = stroke(edit.points, edit.radius, ground.size)
    if not covered.mask.any():
        raise UsageError("the stroke lies outside of the picture")
    parts = np.where(covered.mask, np.uint8(edit.part), np.uint8(0))
    new = _next_id(sperm)
    return {new: _instance(new, Patch(covered.row0, covered.col0, parts), ground)}


_CHANGES: Mapping[type[Edit], Callable[[Any, Mapping[int, AnalysedSperm], Ground], Changed]] = {
    Paint: _paint,
    Split: _split,
    Merge: _merge,
    MoveTail: _move_tail,
    Delete: _delete,
    Add: _add,
}


def _check_part(part: int, ground: Ground) -> None:
    if part not in ground.schema.ids:
        parts = zip(ground.schema.ids, ground.schema.parts, strict=True)
        known = ", ".join(f"{id} ({name})" for id, name in parts if id != Part.BACKGROUND)
        raise UsageError(f"the model has no part {part}, it has {known}")


def _next_id(sperm: Mapping[int, AnalysedSperm]) -> int:
    return max(sperm, default=0) + 1


def _instance(
    id: int,
    patch: Patch,
    ground: Ground,
    *,
    line: Points | None = None,
    touching: bool = False,
) -> SpermInstance | None:
    """Make a corrected sperm; its centre line is traced where none is given. None without pixels.

    Its score is 1, that of an annotation.
    """
    found = patch.masks()
    if found is None:
        return None
    masks, box = found
    headless = not any(part in masks for part in HEAD_PARTS)
    flags = {
        CORRECTED,
        *([CUT] if _at_border(box, ground.size) else []),
        *([TOUCHING] if touching else []),
        *([HEADLESS] if headless else []),
        *([NO_TAIL] if Part.TAIL not in masks and not headless else []),
        *([NO_MIDPIECE] if Part.MIDPIECE not in masks and not headless else []),
    }
    one = SpermInstance(id, box, masks, line, 1.0, frozenset(flags))
    if line is not None or headless:
        return one
    return SpermInstance(id, box, masks, _traced(one, ground), 1.0, one.flags)


def _at_border(box: tuple[int, int, int, int], size: Size) -> bool:
    low, high = min(box[:2]), min(size[0] - box[2], size[1] - box[3])
    return min(low, high) < BORDER_MARGIN


def _traced(one: SpermInstance, ground: Ground) -> Points | None:
    head = head_shape(one)
    if head is None:
        return None
    head_length = ground.scale.head_length_px or head.length
    line = traced_line(one, head.in_box(one.bbox), head_length)
    return None if line is None else np.round(line, _LINE_DECIMALS)


def _with_midpiece(
    points: tuple[tuple[float, float], ...], one: SpermInstance, ground: Ground
) -> Points:
    """Give the centre line (n, 2), row and column, from the head on: midpiece, then what is drawn.

    Of the midpiece's line, the stretch up to where it is nearest to the first point drawn: who
    draws from the head on draws all of it. Who began at the tail's end is understood as well.
    """
    drawn = np.clip(np.array(points)[:, ::-1] - 0.5, 0, np.array(ground.size) - 1.0)
    head = head_shape(one)
    if head is not None:
        found = flagellum_of(one, head, ground.scale.head_length_px or head.length)
        midpiece = found.midpiece if found is not None else drawn[:0]
        before = midpiece if len(midpiece) else head.outline
        from_first, from_last = (np.hypot(*(before - drawn[end]).T) for end in (0, -1))
        if from_last.min() < from_first.min():
            drawn, from_first = drawn[::-1], from_last
        if len(midpiece):
            drawn = np.concatenate([midpiece[: int(from_first.argmin())], drawn])
    return np.round(drawn, _LINE_DECIMALS)


def _tail_width(one: AnalysedSperm, ground: Ground) -> float:
    """Give the width in pixels of a tail as it is, or of a usual one."""
    width = one.morphometry.values.get("tail_width", math.nan)
    if math.isnan(width):
        own = one.morphometry.values.get("head_length", math.nan)
        length = ground.scale.head_length_px or (0.0 if math.isnan(own) else own)
        width = _TAIL_WIDTH * length
    return max(_LEAST_TAIL_WIDTH, width)
