"""GeoJSON as QuPath reads and writes it: one file a picture, one annotation a sperm and part."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.quantities import QUANTITIES, column
from spermseg.data.datasets.names import name_of
from spermseg.export.outlines import LOSSLESS, Polygon, Ring, numbers, outlines
from spermseg.export.result_folder import ResultFolder, ResultPicture
from spermseg.files import write_text
from spermseg.report.colours import PART_COLOURS, rgb
from spermseg.structures import Part

_HEAD_CARRIERS = (Part.HEAD, Part.NUCLEUS, Part.ACROSOME, Part.VACUOLE)
"""The first of these that a sperm has carries what was measured on its head."""

_SIGNIFICANT_DIGITS = 6


def write_geojson(
    result: ResultFolder, folder: Path, *, simplify: float = LOSSLESS
) -> tuple[str, ...]:
    """Write ``ID.geojson`` a picture: a FeatureCollection in pixels, the origin top left.

    Parameters
    ----------
    result : ResultFolder
    folder : Path
    simplify : float
        As in `spermseg.export.outlines.outlines`.
    """
    for picture in result:
        features = ",\n".join(
            json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            for feature in _features(picture, simplify)
        )
        text = f'{{"type":"FeatureCollection","features":[\n{features}\n]}}\n'
        write_text(folder / f"{picture.id}.geojson", text)
    return ()


def _features(picture: ResultPicture, simplify: float) -> list[dict[str, Any]]:
    return [
        {
            "type": "Feature",
            "geometry": _geometry(outlines(mask, one.instance.bbox[:2], simplify=simplify)),
            "properties": {
                "objectType": "annotation",
                "name": name_of(one.instance.id, part),
                "classification": {
                    "name": part.name.lower(),
                    "color": list(rgb(PART_COLOURS[part])),
                },
                "measurements": _measurements(one, part, picture.um_per_px),
                "metadata": _metadata(one),
            },
        }
        for one, part, mask in picture.masks()
    ]


def _geometry(polygons: list[Polygon]) -> dict[str, Any]:
    coordinates = [[_closed(ring) for ring in polygon.rings] for polygon in polygons]
    # QuPath refuses a MultiPolygon of one.
    if len(coordinates) == 1:
        return {"type": "Polygon", "coordinates": coordinates[0]}
    return {"type": "MultiPolygon", "coordinates": coordinates}


def _closed(ring: Ring) -> list[list[float]]:
    corners = numbers(ring)
    return [*corners, corners[0]]


def _measurements(one: AnalysedSperm, part: Part, um_per_px: float | None) -> dict[str, float]:
    """Give what was measured on a part, so that no value stands in QuPath's table twice."""
    first = next((carrier for carrier in _HEAD_CARRIERS if carrier in one.instance.masks), None)
    of = "head" if part == first else part.name.lower()
    values = {"score": one.instance.score}
    for name, quantity in QUANTITIES.items():
        value = one.morphometry.values.get(name, math.nan)
        if quantity.part == of and not math.isnan(value):
            values[column(name, um_per_px is not None)] = quantity.scaled(value, um_per_px)
    return {name: float(f"{value:.{_SIGNIFICANT_DIGITS}g}") for name, value in values.items()}


def _metadata(one: AnalysedSperm) -> dict[str, str]:
    failed = "; ".join(failure.criterion for failure in one.verdict.failed)
    return {"verdict": one.verdict_name, **({"failed": failed} if failed else {})}
