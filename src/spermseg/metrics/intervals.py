"""How far a figure over some pictures may be from the one over all such pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.errors import DataError

RESAMPLES = 2000
CONFIDENCE = 0.95


def bootstrap_interval(
    counts: NDArray[Any],
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Give the percentile bootstrap interval of a score of pooled counts.

    Pictures are drawn with replacement, as many as there are; the counts of each draw are added up
    and scored.

    Parameters
    ----------
    counts : (n, ...)
        Of each picture, for example confusion matrices (n, C, C).
    score : callable
        Turns pooled counts (resamples, ...) into scores (resamples, ...).
    resamples : int
    confidence : float
        Between 0 and 1.
    seed : int

    Returns
    -------
    (2, ...) float64
        Lower and upper limit. NaN where no draw has a score; draws without one are left out.

    Raises
    ------
    DataError
        When there are no pictures.

    References
    ----------
    Efron, Tibshirani: An Introduction to the Bootstrap, 1993, chapter 13.
    """
    n = len(counts)
    if not n:
        raise DataError("no pictures to draw from")
    # How often each picture is drawn: adding up is then one matrix product.
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    pooled = draws.astype(np.float64) @ counts.reshape(n, -1).astype(np.float64)
    values = score(pooled.reshape(resamples, *counts.shape[1:]))
    tail = 50 * (1 - confidence)
    known = ~np.isnan(values).all(0)
    limits = np.full((2, *values.shape[1:]), np.nan)
    limits[:, known] = np.nanpercentile(values[:, known], (tail, 100 - tail), axis=0)
    return limits
