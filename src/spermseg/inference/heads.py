"""What speaks for the heads that a network sees, and how long they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.data.scale import HeadRegion, head_regions
from spermseg.inference.part_map import highest
from spermseg.structures import HEAD_PARTS, LabelSchema, Part

FITTING = 1.5
"""A head of the working scale is at most this factor longer or shorter than assumed: wider than
one picture's heads vary, narrower than the factor between two looks."""

UNSURE, SURE = 0.8, 1.0
"""A region's mean head probability counts from the first, as nothing, to the second, as one head.
Whole heads at the working scale have 0.9 and more, dark specks and letters less."""

HEAD_ONLY = 0.5
"""Heads without a midpiece count together as this share of one head: what is no sperm may look
like a head, but hardly ever has a midpiece, and repeats itself."""

_JOINED = 0.15
"""A midpiece begins at a head if so many of its pixels, in head lengths, lie within reach."""
_REACH = 2
"""In pixels of the working picture."""


@dataclass(frozen=True)
class SeenHead:
    """One region that a network takes for head.

    Parameters
    ----------
    length : float
        In the working picture's pixels.
    area : int
    is_cut : bool
        Whether it touches the picture's border.
    is_whole : bool
        Whether it has the form of one whole head, see `HeadRegion.is_whole_head`.
    has_midpiece : bool
        Whether a midpiece begins at it; True where the network knows no midpieces.
    certainty : float
        0 ... 1, by the mean head probability, see `UNSURE`.
    """

    length: float
    area: int
    is_cut: bool
    is_whole: bool
    has_midpiece: bool
    certainty: float


def heads_seen(scores: NDArray[Any], schema: LabelSchema) -> list[SeenHead]:
    """Find the heads in scores.

    Parameters
    ----------
    scores : (C, h, w) float
        Probabilities, channels in the schema's order.
    schema : LabelSchema

    Returns
    -------
    list of SeenHead
    """
    ids = np.array(schema.ids)
    head_channels = np.isin(ids, HEAD_PARTS)
    index = highest(scores)
    midpiece = (ids == Part.MIDPIECE)[index] if Part.MIDPIECE in schema.ids else None
    seen = []
    for region in head_regions(head_channels[index]):
        probability = scores[:, *region.window][head_channels][:, region.inside].sum(0).mean()
        certainty = (float(probability) - UNSURE) / (SURE - UNSURE)
        seen.append(
            SeenHead(
                region.length,
                region.area,
                region.is_cut,
                region.is_whole_head,
                midpiece is None or _has_midpiece(region, midpiece),
                min(max(certainty, 0.0), 1.0),
            )
        )
    return seen


def evidence(heads: Sequence[SeenHead], working_length: float) -> float:
    """Say how much speaks for a look at the right scale.

    About the number of sure, whole heads of the working length that have a midpiece, times their
    share of the area of all that is taken for head. Heads cut by the border do not lessen it.
    """
    fitting = fitting_heads(heads, working_length)
    if not fitting:
        return 0.0
    sperm = total_certainty(sperm_heads(fitting))
    head_only = max((head.certainty for head in fitting if not head.has_midpiece), default=0.0)
    largest = max(head.area for head in fitting)
    cut = sum(head.area for head in heads if head.is_cut and head.area <= largest)
    share = sum(head.area for head in fitting) / (sum(head.area for head in heads) - cut)
    return (sperm + HEAD_ONLY * head_only) * share


def fitting_heads(heads: Sequence[SeenHead], working_length: float) -> list[SeenHead]:
    """Choose the whole heads that are about as long as at the working scale."""
    return [
        head
        for head in heads
        if head.is_whole and 1 / FITTING <= head.length / working_length <= FITTING
    ]


def sperm_heads(heads: Sequence[SeenHead]) -> list[SeenHead]:
    """Choose the whole heads of any length that are surely of sperm: those with a midpiece."""
    return [head for head in heads if head.is_whole and head.has_midpiece and head.certainty > 0]


def total_certainty(heads: Sequence[SeenHead]) -> float:
    """Give about the number of heads that are surely there."""
    return sum(head.certainty for head in heads)


def typical_length(heads: Sequence[SeenHead]) -> float | None:
    """Give the median length of whole heads weighted by area: specks are many, but small."""
    whole = sorted((head.length, head.area) for head in heads if head.is_whole)
    if not whole:
        return None
    lengths, areas = np.array(whole).T
    return float(lengths[np.searchsorted(areas.cumsum(), areas.sum() / 2)])


def _has_midpiece(region: HeadRegion, midpiece: NDArray[np.bool_]) -> bool:
    rows, columns = (
        slice(max(0, part.start - _REACH), part.stop + _REACH) for part in region.window
    )
    around = midpiece[rows, columns]
    top, left = region.window[0].start - rows.start, region.window[1].start - columns.start
    height, width = region.inside.shape
    own = np.zeros(around.shape, bool)
    own[top : top + height, left : left + width] = region.inside
    near = ndimage.binary_dilation(own, np.ones((3, 3), bool), iterations=_REACH)
    return int(np.count_nonzero(near & around)) >= _JOINED * region.length
