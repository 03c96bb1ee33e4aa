"""What is told about sperm: where they are, as outlines, what was measured, what it means."""

from __future__ import annotations

from typing import Any

import shapely

from spermseg.analysis import analysed_sperm
from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.export.outlines import numbers, outlines

_OUTLINE_TOLERANCE_PX = 0.49
"""Below half a pixel nobody sees it, and a fifth of the corners is left out."""
_LINE_TOLERANCE_PX = 0.3
"""A centre line has a point a pixel: those that are this near to a straight line say nothing."""

MEASURED = analysed_sperm.COLUMNS[analysed_sperm.COLUMNS.index("um_per_px") + 1 :]
"""The columns of ``sperm.csv`` that hold measurements."""


def sperm_answer(one: AnalysedSperm, um_per_px: float | None) -> dict[str, Any]:
    """Tell about one sperm as a browser shows it.

    Parameters
    ----------
    one : AnalysedSperm
    um_per_px : float, optional
        Pixel size of the picture.
    """
    verdict = one.verdict
    row = one.row(um_per_px)
    return {
        "id": one.instance.id,
        "object": verdict.object,
        "is_sperm": one.is_sperm,
        "verdict": one.verdict_name,
        "reason": verdict.not_assessable_reason,
        "failed": [
            {"criterion": failure.criterion, "sentence": str(failure)} for failure in verdict.failed
        ],
        "flags": sorted(one.flags),
        "score": round(one.instance.score, 4),
        "corrected": one.corrected,
        "bbox": list(one.instance.bbox),
        "outlines": _outlines(one),
        "centerline": _centerline(one),
        # Only what could be measured: of a hundred columns half are empty.
        "measurements": {name: row[name] for name in MEASURED if row[name] is not None},
    }


def _outlines(one: AnalysedSperm) -> dict[str, list[list[list[float]]]]:
    """Give rings (x, y) a part, to be filled by the even-odd rule: holes are rings too."""
    corner = one.instance.bbox[:2]
    return {
        str(int(part)): [
            numbers(ring)
            for polygon in outlines(mask, corner, simplify=_OUTLINE_TOLERANCE_PX)
            for ring in polygon.rings
        ]
        for part, mask in sorted(one.instance.masks.items())
        if mask.any()
    }


def _centerline(one: AnalysedSperm) -> list[list[float]] | None:
    line = one.instance.centerline
    if line is None or len(line) < 2:
        return None
    # A pixel (row, column) has its centre half a pixel from the corner that outlines count from.
    points = shapely.LineString(line[:, ::-1] + 0.5)
    simple = shapely.simplify(points, _LINE_TOLERANCE_PX, preserve_topology=False)
    return [[round(x, 1), round(y, 1)] for x, y in shapely.get_coordinates(simple).tolist()]
