"""Sperm one by one: which of those told apart in a picture count, and the figures of a set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spermseg.analysis.instances import HEADLESS, separate_sperm
from spermseg.metrics.parsing import ParsingScore, PictureParsing
from spermseg.structures import Segmentation, SpermInstance

PEOPLE: Mapping[str, tuple[float, float]] = {
    "miou": (0.722, 0.745),
    "ap50": (0.979, 0.991),
    "ap_volume": (0.703, 0.738),
    "pcp50": (0.857, 0.912),
}
"""One person's annotation against another's, lowest and highest of six comparisons on the 256
pictures of Sperm Parsing: ``benchmarks/human_agreement.py``, table in ``docs/metrics.md``."""

LEAST_SCORE = 0.3
"""What a sperm needs to be a detection: below are specks of head, most of them cut by the border,
which people do not annotate. Chosen on the pictures of one acquisition day, see
``docs/separation.md``; no figure but mIoU depends on it there."""


def detections(segmentation: Segmentation) -> list[SpermInstance]:
    """Tell the sperm of a picture apart, and leave out what is no detection.

    Parameters
    ----------
    segmentation : Segmentation

    Returns
    -------
    list of SpermInstance
        Without tails that have no head, and without sperm below `LEAST_SCORE`.
    """
    return [
        one
        for one in separate_sperm(segmentation)
        if HEADLESS not in one.flags and one.score >= LEAST_SCORE
    ]


def parsing_table(pictures: Sequence[PictureParsing]) -> dict[str, Any] | None:
    """Give the published figures of a number of pictures, JSON-ready; None without pictures.

    Parameters
    ----------
    pictures : sequence of PictureParsing

    Returns
    -------
    dict
        As `spermseg.metrics.parsing.ParsingResult.to_dict`; ``intervals``, the bootstrap intervals
        over pictures of mIoU, APp50, APvol and PCP50, and ``people``, see `PEOPLE`, as
        ``[low, high]`` by name.
    """
    if not pictures:
        return None
    score = ParsingScore()
    score.pictures.extend(pictures)
    # Without annotated sperm a figure does not exist, nor does its interval.
    figures = score.result().to_dict()
    intervals = {
        name: None if figures[name] is None else list(limits)
        for name, limits in score.intervals().items()
    }
    people = {name: list(limits) for name, limits in PEOPLE.items()}
    return {**figures, "intervals": intervals, "people": people}
