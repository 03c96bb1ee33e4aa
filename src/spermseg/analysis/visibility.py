"""How much of a tail could be seen where a sperm lies, whatever tail it has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_AHEAD = 0.5
"""Length of the chord by which a line's end points on, in head lengths."""

_FAR = 20.0
"""More room than this, in head lengths, says no more: tails are about ten long (WHO 2021)."""


def room_ahead(
    line: NDArray[np.float64], size: tuple[int, int] | None, head_length: float, margin: float
) -> float:
    """Give the way straight on from the end of a line to the border of the picture.

    Parameters
    ----------
    line : (n, 2) float
        Rows and columns, a pixel apart.
    size : (height, width), optional
        Of the picture; None is one without end.
    head_length : float
        Pixels.
    margin : float
        Of the picture, in pixels, in which nothing can be told to end.

    Returns
    -------
    float
        Pixels, at most 20 head lengths.
    """
    far = _FAR * head_length
    if size is None or len(line) < 2:
        return far
    tip = line[-1]
    step = tip - line[max(0, len(line) - 1 - max(1, round(_AHEAD * head_length)))]
    length = float(np.hypot(*step))
    if length == 0:
        return 0.0
    ways = [far]
    for place, towards, end in zip(tip, step / length, size, strict=True):
        border = end - 1 - margin if towards > 0 else margin
        if towards:
            ways.append((border - place) / towards)
    return float(max(0.0, min(ways)))
