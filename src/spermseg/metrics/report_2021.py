"""The figures of the 2021 course report, by their exact definitions.

They are kept to stand beside the published ones and are not the quantities that usually bear these
names; those are in `spermseg.metrics.parts`.

- Its "IoU" combines class indices bit by bit: tail (3) predicted where head (1) is true counts 1 in
  the intersection and 3 in the union.
- Its "Dice" is a loss, the smaller the better, and the background rules it.
- Its averages divide the sum of the batches' means by the number of pictures and multiply by the
  batch size: too high wherever the last batch is incomplete.

A pixel to ignore, which the report did not know, is left out of every sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spermseg.errors import DataError
from spermseg.structures import IGNORE_ID

EPSILON = 1e-6


def iou(prediction: NDArray[np.uint8], label: NDArray[np.uint8], ignore: int = IGNORE_ID) -> float:
    """Give the report's "IoU" of one picture: sum(prediction & label) / sum(prediction | label).

    Parameters
    ----------
    prediction, label : (H, W) uint8
        Class indices, combined bit by bit.
    ignore : int
        Pixels of this value in `label` do not count.

    Returns
    -------
    float
        1 where both are background everywhere: `EPSILON` is added above and below.
    """
    counted = label != ignore
    intersection = (prediction & label).sum(where=counted, dtype=np.int64)
    union = (prediction | label).sum(where=counted, dtype=np.int64)
    return float((intersection + EPSILON) / (union + EPSILON))


def dice_loss(
    scores: NDArray[np.float32], label: NDArray[np.uint8], ignore: int = IGNORE_ID
) -> float:
    """Give the report's "Dice" of one picture: torchgeometry's Dice loss.

    One Dice for all classes and pixels of the picture together, taken from 1.

    Parameters
    ----------
    scores : (C, H, W) float32
        Probabilities.
    label : (H, W) uint8
        Class indices.
    ignore : int
        Pixels of this value in `label` do not count.
    """
    counted = label != ignore
    intersection = _true_scores(scores, label, counted).sum(dtype=np.float64)
    cardinality = scores.sum(0)[counted].sum(dtype=np.float64) + np.count_nonzero(counted)
    return float(1 - 2 * intersection / (cardinality + EPSILON))


def cross_entropy(
    scores: NDArray[np.float32], label: NDArray[np.uint8], ignore: int = IGNORE_ID
) -> float:
    """Give the mean cross entropy of one picture, the report's loss; NaN with no pixel to count.

    Parameters
    ----------
    scores : (C, H, W) float32
        Probabilities; below the smallest normal float32 (a loss of 87) they count as that.
    label : (H, W) uint8
        Class indices.
    ignore : int
        Pixels of this value in `label` do not count.
    """
    counted = label != ignore
    true = _true_scores(scores, label, counted)
    if not true.size:
        return float("nan")
    return float(-np.log(np.maximum(true, np.finfo(np.float32).tiny)).mean(dtype=np.float64))


def average(values: Sequence[float] | NDArray[np.float64], batch_size: int) -> float:
    """Average the values of pictures as the report did.

    Parameters
    ----------
    values : (n,) float
        One a picture, in the order of the batches.
    batch_size : int
        The last batch may be smaller.

    Returns
    -------
    float
        ``sum of the batches' means / n * batch_size``; NaN for no pictures.

    Raises
    ------
    DataError
        When `batch_size` is below 1.

    Examples
    --------
    >>> average([1.0, 1.0, 1.0], 2)  # Two batches, each with mean 1, shared out to 3 / 2 batches.
    1.3333333333333333
    """
    if batch_size < 1:
        raise DataError(f"batch size must be 1 or more, got {batch_size}")
    if not len(values):
        return float("nan")
    means = [
        np.mean(values[start : start + batch_size]) for start in range(0, len(values), batch_size)
    ]
    return float(np.sum(means) / len(values) * batch_size)


def _true_scores(
    scores: NDArray[np.float32], label: NDArray[np.uint8], counted: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Give the scores (n,) that the true class got, at the counted pixels."""
    rows, columns = np.nonzero(counted)
    result: NDArray[np.float32] = scores[label[rows, columns], rows, columns]
    return result
