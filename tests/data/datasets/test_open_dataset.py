from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import tifffile
from roifile import ImagejRoi

from spermseg.data.datasets import LAYOUTS, open_dataset
from spermseg.data.images import write_image
from spermseg.errors import DatasetError, UsageError

IMAGE = np.full((6, 8, 3), 200, np.uint8)


def write_folder(root):
    write_image(root / "images" / "a.png", IMAGE)
    write_image(root / "masks" / "a.png", np.eye(6, 8, dtype=np.uint8))


def write_coco(root):
    write_folder(root)
    content = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}
    (root / "annotations.json").write_text(json.dumps(content))


def write_labelme(root):
    write_image(root / "a.png", IMAGE)
    (root / "a.json").write_text('{"shapes": []}')


def write_geojson(root):
    write_image(root / "a.png", IMAGE)
    (root / "a.geojson").write_text('{"type": "FeatureCollection", "features": []}')


def write_imagej(root):
    write_image(root / "a.png", IMAGE)
    roi = ImagejRoi.frompoints([[1, 1], [3, 1], [3, 4]], name="sperm 1 tail")
    roi.tofile(root / "a.zip")


def write_label_tiff(root):
    write_image(root / "a.png", IMAGE)
    (root / "labels").mkdir()
    metadata = {"axes": "ZYX", "Labels": ["tail"]}
    labels = np.zeros((1, 6, 8), np.uint16)
    tifffile.imwrite(root / "labels" / "a.tif", labels, imagej=True, metadata=metadata)


def write_scian(root):
    write_image(root / "images" / "a.jpg", IMAGE)
    for part in ("Head", "Midpiece", "Tail"):
        write_image(root / "mask" / f"{part}-Masks" / "a.jpg", np.zeros((6, 8), np.uint8))


def write_sperm_parsing(root):
    path = root / "Training/JPEGImages/Image__2023-04-06__22-02-52.jpg"
    write_image(path, IMAGE)
    path.with_suffix(".json").write_text('{"shapes": []}')


WRITERS = {
    "scian": write_scian,
    "sperm-parsing": write_sperm_parsing,
    "labelme": write_labelme,
    "geojson": write_geojson,
    "imagej": write_imagej,
    "label-tiff": write_label_tiff,
    "coco": write_coco,
    "folder": write_folder,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_are_recognised_and_travel_to_workers(tmp_path, layout):
    WRITERS[layout](tmp_path)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == layout
    assert len(dataset) == 1
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy.load(copy.ids[0]).image, next(iter(dataset)).image)


def test_the_layout_can_be_forced(tmp_path):
    write_coco(tmp_path)
    assert open_dataset(tmp_path, "folder").load("a").part_map.sum() == 6
    assert open_dataset(tmp_path, "coco").load("a").part_map.sum() == 0


def test_an_unknown_layout_names_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match=r"no layout 'voc'\. There are: scian, sperm-parsing, "):
        open_dataset(tmp_path, "voc")


def test_an_annotation_set_where_there_is_one(tmp_path):
    write_folder(tmp_path)
    with pytest.raises(UsageError, match="layout folder has one annotation set, 2 was asked for"):
        open_dataset(tmp_path, annotation_set=2)


def test_missing_and_empty_folders_and_files(tmp_path):
    with pytest.raises(DatasetError, match="nothing: no such folder"):
        open_dataset(tmp_path / "nothing")
    with pytest.raises(DatasetError, match="the folder is empty; looked for"):
        open_dataset(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="a file, expected a folder"):
        open_dataset(tmp_path / "file")


def test_what_was_looked_for_is_listed(tmp_path):
    write_image(tmp_path / "a.png", IMAGE)
    with pytest.raises(DatasetError) as error:
        open_dataset(tmp_path)
    for layout in LAYOUTS.values():
        assert layout.looked_for in str(error.value)


def test_problems_refuse_unless_they_are_wanted(tmp_path):
    write_folder(tmp_path)
    write_image(tmp_path / "images" / "b.png", IMAGE)
    write_image(tmp_path / "masks" / "c.png", IMAGE[..., 0])
    with pytest.raises(DatasetError, match=r"b\.png: no mask for this picture \(and 1 more\)"):
        open_dataset(tmp_path)
    assert len(open_dataset(tmp_path, strict=False).problems) == 2
