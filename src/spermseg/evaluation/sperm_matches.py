"""Every annotated sperm beside the found one that fits it best, and found ones that fit none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spermseg.metrics.parsing import HALF, PictureParsing
from spermseg.metrics.parts import mean_score
from spermseg.metrics.sperm_iou import PaintedSperm, paint_sperm, part_ious
from spermseg.structures import LabelledSample, LabelSchema, Segmentation, SpermInstance

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class SpermMatch:
    """An annotated sperm, and the found sperm that agrees with it most.

    Parameters
    ----------
    picture : str
    sperm : int
        Number of the annotated one in its picture.
    box : tuple of int
        Its half-open box (row0, col0, row1, col1).
    iou : mapping of str to float
        By part, background left out; NaN for a part in neither, 0 where there is no match.
    seen : mapping of str to float
        Of the pixels of each annotated part, the share that the model gives this part, in whichever
        sperm; NaN for a part that is not annotated.
    mean_iou : float
        The published one, over the classes with the background; 0 without a match.
    missing, added : tuple of str
        Parts that are annotated but not found, and the reverse.
    found : int, optional
        Number of the found one; None where none has a pixel of the same part.
    found_box : tuple of int, optional
    score : float, optional
        Of the found one.
    fits_better : int, optional
        Another annotated sperm, with which the found one agrees more.
    """

    picture: str
    sperm: int
    box: Box
    iou: Mapping[str, float]
    seen: Mapping[str, float]
    mean_iou: float
    missing: tuple[str, ...]
    added: tuple[str, ...]
    found: int | None = None
    found_box: Box | None = None
    score: float | None = None
    fits_better: int | None = None

    @property
    def mean_part_iou(self) -> float:
        """Mean of `iou` over the parts that one of the two has: what sperm are ranked by."""
        return float(np.nanmean(list(self.iou.values())))


@dataclass(frozen=True)
class FalseSperm:
    """A found sperm that is right for no annotated one at a mean IoU of 0.5.

    Parameters
    ----------
    picture : str
    found : int
        Its number in its picture.
    found_box : tuple of int
        Its half-open box (row0, col0, row1, col1).
    score : float
    mean_iou : float
        With the annotated sperm that it overlaps most; 0 in a picture without any.
    """

    picture: str
    found: int
    found_box: Box
    score: float
    mean_iou: float


@dataclass(frozen=True)
class PictureSperm:
    """The sperm of one picture: every annotated one, and the found ones that are false."""

    annotated: tuple[SpermMatch, ...]
    false: tuple[FalseSperm, ...]


def match_sperm(
    sample: LabelledSample,
    segmentation: Segmentation,
    found: Sequence[SpermInstance],
    parsing: PictureParsing,
) -> PictureSperm:
    """Hold every annotated sperm of a picture against the found ones.

    Parameters
    ----------
    sample : LabelledSample
        With its sperm one by one.
    segmentation : Segmentation
        Of the sample.
    found : sequence of SpermInstance
        Told apart in it.
    parsing : PictureParsing
        Of the same; says which are false.
    """
    schema, annotated = segmentation.schema, sample.instances or ()
    indices = schema.to_indices(segmentation.part_map)
    truths, guesses = (
        [paint_sperm(one, sample.size, schema) for one in sperm] for sperm in (annotated, found)
    )
    ious = np.array([[part_ious(guess, truth) for guess in guesses] for truth in truths])
    matches = []
    for row, (one, truth) in enumerate(zip(annotated, truths, strict=True)):
        seen = _share_seen(truth, indices)
        best = int(mean_score(ious[row]).argmax()) if guesses else None
        if best is None or not np.nansum(ious[row, best, 1:]):
            matches.append(_not_found(sample.id, one, truth, seen, schema))
            continue
        better = int(mean_score(ious[:, best]).argmax())
        has, finds = truth.areas[1:] > 0, guesses[best].areas[1:] > 0
        matches.append(
            SpermMatch(
                sample.id,
                one.id,
                one.bbox,
                _by_part(schema, ious[row, best, 1:]),
                _by_part(schema, seen),
                float(mean_score(ious[row, best])),
                missing=_parts(schema, has & ~finds),
                added=_parts(schema, finds & ~has),
                found=found[best].id,
                found_box=found[best].bbox,
                score=found[best].score,
                fits_better=None if better == row else annotated[better].id,
            )
        )
    false = [
        FalseSperm(sample.id, one.id, one.bbox, one.score, float(overlap))
        for one, overlap, right in zip(found, parsing.overlap, parsing.found[:, HALF], strict=True)
        if not right
    ]
    return PictureSperm(tuple(matches), tuple(false))


def worst_sperm(
    pictures: Sequence[PictureSperm], number: int
) -> tuple[list[SpermMatch], list[FalseSperm]]:
    """Choose the annotated sperm of the lowest mean part IoU, and the surest false ones.

    Parameters
    ----------
    pictures : sequence of PictureSperm
    number : int
        How many of each at most.

    Returns
    -------
    list of SpermMatch
        From the worst on; equals keep their order.
    list of FalseSperm
        By falling score.
    """
    annotated = [one for picture in pictures for one in picture.annotated]
    false = [one for picture in pictures for one in picture.false]
    return (
        sorted(annotated, key=lambda one: one.mean_part_iou)[:number],
        sorted(false, key=lambda one: -one.score)[:number],
    )


def _not_found(
    picture: str,
    one: SpermInstance,
    truth: PaintedSperm,
    seen: NDArray[np.float64],
    schema: LabelSchema,
) -> SpermMatch:
    has = truth.areas[1:] > 0
    iou = _by_part(schema, np.where(has, 0.0, np.nan))
    missing = _parts(schema, has)
    return SpermMatch(
        picture, one.id, one.bbox, iou, _by_part(schema, seen), 0.0, missing=missing, added=()
    )


def _share_seen(truth: PaintedSperm, indices: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give the share of each part's pixels (C - 1,) that have its class in `indices` (H, W)."""
    row0, col0, row1, col1 = truth.bbox
    right = truth.indices[truth.indices == indices[row0:row1, col0:col1]]
    hits = np.bincount(right, minlength=len(truth.areas))[1:]
    areas = truth.areas[1:]
    share = np.full(len(areas), np.nan)
    np.divide(hits, areas, out=share, where=areas > 0)
    return share


def _by_part(schema: LabelSchema, values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(schema.parts[1:], values.tolist(), strict=True))


def _parts(schema: LabelSchema, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(
        part for part, taken in zip(schema.parts[1:], chosen.tolist(), strict=True) if taken
    )
