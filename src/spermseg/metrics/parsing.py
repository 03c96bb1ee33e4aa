"""The published measure of Sperm Parsing: whether sperm are found, and parsed, one by one.

mIoU, APp, APvol and PCP as the benchmark's own code counts them, quirks included, written anew:

- Each sperm is a map of the whole picture, and the background one of its classes: a detection that
  touches nothing still has a mean IoU of about 1 / 6, above the lowest threshold.
- A detection is held against the annotated sperm that it overlaps most, even when a better scored
  one has taken that already: then it is false, whatever else it overlaps.
- mIoU is that of the picture painted from all detections; the other figures leave out those with a
  score below `MIN_SCORE`.

What that code leaves to chance or cannot do is settled here: equal scores keep the order in which
the sperm were given (its sort is not stable), sperm are painted by falling score (the order in
which its detector lists them), detections in a picture without annotated sperm are false, and no
detection at all is an AP of 0.

References
----------
``mmdet/datasets/coco_partparsing.py`` (painting) and ``mmdet/datasets/parsing_eval.py`` (figures)
of CP-Net, Sperm-Parsing on GitHub, read in the copy tad34s/Sperm-Parsing; the latter is the same in
Chenwy10/CLPMnet and goes back to ``parsingrcnn/utils/parsing.py`` of soeaver/Parsing-R-CNN.
Zhao et al.: Understanding humans in crowded scenes, ACM MM 2018 (APp, PCP). Everingham et al.: The
Pascal Visual Object Classes challenge, a retrospective, IJCV 2015 (AP, all-point form).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.errors import DataError
from spermseg.metrics.average_precision import average_precision
from spermseg.metrics.intervals import CONFIDENCE, RESAMPLES, bootstrap_interval
from spermseg.metrics.parts import class_scores, confusion_matrix, mean_score
from spermseg.metrics.sperm_iou import PARSING_SCHEMA, paint, paint_sperm, part_ious
from spermseg.structures import LabelSchema, SpermInstance

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""A sperm is found when the mean IoU is above; APvol is the mean over them."""

HALF = THRESHOLDS.index(0.5)
"""Place of the threshold of APp50 and PCP50."""

MIN_SCORE = 0.001
"""Detections with a score below are painted, but neither right nor wrong."""

FIGURES = ("miou", "ap50", "ap_volume", "pcp50")
"""The columns of the published table, by their names in `ParsingResult`."""

_BLOCK = 128
"""Draws handled at a time, so that their ranked detections stay in the processor's cache."""


@dataclass(frozen=True)
class PictureParsing:
    """What one picture contributes to the figures.

    Parameters
    ----------
    confusion : (C, C) int64
        Of the two painted pictures; rows are the annotation.
    scores : (n_predicted,) float64
        Like the next three in the order in which the predicted sperm were given.
    overlap : (n_predicted,) float64
        Mean IoU with the annotated sperm that a predicted one overlaps most.
    matched : (n_predicted,) intp
        Which one that is, from 0; -1 where the picture has none.
    found : (n_predicted, 9) bool
        Whether that one is found by it, at each of `THRESHOLDS`.
    part_shares : (n_annotated,) float64
        Share of an annotated sperm's parts with an IoU above 0.5; 0 where it is not found.
    """

    confusion: NDArray[np.int64]
    scores: NDArray[np.float64]
    overlap: NDArray[np.float64]
    matched: NDArray[np.intp]
    found: NDArray[np.bool_]
    part_shares: NDArray[np.float64]


def compare_sperm(
    predicted: Sequence[SpermInstance],
    annotated: Sequence[SpermInstance],
    size: tuple[int, int],
    schema: LabelSchema = PARSING_SCHEMA,
) -> PictureParsing:
    """Hold the sperm predicted in one picture against the annotated ones.

    Parameters
    ----------
    predicted, annotated : sequence of SpermInstance
    size : (height, width)
        The picture's.
    schema : LabelSchema
        The classes.

    Raises
    ------
    DataError
        When a box is not inside the picture, a part cannot be expressed in the schema, or a
        predicted sperm has no score.
    """
    scores = np.array([one.score for one in predicted], np.float64)
    if np.isnan(scores).any():
        raise DataError("a predicted sperm has the score NaN: it cannot be ranked")
    guesses, truths = (
        [paint_sperm(one, size, schema) for one in sperm] for sperm in (predicted, annotated)
    )
    overlap = np.zeros(len(guesses))
    matched = np.full(len(guesses), -1, np.intp)
    found = np.zeros((len(guesses), len(THRESHOLDS)), bool)
    taken = np.zeros((len(truths), len(THRESHOLDS)), bool)
    part_shares = np.zeros(len(truths))
    for index in _ranked(scores) if truths else ():
        ious = np.stack([part_ious(guesses[index], truth) for truth in truths])
        best = matched[index] = mean_score(ious).argmax()
        overlap[index] = mean_score(ious[best])
        found[index] = (overlap[index] > np.array(THRESHOLDS)) & ~taken[best]
        taken[best] |= found[index]
        if found[index, HALF]:
            right = np.count_nonzero(ious[best, 1:] > THRESHOLDS[HALF])
            part_shares[best] = right / max(1, int(np.count_nonzero(truths[best].areas[1:])))
    confusion = confusion_matrix(
        schema.to_indices(paint(annotated, size)),
        schema.to_indices(paint(predicted, size)),
        schema.n_classes,
    )
    return PictureParsing(confusion, scores, overlap, matched, found, part_shares)


@dataclass(frozen=True)
class ParsingResult:
    """The published figures of a number of pictures.

    Parameters
    ----------
    miou : float
        Mean of `iou`.
    iou : mapping of str to float
        By class, background included, of one confusion matrix of all painted pictures; NaN for a
        class in neither annotation nor prediction, which is left out of the mean.
    ap : mapping of float to float
        APp by threshold; NaN without annotated sperm.
    ap_volume : float
        Mean of `ap`.
    pcp50 : float
        Share of a sperm's parts with an IoU above 0.5, 0 for a sperm not found at 0.5; mean over
        annotated sperm, NaN without any.
    n_pictures, n_annotated, n_predicted : int
        Predicted sperm below `MIN_SCORE` are not among them.
    """

    miou: float
    iou: Mapping[str, float]
    ap: Mapping[float, float]
    ap_volume: float
    pcp50: float
    n_pictures: int
    n_annotated: int
    n_predicted: int

    @property
    def ap50(self) -> float:
        """APp at 0.5."""
        return self.ap[THRESHOLDS[HALF]]

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping; NaN becomes None."""
        return {
            **{name: _without_nan(getattr(self, name)) for name in FIGURES},
            "iou": {part: _without_nan(value) for part, value in self.iou.items()},
            "ap": {str(threshold): _without_nan(value) for threshold, value in self.ap.items()},
            "n_pictures": self.n_pictures,
            "n_annotated": self.n_annotated,
            "n_predicted": self.n_predicted,
        }


class ParsingScore:
    """Collects pictures, then gives the figures of all of them.

    Parameters
    ----------
    schema : LabelSchema
        The classes.
    """

    def __init__(self, schema: LabelSchema = PARSING_SCHEMA):
        self.schema = schema
        self.pictures: list[PictureParsing] = []

    def add(
        self,
        predicted: Sequence[SpermInstance],
        annotated: Sequence[SpermInstance],
        size: tuple[int, int],
    ) -> PictureParsing:
        """Count one picture; see `compare_sperm`."""
        self.pictures.append(compare_sperm(predicted, annotated, size, self.schema))
        return self.pictures[-1]

    def result(self) -> ParsingResult:
        """Give the figures.

        Raises
        ------
        DataError
            When there are no pictures.
        """
        if not self.pictures:
            raise DataError("no pictures to score")
        iou, ap, pcp = (values[0] for values in self._pooled(np.ones((1, len(self.pictures)))))
        return ParsingResult(
            miou=float(mean_score(iou)),
            iou=dict(zip(self.schema.parts, iou.tolist(), strict=True)),
            ap=dict(zip(THRESHOLDS, ap.tolist(), strict=True)),
            ap_volume=float(ap.mean()),
            pcp50=float(pcp),
            n_pictures=len(self.pictures),
            n_annotated=sum(len(picture.part_shares) for picture in self.pictures),
            n_predicted=sum(len(_ranked(picture.scores)) for picture in self.pictures),
        )

    def intervals(
        self,
        *,
        minus: ParsingScore | None = None,
        resamples: int = RESAMPLES,
        confidence: float = CONFIDENCE,
        seed: int = 0,
    ) -> dict[str, tuple[float, float]]:
        """Give the bootstrap interval over pictures of each of `FIGURES`.

        The detections of each draw are ranked anew.

        Parameters
        ----------
        minus : ParsingScore, optional
            The same pictures with other detections: then the interval of the difference to them,
            the same pictures drawn for both.
        resamples, confidence, seed
            See `spermseg.metrics.intervals.bootstrap_interval`.

        Raises
        ------
        DataError
            When there are no pictures, or `minus` has another number of them.
        """
        if minus is not None and len(minus.pictures) != len(self.pictures):
            raise DataError(f"{len(self.pictures)} pictures against {len(minus.pictures)}")

        def figures(draws: NDArray[np.float64]) -> NDArray[np.float64]:
            found = self.figures(draws)
            return found if minus is None else found - minus.figures(draws)

        # Counts that only tell the pictures apart: pooled, they say how often each was drawn.
        apart = np.eye(len(self.pictures))
        limits = bootstrap_interval(
            apart, figures, resamples=resamples, confidence=confidence, seed=seed
        )
        return {
            name: (float(low), float(high))
            for name, low, high in zip(FIGURES, *limits, strict=True)
        }

    def figures(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give `FIGURES` (R, 4) of the pictures, drawn (R, n) times each; NaN where there is none.

        The detections of each draw are ranked anew.
        """
        blocks = []
        for block in np.array_split(draws, len(draws) // _BLOCK + 1):
            iou, ap, pcp = self._pooled(block)
            blocks.append(np.stack([mean_score(iou), ap[:, HALF], ap.mean(1), pcp], axis=1))
        return np.concatenate(blocks)

    def _pooled(self, draws: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """IoU (R, C), APp (R, 9) and PCP50 (R,) of the pictures, drawn (R, n) times each."""
        confusion = np.stack([picture.confusion for picture in self.pictures])
        iou = class_scores(np.tensordot(draws, confusion, 1))["iou"]
        n_annotated = draws @ [len(picture.part_shares) for picture in self.pictures]
        shares = draws @ [picture.part_shares.sum() for picture in self.pictures]

        ranked = _ranked(np.concatenate([picture.scores for picture in self.pictures]))
        found = np.concatenate([picture.found for picture in self.pictures])[ranked]
        sperm = [len(picture.scores) for picture in self.pictures]
        picture_of = np.repeat(np.arange(len(self.pictures)), sperm)[ranked]
        ap = average_precision(found, draws[:, picture_of], n_annotated)
        pcp = np.divide(shares, n_annotated, out=np.full(len(draws), np.nan), where=n_annotated > 0)
        return iou, ap, pcp


def _ranked(scores: NDArray[np.float64]) -> NDArray[np.intp]:
    ranked = np.argsort(-scores, kind="stable")
    return ranked[scores[ranked] >= MIN_SCORE]


def _without_nan(value: float) -> float | None:
    return None if np.isnan(value) else value
