from __future__ import annotations

import json

import numpy as np
import pytest

from spermseg.data.datasets import open_dataset
from spermseg.data.datasets.check import check_dataset
from spermseg.data.images import write_image

IMAGE = np.full((10, 10, 3), 200, np.uint8)


def write(root, name, mask, image=IMAGE):
    write_image(root / "images" / f"{name}.png", image)
    write_image(root / "masks" / f"{name}.png", mask)


def mask_with(**pixels):
    ids = {"head": 1, "midpiece": 2, "tail": 3, "acrosome": 4, "ignored": 255}
    mask = np.zeros(100, np.uint8)
    values = np.concatenate([np.full(n, ids[part], np.uint8) for part, n in pixels.items()])
    mask[: len(values)] = values
    return mask.reshape(10, 10)


def test_what_is_there_is_counted(tmp_path):
    write(tmp_path, "day1/a", mask_with(head=10, midpiece=5, tail=20, acrosome=5))
    write(tmp_path, "day1/b", mask_with(tail=5, ignored=20))
    write(tmp_path, "c", np.zeros((5, 4), np.uint8), IMAGE[:5, :4])
    groups = {"day1/a": "day 1", "day1/b": "day 1"}
    (tmp_path / "dataset.json").write_text(json.dumps({"groups": groups}))
    steps = []
    check = check_dataset(open_dataset(tmp_path), lambda done, total: steps.append((done, total)))
    assert check.layout == "folder"
    assert check.pictures == 3
    assert check.sizes == {(10, 10): 2, (5, 4): 1}
    assert check.groups == {"c": 1, "day 1": 2}
    assert check.sperm is None
    assert check.pixels["tail"] == 25
    assert check.ignored_pixels == 20
    assert check.shares["tail"] == pytest.approx(25 / 200)
    assert check.shares["whole head"] == pytest.approx(15 / 200)
    assert sum(check.pixels.values()) == 200
    assert (check.problems, check.notes) == ((), ())
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_all_problems_are_listed_and_the_rest_is_read(tmp_path):
    write(tmp_path, "good", mask_with(head=10))
    write(tmp_path, "size", np.zeros((9, 10), np.uint8))
    write(tmp_path, "values", np.full((10, 10), 77, np.uint8))
    write(tmp_path, "damaged", mask_with(head=1))
    (tmp_path / "images" / "damaged.png").write_bytes(b"\x89PNG")
    write_image(tmp_path / "images" / "lonely.png", IMAGE)
    write_image(tmp_path / "masks" / "astray.png", mask_with(head=1))
    check = check_dataset(open_dataset(tmp_path, strict=False))
    assert sorted(file for file, _ in check.problems) == [
        "images/damaged.png",
        "images/lonely.png",
        "masks/astray.png",
        "masks/size.png",
        "masks/values.png",
    ]
    found = dict(check.problems)
    assert "77" in found["masks/values.png"]
    assert "(9, 10)" in found["masks/size.png"]
    assert check.pixels["head"] == 10
    assert check.pictures == 4


def test_sperm_are_counted_and_json_can_be_written(tmp_path):
    polygon = [[4, 4, 8, 4, 8, 8, 4, 8]]
    annotations = [
        {"id": i, "image_id": 1, "category_id": 1, "segmentation": polygon, "sperm_id": i}
        for i in (1, 2)
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "head"}],
        "annotations": annotations,
    }
    write_image(tmp_path / "images" / "a.png", IMAGE)
    write_image(tmp_path / "images" / "b.png", IMAGE)
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    check = check_dataset(open_dataset(tmp_path))
    assert check.sperm == 2
    written = json.loads(json.dumps(check.to_dict(), allow_nan=False))
    assert written["shares"] == {"background": 0.84, "head": 0.16}
    assert written["sizes"] == [{"height": 10, "width": 10, "pictures": 1}]
    assert written["notes"][0]["file"] == "images/b.png"
    assert str(tmp_path) not in json.dumps(written)
