from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from spermseg.cli import app
from spermseg.data.augmentation import REPORT_2021, apply_variant
from spermseg.data.augmented_folder import augment_dataset
from spermseg.data.datasets import open_dataset
from spermseg.data.images import read_image, write_image
from spermseg.data.masks import read_mask
from spermseg.data.splits import grouped_split, write_split
from spermseg.errors import DataError, UsageError
from spermseg.structures import SCHEMAS

REPORT_SCHEMA = SCHEMAS["report-2021"]


def write_originals(root: Path, n: int, shape=(12, 16), **settings) -> list[str]:
    rng = np.random.default_rng(n)
    ids = [f"day{index % 3}/smear{index}" for index in range(n)]
    for name in ids:
        write_image(root / "images" / f"{name}.png", rng.integers(0, 256, (*shape, 3), np.uint8))
        mask = np.zeros(shape, np.uint8)
        mask[3:5, 2:5], mask[3:5, 5:8], mask[3:5, 8:14], mask[9:] = 4, 2, 3, 255
        write_image(root / "masks" / f"{name}.png", mask)
    groups = {name: name.split("/")[0] for name in ids}
    (root / "dataset.json").write_text(json.dumps({"groups": groups, **settings}))
    return ids


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(("n", "expected"), [(15, 1665), (4, 444)])
def test_every_picture_becomes_111_files_that_stay_together(tmp_path, n, expected):
    ids = write_originals(tmp_path / "in", n)
    dataset = open_dataset(tmp_path / "in")
    steps = []
    written = augment_dataset(
        dataset,
        ids,
        tmp_path / "out",
        schema=REPORT_SCHEMA,
        on_progress=lambda done, total: steps.append((done, total)),
    )
    assert written == expected
    assert steps == [(111 * k, expected) for k in range(1, n + 1)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "dataset.json",
        "images",
        "masks",
    ]
    assert len(list((tmp_path / "out" / "images").rglob("*.png"))) == expected
    augmented = open_dataset(tmp_path / "out")
    assert augmented.layout == "folder"
    assert augmented.schema == REPORT_SCHEMA
    assert len(augmented) == expected
    originals = json.loads((tmp_path / "out" / "dataset.json").read_text())["originals"]
    assert set(Counter(originals.values()).values()) == {111}
    for record in augmented.records.values():
        assert record.group == originals[record.id].split("/")[0]


def test_files_hold_the_variants_in_the_schemas_parts(tmp_path):
    (name,) = write_originals(tmp_path / "in", 1)
    dataset = open_dataset(tmp_path / "in")
    augment_dataset(dataset, [name], tmp_path / "out", schema=REPORT_SCHEMA)
    sample = dataset.load(name)
    head_tail = np.where(sample.part_map == 4, 1, sample.part_map).astype(np.uint8)
    for variant in REPORT_2021[::17]:
        file = f"{name}__{variant.flip}-{variant.angle:03d}.png"
        image, labels = apply_variant(sample.image, head_tail, variant)
        np.testing.assert_array_equal(read_image(tmp_path / "out" / "images" / file), image)
        np.testing.assert_array_equal(read_mask(tmp_path / "out" / "masks" / file), labels)


def test_the_same_bytes_again_and_with_two_processes(tmp_path):
    ids = write_originals(tmp_path / "in", 3)
    dataset = open_dataset(tmp_path / "in")
    for name, workers in (("once", 1), ("again", 1), ("two", 2)):
        augment_dataset(dataset, ids, tmp_path / name, workers=workers)
    once = files_of(tmp_path / "once")
    assert len(once) == 3 * 111 * 2 + 1
    assert once == files_of(tmp_path / "again")
    assert once == files_of(tmp_path / "two")


@pytest.mark.parametrize(("size", "expected"), [(None, 0.1), ((24, 32), 0.05), ((24, 16), None)])
def test_pixel_size_follows_a_resize_that_keeps_pixels_square(tmp_path, size, expected):
    (name,) = write_originals(tmp_path / "in", 1, um_per_px=0.1)
    augment_dataset(open_dataset(tmp_path / "in"), [name], tmp_path / "out", size=size)
    augmented = open_dataset(tmp_path / "out")
    sample = augmented.load(f"{name}__vertical-035")
    assert sample.size == (size or (12, 16))
    assert sample.um_per_px == expected


def test_linear_labels_blend_in_the_order_of_the_schema(tmp_path):
    (name,) = write_originals(tmp_path / "in", 1)
    dataset = open_dataset(tmp_path / "in")
    schema = SCHEMAS["sperm-parsing"]
    for labels in ("nearest", "linear"):
        augment_dataset(dataset, [name], tmp_path / labels, schema=schema, interpolation=labels)
    ids = {
        labels: {
            int(value)
            for path in (tmp_path / labels / "masks").rglob("*.png")
            for value in np.unique(read_mask(path))
        }
        for labels in ("nearest", "linear")
    }
    assert ids["nearest"] == {0, 2, 3, 4, 255}
    # Acrosome (index 3) against background passes through midpiece and tail; head (id 1), which
    # the schema lacks, never comes up.
    assert ids["linear"] == {0, 2, 3, 4, 255}


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    ids = write_originals(tmp_path / "in", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"out: there is something here already"):
        augment_dataset(open_dataset(tmp_path / "in"), ids, tmp_path / "out")
    assert files_of(tmp_path / "out") == {"thesis.txt": b"mine"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_leaves_nothing_behind(tmp_path, workers):
    ids = write_originals(tmp_path / "in", 2)
    dataset = open_dataset(tmp_path / "in")
    (tmp_path / "in" / "masks" / f"{ids[1]}.png").write_bytes(b"no mask")
    with pytest.raises(DataError, match="smear1"):
        augment_dataset(dataset, ids, tmp_path / "out", workers=workers)
    assert list((tmp_path / "out").iterdir()) == []


def test_parts_that_the_schema_lacks_name_the_picture(tmp_path):
    (name,) = write_originals(tmp_path / "in", 1)
    mask = np.full((12, 16), 1, np.uint8)
    write_image(tmp_path / "in" / "masks" / f"{name}.png", mask)
    with pytest.raises(DataError, match=rf"{name}: part ids \[1\]"):
        augment_dataset(
            open_dataset(tmp_path / "in"), [name], tmp_path / "out", schema=SCHEMAS["sperm-parsing"]
        )


@pytest.mark.parametrize("ids", [[], ["day9/none"], ["day0/smear0", "day0/smear0"]])
def test_impossible_requests_are_refused(tmp_path, ids):
    write_originals(tmp_path / "in", 1)
    with pytest.raises(UsageError):
        augment_dataset(open_dataset(tmp_path / "in"), ids, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_says_the_counts_and_what_the_report_says(tmp_path):
    write_originals(tmp_path / "in", 4)
    arguments = ["data", "augment", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    options = ["--recipe", "report-2021", "--size", "6x8", "--corners", "background"]
    result = CliRunner().invoke(app, [*arguments, *options, "--workers", "1"])
    assert result.exit_code == 0, result.output
    assert "4 pictures x 111 variants of report-2021 = 444 in" in result.output
    assert "15 (1665 / 111)" in result.output
    description = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert description["schema"] == "report-2021"
    assert description["corners"] == "background"
    assert open_dataset(tmp_path / "out").load("day0/smear0__none-005").size == (6, 8)


def test_the_command_takes_one_part_of_a_split(tmp_path):
    write_originals(tmp_path / "in", 3)
    split = grouped_split(open_dataset(tmp_path / "in"), seed=0, train=2, test=1)
    write_split(tmp_path / "split.json", split)
    arguments = ["data", "augment", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    options = ["--split", str(tmp_path / "split.json"), "--part", "test", "--workers", "1"]
    assert CliRunner().invoke(app, [*arguments, *options]).exit_code == 0
    description = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert set(description["originals"].values()) == set(split.test)


@pytest.mark.parametrize("size", ["580", "0x4", "4 x 4", "x"])
def test_the_command_refuses_a_size_that_is_none(tmp_path, size):
    arguments = ["data", "augment", str(tmp_path), "-o", str(tmp_path / "out"), "--size", size]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UsageError)
    assert "HEIGHTxWIDTH" in str(result.exception)
