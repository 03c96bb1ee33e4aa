"""Pictures with QuPath's GeoJSON beside them, in pixels, the origin top left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spermseg.data.datasets.beside import BesideDataset, Regions, recognise_beside
from spermseg.data.datasets.names import part_named, sperm_and_part
from spermseg.data.masks import Region, rings_region
from spermseg.errors import MaskError
from spermseg.structures import Part


class GeoJsonDataset(BesideDataset):
    """A folder of pictures, each with a ``.geojson`` beside it: `BesideDataset`.

    An object's classification is its part, by `spermseg.data.datasets.names`, or else its name is
    (``sperm 3 tail``); the number in its name is the sperm's. Of polygons all forms are read, holes
    too, filled by the centres of pixels; points and lines are refused.
    """

    layout = "geojson"
    extensions = frozenset({".geojson"})

    @staticmethod
    def is_annotation(path: Path) -> bool:
        """Tell whether a file holds features."""
        try:
            _features(path)
        except MaskError:
            return False
        return True

    @staticmethod
    def read_regions(path: Path, size: tuple[int, int]) -> Regions:
        """Read the objects of a picture of `size` (height, width)."""
        regions: dict[int | None, list[tuple[Part, Region]]] = {}
        for index, feature in enumerate(_features(path)):
            try:
                sperm, part = _meaning(feature)
                regions.setdefault(sperm, []).extend(
                    (part, rings_region(rings, size)) for rings in _polygons(feature["geometry"])
                )
            except MaskError as error:
                what = f"feature {index}: {error.what}"
                raise MaskError(what, where=path, fix=error.fix) from None
        return regions


def recognise(root: Path) -> bool:
    """Tell whether some picture has GeoJSON beside it."""
    return recognise_beside(root, GeoJsonDataset)


def _features(path: Path) -> list[dict[str, Any]]:
    """Read a FeatureCollection, a list of features, or a single one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise MaskError(f"not readable as JSON: {error}", where=path) from None
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content.get("features")
    features = [content] if isinstance(content, dict) else content
    if not isinstance(features, list):
        raise MaskError("no list of features", where=path)
    for index, feature in enumerate(features):
        if not (isinstance(feature, dict) and isinstance(feature.get("geometry"), dict)):
            raise MaskError(f"feature {index} has no geometry", where=path)
    return features


def _meaning(feature: dict[str, Any]) -> tuple[int | None, Part]:
    properties = feature.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    name = properties.get("name")
    sperm, part = sperm_and_part(name) if isinstance(name, str) else (None, None)
    stated = properties.get("classification")
    if isinstance(stated, dict):
        # In QuPath a class may have further ones below it.
        names = stated.get("names")
        stated = names[0] if isinstance(names, list) and names else stated.get("name")
    if stated is not None:
        part = part_named(stated)
    if part is None:
        raise MaskError("it is no part of a sperm", fix="Give the object the class of a part")
    return sperm, part


def _polygons(geometry: Any) -> list[list[Any]]:
    """Give the rings of each polygon."""
    if not isinstance(geometry, dict):
        raise MaskError(f"a geometry must be a JSON object, got {type(geometry).__name__}")
    kind = geometry.get("type")
    if kind not in ("Polygon", "MultiPolygon", "GeometryCollection"):
        raise MaskError(f"geometry {kind!r:.40} is not read", fix="Draw polygons")
    inner = geometry.get("geometries" if kind == "GeometryCollection" else "coordinates")
    polygons = [inner] if kind == "Polygon" else inner
    if not isinstance(polygons, list) or not all(isinstance(one, list | dict) for one in polygons):
        raise MaskError(f"coordinates of a {kind} must be lists, got {inner!r:.60}")
    if kind == "GeometryCollection":
        if any(isinstance(one, dict) and "geometries" in one for one in polygons):
            raise MaskError("collections within a collection are not read", fix="Draw polygons")
        return [rings for one in polygons for rings in _polygons(one)]
    return [[_flat(ring) for ring in polygon] for polygon in polygons]


def _flat(ring: Any) -> Any:
    """Leave heights out: the third of three coordinates."""
    if isinstance(ring, list) and all(isinstance(point, list) for point in ring):
        return [point[:2] for point in ring]
    return ring
