"""The sample page and the downloads: those of an analysis, of the versions that are shown."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from spermseg.batch import AnalysisOptions, analyze_files
from spermseg.data.datasets import open_dataset
from spermseg.web.results import unique_names

SMEARS = Path(__file__).parents[2] / "examples" / "smears"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def names_in(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


@pytest.fixture
def corrected(client, send, wait, smear):
    """A server of two samples; of the first picture of two sperm one was deleted, one painted."""
    id = send(client, "day 1/a.png", smear(2))
    send(client, "day 2/a.png", smear(1))
    send(client, "day 2/cut.png", smear(1)[:-40])
    wait(client)
    address = f"/api/pictures/{id}/edits"
    client.post(address, json={"base_version": 0, "edit": {"type": "delete", "sperm": 2}})
    stroke = {"type": "paint", "sperm": 1, "part": 5, "points": [[20, 15]], "radius": 5}
    answer = client.post(address, json={"base_version": 1, "edit": stroke})
    assert answer.status_code == 200, answer.text
    return client


def test_the_sample_page_follows_corrections(corrected):
    told = corrected.get("/api/sample").json()
    assert [(one["sample"], one["counted"]) for one in told["samples"]] == [
        ("day 1", 1),
        ("day 2", 1),
    ]
    assert told["corrected"] == 1
    assert told["samples"][0]["sentence"].startswith("1 sperm counted")
    plot = told["plots"][0]
    assert plot["svg"].startswith("<svg")
    assert (plot["sample"], plot["quantity"], plot["unit"]) == ("day 1", "head_length", "px")
    # Kept until something changes.
    assert corrected.get("/api/sample").json() == told
    for picture in corrected.get("/api/workspace").json()["pictures"]:
        corrected.delete(f"/api/pictures/{picture['id']}")
    assert corrected.get("/api/sample").json() == {"samples": [], "plots": [], "corrected": 0}
    assert corrected.get("/api/downloads/csv").status_code == 409


def test_tables(corrected):
    table = corrected.get("/api/downloads/csv")
    assert table.headers["content-disposition"] == 'attachment; filename="sperm.csv"'
    found = rows(table.text)
    assert [(row["image"], row["sample"], row["sperm_id"]) for row in found] == [
        ("day 1/a", "day 1", "1"),
        ("day 2/a", "day 2", "1"),
    ]
    assert "corrected" in found[0]["flags"]
    images = rows(corrected.get("/api/downloads/images").text)
    assert [(row["id"], row["file"], row["status"], row["sperm"]) for row in images] == [
        ("day 1/a", "day 1/a.png", "done", "1"),
        ("day 2/a", "day 2/a.png", "done", "1"),
        ("day 2/cut", "day 2/cut.png", "failed", ""),
    ]
    summary = json.loads(corrected.get("/api/downloads/summary").text)
    assert [one["counted"] for one in summary["samples"]] == [1, 1]


def test_report(corrected):
    page = corrected.get("/api/downloads/report").text
    assert "For research use, not for clinical diagnosis." in page
    assert "sperm corrected by hand" in page
    assert "day 2/cut.png" in page


def test_files_for_other_programs(corrected):
    coco = corrected.get("/api/downloads/coco").json()
    assert sorted(one["file_name"] for one in coco["images"]) == ["day 1/a.png", "day 2/a.png"]
    expected = {
        "labelme": ["day 1/a.json", "day 2/a.json"],
        "geojson": ["day 1/a.geojson", "day 2/a.geojson"],
        "imagej": ["day 1/a.zip", "day 2/a.zip"],
        "label-tiff": ["labels/day 1/a.tif", "labels/day 2/a.tif"],
    }
    for format, names in expected.items():
        answer = corrected.get(f"/api/downloads/{format}")
        assert answer.headers["content-type"] == "application/zip"
        assert names_in(answer.content) == names
    pytest.importorskip("pyarrow")
    parquet = corrected.get("/api/downloads/parquet")
    assert names_in(parquet.content) == ["images.parquet", "sperm.parquet"]


def test_a_training_set_holds_what_was_corrected(corrected, tmp_path):
    answer = corrected.get("/api/downloads/training")
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path)
    (sample,) = list(open_dataset(tmp_path))
    # The head as it was painted: with a disc of radius 5 around its left end.
    assert sample.part_map[15, 16] == 5
    assert sample.part_map[15, 30] == 5
    assert sample.part_map[50, 25] == 0  # The deleted one.


def test_formats(client, picture):
    formats = client.get("/api/workspace").json()["formats"]
    for format in set(formats) - {"training"}:
        assert client.get(f"/api/downloads/{format}").status_code == 200
    assert client.get("/api/downloads/training").status_code == 422
    for format in ("exe", "..", "csv%2F.."):
        assert client.get(f"/api/downloads/{format}").status_code == 404


def test_downloads_leave_nothing_behind(corrected, settings):
    corrected.get("/api/downloads/report")
    corrected.get("/api/downloads/label-tiff")
    assert not list((settings.workspace / "temporary").iterdir())


def test_names_are_short_and_of_one_picture_each():
    names = ["a.png", "a.tif", "A.jpg", "b.png", "b.png", "c/b.png", "b.png-2.png"]
    assert unique_names(names) == [
        *("a.png", "a.tif", "A.jpg"),
        *("b.png", "b.png-2", "c/b", "b.png-2-2"),
    ]


def test_figures_are_those_of_the_command(settings, in_thread, open_client, send, wait, tmp_path):
    from dataclasses import replace

    picture = SMEARS / "sperm-parsing.jpg"
    with open_client(replace(settings, model=None)) as client:
        send(client, picture.name, picture.read_bytes())
        wait(client)
        table = client.get("/api/downloads/csv").text
    out = tmp_path / "out"
    analyze_files([picture], out, AnalysisOptions(overlays=False), workers=1)
    ours = [row | {"sample": ""} for row in rows(table)]
    theirs = [row | {"sample": ""} for row in rows((out / "sperm.csv").read_text())]
    assert len(ours) == 8
    assert ours == theirs
