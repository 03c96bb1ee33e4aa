"""The sperm that a model does worst, on a page, with the reason for each where somebody looked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spermseg import DISCLAIMER, __version__
from spermseg.data.datasets.base import LabelledDataset
from spermseg.errors import UsageError
from spermseg.evaluation.parsing_scores import detections
from spermseg.evaluation.reasons import Key, Reason, read_reasons
from spermseg.evaluation.result import EvaluationResult
from spermseg.evaluation.sperm_matches import FalseSperm, SpermMatch, worst_sperm
from spermseg.files import write_json, write_text
from spermseg.inference.predictor import Predictor
from spermseg.report.worst_page import draw_sperm, worst_html

FORMAT_VERSION = 1


def write_worst(
    result: EvaluationResult,
    predictor: Predictor,
    dataset: LabelledDataset,
    out: Path,
    number: int,
    reasons: Path | None = None,
) -> None:
    """Write ``worst.json`` and ``worst.html``.

    Parameters
    ----------
    result : EvaluationResult
    predictor, dataset
        What it is of: the pictures shown are segmented once more, to draw what was found.
    out : Path
        Folder; made if it is missing.
    number : int
        How many annotated sperm, and how many false ones at most.
    reasons : Path, optional
        See `read_reasons`.

    Raises
    ------
    UsageError
        When sperm were not compared one by one.
    """
    pictures = [picture.sperm for picture in result.pictures if picture.sperm is not None]
    if not pictures:
        raise UsageError(
            "no sperm to rank: they are compared one by one only where they are annotated so, by "
            "models that tell apart the Sperm Parsing classes",
            where=dataset.root.name,
        )
    given = read_reasons(reasons, predictor.card.id) if reasons else {}
    worst, false = worst_sperm(pictures, number)
    content = _content(result, worst, false, given)
    drawings = _drawings(predictor, dataset, worst, false)
    write_json(out / "worst.json", content)
    write_text(out / "worst.html", worst_html(content, drawings))


def _content(
    result: EvaluationResult,
    worst: Sequence[SpermMatch],
    false: Sequence[FalseSperm],
    reasons: Mapping[Key, Reason],
) -> dict[str, Any]:
    pictures = [picture.sperm for picture in result.pictures if picture.sperm is not None]
    means = [one.mean_part_iou for picture in pictures for one in picture.annotated]
    rows = [_row(one, reasons.get((one.picture, one.sperm, None))) for one in worst]
    false_rows = [_false_row(one, reasons.get((one.picture, None, one.found))) for one in false]
    shown: set[Key] = {(one.picture, one.sperm, None) for one in worst}
    shown.update((one.picture, None, one.found) for one in false)
    unused = sorted(str(key[0]) for key in reasons.keys() - shown)
    warnings = list(result.warnings)
    if unused:
        warnings.append(
            f"Reasons are given for {len(unused)} sperm that are not shown here: "
            f"{', '.join(unused)}."
        )
    return {
        "format": "spermseg worst sperm",
        "format_version": FORMAT_VERSION,
        "spermseg_version": __version__,
        "intended_use": DISCLAIMER,
        "warnings": warnings,
        "model": {"id": result.card.id, "weights_sha256": result.card.weights_sha256},
        "data": dict(result.data),
        "parts": list(result.schema.parts[1:]),
        "n_annotated": len(means),
        "n_false": sum(len(picture.false) for picture in pictures),
        "median_part_iou": float(np.median(means)) if means else None,
        "worst": rows,
        "false": false_rows,
    }


def _row(one: SpermMatch, reason: Reason | None) -> dict[str, Any]:
    match = None
    if one.found is not None:
        match = {
            "found": one.found,
            "score": one.score,
            "box": one.found_box,
            "fits_better": one.fits_better,
        }
    return {
        "picture": one.picture,
        "sperm": one.sperm,
        "box": one.box,
        "mean_part_iou": one.mean_part_iou,
        "mean_iou": one.mean_iou,
        "iou": {part: None if np.isnan(value) else value for part, value in one.iou.items()},
        "seen": {part: None if np.isnan(value) else value for part, value in one.seen.items()},
        "missing": one.missing,
        "added": one.added,
        "match": match,
        **_said(reason),
    }


def _false_row(one: FalseSperm, reason: Reason | None) -> dict[str, Any]:
    return {
        "picture": one.picture,
        "found": one.found,
        "box": one.found_box,
        "score": one.score,
        "mean_iou": one.mean_iou,
        **_said(reason),
    }


def _said(reason: Reason | None) -> dict[str, str | None]:
    names = ("reason", "cause", "sentence")
    return {name: None if reason is None else getattr(reason, name) for name in names}


def _drawings(
    predictor: Predictor,
    dataset: LabelledDataset,
    worst: Sequence[SpermMatch],
    false: Sequence[FalseSperm],
) -> list[list[dict[str, str]]]:
    """Draw first the worst, then the false ones, segmenting each of their pictures once."""
    drawn: dict[int, list[dict[str, str]]] = {}
    wanted: list[SpermMatch | FalseSperm] = [*worst, *false]
    for picture in dict.fromkeys(one.picture for one in wanted):
        sample = dataset.load(picture)
        found = detections(predictor.segment(sample))
        for place, one in enumerate(wanted):
            if one.picture == picture:
                sperm = one.sperm if isinstance(one, SpermMatch) else None
                drawn[place] = draw_sperm(sample, found, sperm=sperm, found_id=one.found)
    return [drawn[place] for place in range(len(wanted))]
