from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from spermseg.data.datasets import open_dataset
from spermseg.data.datasets.scian import MASK_FOLDERS, merge_report_2021
from spermseg.data.images import write_image
from spermseg.errors import DatasetError, MaskError
from spermseg.structures import Part

SHAPE = (16, 24)


def blank(value=0):
    return np.full(SHAPE, value, np.uint8)


def write(root, name, **masks):
    """Write as the course copy does: JPEG, the masks without train/ and test/."""
    write_image(root / "images" / f"{name}.jpg", np.full((*SHAPE, 3), 220, np.uint8))
    stem = name.split("/")[-1]
    for part, mask in masks.items():
        write_image(root / "mask" / MASK_FOLDERS[Part[part.upper()]] / f"{stem}.jpg", mask)


def all_masks():
    masks = {part: blank() for part in ("head", "midpiece", "tail")}
    masks["head"][:, :8] = 255
    masks["midpiece"][:, 8:16] = 255
    masks["tail"][:, 16:] = 255
    return masks


def test_the_three_masks_are_merged(tmp_path):
    write(tmp_path, "train/Placa1-imagen1", **all_masks())
    write(tmp_path, "test/Placa1-imagen2", **all_masks())
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "scian"
    assert dataset.ids == ("test/Placa1-imagen2", "train/Placa1-imagen1")
    assert dataset.schema.parts == ("background", "head", "midpiece", "tail")
    sample = dataset.load("train/Placa1-imagen1")
    assert sample.group == "Placa1-imagen1"
    np.testing.assert_array_equal(sample.part_map, np.repeat([[1, 2, 3]], 8, axis=1).repeat(16, 0))
    assert not dataset.notes


def test_masks_may_lie_in_train_and_test_too(tmp_path):
    write(tmp_path, "train/a", **all_masks())
    for folder in MASK_FOLDERS.values():
        (tmp_path / "mask" / folder / "train").mkdir()
        (tmp_path / "mask" / folder / "a.jpg").rename(tmp_path / "mask" / folder / "train/a.jpg")
    assert set(np.unique(open_dataset(tmp_path).load("train/a").part_map)) == {1, 2, 3}


def test_pictures_without_sub_folder(tmp_path):
    write(tmp_path, "a", **all_masks())
    assert open_dataset(tmp_path).ids == ("a",)


def test_a_picture_in_train_and_test_is_one_group(tmp_path):
    write(tmp_path, "train/a", **all_masks())
    write(tmp_path, "test/a", **all_masks())
    assert {record.group for record in open_dataset(tmp_path).records.values()} == {"a"}


@pytest.mark.parametrize(
    ("head", "midpiece", "tail", "expected"),
    [
        (0, 0, 0, 0),
        (16, 16, 16, 0),  # not above the threshold
        (17, 0, 0, 1),
        (0, 17, 0, 2),
        (0, 0, 17, 3),
        (255, 255, 255, 1),  # the first of the largest
        (100, 200, 150, 2),
        (100, 200, 200, 2),
        (20, 20, 21, 3),
    ],
)
def test_merge_as_the_report_did(head, midpiece, tail, expected):
    values = {Part.HEAD: head, Part.MIDPIECE: midpiece, Part.TAIL: tail}
    masks = {part: np.array([[value]], np.uint8) for part, value in values.items()}
    assert merge_report_2021(masks, (1, 1)) == expected
    stacked = np.stack([np.full((1, 1), 16), *masks.values()])
    assert merge_report_2021(masks, (1, 1)) == np.argmax(stacked, axis=0)


def test_a_missing_mask_is_noted_and_empty(tmp_path):
    masks = all_masks()
    del masks["tail"]
    write(tmp_path, "b", **all_masks())
    write(tmp_path, "a", **masks)
    dataset = open_dataset(tmp_path)
    assert [(path.name, what) for path, what in dataset.notes] == [
        ("a.jpg", "no mask in Tail-Masks: taken as empty")
    ]
    part_map = dataset.load("a").part_map
    assert set(np.unique(part_map)) == {0, 1, 2}
    assert not part_map[:, 16:].any()


def test_a_picture_without_any_mask_and_a_mask_without_picture_are_left_out(tmp_path):
    write(tmp_path, "a", **all_masks())
    write(tmp_path, "b")
    write_image(tmp_path / "mask" / "Head-Masks" / "c.jpg", blank())
    dataset = open_dataset(tmp_path)
    assert dataset.ids == ("a",)
    assert [(path.name, what) for path, what in dataset.notes] == [
        ("b.jpg", "no mask at all: left out"),
        ("c.jpg", "no picture for this mask: left out"),
    ]


def test_a_mask_of_another_size(tmp_path):
    write(tmp_path, "a", **all_masks() | {"tail": np.zeros((16, 25), np.uint8)})
    with pytest.raises(MaskError, match=r"Tail-Masks/a\.jpg: mask of \(16, 25\), picture of \(16"):
        open_dataset(tmp_path).load("a")


def test_a_mask_of_16_bits(tmp_path):
    write(tmp_path, "a", **all_masks())
    (tmp_path / "mask" / "Tail-Masks" / "a.jpg").unlink()
    Image.fromarray(blank().astype(np.uint16)).save(tmp_path / "mask" / "Tail-Masks" / "a.png")
    with pytest.raises(MaskError, match=r"a\.png: uint16 values, expected 8-bit grey"):
        open_dataset(tmp_path).load("a")


def test_a_missing_folder_is_named(tmp_path):
    write(tmp_path, "a", head=blank())
    with pytest.raises(DatasetError, match=r"mask/Midpiece-Masks: no such folder"):
        open_dataset(tmp_path, "scian")
