"""GeoJSON as QuPath writes it, by its own serialisers (QuPathTypeAdapters, ROITypeAdapters)."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spermseg.data.datasets import open_dataset
from spermseg.data.images import write_image
from spermseg.errors import DatasetError, MaskError
from spermseg.structures import Part

SHAPE = (20, 30)


def ring(row0, col0, row1, col1):
    return [[col0, row0], [col1, row0], [col1, row1], [col0, row1], [col0, row0]]


def box(row0, col0, row1, col1):
    mask = np.zeros(SHAPE, bool)
    mask[row0:row1, col0:col1] = True
    return mask


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry, classification="Tail", name=None, **properties):
    """Give an annotation as QuPath 0.4 and later export it."""
    said = {"objectType": "annotation", **properties}
    if name is not None:
        said["name"] = name
    if classification is not None:
        said["classification"] = {"name": classification, "color": [213, 94, 0]}
    id = "0e8e5a4e-6f0f-4b93-b2f5-0a4c5b1b3a70"
    return {"type": "Feature", "id": id, "geometry": geometry, "properties": said}


def write(root, content, name="a.geojson", picture="a.png"):
    write_image(root / picture, np.full((*SHAPE, 3), 220, np.uint8))
    if isinstance(content, list):
        content = {"type": "FeatureCollection", "features": content}
    text = content if isinstance(content, str) else json.dumps(content)
    (root / name).write_text(text, encoding="utf-8")


def test_annotations_with_holes_in_several_pieces(tmp_path):
    pieces = {
        "type": "MultiPolygon",
        "coordinates": [[ring(2, 2, 9, 9), ring(4, 4, 6, 6)], [ring(2, 12, 4, 20)]],
    }
    write(
        tmp_path,
        [
            feature(pieces, "Nucleus", "sperm 7", isLocked=True, measurements={"Area": 3.5}),
            feature(polygon(ring(3, 15, 5, 25)), name="7", metadata={"verdict": "normal"}),
        ],
    )
    (sperm,) = open_dataset(tmp_path).load("a").instances
    assert sperm.id == 7
    nucleus = box(2, 2, 9, 9) & ~box(4, 4, 6, 6) | box(2, 12, 4, 20)
    np.testing.assert_array_equal(sperm.full_mask(Part.NUCLEUS, SHAPE), nucleus)
    np.testing.assert_array_equal(sperm.full_mask(Part.TAIL, SHAPE), box(3, 15, 5, 25))


@pytest.mark.parametrize(
    "classification",
    [
        {"name": "tail", "colorRGB": -2796444},  # to 0.3
        {"names": ["Tail", "Crossing"], "color": [1, 2, 3]},  # a class below a class, from 0.4
        "tail",  # other programs
        None,
    ],
)
def test_classes_of_all_versions(tmp_path, classification):
    one = feature(polygon(ring(3, 15, 5, 25)), None, "sperm 2 tail")
    if classification is not None:
        one["properties"]["classification"] = classification
    write(tmp_path, [one])
    (sperm,) = open_dataset(tmp_path).load("a").instances
    assert (sperm.id, list(sperm.masks)) == (2, [Part.TAIL])


@pytest.mark.parametrize(
    "wrap", [lambda f: json.dumps([f]), lambda f: f, lambda f: {"features": [f]} | {"type": "X"}]
)
def test_lists_and_single_features(tmp_path, wrap):
    content = wrap(feature(polygon(ring(3, 15, 5, 25))))
    if isinstance(content, dict) and "features" in content:
        content["type"] = "FeatureCollection"
    write(tmp_path, content)
    sample = open_dataset(tmp_path).load("a")
    assert sample.instances is None
    np.testing.assert_array_equal(sample.part_map == Part.TAIL, box(3, 15, 5, 25))


def test_collections_of_polygons_and_heights(tmp_path):
    raised = [[x, y, 1] for x, y in ring(3, 15, 5, 25)]
    pieces = {
        "type": "GeometryCollection",
        "geometries": [polygon(raised), polygon(ring(8, 1, 9, 4))],
    }
    write(tmp_path, [feature(pieces)])
    part_map = open_dataset(tmp_path).load("a").part_map
    np.testing.assert_array_equal(part_map == Part.TAIL, box(3, 15, 5, 25) | box(8, 1, 9, 4))


def test_the_name_may_keep_the_pictures_extension(tmp_path):
    write(tmp_path, [feature(polygon(ring(3, 15, 5, 25)))], name="a.png.geojson")
    assert open_dataset(tmp_path).ids == ("a",)


def test_outlines_beyond_the_frame_are_cut_off(tmp_path):
    write(tmp_path, [feature(polygon(ring(-5, -5, 3, 4)), name="1")])
    (sperm,) = open_dataset(tmp_path).load("a").instances
    assert sperm.bbox == (0, 0, 3, 4)
    assert sperm.flags == {"cut"}


def test_what_is_far_away_is_no_sperm(tmp_path):
    write(tmp_path, [feature(polygon(ring(100, 100, 200, 200)), name="1")])
    assert open_dataset(tmp_path).load("a").instances == ()


def test_a_file_without_picture_is_a_problem(tmp_path):
    write(tmp_path, [])
    write(tmp_path, [], "b.geojson")
    with pytest.raises(DatasetError, match=r"b\.geojson: no picture for this annotation"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (feature(polygon(ring(3, 5, 9, 9)), "Debris"), "unknown label 'Debris'"),
        (feature(polygon(ring(3, 5, 9, 9)), None), "no part of a sperm. Give the object the class"),
        (feature(polygon(ring(3, 5, 9, 9)), None, "Annotation 2"), "no part of a sperm"),
        (feature({"type": "Point", "coordinates": [1, 2]}), "'Point' is not read. Draw polygons"),
        (feature({"type": "LineString", "coordinates": [[1, 2], [2, 3]]}), "'LineString' is not"),
        (feature({"type": "Polygon"}), "coordinates|lists"),
        (feature({"type": "MultiPolygon", "coordinates": 3}), "must be lists, got 3"),
        (feature(polygon([[1, 1], [2, 2]])), "at least 3 points"),
        (feature(polygon([[1, 1], [2, 2], [float("nan"), 3]])), "no finite numbers"),
        (feature(polygon([[1, 1], [2, 2], [1e300, 3]])), "beyond 1,000,000,000"),
        (feature(polygon([["a", 1], [2, 2], [3, 3]])), "pairs of numbers"),
        (feature(polygon([[1], [2], [3]])), "at least 3 points"),
        (feature(polygon("ring")), "pairs of numbers|3 points"),
        (
            feature({"type": "GeometryCollection", "geometries": [{"geometries": []}]}),
            "collections within",
        ),
    ],
)
def test_a_feature_that_cannot_be_used_is_named(tmp_path, one, reason):
    write(tmp_path, [feature(polygon(ring(1, 1, 4, 4))), one])
    with pytest.raises(MaskError, match=rf"a\.geojson: feature 1: .*({reason})") as error:
        open_dataset(tmp_path).load("a")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content", ["", "{", "3", '{"type": "FeatureCollection"}', "[1]", "[" * 99_999, '[{"a": 1}]']
)
def test_a_file_that_is_no_geojson(tmp_path, content):
    write(tmp_path, content)
    with pytest.raises(MaskError, match=r"a\.geojson: "):
        open_dataset(tmp_path, "geojson").load("a")
