"""annotations.json, sperm.csv and summary.json of smears in plain colours."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.uncertainty import UNCERTAINTY_COLUMNS
from spermseg.batch import AnalysisOptions, analyze_files
from spermseg.batch.sperm_files import SPERM_COLUMNS, report_rows
from spermseg.data.datasets import open_dataset
from spermseg.data.images import read_image, write_image
from spermseg.data.masks import rle_mask
from spermseg.errors import DataError, UsageError


def draw(path: Path, sperm: int) -> None:
    """Write a picture, 300 x 400 px, with sperm below each other: heads of 24 x 32 px."""
    image = np.full((300, 400, 3), 255, np.uint8)
    rows, columns = np.mgrid[:300, :400]
    for number in range(sperm):
        row = 50 + 90 * number
        image[row - 3 : row + 4, 85:120] = (0, 255, 0)
        image[row - 2 : row + 3, 120:360] = (255, 0, 0)
        image[((rows - row) / 12) ** 2 + ((columns - 70) / 16) ** 2 <= 1] = (0, 0, 255)
    write_image(path, image)


@pytest.fixture
def smears(tmp_path):
    draw(tmp_path / "smears/a.png", 2)
    draw(tmp_path / "smears/donor 2/b.png", 3)
    draw(tmp_path / "smears/donor 2/empty.png", 0)
    return tmp_path / "smears"


@pytest.fixture
def options(colour_model):
    return AnalysisOptions(model=colour_model, um_per_px=4.4 / 32)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def run(smears, tmp_path, options, **more):
    out = tmp_path / "out"
    return out, analyze_files([smears], out, options, workers=1, **more).run


def test_annotations_are_read_again_as_a_data_set(smears, tmp_path, options):
    out, record = run(smears, tmp_path, options)
    shutil.copy(out / "annotations.json", smears)
    dataset = open_dataset(smears, "coco")
    assert set(dataset.records) == {"a", "donor 2/b", "donor 2/empty"}
    sample = dataset.load("donor 2/b")
    assert len(sample.instances) == 3
    assert sample.um_per_px == pytest.approx(4.4 / 32)
    np.testing.assert_array_equal(sample.part_map, read_image(out / "parts/donor 2/b.png")[..., 0])
    assert dataset.load("donor 2/empty").part_map.max() == 0
    assert [row["sperm"] for row in record["pictures"]] == [2, 3, 0]


def test_annotations_keep_to_the_contract(smears, tmp_path, options):
    out, _ = run(smears, tmp_path, options)
    content = json.loads((out / "annotations.json").read_text("utf-8"))
    assert [entry["id"] for entry in content["categories"]] == [2, 3, 4, 5, 6]
    assert [image["file_name"] for image in content["images"]] == [
        "a.png",
        "donor 2/b.png",
        "donor 2/empty.png",
    ]
    assert content["images"][0]["height"] == 300
    annotations = content["annotations"]
    assert [one["id"] for one in annotations] == list(range(1, 16))  # 5 sperm of 3 parts.
    for one in annotations:
        mask = rle_mask(one["segmentation"], (300, 400))
        rows, columns = np.nonzero(mask)
        x, y, width, height = one["bbox"]
        assert (rows.min(), columns.min()) == (y, x)
        assert (rows.max() + 1 - y, columns.max() + 1 - x) == (height, width)
        assert one["area"] == mask.sum()
        assert 0 < one["score"] <= 1
    pairs = {(one["image_id"], one["sperm_id"], one["category_id"]) for one in annotations}
    assert len(pairs) == 15


def test_one_row_a_sperm(smears, tmp_path, options):
    out, _ = run(smears, tmp_path, options)
    rows = table(out / "sperm.csv")
    assert tuple(rows[0]) == SPERM_COLUMNS
    assert [(row["image"], row["sperm_id"], row["sample"]) for row in rows] == [
        ("a", "1", "smears"),
        ("a", "2", "smears"),
        *(("donor 2/b", str(number), "donor 2") for number in (1, 2, 3)),
    ]
    for row in rows:
        assert float(row["head_length_px"]) == pytest.approx(33, abs=1.5)
        ratio = float(row["head_length_um"]) / float(row["head_length_px"])
        assert ratio == pytest.approx(4.4 / 32, rel=1e-4)


def test_counts_agree_in_all_files(smears, tmp_path, options):
    out, record = run(smears, tmp_path, options)
    rows, pictures = table(out / "sperm.csv"), table(out / "images.csv")
    for picture in pictures:
        verdicts = [row["verdict"] for row in rows if row["image"] == picture["id"]]
        for name in ("normal", "abnormal", "not assessable"):
            assert picture[name.replace(" ", "_")] == str(verdicts.count(name))
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert [one["sample"] for one in summary["samples"]] == ["donor 2", "smears"]
    assert [one["counted"] for one in summary["samples"]] == [3, 2]
    assert "not for clinical diagnosis" in summary["disclaimer"]
    assert record["criteria"]["name"] == "who-2021"


def test_a_report_is_given_boxes_of_heads_and_reasons_in_words(smears, tmp_path, options):
    out, record = run(smears, tmp_path, options)
    first = next(report_rows(out, record))
    row0, column0, row1, column1 = first["bbox_head"]
    assert (row0, row1) == (38, 63)
    assert column0 == 54
    assert 115 <= column1 <= 122  # With the midpiece, without the tail.
    assert isinstance(first["failed"], list)


def test_a_table_groups_pictures_and_compares_slides(smears, tmp_path, options):
    samples = tmp_path / "samples.csv"
    samples.write_text(
        "picture,sample,slide\na.png,S1,1\ndonor 2/b.png,S1,2\ndonor 2/empty.png,S2,\n", "utf-8"
    )
    out, record = run(smears, tmp_path, options, samples=samples)
    assert [(row["sample"], row["slide"]) for row in record["pictures"]] == [
        ("S1", "1"),
        ("S1", "2"),
        ("S2", ""),
    ]
    one, two = json.loads((out / "summary.json").read_text("utf-8"))["samples"]
    assert (one["counted"], two["counted"]) == (5, 0)
    assert {row["slide"] for row in table(out / "sperm.csv")} == {"1", "2"}


def test_a_table_that_names_a_missing_picture_stops_before_the_work(smears, tmp_path, options):
    samples = tmp_path / "samples.csv"
    samples.write_text("picture,sample\na.png,S1\nc.png,S1\n", "utf-8")
    with pytest.raises(DataError, match=r"no such picture 'c\.png'"):
        run(smears, tmp_path, options, samples=samples)
    assert not (tmp_path / "out").exists()


def test_folders_given_side_by_side_are_samples_of_their_own(smears, tmp_path, options):
    draw(tmp_path / "other/donor 2/d.png", 1)
    folders = [smears, tmp_path / "other"]
    run = analyze_files(folders, tmp_path / "out", options, workers=1).run
    assert {row["file"]: row["sample"] for row in run["pictures"]} == {
        "a.png": "smears",
        "donor 2/b.png": "smears/donor 2",
        "donor 2/empty.png": "smears/donor 2",
        "donor 2/d.png": "other/donor 2",
    }


def test_resuming_keeps_the_sperm_that_were_there(smears, tmp_path, options):
    out, _ = run(smears, tmp_path, options)
    files = ("annotations.json", "sperm.csv", "summary.json")
    before = {name: (out / name).read_text("utf-8") for name in files}
    (out / "sperm/a.json").unlink()
    again = analyze_files([smears], out, options, workers=1, resume=True)
    assert again.skipped == 2
    assert {name: (out / name).read_text("utf-8") for name in files} == before
    assert b"\r" not in (out / "sperm.csv").read_bytes()


def test_uncertainty_adds_columns_and_figures_and_changes_none(smears, tmp_path, options):
    plain, _ = run(smears, tmp_path / "plain", options)
    out, record = run(smears, tmp_path, replace(options, uncertainty=True))
    assert record["arguments"]["uncertainty"] is True
    before, rows = table(plain / "sperm.csv"), table(out / "sperm.csv")
    assert tuple(rows[0]) == (*SPERM_COLUMNS, *UNCERTAINTY_COLUMNS)
    assert [{name: row[name] for name in SPERM_COLUMNS} for row in rows] == before
    # A network that judges each pixel alone; without a working scale, so that no view is zoomed.
    assert {(row["views"], row["verdict_uncertain"]) for row in rows} == {("7", "0")}
    assert {row["head_length_um_sd"] for row in rows} == {"0.0"}
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    uncertainty = [one.pop("uncertainty") for one in summary["samples"]]
    assert summary == json.loads((plain / "summary.json").read_text("utf-8"))
    for name in ("annotations.json", "parts/a.png"):
        assert (out / name).read_bytes() == (plain / name).read_bytes()
    assert [one["views"][0]["counted"] for one in uncertainty] == [3, 2]
    assert [len(one["views"]) for one in uncertainty] == [7, 7]
    assert [one["uncertain"]["count"] for one in uncertainty] == [0, 0]
    assert table(out / "images.csv")[0].keys() == table(plain / "images.csv")[0].keys()


def test_resuming_with_other_limits_is_refused(smears, tmp_path, options, colour_model):
    run(smears, tmp_path, options)
    criteria = load_criteria()
    other = criteria.model_copy(update={"criteria": criteria.criteria[:-1]})
    changed = AnalysisOptions(model=colour_model, um_per_px=4.4 / 32, criteria=other)
    with pytest.raises(UsageError, match="limits of the criteria"):
        analyze_files([smears], tmp_path / "out", changed, workers=1, resume=True)


def test_a_scale_that_cannot_be_fails_that_picture(smears, tmp_path, colour_model):
    # 0.6 um a pixel: the heads of 32 px would be 19 um long.
    options = AnalysisOptions(model=colour_model, um_per_px=0.6)
    _, record = run(smears, tmp_path, options)
    assert [row["status"] for row in record["pictures"]] == ["failed", "failed", "done"]
    assert "a typical head here would be" in record["pictures"][0]["reason"]
    assert "right pixel size" in record["pictures"][0]["reason"]
