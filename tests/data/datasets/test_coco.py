from __future__ import annotations

import json

import numpy as np
import pytest

from spermseg.data.datasets import open_dataset
from spermseg.data.images import write_image
from spermseg.data.masks import encode_rle
from spermseg.errors import DatasetError, MaskError, SpermsegError

SHAPE = (20, 30)
HEAD = [4, 4, 8, 4, 8, 8, 4, 8]  # columns and rows 4 ... 7
TAIL = [6, 6, 20, 6, 20, 8, 6, 8]


def mask_of(polygon):
    mask = np.zeros(SHAPE, bool)
    mask[polygon[1] : polygon[5], polygon[0] : polygon[2]] = True
    return mask


def uncompressed(mask):
    runs = np.flatnonzero(np.diff(mask.T.ravel().astype(int), prepend=0, append=0))
    return {"size": list(SHAPE), "counts": np.diff(np.r_[0, runs, mask.size]).tolist()}


def annotation(category, segmentation, sperm=None, **fields):
    found = {"image_id": 1, "category_id": category, "segmentation": segmentation, **fields}
    return found if sperm is None else found | {"sperm_id": sperm}


def write(root, annotations=(), file="annotations.json", folder="images", **changes):
    write_image(root / folder / "a.png", np.full((*SHAPE, 3), 220, np.uint8))
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 20, "width": 30}],
        "categories": [{"id": 1, "name": "head"}, {"id": 3, "name": "tail"}],
        "annotations": [{"id": i, **item} for i, item in enumerate(annotations, start=1)],
    }
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(json.dumps(content | changes))


@pytest.mark.parametrize(
    "drawn",
    [lambda p: [p], lambda p: encode_rle(mask_of(p)), lambda p: uncompressed(mask_of(p))],
    ids=["polygon", "compressed", "uncompressed"],
)
def test_one_annotation_a_sperm_and_part(tmp_path, drawn):
    write(tmp_path, [annotation(1, drawn(HEAD), 1), annotation(3, drawn(TAIL), 1)])
    dataset = open_dataset(tmp_path)
    sample = dataset.load("a")
    expected = np.where(mask_of(HEAD), 1, np.where(mask_of(TAIL), 3, 0))
    assert dataset.layout == "coco"
    assert dataset.schema.parts == ("background", "head", "tail")
    np.testing.assert_array_equal(sample.part_map, expected)
    (sperm,) = sample.instances
    assert (sperm.id, sperm.bbox) == (1, (4, 4, 8, 20))
    np.testing.assert_array_equal(sperm.full_mask(3, SHAPE), mask_of(TAIL))


def test_scale_and_group_come_from_the_picture(tmp_path):
    image = {"id": 1, "file_name": "a.png", "um_per_px": 0.1, "group": "donor 3"}
    write(tmp_path, images=[image])
    sample = open_dataset(tmp_path).load("a")
    assert sample.um_per_px == 0.1
    assert sample.group == "donor 3"
    assert sample.instances == ()
    assert not sample.part_map.any()


def test_categories_count_by_name(tmp_path):
    categories = [{"id": 1, "name": "Flagellum"}, {"id": 2, "name": "Cabeza"}]
    write(tmp_path, [annotation(1, [TAIL]), annotation(2, [HEAD])], categories=categories)
    sample = open_dataset(tmp_path).load("a")
    assert sample.part_map[4, 4] == 1
    assert sample.part_map[7, 15] == 3
    assert sample.instances is None


def test_crowds_are_ignored_beneath_everything(tmp_path):
    write(tmp_path, [annotation(1, [HEAD], 1), annotation(3, [TAIL], iscrowd=1)])
    sample = open_dataset(tmp_path).load("a")
    expected = np.where(mask_of(HEAD), 1, np.where(mask_of(TAIL), 255, 0))
    np.testing.assert_array_equal(sample.part_map, expected)
    assert len(sample.instances) == 1


@pytest.mark.parametrize(
    ("file", "folder"),
    [
        ("annotations/instances_train.json", "images"),
        ("instances_default.json", "images"),
        ("_annotations.coco.json", "."),
        ("annotations.json", "."),
    ],
)
def test_where_annotations_and_pictures_may_lie(tmp_path, file, folder):
    write(tmp_path, [annotation(1, [HEAD], 1)], file=file, folder=folder)
    assert open_dataset(tmp_path, "coco").load("a").part_map.sum() == 16


def test_several_annotation_files_make_one_data_set(tmp_path):
    write(tmp_path, file="annotations/a.json")
    write_image(tmp_path / "images" / "day" / "b.png", np.zeros((*SHAPE, 3), np.uint8))
    write(tmp_path, file="annotations/b.json", images=[{"id": 1, "file_name": "day/b.png"}])
    (tmp_path / "annotations" / "other.json").write_text("{}")
    assert open_dataset(tmp_path).ids == ("a", "day/b")


def test_pictures_that_are_not_listed_are_noted(tmp_path):
    write(tmp_path)
    write_image(tmp_path / "images" / "b.png", np.zeros((*SHAPE, 3), np.uint8))
    assert [path.name for path, _ in open_dataset(tmp_path).notes] == ["b.png"]


@pytest.mark.parametrize("name", ["b.png", "../a.png", "/etc/passwd"])
def test_pictures_that_are_not_there_are_named(tmp_path, name):
    write_image(tmp_path / "a.png", np.zeros((*SHAPE, 3), np.uint8))
    write(tmp_path / "in", images=[{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": name}])
    with pytest.raises(DatasetError, match=rf"annotations\.json: no picture '{name}'"):
        open_dataset(tmp_path / "in")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (annotation(9, [HEAD]), "unknown label None"),
        (annotation(1, [[1, 2, 3]]), "x, y, x, y"),
        (annotation(1, [[1, 2, 3, 4]]), "at least 3 points"),
        (annotation(1, "polygon"), "polygons or run lengths"),
        (annotation(1, {"size": [30, 20], "counts": [600]}), r"of \[30, 20\], picture of \[20, 30"),
        (annotation(1, {"size": [20, 30], "counts": [5]}), "do not add up to 20 x 30"),
        (annotation(1, [HEAD], "x"), "sperm_id must be a whole number"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_named(tmp_path, item, reason):
    write(tmp_path, [annotation(1, [HEAD], 1), item])
    with pytest.raises(MaskError, match=rf"annotations\.json: annotation 2 of a\.png: .*{reason}"):
        open_dataset(tmp_path).load("a")


def test_a_picture_of_another_size(tmp_path):
    write(tmp_path, images=[{"id": 1, "file_name": "a.png", "height": 30, "width": 20}])
    with pytest.raises(MaskError, match=r"picture of \(30, 20\), a\.png is \(20, 30\)"):
        open_dataset(tmp_path).load("a")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"images": 3}, "'images' must be a list"),
        ({"images": [{"id": 1}]}, r"images\[0\] must have id, file_name"),
        ({"images": [{"id": [], "file_name": "a.png"}]}, r"images\[0\]: id is \[\]"),
        ({"images": [{"id": 1, "file_name": "a.png"}] * 2}, "two images have one id"),
        ({"categories": ["head"]}, r"categories\[0\] must have"),
        (
            {"annotations": [annotation(1, [HEAD]) | {"image_id": 8}]},
            "image 8, which is not listed",
        ),
        (
            {"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}]},
            "picture a is listed twice",
        ),
    ],
)
def test_a_file_that_is_not_what_coco_describes(tmp_path, changes, reason):
    write(tmp_path, **changes)
    with pytest.raises(SpermsegError, match=rf"annotations\.json: .*{reason}"):
        open_dataset(tmp_path)


def test_no_annotation_file(tmp_path):
    with pytest.raises(DatasetError, match="no COCO annotation file"):
        open_dataset(tmp_path, "coco")
