"""How long sperm heads are in a picture, found by looking at it with the network itself.

A network that was trained at one working scale finds heads over a range of scales around it, the
better the closer. So the picture is segmented as if its heads had the most usual length, and the
heads found are measured. Where they are as long as assumed and enough of them are surely heads of
sperm, that is the answer after one look. Else the guess is corrected by what was measured, then
longer and shorter heads are tried, and the look for which most speaks is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.data.preprocess import Box
from spermseg.inference.heads import (
    SeenHead,
    evidence,
    fitting_heads,
    heads_seen,
    sperm_heads,
    total_certainty,
    typical_length,
)
from spermseg.inference.tiling import ONE_GO
from spermseg.structures import LabelSchema

USUAL_RATIO = 2.0
"""First guess: heads are that many times as long as at the working scale. Smears are photographed
through 100x objectives; heads of 90 px, as in the Sperm Parsing pictures, are seen at 45 px."""

LONGER, SHORTER = (1.0, 2.0, 4.0), (0.5, 0.25)
"""Lengths of so many times the first guess are tried, in this order: longer heads cost little. The
shorter ones, which cost most, only where nothing can be believed so far."""

STRONG = 0.6
"""With so much `evidence` a look is believed: one sperm, not quite sure or not quite alone."""

WEAK = 0.3
"""With less a look is not even believed when there is no better one."""

AGREEMENT = 1.15
"""A guess stands when measured and assumed length differ by no more than this factor: networks are
trained with zooms of at least 0.7 to 1.4."""

CORRECTIONS = 3
"""So often is one guess corrected by what is measured, by at most `LARGEST_CORRECTION` at once."""

LARGEST_CORRECTION = 2.0
"""What is seen at a scale that is wrong by more says little."""

CONTRADICTION = 1.6
"""A scale given is called into question when heads are longer or shorter by more than this factor:
more than sperm of one species or ways of staining differ, less than neighbouring objectives."""

HEAD_LENGTHS_PX = (8.0, 400.0)
"""Shorter and longer estimates are refused: of the first nothing is left to see, and no objective
shows the second."""

LOOK_SIDE = 768
"""Where the picture is too large to be looked at whole: side of a part, in working pixels."""

LOOKS = 4
"""Number of such parts, those of the most contrast first."""

ENOUGH_HEADS = 12
"""No further part is looked at once so many whole heads with a midpiece are found."""

LookFor = Callable[[Box, float], NDArray[Any]]
"""Takes a part of the picture and the head length in px to assume; gives the probabilities
(C, h, w) there, at the working scale."""


@dataclass(frozen=True)
class HeadLength:
    """The typical head length of a picture.

    Parameters
    ----------
    measured_px : float
        Typical length found, in the picture's own pixels.
    assumed_px : float
        Under which assumption it was found.
    """

    measured_px: float
    assumed_px: float


@dataclass(frozen=True)
class _Look:
    assumed: float
    measured: float
    evidence: float
    is_of_sperm: bool

    @property
    def agrees(self) -> bool:
        return 1 / AGREEMENT <= self.measured / self.assumed <= AGREEMENT

    @property
    def correction(self) -> float:
        """The factor to the next guess, 1 for none: shorter heads cost, so they must be sure."""
        factor = min(max(self.measured / self.assumed, 1 / LARGEST_CORRECTION), LARGEST_CORRECTION)
        return factor if factor > 1 or self.is_of_sperm else 1.0


def estimate_head_length(
    image: NDArray[Any], look_for: LookFor, schema: LabelSchema, working_length: float
) -> HeadLength | None:
    """Estimate the typical length of heads.

    Parameters
    ----------
    image : (H, W, 3) uint8 or uint16
    look_for : callable
        Runs the network on a part of the picture; the first guess is always looked at first, on the
        whole picture unless it is larger than `ONE_GO` pixels at the working scale.
    schema : LabelSchema
        Of the network's scores.
    working_length : float
        Head length in pixels at the network's working scale.

    Returns
    -------
    HeadLength or None
        None when no consistent heads are found.
    """
    best = None
    for lengths in (LONGER, SHORTER):
        for look in _looks(image, look_for, schema, working_length, lengths):
            if best is None or look.evidence > best.evidence:
                best = look
            if look.agrees and look.evidence >= STRONG:
                break
        if best is not None and best.evidence >= WEAK:
            return HeadLength(best.measured, best.assumed)
    return None


def contradiction(
    scores: NDArray[Any], schema: LabelSchema, given_px: float, zoom: float
) -> str | None:
    """Compare a scale given with the heads that were found by it.

    Heads are found, and measured rightly, where they are 0.35 to 2 times as long as assumed;
    farther away nothing is, and nothing can be said.

    Parameters
    ----------
    scores : (C, h, w) float
        Probabilities of the whole picture.
    schema : LabelSchema
    given_px : float
        Head length by the scale given, in the picture's own pixels.
    zoom : float
        Size of the scores by that of the picture.

    Returns
    -------
    str or None
        A warning, when sure heads differ by more than `CONTRADICTION`.
    """
    sperm = sperm_heads(heads_seen(scores, schema))
    if total_certainty(sperm) < STRONG:
        return None
    measured = (typical_length(sperm) or 0.0) / zoom
    if 1 / CONTRADICTION <= measured / given_px <= CONTRADICTION:
        return None
    return (
        f"heads found are about {measured:.0f} px long, by the scale given they would be "
        f"{given_px:.0f} px: is it right?"
    )


def _looks(
    image: NDArray[Any],
    look_for: LookFor,
    schema: LabelSchema,
    working_length: float,
    factors: tuple[float, ...],
) -> Iterator[_Look]:
    looked: list[float] = []
    for factor in factors:
        assumed = USUAL_RATIO * working_length * factor
        for _ in range(1 + CORRECTIONS):
            if not _worth_a_look(assumed, looked):
                break
            looked.append(assumed)
            heads = _heads(image, look_for, schema, assumed, working_length / assumed)
            look = _judge(heads, assumed, working_length)
            if look is None:
                break
            yield look
            assumed *= look.correction


def _worth_a_look(assumed: float, looked: list[float]) -> bool:
    shortest, longest = HEAD_LENGTHS_PX
    return shortest <= assumed <= longest and all(
        abs(math.log(assumed / other)) > math.log(AGREEMENT) / 2 for other in looked
    )


def _judge(heads: list[SeenHead], assumed: float, working_length: float) -> _Look | None:
    weight, sperm = evidence(heads, working_length), sperm_heads(heads)
    is_of_sperm = total_certainty(sperm) >= WEAK
    # Where the scale is right, what is too long or too short is no head.
    fitting = fitting_heads(heads, working_length) if weight >= STRONG else None
    length = typical_length(fitting or (sperm if is_of_sperm else heads))
    if length is None:
        return None
    return _Look(assumed, length / working_length * assumed, weight, is_of_sperm)


def _heads(
    image: NDArray[Any], look_for: LookFor, schema: LabelSchema, assumed: float, zoom: float
) -> list[SeenHead]:
    heads: list[SeenHead] = []
    for box in _parts_to_look_at(image, zoom):
        heads.extend(heads_seen(look_for(box, assumed), schema))
        if len(sperm_heads(heads)) >= ENOUGH_HEADS:
            break
    return heads


def _parts_to_look_at(image: NDArray[Any], zoom: float) -> Iterator[Box]:
    height, width = image.shape[:2]
    if height * width * zoom**2 <= ONE_GO:
        yield (0, 0, height, width)
        return
    side = math.ceil(LOOK_SIDE / zoom)
    boxes = [
        (top, left, min(top + side, height), min(left + side, width))
        for top in _starts(height, side)
        for left in _starts(width, side)
    ]
    # Every so many pixels are enough to see where something lies.
    every = math.ceil(math.sqrt(height * width / 2**22))
    grey = image[::every, ::every].mean(axis=2, dtype=np.float32)

    def contrast(box: tuple[int, int, int, int]) -> float:
        top, left, bottom, right = (edge // every for edge in box)
        return float(grey[top : bottom + 1, left : right + 1].std())

    yield from sorted(boxes, key=contrast, reverse=True)[:LOOKS]


def _starts(extent: int, side: int) -> list[int]:
    number = -(-extent // side)
    return [index * max(0, extent - side) // max(1, number - 1) for index in range(number)]
