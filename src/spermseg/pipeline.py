"""From one picture to its sperm, measured and judged: the whole flow, on one page."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg import __version__
from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.criteria import DEFAULT_CRITERIA, Criteria, load_criteria
from spermseg.analysis.matching import match_sperm
from spermseg.analysis.uncertainty import PLAIN, Seen, ViewCounts, compare_views
from spermseg.analysis.verdicts import check_scale as check_measured_scale
from spermseg.analysis.verdicts import judge
from spermseg.data.images import read_sample
from spermseg.errors import DataError, UsageError
from spermseg.inference.card import ModelCard
from spermseg.inference.catalog import load_model
from spermseg.inference.predictor import Predictor
from spermseg.inference.views import segment_views
from spermseg.result import AnalysisResult
from spermseg.stages import stage
from spermseg.structures import Sample, Segmentation

Source = str | Path | NDArray[Any] | Sample
"""A picture: its file, its pixels, or both with what is known about them."""


def analyze(
    source: Source,
    *,
    model: str | Path | None = None,
    um_per_px: float | None = None,
    head_length_px: float | None = None,
    page: int = 0,
    criteria: Criteria | str | Path = DEFAULT_CRITERIA,
    uncertainty: bool = False,
    threads: int | None = None,
    predictor: Predictor | None = None,
) -> AnalysisResult:
    """Find all sperm in one picture, measure and judge them.

    Parameters
    ----------
    source : str, Path, array or Sample
        A picture file; or its pixels, (H, W, 3) RGB or (H, W) grey, uint8 or uint16.
    model : str or Path, optional
        Name of a bundled model, or a folder with a model card; None takes the default. It is
        loaded once and kept for the next call.
    um_per_px : float, optional
        Pixel size in micrometres; takes the place of the one that the file states.
    head_length_px : float, optional
        Typical length of a sperm's head in this picture. Without it and without a pixel size the
        scale is estimated from the picture.
    page : int
        Page of a TIFF file, from 0.
    criteria : Criteria, str or Path
        By which sperm are judged: a name, or a YAML file; see `load_criteria`.
    uncertainty : bool
        Look at the picture in several views and say how far each sperm depends on them; see
        `Uncertainty`. The result itself stays that of the picture as it is.
    threads : int, optional
        Threads of the network; None takes all physical cores.
    predictor : Predictor, optional
        A model that was loaded before, in place of `model` and `threads`.

    Returns
    -------
    AnalysisResult
        Without the network's scores: `Predictor.segment` and `Predictor.predict` give these.

    Raises
    ------
    ImageError
        When the file is no picture that can be read.
    DataError
        When the array has another shape or type.
    UsageError
        When both scales are given, one is not positive or cannot be true of the heads found, or a
        page of an array is asked for.
    ConfigError
        When the criteria are wrong.
    ModelError
        When the model cannot be loaded or does not fit the picture.

    Examples
    --------
    >>> import numpy as np, spermseg
    >>> result = spermseg.analyze(np.full((64, 64, 3), 220, np.uint8))  # doctest: +SKIP
    >>> result.part_map.shape, result.head_count, result.warnings  # doctest: +SKIP
    ((64, 64), 0, ('no sperm found',))
    """
    sample = _with_scale(_sample(source, page), um_per_px, head_length_px)
    if not isinstance(criteria, Criteria):
        criteria = load_criteria(criteria)
    predictor = predictor or cached_model(model, threads)
    segmentation = predictor.segment(sample)
    sperm = analyze_sperm(segmentation, criteria)
    if segmentation.scale.um_per_px is not None:
        check_measured_scale([one.morphometry for one in sperm], segmentation.scale.um_per_px)
    # Of a large picture they take more memory than anything else, and they have told all they can.
    segmentation = replace(segmentation, scores=segmentation.scores[:, :0, :0].copy())
    made_by = provenance(predictor.card) | {"criteria": criteria.name}
    result = AnalysisResult(sample, segmentation, made_by, sperm)
    return with_uncertainty(result, predictor, criteria) if uncertainty else result


def analyze_sperm(segmentation: Segmentation, criteria: Criteria) -> tuple[AnalysedSperm, ...]:
    """Tell the sperm of a picture apart, measure them and judge them.

    Parameters
    ----------
    segmentation : Segmentation
    criteria : Criteria

    Returns
    -------
    tuple of AnalysedSperm
        As `separate_sperm` gives them: ids from 1, tails without a head last.
    """
    if not segmentation.part_map.any():
        return ()
    # Only where there is something to separate: scikit-image takes longer to load than spermseg.
    from spermseg.analysis.instances import separate_sperm
    from spermseg.analysis.morphometry import measure_all
    from spermseg.analysis.objects import classify

    scale = segmentation.scale
    height, width = segmentation.part_map.shape
    with stage("separation"):
        instances = separate_sperm(segmentation)
    with stage("measurements"):
        measured = measure_all(instances, head_length_px=scale.head_length_px, size=(height, width))
        found = classify(instances, measured, criteria.objects, scale.head_length_px)
        verdicts = [
            judge(one, criteria, scale.um_per_px, what)
            for one, what in zip(measured, found, strict=True)
        ]
    return tuple(map(AnalysedSperm, instances, measured, verdicts))


def with_uncertainty(
    result: AnalysisResult, predictor: Predictor, criteria: Criteria
) -> AnalysisResult:
    """Look at a picture in several views, and note at every sperm what depends on them.

    Parameters
    ----------
    result : AnalysisResult
        Of the picture as it is.
    predictor : Predictor
        The model that found it.
    criteria : Criteria
        Those of the result.
    """
    instances = [one.instance for one in result.sperm]
    views = [ViewCounts.of(PLAIN, [one.verdict for one in result.sperm])]
    seen: list[list[Seen | None]] = [[] for _ in result.sperm]
    for view, segmentation in segment_views(predictor, result.sample, result.segmentation):
        others = analyze_sperm(segmentation, criteria)
        views.append(ViewCounts.of(view.name, [one.verdict for one in others]))
        matches = match_sperm(instances, [one.instance for one in others])
        for of_one, index in zip(seen, matches, strict=True):
            of_one.append(None if index is None else others[index].seen)
    sperm = tuple(
        replace(one, uncertainty=compare_views(one.seen, of_one))
        for one, of_one in zip(result.sperm, seen, strict=True)
    )
    return replace(result, sperm=sperm, views=tuple(views))


@lru_cache(maxsize=2)
def cached_model(model: str | Path | None = None, threads: int | None = None) -> Predictor:
    """Load a model, see `load_model`, or give the one that was loaded before."""
    return load_model(model, threads=threads)


def provenance(card: ModelCard) -> dict[str, str]:
    """Give what made a result: ``spermseg`` (version), ``model`` and ``sha256`` of its weights."""
    return {"spermseg": __version__, "model": card.id, "sha256": card.weights_sha256}


def check_scale(um_per_px: float | None, head_length_px: float | None) -> None:
    """Refuse a scale that is not positive, or given in two ways, with a `UsageError`."""
    for what, value in (("pixel size", um_per_px), ("head length", head_length_px)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"the {what} must be positive, got {value}")
    if um_per_px is not None and head_length_px is not None:
        raise UsageError("give the pixel size or the head length, not both")


def _sample(source: Source, page: int) -> Sample:
    if isinstance(source, (str, Path)):
        return read_sample(Path(source), page=page)
    if page != 0:
        raise UsageError(f"page {page} can only be read from a file")
    if isinstance(source, Sample):
        return source
    if not isinstance(source, np.ndarray):
        raise UsageError(f"a picture is a path, an array or a Sample, got {type(source).__name__}")
    if source.dtype not in (np.uint8, np.uint16):
        raise DataError(
            f"picture must be uint8 or uint16, got {source.dtype}",
            fix="Bring its values to 0 ... 255, or 0 ... 65535, first",
        )
    if source.ndim == 2:
        source = np.repeat(source[..., np.newaxis], 3, axis=2)
    return Sample("picture", np.ascontiguousarray(source))


def _with_scale(sample: Sample, um_per_px: float | None, head_length_px: float | None) -> Sample:
    check_scale(um_per_px, head_length_px)
    return replace(
        sample,
        um_per_px=um_per_px or sample.um_per_px,
        head_length_px=head_length_px or sample.head_length_px,
    )
