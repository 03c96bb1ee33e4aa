from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from spermseg.errors import DataError, UsageError
from spermseg.export import EXPORTERS, ResultFolder, export_result
from spermseg.export.imagej import write_imagej

from .conftest import SIZE, Pictures, crossing_sperm, picture_of


def change(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | fields), "utf-8")


def test_pictures_come_one_by_one_with_their_sperm(result):
    folder = ResultFolder(result)
    assert len(folder) == 2
    pictures = iter(folder)
    smear = next(pictures)
    assert (smear.id, smear.file, smear.size) == ("smear", "smear.png", SIZE)
    for one, drawn in zip(smear.sperm, crossing_sperm(), strict=True):
        assert one.instance.masks.keys() == drawn.masks.keys()
        for part, mask in drawn.masks.items():
            np.testing.assert_array_equal(one.instance.masks[part], mask)
    # The next one is read only when it is asked for.
    (result / "sperm" / "day 2" / "empty.json").unlink()
    with pytest.raises(DataError, match=r"empty\.json: no such file"):
        next(pictures)


def test_folders_that_are_no_result(tmp_path):
    with pytest.raises(UsageError, match="nothing: no such folder"):
        ResultFolder(tmp_path / "nothing")
    with pytest.raises(UsageError, match="no result of `spermseg analyze` here"):
        ResultFolder(tmp_path)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"format_version": 99}, "record has format 99"),
        ({"status": "interrupted"}, "'interrupted', not done. Go on with --resume"),
        ({"model": 3}, "damaged"),
        ({"pictures": [{}]}, "damaged"),
        ({"pictures": 3}, "damaged"),
    ],
)
def test_records_that_cannot_be_used(result, fields, reason):
    change(result / "run.json", **fields)
    with pytest.raises(DataError, match=rf"run\.json: .*{reason}"):
        ResultFolder(result)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "[" * 99_999])
def test_records_that_are_no_record(result, content):
    (result / "run.json").write_text(content)
    with pytest.raises(DataError, match=r"run\.json: no record of an analysis"):
        ResultFolder(result)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "../../smear"},
        {"id": "/tmp/smear"},
        {"id": "..\\smear"},
        {"id": ""},
        {"id": 3},
        {"file": "a/../../b.png"},
        {"height": 10**9},
        {"height": -40},
        {"height": 40.5},
        {"um_per_px": -1},
        {"um_per_px": "x"},
    ],
)
def test_records_that_lead_elsewhere_or_into_too_much_memory(result, tmp_path, fields):
    run = json.loads((result / "run.json").read_text("utf-8"))
    run["pictures"][0] |= fields
    (result / "run.json").write_text(json.dumps(run))
    with pytest.raises(DataError, match=r"run\.json: damaged"):
        export_result("geojson", result, tmp_path / "out")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.pop("bbox"),
        lambda one: one.update(bbox=[0, 0, 1, 1]),
        lambda one: one.update(bbox=[-5, 0, 10**30, 1]),
        lambda one: one.update(id=0),
        lambda one: one["masks"].update({"9": one["masks"]["5"]}),
        lambda one: one["masks"]["5"].update(counts="~~"),
        lambda one: one.update(masks=3),
        lambda one: one.update(masks=None),
    ],
)
@pytest.mark.parametrize("format", ["coco", "imagej", "label-tiff"])
def test_sperm_that_are_damaged(result, tmp_path, spoil, format):
    path = result / "sperm" / "smear.json"
    content = json.loads(path.read_text("utf-8"))
    spoil(content["sperm"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"sperm/smear\.json: ") as error:
        export_result(format, result, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("format", [name for name in EXPORTERS if name not in ("csv", "parquet")])
def test_a_result_without_pictures(result, tmp_path, format):
    change(result / "run.json", pictures=[])
    shutil.rmtree(result / "sperm")
    exported = export_result(format, result, tmp_path / "out")
    assert (exported.pictures, exported.losses) == (0, ())


def test_pictures_too_large_for_imagej(tmp_path):
    wide = picture_of((), size=(10, 40_000))
    with pytest.raises(DataError, match=r"40000 x 10 pixels; ImageJ's regions end at 32767"):
        write_imagej(Pictures((wide,)), tmp_path)
