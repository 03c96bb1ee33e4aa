"""``spermseg export FORMAT RESULT``."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

from spermseg.analysis.uncertainty import UNCERTAINTY_COLUMNS
from spermseg.batch import AnalysisOptions, analyze_files
from spermseg.batch.rows import COLUMNS as IMAGE_COLUMNS
from spermseg.batch.sperm_files import SPERM_COLUMNS
from spermseg.cli import app
from spermseg.data.images import write_image
from spermseg.errors import DataError, UsageError, translate
from spermseg.export import EXPORTERS, export_result
from spermseg.export.tables import INTEGERS, TEXTS


def draw(path: Path) -> None:
    """Write a picture, 120 x 400 px, with a sperm: a head of 24 x 32 px."""
    image = np.full((120, 400, 3), 255, np.uint8)
    rows, columns = np.mgrid[:120, :400]
    image[57:64, 85:120] = (0, 255, 0)
    image[58:63, 120:360] = (255, 0, 0)
    image[((rows - 60) / 12) ** 2 + ((columns - 70) / 16) ** 2 <= 1] = (0, 0, 255)
    write_image(path, image)


@pytest.fixture(scope="module")
def analysis(tmp_path_factory, colour_model):
    """Folder of an analysis of two equal pictures."""
    folder = tmp_path_factory.mktemp("analysis")
    draw(folder / "smears" / "=a;1.png")
    draw(folder / "smears" / "donor ñ" / "b.png")
    options = AnalysisOptions(model=colour_model, um_per_px=4.4 / 32)
    analyze_files([folder / "smears"], folder / "out", options, workers=1)
    return folder / "out"


def invoke(*arguments):
    app([os.fspath(argument) for argument in arguments], standalone_mode=False)


def rows(path, **options):
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream, **options))


def test_one_page_lists_every_format():
    result = subprocess.run(
        [sys.executable, "-m", "spermseg", "export", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    listed = re.findall(r"^│ ([a-z][a-z-]*) ", result.stdout, re.MULTILINE)
    assert listed == [*EXPORTERS, "onnx", "bioimageio"]
    assert "not for clinical diagnosis" in re.sub(r"[│\s]+", " ", result.stdout)


@pytest.mark.parametrize("format", EXPORTERS)
def test_files_lie_in_the_result_unless_told_otherwise(analysis, format, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    invoke("export", format, analysis, "-o", tmp_path / "x")
    files = [path for path in (tmp_path / "x").rglob("*") if path.is_file()]
    printed = capsys.readouterr()
    assert printed.out == f"{tmp_path / 'x'}: {len(files)} files of 2 pictures\n"
    assert printed.err == ""
    invoke("export", format, analysis)
    assert (analysis / "exports" / format).is_dir()


def test_what_is_lost_is_said(analysis, tmp_path, capsys):
    path = analysis / "sperm" / "=a;1.json"
    assert path.is_file()
    invoke("export", "label-tiff", analysis, "-o", tmp_path, "--flat")
    # Parts of one network's part map do not overlap.
    assert capsys.readouterr().err == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["part-labels", "sperm-labels"]


def test_nothing_is_replaced(analysis, tmp_path):
    (tmp_path / "=a;1.geojson").write_text("mine")
    with pytest.raises(UsageError, match=r"=a;1\.geojson: there is something here already"):
        invoke("export", "geojson", analysis, "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["=a;1.geojson"]
    assert (tmp_path / "=a;1.geojson").read_text() == "mine"


def test_qupath_finds_classes_names_and_measurements(analysis, tmp_path):
    invoke("export", "geojson", analysis, "-o", tmp_path)
    text = (tmp_path / "donor ñ" / "b.geojson").read_text("utf-8")
    content = json.loads(text)
    features = {one["properties"]["name"]: one for one in content["features"]}
    assert features.keys() == {"sperm 1 nucleus", "sperm 1 midpiece", "sperm 1 tail"}
    for name, feature in features.items():
        properties = feature["properties"]
        assert properties["objectType"] == "annotation"
        assert properties["classification"]["name"] == name.split()[-1]
        assert all(0 <= value <= 255 for value in properties["classification"]["color"])
        assert feature["geometry"]["type"] == "Polygon"
        shell = feature["geometry"]["coordinates"][0]
        assert shell[0] == shell[-1]
        assert properties["metadata"]["verdict"] in ("normal", "abnormal", "not assessable")
    (row,) = (row for row in rows(analysis / "sperm.csv") if row["image"] == "=a;1")
    found = {}
    for feature in features.values():
        measured = feature["properties"]["measurements"]
        assert measured.pop("score") == pytest.approx(float(row["score"]), abs=1e-4)
        assert not found.keys() & measured.keys()
        found |= measured
    assert found["head_length_um"] == pytest.approx(4.4, rel=0.03)
    for name, value in found.items():
        assert value == pytest.approx(float(row[name]), rel=1e-5), name


def test_without_a_pixel_size_measurements_are_in_pixels(analysis, tmp_path):
    run = json.loads((analysis / "run.json").read_text("utf-8"))
    for row in run["pictures"]:
        row["um_per_px"] = None
    changed = tmp_path / "out"
    changed.mkdir()
    (changed / "sperm").symlink_to(analysis / "sperm")
    (changed / "run.json").write_text(json.dumps(run), "utf-8")
    invoke("export", "geojson", changed, "-o", tmp_path)
    text = (tmp_path / "=a;1.geojson").read_text("utf-8")
    assert "head_length_px" in text
    assert "_um" not in text


def test_coco_says_what_annotations_json_says(analysis, tmp_path):
    invoke("export", "coco", analysis, "-o", tmp_path, "--run-lengths")
    ours = json.loads((tmp_path / "annotations.json").read_text("utf-8"))
    theirs = json.loads((analysis / "annotations.json").read_text("utf-8"))
    assert ours["images"] == theirs["images"]
    assert ours["info"] == theirs["info"]
    assert [one["id"] for one in ours["categories"]] == [2, 3, 4, 5, 6]
    assert ours["annotations"] == theirs["annotations"]


def test_labelme_opens_the_picture_beside(analysis, tmp_path):
    invoke("export", "labelme", analysis, "-o", tmp_path)
    content = json.loads((tmp_path / "donor ñ" / "b.json").read_text("utf-8"))
    assert content["imagePath"] == "b.png"
    assert content["imageData"] is None
    assert (content["imageHeight"], content["imageWidth"]) == (120, 400)
    assert {one["group_id"] for one in content["shapes"]} == {1}


def test_imagej_finds_names_and_colours(analysis, tmp_path):
    from roifile import ImagejRoi

    invoke("export", "imagej", analysis, "-o", tmp_path, "--simplify", "0")
    path = tmp_path / "=a;1.zip"
    with zipfile.ZipFile(path) as archive:
        assert all(entry.date_time[0] == 1980 for entry in archive.infolist())
    regions = ImagejRoi.fromfile(path)
    assert [one.name for one in regions] == ["sperm 1 midpiece", "sperm 1 tail", "sperm 1 nucleus"]
    assert regions[1].stroke_color == bytes.fromhex("ffd55e00")
    assert (regions[1].top, regions[1].bottom) == (58, 63)


def test_label_tiff_opens_in_imagej_as_named_slices(analysis, tmp_path):
    invoke("export", "label-tiff", analysis, "-o", tmp_path)
    with tifffile.TiffFile(tmp_path / "labels" / "=a;1.tif") as file:
        assert file.imagej_metadata["Labels"] == [
            *("midpiece", "tail", "acrosome", "nucleus", "vacuole"),
        ]
        assert [page.dtype for page in file.pages] == [np.uint16] * 5
        assert file.pages[0].shape == (120, 400)


def test_spreadsheets_with_decimal_commas(analysis, tmp_path):
    invoke("export", "csv", analysis, "-o", tmp_path / "dot")
    invoke("export", "csv", analysis, "-o", tmp_path / "comma", "--decimal-comma")
    for table in ("sperm", "images"):
        original = rows(analysis / f"{table}.csv")
        assert rows(tmp_path / "dot" / f"{table}.csv") == original
        commas = rows(tmp_path / "comma" / f"{table}.csv", delimiter=";")
        for row, other in zip(commas, original, strict=True):
            assert {
                name: cell if name in TEXTS else cell.replace(",", ".")
                for name, cell in row.items()
            } == other


def test_data_frames_with_types(analysis, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    invoke("export", "parquet", analysis, "-o", tmp_path)
    for name in ("sperm", "images"):
        table = parquet.read_table(tmp_path / f"{name}.parquet")
        original = rows(analysis / f"{name}.csv")
        assert table.column_names == list(original[0])
        for row, other in zip(table.to_pylist(), original, strict=True):
            for column, value in row.items():
                said = other[column]
                assert value == (said if column in TEXTS else float(said) if said else None)
        assert b"not for clinical diagnosis" in table.schema.metadata[b"disclaimer"]
    sperm = parquet.read_schema(tmp_path / "sperm.parquet")
    assert sperm.field("sperm_id").type == pyarrow.int64()
    assert sperm.field("head_length_um").type == pyarrow.float64()
    assert sperm.field("verdict").type == pyarrow.string()


def test_columns_of_words_are_columns():
    assert {*SPERM_COLUMNS, *UNCERTAINTY_COLUMNS, *IMAGE_COLUMNS} >= TEXTS | INTEGERS


def test_a_missing_package_names_what_to_install(analysis, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError) as error:
        invoke("export", "parquet", analysis, "-o", tmp_path)
    assert "pip install 'spermseg[tables]'" in str(translate(error.value))


def test_an_unknown_format_names_the_known_ones(analysis, tmp_path):
    with pytest.raises(UsageError, match=r"no format 'xml'\. There are: coco, labelme, "):
        export_result("xml", analysis, tmp_path)


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("head_length_um", "long", "head_length_um is no number: 'long'"),
        ("sperm_id", "1.5", "sperm_id is no number"),
    ],
)
def test_a_table_that_was_changed_by_hand(analysis, tmp_path, column, cell, reason):
    pytest.importorskip("pyarrow")
    changed = tmp_path / "out"
    changed.mkdir()
    for name in ("run.json", "images.csv"):
        (changed / name).write_bytes((analysis / name).read_bytes())
    table = rows(analysis / "sperm.csv")
    table[1][column] = cell
    with (changed / "sperm.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    with pytest.raises(DataError, match=rf"sperm\.csv: {reason}"):
        invoke("export", "parquet", changed)
    assert not list((changed / "exports" / "parquet").iterdir())
