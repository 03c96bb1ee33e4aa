"""What the sperm of one picture are measured and judged by, and how that changes with the scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.criteria import Criteria
from spermseg.analysis.morphometry import measure_all
from spermseg.analysis.objects import classify
from spermseg.analysis.verdicts import check_scale, judge
from spermseg.data.preprocess import Size
from spermseg.errors import UsageError
from spermseg.inference.predictor import given_scale
from spermseg.structures import LabelSchema, Sample, Scale


@dataclass(frozen=True)
class Ground:
    """What the sperm of one picture are measured and judged by.

    Parameters
    ----------
    size : (height, width)
        Of the picture.
    scale : Scale
    criteria : Criteria
    schema : LabelSchema
        Of the model: only its parts can be painted.
    """

    size: Size
    scale: Scale
    criteria: Criteria
    schema: LabelSchema


def pixel_size_scale(um_per_px: float, size: Size) -> Scale:
    """Give the scale that a fresh analysis with a pixel size has.

    Parameters
    ----------
    um_per_px : float
    size : (height, width)
        Of the picture.

    Raises
    ------
    UsageError
        When it is not positive.
    DataError
        When heads would be too short or too long for any picture.
    """
    if not 0 < um_per_px < float("inf"):
        raise UsageError(f"the pixel size must be positive, got {um_per_px}")
    blank = np.broadcast_to(np.uint8(0), (*size, 3))
    return given_scale(Sample("picture", blank, um_per_px=um_per_px))


def rescale(
    sperm: Sequence[AnalysedSperm], ground: Ground, scale: Scale
) -> tuple[AnalysedSperm, ...]:
    """Measure and judge all sperm of a picture by another scale; which they are stays.

    Parameters
    ----------
    sperm : sequence of AnalysedSperm
    ground : Ground
        What they were measured by.
    scale : Scale
        The new one.

    Returns
    -------
    tuple of AnalysedSperm
        The same as of a fresh analysis with that scale that finds the same masks. They have no
        uncertainty, since nobody looked at the other views with this scale.

    Raises
    ------
    UsageError
        When the pixel size makes heads absurdly long or short.
    """
    if scale == ground.scale:
        return tuple(sperm)
    instances = [one.instance for one in sperm]
    measured = [one.morphometry for one in sperm]
    # In pixels nothing depends on the pixel size, only on what is near, short or a bend.
    if scale.head_length_px != ground.scale.head_length_px:
        again = measure_all(instances, head_length_px=scale.head_length_px, size=ground.size)
        measured = list(again)
    if scale.um_per_px is not None:
        check_scale(measured, scale.um_per_px)
    found = classify(instances, measured, ground.criteria.objects, scale.head_length_px)
    return tuple(
        replace(
            one,
            morphometry=values,
            verdict=judge(values, ground.criteria, scale.um_per_px, what),
            uncertainty=None,
        )
        for one, values, what in zip(sperm, measured, found, strict=True)
    )
