from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from spermseg.data.datasets import open_dataset
from spermseg.data.images import write_image
from spermseg.errors import DatasetError, MaskError
from spermseg.structures import SCHEMAS

IMAGE = np.full((6, 8, 3), 200, np.uint8)
MASK = np.zeros((6, 8), np.uint8)
MASK[1, :7] = [1, 2, 3, 4, 5, 6, 255]


def write(root, name="a", mask=MASK, image=IMAGE):
    write_image(root / "images" / f"{name}.png", image)
    write_image(root / "masks" / f"{name}.png", mask)


def describe(root, **settings):
    (root / "dataset.json").write_text(json.dumps(settings))


def test_part_ids_are_read_as_they_are(tmp_path):
    write(tmp_path)
    dataset = open_dataset(tmp_path)
    sample = dataset.load("a")
    assert dataset.layout == "folder"
    assert dataset.schema.ids == (0, 1, 2, 3, 4, 5, 6)
    np.testing.assert_array_equal(sample.part_map, MASK)
    np.testing.assert_array_equal(sample.image, IMAGE)
    assert sample.instances is None
    assert sample.um_per_px is None
    assert sample.group == "a"


def test_sub_folders_make_ids_and_hidden_files_do_not_count(tmp_path):
    write(tmp_path, "day1/a")
    write(tmp_path, "day2/a.b")
    write(tmp_path, ".hidden/c")
    (tmp_path / "images" / "notes.txt").write_text("not a picture")
    dataset = open_dataset(tmp_path)
    assert dataset.ids == ("day1/a", "day2/a.b")
    assert [sample.id for sample in dataset] == ["day1/a", "day2/a.b"]


def test_dataset_json_states_schema_scale_and_groups(tmp_path):
    write(tmp_path, "a", np.minimum(MASK, 3))
    write(tmp_path, "b", np.minimum(MASK, 3))
    describe(tmp_path, schema="report-2021", um_per_px={"a": 0.2}, groups={"a": "slide 7"})
    dataset = open_dataset(tmp_path)
    assert dataset.schema == SCHEMAS["report-2021"]
    assert dataset.load("a").um_per_px == 0.2
    assert dataset.load("b").um_per_px is None
    assert [record.group for record in dataset.records.values()] == ["slide 7", "b"]


def test_ids_outside_of_the_schema_are_refused(tmp_path):
    write(tmp_path)
    describe(tmp_path, schema=SCHEMAS["report-2021"].to_dict())
    with pytest.raises(MaskError, match=r"masks/a\.png: unknown values 4, 5, 6, expected"):
        open_dataset(tmp_path).load("a")


@pytest.mark.parametrize("white", [1, 255])
def test_black_and_white_masks_of_a_stated_part(tmp_path, white):
    write(tmp_path, mask=np.where(MASK > 0, white, 0).astype(np.uint8))
    describe(tmp_path, part="Tail", um_per_px=0.1)
    dataset = open_dataset(tmp_path)
    assert dataset.schema.parts == ("background", "tail")
    np.testing.assert_array_equal(dataset.load("a").part_map, np.where(MASK > 0, 3, 0))


def test_black_and_white_without_a_statement_is_ambiguous(tmp_path):
    write(tmp_path, mask=np.where(MASK > 0, 255, 0).astype(np.uint8))
    with pytest.raises(MaskError, match=r'only values 0 and 255.*State "part" or "schema"'):
        pickle.loads(pickle.dumps(open_dataset(tmp_path))).load("a")
    describe(tmp_path, schema="report-2021")
    assert set(np.unique(open_dataset(tmp_path).load("a").part_map)) == {0, 255}


def test_jpeg_masks_name_their_values(tmp_path):
    write_image(tmp_path / "images" / "a.png", IMAGE)
    grey = np.tile(np.arange(0, 240, 30, dtype=np.uint8), (6, 1))
    write_image(tmp_path / "masks" / "a.jpg", grey)
    with pytest.raises(MaskError, match=r"masks/a\.jpg: unknown values .*expected part ids 0, 1"):
        open_dataset(tmp_path).load("a")


def test_sizes_must_agree(tmp_path):
    write(tmp_path, mask=MASK[:5])
    with pytest.raises(MaskError, match=r"masks/a\.png: mask of \(5, 8\), picture of \(6, 8\)"):
        open_dataset(tmp_path).load("a")


def test_pictures_and_masks_must_pair_up(tmp_path):
    write(tmp_path, "a")
    write(tmp_path, "b")
    (tmp_path / "masks" / "a.png").unlink()
    with pytest.raises(DatasetError, match=r"images/a\.png: no mask for this picture"):
        open_dataset(tmp_path)
    (tmp_path / "images" / "a.png").rename(tmp_path / "masks" / "c.png")
    with pytest.raises(DatasetError, match=r"masks/c\.png: no picture for this mask"):
        open_dataset(tmp_path)


def test_two_pictures_of_one_name(tmp_path):
    write(tmp_path)
    write_image(tmp_path / "images" / "a.jpg", IMAGE)
    with pytest.raises(DatasetError, match=r"images/a\.png: same name as a\.jpg"):
        open_dataset(tmp_path)


def test_no_mask_at_all_names_a_picture(tmp_path):
    write_image(tmp_path / "images" / "a.png", IMAGE)
    (tmp_path / "masks").mkdir()
    with pytest.raises(DatasetError, match=r"no annotated pictures here .*a\.png: no mask"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"schema": "report-2020"}, "no label schema 'report-2020'"),
        ({"schema": {"parts": ["background"]}}, "schema cannot be used"),
        ({"schema": 3}, "schema cannot be used"),
        ({"part": "wing"}, "unknown label 'wing'"),
        ({"part": "tail", "schema": "report-2021"}, "not both"),
        ({"groups": ["a"]}, "groups must be an object"),
    ],
)
def test_statements_that_cannot_be(tmp_path, settings, reason):
    write(tmp_path)
    describe(tmp_path, **settings)
    with pytest.raises(DatasetError, match=rf"dataset\.json: .*{reason}"):
        open_dataset(tmp_path)


def test_a_scale_that_is_no_number(tmp_path):
    write(tmp_path)
    describe(tmp_path, um_per_px="0.1")
    with pytest.raises(DatasetError, match=r"um_per_px must be a number, got '0\.1'"):
        open_dataset(tmp_path).load("a")


def test_a_dataset_json_that_is_no_json(tmp_path):
    write(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(MaskError, match=r"dataset\.json: not readable as JSON"):
        open_dataset(tmp_path)
