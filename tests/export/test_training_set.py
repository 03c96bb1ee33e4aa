"""A training set of corrected pictures gives the same masks, and can be split and read."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image

from spermseg.data.datasets import open_dataset
from spermseg.data.datasets.check import check_dataset
from spermseg.data.images import read_image
from spermseg.data.splits import grouped_split
from spermseg.errors import DataError, UsageError
from spermseg.export.training_set import write_training_set

from .conftest import SIZE, crossing_sperm, write_result


@pytest.fixture
def corrected(tmp_path):
    """Folder of a result, and the pictures of it that were corrected."""
    crossing = crossing_sperm()
    result = write_result(
        tmp_path, {"smear": crossing, "day 2/other": crossing[:1], "empty": (), "left": crossing}
    )
    ids = ("smear", "day 2/other", "empty")
    return result, {id: tmp_path / "pictures" / f"{id}.png" for id in ids}


def test_masks_are_the_same_where_tails_cross(corrected, tmp_path):
    result, pictures = corrected

    n = write_training_set(result, pictures, tmp_path / "set")

    dataset = open_dataset(tmp_path / "set")
    assert n == 3
    assert dataset.layout == "labelme"
    assert sorted(dataset.records) == ["day 2/other", "empty", "smear"]
    sample = dataset.load("smear")
    assert [one.id for one in sample.instances] == [1, 2]
    for one, drawn in zip(sample.instances, crossing_sperm(), strict=True):
        assert one.masks.keys() == drawn.masks.keys()
        for part in drawn.masks:
            assert (one.full_mask(part, SIZE) == drawn.full_mask(part, SIZE)).all()
    first, second = (one.full_mask(3, SIZE) for one in sample.instances)
    assert (first & second).any()
    assert not dataset.load("empty").part_map.any()


def test_it_is_a_sound_data_set_that_can_be_split(corrected, tmp_path):
    result, pictures = corrected
    write_training_set(result, pictures, tmp_path / "set")

    dataset = open_dataset(tmp_path / "set")

    assert not check_dataset(dataset).problems
    split = grouped_split(dataset, seed=0, train=2, test=1)
    assert (len(split.train), len(split.test)) == (2, 1)


def test_pixels_are_the_same_and_nothing_else_of_the_file_is_there(corrected, tmp_path):
    result, pictures = corrected
    random = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    Image.fromarray(random).save(pictures["smear"], exif=exif)

    write_training_set(result, pictures, tmp_path / "set")

    assert (read_image(tmp_path / "set/smear.png") == random).all()
    assert b"Jane" in pictures["smear"].read_bytes()
    assert b"Jane" not in (tmp_path / "set/smear.png").read_bytes()


def test_a_picture_of_16_bits_stays_one(corrected, tmp_path):
    result, pictures = corrected
    deep = np.random.default_rng(0).integers(0, 2**16, (*SIZE, 3), np.uint16)
    pictures["smear"] = tmp_path / "deep.tif"
    tifffile.imwrite(pictures["smear"], deep, photometric="rgb")
    as_read = read_image(pictures["smear"])

    write_training_set(result, pictures, tmp_path / "set")

    sample = open_dataset(tmp_path / "set").load("smear")
    assert sample.image.dtype == np.uint16
    assert (sample.image == as_read).all()


def test_what_cannot_be_written_is_refused_and_nothing_is_left(corrected, tmp_path):
    result, pictures = corrected
    small = tmp_path / "small.png"
    Image.new("RGB", (5, 5)).save(small)

    for chosen, kind, said in (
        ({}, UsageError, "no corrected pictures"),
        ({"smear": pictures["smear"], "new": small}, UsageError, "not analysed: new"),
        ({"smear": small}, DataError, r"is of \(5, 5\), analysed was one of \(40, 60\)"),
    ):
        with pytest.raises(kind, match=said):
            write_training_set(result, chosen, tmp_path / "set")
        assert not list((tmp_path / "set").glob("*"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="something here already"):
        write_training_set(result, pictures, tmp_path / "mine")
