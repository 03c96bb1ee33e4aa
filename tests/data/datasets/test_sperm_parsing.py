from __future__ import annotations

import json

import numpy as np
import pytest

from spermseg.data.datasets import open_dataset
from spermseg.data.datasets.sperm_parsing import ANNOTATIONS
from spermseg.data.images import write_image
from spermseg.errors import DatasetError, UsageError

NAME = "Image__2023-04-06__22-02-52"
SQUARE = [[4, 4], [7, 4], [7, 7], [4, 7]]


def write(root, name=NAME, labels=("Nucleus", "Acrosome", "Midpiece")):
    write_image(root / ANNOTATIONS[1] / f"{name}.jpg", np.full((20, 30, 3), 220, np.uint8))
    for folder, label in zip(ANNOTATIONS.values(), labels, strict=True):
        (root / folder).mkdir(parents=True, exist_ok=True)
        shape = {"label": label, "points": SQUARE, "group_id": 1, "shape_type": "polygon"}
        (root / folder / f"{name}.json").write_text(json.dumps({"shapes": [shape]}))


@pytest.mark.parametrize(("annotation_set", "part"), [(1, 5), (2, 4), (3, 2)])
def test_the_three_annotation_sets(tmp_path, annotation_set, part):
    write(tmp_path)
    dataset = open_dataset(tmp_path, annotation_set=annotation_set)
    sample = dataset.load(NAME)
    assert dataset.layout == "sperm-parsing"
    assert dataset.schema.ids == (0, 2, 3, 4, 5, 6)
    assert sample.group == "2023-04-06"
    assert np.unique(sample.part_map).tolist() == [0, part]
    assert sample.part_map.sum() == 16 * part
    assert [one.id for one in sample.instances] == [1]


def test_there_is_no_fourth_set(tmp_path):
    write(tmp_path)
    with pytest.raises(UsageError, match="no annotation set 4"):
        open_dataset(tmp_path, annotation_set=4)


def test_a_name_without_day(tmp_path):
    write(tmp_path, "Image_1")
    with pytest.raises(DatasetError, match=r"Image_1\.jpg: no acquisition day in the name"):
        open_dataset(tmp_path)


def test_a_missing_annotation_is_named(tmp_path):
    write(tmp_path)
    write(tmp_path, "Image__2023-04-07__00-00-00")
    (tmp_path / ANNOTATIONS[2] / f"{NAME}.json").unlink()
    open_dataset(tmp_path)
    with pytest.raises(DatasetError, match=rf"{NAME}\.jpg: no annotation for this picture"):
        open_dataset(tmp_path, annotation_set=2)


# Counted in the files: 1786 sperm; 1796 and 1798 when the 7 and 4 shapes that belong to none count.
@pytest.mark.parametrize(("annotation_set", "sperm"), [(1, 1786), (2, 1789), (3, 1794)])
def test_published_counts(spermparsing, annotation_set, sperm):
    dataset = open_dataset(spermparsing, annotation_set=annotation_set)
    assert len(dataset) == 256
    assert len({record.group for record in dataset.records.values()}) == 19
    found = {}
    for sample_id in dataset.ids:
        path = spermparsing / ANNOTATIONS[annotation_set] / f"{sample_id}.json"
        shapes = json.loads(path.read_text())["shapes"]
        found[sample_id] = {shape["group_id"] for shape in shapes} - {None}
    assert sum(map(len, found.values())) == sperm
    for sample_id in dataset.ids[::32]:
        assert {one.id for one in dataset.load(sample_id).instances} == found[sample_id]


def test_published_shares_on_a_part_of_the_pictures(spermparsing):
    dataset = open_dataset(spermparsing)
    counts = np.zeros(256, np.int64)
    heads = []
    for sample_id in dataset.ids[::8]:
        sample = dataset.load(sample_id)
        assert sample.image.shape == (1024, 1280, 3)
        counts += np.bincount(sample.part_map.ravel(), minlength=256)
        for sperm in sample.instances:
            head = sum(mask for part, mask in sperm.masks.items() if part > 3)
            heads.append(np.sum(head > 0))
    shares = counts[:7] / counts.sum()
    # All 256: head 2.0 %, midpiece 0.5 %, tail 2.6 %; a median head is 90 x 55 px, so an ellipse
    # of that size has 3888.
    assert shares[4:].sum() == pytest.approx(0.020, rel=0.1)
    assert shares[2] == pytest.approx(0.005, rel=0.1)
    assert shares[3] == pytest.approx(0.026, rel=0.1)
    assert np.median(heads) == pytest.approx(3888, rel=0.05)
