"""Agreement of thin structures, tails above all, by their centre lines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def centerline_counts(
    target: NDArray[np.bool_],
    prediction: NDArray[np.bool_],
    counted: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Count how much of each mask's skeleton lies in the other mask.

    Parameters
    ----------
    target, prediction : (H, W) bool
    counted : (H, W) bool, optional
        Pixels that count; None counts all.

    Returns
    -------
    (4,) int64
        Predicted skeleton inside the target, predicted skeleton, target's skeleton inside the
        prediction, target's skeleton; in pixels. Counts of several pictures are added up.
    """
    true_line, guessed_line = _skeleton(target), _skeleton(prediction)
    if counted is not None:
        true_line, guessed_line = true_line & counted, guessed_line & counted
    return np.array(
        [
            np.count_nonzero(guessed_line & target),
            np.count_nonzero(guessed_line),
            np.count_nonzero(true_line & prediction),
            np.count_nonzero(true_line),
        ],
        np.int64,
    )


def centerline_dice(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Turn counts of `centerline_counts` into centre line Dice (clDice).

    The harmonic mean of topology precision (share of the predicted skeleton inside the target) and
    topology sensitivity (share of the target's skeleton inside the prediction).

    Parameters
    ----------
    counts : (..., 4)

    Returns
    -------
    (...) float64
        NaN where there is neither target nor prediction, 0 where there is one of them only.

    References
    ----------
    Shit et al.: clDice - a novel topology-preserving loss function for tubular structure
    segmentation, CVPR 2021.
    """
    values = np.asarray(counts, np.float64)
    in_target, guessed, in_prediction, true = np.moveaxis(values, -1, 0)
    nothing = np.zeros(guessed.shape)
    precision = np.divide(in_target, guessed, out=nothing.copy(), where=guessed > 0)
    sensitivity = np.divide(in_prediction, true, out=nothing.copy(), where=true > 0)
    total = precision + sensitivity
    result = np.divide(2 * precision * sensitivity, total, out=nothing, where=total > 0)
    return np.where(guessed + true > 0, result, np.nan)


def _skeleton(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from skimage.morphology import skeletonize  # Slow to import, and only needed here.

    if not mask.any():
        return mask
    line: NDArray[np.bool_] = skeletonize(mask)
    return line
