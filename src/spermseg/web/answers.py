"""What is told about sperm: where they are, as outlines, what was measured, what it means."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
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


class SpermTexts:
    """Tells about sperm in JSON; a shape that was drawn before is not drawn again.

    Parameters
    ----------
    kept : int
        Number of shapes that are kept, some five kilobytes each.
    """

    def __init__(self, kept: int = 2000):
        self._kept = kept
        self._shapes: OrderedDict[bytes, str] = OrderedDict()

    def text(self, one: AnalysedSperm, um_per_px: float | None) -> str:
        """Tell about one sperm.

        Parameters
        ----------
        one : AnalysedSperm
        um_per_px : float, optional
            Pixel size of the picture.
        """
        return f"{compact(_findings(one, um_per_px))[:-1]},{self._shape(one)}}}"

    def _shape(self, one: AnalysedSperm) -> str:
        key = _digest(one)
        text = self._shapes.pop(key, None)
        if text is None:
            shape = {"outlines": _outlines(one), "centerline": _centerline(one)}
            text = compact(shape)[1:-1]
        self._shapes[key] = text
        while len(self._shapes) > self._kept:
            self._shapes.popitem(last=False)
        return text


def compact(value: Mapping[str, Any]) -> str:
    """Write JSON without spaces."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _digest(one: AnalysedSperm) -> bytes:
    """Give what two sperm share if they have the same masks at the same place."""
    instance = one.instance
    digest = hashlib.blake2b(repr(instance.bbox).encode(), digest_size=16)
    for part, mask in sorted(instance.masks.items()):
        digest.update(bytes([part]) + mask.tobytes())
    if instance.centerline is not None:
        digest.update(instance.centerline.tobytes())
    return digest.digest()


def _findings(one: AnalysedSperm, um_per_px: float | None) -> dict[str, Any]:
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
