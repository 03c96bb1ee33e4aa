"""An edit applied to the sperm of a picture: what it changes is measured and judged again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.morphometry import Neighbours, measure
from spermseg.analysis.objects import classify
from spermseg.analysis.verdicts import Verdict, judge
from spermseg.correction.changes import Changed, changed_by
from spermseg.correction.edits import Edit
from spermseg.correction.ground import Ground
from spermseg.data.masks import Region
from spermseg.structures import Morphometry, SpermInstance

_REACH = 0.2
"""How far, in head lengths, what lies beside a sperm matters to it; `measure` and `classify` look
no further than 0.15."""


def apply_edit(
    sperm: Sequence[AnalysedSperm], edit: Edit, ground: Ground
) -> tuple[AnalysedSperm, ...]:
    """Change the sperm of a picture, and measure and judge what was changed.

    Parameters
    ----------
    sperm : sequence of AnalysedSperm
        All of the picture.
    edit : Edit
    ground : Ground

    Returns
    -------
    tuple of AnalysedSperm
        In ascending order of ids, which never change: the sperm changed, marked as corrected, with
        a score of 1 and without uncertainty; all others as they were. Of these, those beside which
        something changed are measured again: whether the end of a tail is seen may depend on it.

    Raises
    ------
    UsageError
        When the edit is impossible or changes nothing.
    """
    before = {one.instance.id: one for one in sperm}
    changed = changed_by(edit, before, ground)
    after = {id: one.instance for id, one in before.items()} | changed
    instances = [one for _, one in sorted(after.items()) if one is not None]
    others = Neighbours(instances)
    near = _near(_difference(before, changed), instances, ground)
    length, size = ground.scale.head_length_px, ground.size
    measured: dict[int, Morphometry] = {}
    for one in instances:
        known = None if one.id in changed else before[one.id].morphometry
        if known is None or one.id in near:
            again = measure(one, head_length_px=length, size=size, others=others)
            # Of what lies beside a sperm, its flags tell; else nothing of it has changed.
            known = again if known is None or again.flags != known.flags else known
        measured[one.id] = known
    # Without a scale, the median of all heads is the measure of what can be one.
    concerned = [one for one in instances if one.id in near or one.id in changed or length is None]
    found = classify(
        concerned,
        [measured[one.id] for one in concerned],
        ground.criteria.objects,
        length,
        among=others,
    )
    verdicts = {
        one.id: judge(measured[one.id], ground.criteria, ground.scale.um_per_px, what)
        for one, what in zip(concerned, found, strict=True)
    }
    return tuple(
        AnalysedSperm(one, measured[one.id], verdicts[one.id])
        if one.id in changed
        else _judged_again(before[one.id], measured[one.id], verdicts.get(one.id))
        for one in instances
    )


def _judged_again(
    one: AnalysedSperm, measured: Morphometry, verdict: Verdict | None
) -> AnalysedSperm:
    """Give a sperm that was not changed itself: the same one unless something of it is new."""
    if verdict is None or (measured is one.morphometry and verdict == one.verdict):
        return one
    return replace(one, morphometry=measured, verdict=verdict, uncertainty=None)


def _difference(before: Mapping[int, AnalysedSperm], changed: Changed) -> Region:
    """Give the pixels that belong to a sperm, any of them, either before or after alone."""
    old = [before[id].instance for id in changed if id in before]
    new = [one for one in changed.values() if one is not None]
    boxes = np.array([one.bbox for one in (*old, *new)])
    row0, col0 = boxes[:, :2].min(0).tolist()
    row1, col1 = boxes[:, 2:].max(0).tolist()
    covered = np.zeros((2, row1 - row0, col1 - col0), bool)
    for side, instances in zip(covered, (old, new), strict=True):
        for one in instances:
            top, left, bottom, right = one.bbox
            window = side[top - row0 : bottom - row0, left - col0 : right - col0]
            for mask in one.masks.values():
                window |= mask
    return Region(row0, col0, covered[0] != covered[1])


def _near(difference: Region, instances: Sequence[SpermInstance], ground: Ground) -> frozenset[int]:
    """Give the ids of sperm that lie so near to pixels that these may matter to them."""
    near = set()
    for one in instances:
        box = np.array(one.bbox, float)
        if one.centerline is not None and len(one.centerline):
            box[:2] = np.minimum(box[:2], one.centerline.min(0))
            box[2:] = np.maximum(box[2:], one.centerline.max(0) + 1)
        # A head without a known scale is no longer than all of the sperm.
        length = ground.scale.head_length_px or float((box[2:] - box[:2]).max())
        reach = _REACH * length + 2
        corner = (difference.row0, difference.col0) * 2
        low = np.maximum(np.floor(box - reach - corner)[:2], 0).astype(int)
        high = np.maximum(np.ceil(box + reach - corner)[2:], 0).astype(int)
        if difference.mask[low[0] : high[0], low[1] : high[1]].any():
            near.add(one.id)
    return frozenset(near)
