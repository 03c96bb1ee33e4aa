from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from spermseg.data.datasets import open_dataset
from spermseg.data.datasets.labelme import PIXEL_EDGES
from spermseg.data.datasets.names import part_named
from spermseg.data.images import write_image
from spermseg.errors import DatasetError, MaskError
from spermseg.structures import Part

SHAPE = (20, 30)


def shape(label, points, group=None, kind="polygon"):
    return {"label": label, "points": points, "group_id": group, "shape_type": kind, "flags": {}}


def box(row0, col0, row1, col1):
    """Draw an outline on the pixels at the border of rows row0 ... row1 - 1 and so on."""
    return [[col0, row0], [col1 - 1, row0], [col1 - 1, row1 - 1], [col0, row1 - 1]]


def write(root, name="a", shapes=(), **fields):
    write_image(root / f"{name}.png", np.full((*SHAPE, 3), 220, np.uint8))
    content = {"version": "5.0.1", "imageHeight": 20, "imageWidth": 30, "imageData": None}
    (root / f"{name}.json").write_text(json.dumps({**content, "shapes": list(shapes), **fields}))


def test_polygons_become_parts_and_sperm(tmp_path):
    write(
        tmp_path,
        shapes=[
            shape("Nucleus", box(4, 5, 10, 12), 2),
            shape("tail", box(6, 12, 8, 20), 2),
            shape("TAIL", box(6, 22, 8, 26), 2),
            shape("Head", box(12, 5, 15, 9), 4),
        ],
    )
    dataset = open_dataset(tmp_path)
    sample = dataset.load("a")
    expected = np.zeros(SHAPE, np.uint8)
    expected[4:10, 5:12], expected[6:8, 12:20], expected[6:8, 22:26] = 5, 3, 3
    expected[12:15, 5:9] = 1
    assert dataset.layout == "labelme"
    np.testing.assert_array_equal(sample.part_map, expected)
    assert [(one.id, one.bbox) for one in sample.instances] == [
        (2, (4, 5, 10, 26)),
        (4, (12, 5, 15, 9)),
    ]
    assert sample.instances[0].masks[Part.TAIL].sum() == 16 + 8


def test_rectangles_in_any_direction(tmp_path):
    write(tmp_path, shapes=[shape("head", [[9, 14], [5, 12]], kind="rectangle")])
    expected = np.zeros(SHAPE, np.uint8)
    expected[12:15, 5:10] = 1
    np.testing.assert_array_equal(open_dataset(tmp_path).load("a").part_map, expected)


def png(mask):
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def test_masks_of_labelmes_ai_tool(tmp_path):
    mask = np.eye(3, 4, dtype=bool)
    entry = shape("head", [[7.0, 5.0], [10.0, 7.0]], 1, "mask") | {"mask": png(mask)}
    write(tmp_path, shapes=[entry])
    (sperm,) = open_dataset(tmp_path).load("a").instances
    expected = np.zeros(SHAPE, bool)
    expected[5:8, 7:11] = mask
    np.testing.assert_array_equal(sperm.full_mask(Part.HEAD, SHAPE), expected)


@pytest.mark.parametrize(
    ("corners", "encoded"),
    [
        ([[7, 5], [10, 8]], png(np.eye(3, 4, dtype=bool))),
        ([[27, 5], [30, 7]], png(np.eye(3, 4, dtype=bool))),
        ([[7, 5], [float("nan"), 7]], png(np.eye(3, 4, dtype=bool))),
        ([[7, 5], [10, 7]], "words"),
        ([[7, 5], [10, 7]], None),
        (None, ""),
    ],
)
def test_masks_that_cannot_be_read(tmp_path, corners, encoded):
    write(tmp_path, shapes=[shape("head", corners, 1, "mask") | {"mask": encoded}])
    with pytest.raises(MaskError, match=r"a\.json: shape 0: "):
        open_dataset(tmp_path).load("a")


def test_along_the_edges_of_pixels_where_the_file_says_so(tmp_path):
    write(tmp_path, shapes=[shape("head", [[5, 4], [9, 4], [9, 8], [5, 8]], 1)], **PIXEL_EDGES)
    assert open_dataset(tmp_path).load("a").instances[0].bbox == (4, 5, 8, 9)


def test_points_outside_of_the_frame_are_cut_off(tmp_path):
    write(tmp_path, shapes=[shape("head", [[-9, -9], [4, -9], [4, 4], [-9, 4]], 1)])
    sample = open_dataset(tmp_path).load("a")
    assert sample.part_map.sum() == 25
    assert sample.instances[0].bbox == (0, 0, 5, 5)
    assert sample.instances[0].flags == {"cut"}


def test_shapes_without_group_belong_to_no_sperm(tmp_path):
    write(tmp_path, "a", [shape("head", box(4, 4, 8, 8)), shape("tail", box(4, 6, 8, 10), 3)])
    write(tmp_path, "b", [shape("head", box(4, 4, 8, 8))])
    write(tmp_path, "c")
    dataset = open_dataset(tmp_path)
    sample = dataset.load("a")
    np.testing.assert_array_equal(sample.part_map[5, 3:11], [0, 1, 1, 3, 3, 3, 3, 0])
    assert [one.id for one in sample.instances] == [3]
    assert dataset.load("b").instances is None
    assert dataset.load("b").part_map.any()
    assert dataset.load("c").instances == ()


def test_pictures_without_json_are_left_out_and_noted(tmp_path):
    write(tmp_path, "a")
    write_image(tmp_path / "new.png", np.zeros((*SHAPE, 3), np.uint8))
    dataset = open_dataset(tmp_path)
    assert dataset.ids == ("a",)
    assert [(path.name, what) for path, what in dataset.notes] == [
        ("new.png", "no annotation: left out")
    ]


def test_json_without_picture_is_refused_if_labelme_wrote_it(tmp_path):
    write(tmp_path, "a")
    (tmp_path / "settings.json").write_text("{}")
    open_dataset(tmp_path)
    write(tmp_path, "b")
    (tmp_path / "b.png").unlink()
    with pytest.raises(DatasetError, match=r"b\.json: no picture for this annotation"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (shape("Flagellin", box(1, 1, 5, 5)), "unknown label 'Flagellin'.*Known are: head, "),
        (shape("head", [[1, 1], [2, 2]]), "at least 3 points"),
        (
            shape("head", [[1, 1], [2, 2]], kind="line"),
            "'line' is not read.*polygon, rectangle, mask",
        ),
        (shape("head", [[1, 1]], kind="rectangle"), "a rectangle needs 2 points"),
        (shape("head", None), "polygon"),
        (shape("head", box(1, 1, 5, 5), "one"), "group_id must be a whole number"),
        ("head", "expected a JSON object, got str"),
    ],
)
def test_a_shape_that_cannot_be_used_is_named(tmp_path, entry, reason):
    write(tmp_path, shapes=[shape("head", box(1, 1, 5, 5)), entry])
    with pytest.raises(MaskError, match=rf"a\.json: shape 1: .*{reason}"):
        open_dataset(tmp_path).load("a")


def test_an_annotation_of_another_picture(tmp_path):
    write(tmp_path, imageHeight=10)
    with pytest.raises(
        MaskError, match=r"a\.json: made for a picture of \(10, 30\), it is \(20, 30"
    ):
        open_dataset(tmp_path).load("a")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"shapes": 3}', "[" * 100_000])
def test_damaged_json_is_named(tmp_path, content):
    write(tmp_path, "a")
    write(tmp_path, "b")
    (tmp_path / "b.json").write_text(content)
    dataset = open_dataset(tmp_path)
    with pytest.raises(MaskError, match=r"b\.json"):
        dataset.load("b")


def test_labels_in_english_and_spanish():
    assert part_named(" Cabeza ") == Part.HEAD
    assert part_named("Pieza media") == part_named("neck") == Part.MIDPIECE
    assert part_named("FLAGELLUM") == part_named("cola") == Part.TAIL
