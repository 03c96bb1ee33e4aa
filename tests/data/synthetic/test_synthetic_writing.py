"""A written data set: its files agree with each other and with the sperm."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from spermseg.data.datasets import open_dataset
from spermseg.data.images import read_image
from spermseg.data.masks import read_mask
from spermseg.data.synthetic import synthesize_dataset, synthesize_sample, writing
from spermseg.errors import UsageError

N = 3
SEED = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "smears"
    synthesize_dataset(out, "tiny", N, SEED)
    return out


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files(folder):
    numbers = [f"{k:06d}.png" for k in range(N)]
    assert sorted(files_of(folder)) == sorted(
        [f"images/{name}" for name in numbers]
        + [f"masks/{name}" for name in numbers]
        + ["annotations.json", "dataset.json", "sperm.csv"]
    )
    description = json.loads((folder / "dataset.json").read_text())
    assert description["preset"] == "tiny"
    assert description["seed"] == SEED
    assert description["um_per_px"] == 0.2
    assert description["groups"] == {f"{k:06d}": f"{k:06d}" for k in range(N)}


@pytest.mark.parametrize("layout", ["coco", "folder"])
def test_readers_give_back_what_was_made(folder, layout):
    dataset = open_dataset(folder, layout)
    assert dataset.ids == tuple(f"{k:06d}" for k in range(N))
    for index, name in enumerate(dataset.ids):
        made, read = synthesize_sample("tiny", SEED, index).sample, dataset.load(name)
        np.testing.assert_array_equal(read.image, made.image)
        np.testing.assert_array_equal(read.part_map, made.part_map)
        assert read.um_per_px == made.um_per_px
        assert dataset.records[name].group == name
        if layout == "coco":
            for one, other in zip(read.instances, made.instances, strict=True):
                assert (one.id, one.bbox) == (other.id, other.bbox)
                for part in other.masks:
                    np.testing.assert_array_equal(one.masks[part], other.masks[part])


def test_annotations_are_what_coco_says(folder):
    content = json.loads((folder / "annotations.json").read_text())
    assert {item["id"]: item["name"] for item in content["categories"]} == {
        2: "midpiece",
        3: "tail",
        4: "acrosome",
        5: "nucleus",
        6: "vacuole",
    }
    images = {item["id"]: item for item in content["images"]}
    assert len({item["id"] for item in content["annotations"]}) == len(content["annotations"])
    keys = set()
    for item in content["annotations"]:
        image = images[item["image_id"]]
        assert item["segmentation"]["size"] == [image["height"], image["width"]]
        assert item["area"] == coco_mask.area(item["segmentation"])
        assert item["bbox"] == coco_mask.toBbox(item["segmentation"]).tolist()
        assert item["score"] == 1
        keys.add((item["image_id"], item["sperm_id"], item["category_id"]))
    assert len(keys) == len(content["annotations"])


def test_table_has_one_row_for_every_annotated_sperm(folder):
    content = json.loads((folder / "annotations.json").read_text())
    names = {item["id"]: Path(item["file_name"]).stem for item in content["images"]}
    annotated = {(names[a["image_id"]], a["sperm_id"]) for a in content["annotations"]}
    with (folder / "sperm.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["image"], int(row["sperm_id"])) for row in rows} == annotated
    assert len(rows) == len(annotated)
    assert all(float(row["head_area_um2"]) > 0 for row in rows)
    assert {row["cut"] for row in rows} <= {"true", "false"}
    for row in rows:
        assert (row["tail_length_um"] == "") == (row["tail_form"] == "absent")


def test_bytes_do_not_depend_on_workers_or_on_the_number_of_pictures(folder, tmp_path):
    synthesize_dataset(tmp_path / "two", "tiny", N, SEED, workers=2)
    assert files_of(tmp_path / "two") == files_of(folder)
    synthesize_dataset(tmp_path / "one", "tiny", 1, SEED)
    assert (tmp_path / "one" / "images" / "000000.png").read_bytes() == (
        folder / "images" / "000000.png"
    ).read_bytes()


def test_pictures_are_plain_png(folder):
    assert read_image(folder / "images" / "000000.png").shape == (128, 160, 3)
    assert read_mask(folder / "masks" / "000000.png").dtype == np.uint8


def test_progress_counts_pictures(tmp_path):
    seen = []
    n_sperm = synthesize_dataset(
        tmp_path, "tiny", 2, on_progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 2), (2, 2)]
    assert n_sperm == len((tmp_path / "sperm.csv").read_text().splitlines()) - 1


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="something here already"):
        synthesize_dataset(tmp_path, "tiny", 1)
    assert files_of(tmp_path) == {"mine.txt": b"mine"}


def test_nothing_is_left_after_a_failure(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk")

    monkeypatch.setattr(writing, "_table", fail)
    with pytest.raises(OSError, match="disk"):
        synthesize_dataset(tmp_path / "out", "tiny", 1)
    assert files_of(tmp_path) == {}


@pytest.mark.parametrize(
    ("preset", "n", "seed", "said"),
    [
        ("nice", 1, 0, "There are: sperm-parsing"),
        ("tiny", 0, 0, "got 0"),
        ("tiny", 1, -2, "got -2"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, preset, n, seed, said):
    with pytest.raises(UsageError, match=said):
        synthesize_dataset(tmp_path / "out", preset, n, seed)
    assert not (tmp_path / "out").exists()
