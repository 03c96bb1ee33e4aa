"""The sample page and the downloads, of a workspace in which a picture was corrected."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile

import numpy as np
import pytest
import roifile
import tifffile
from PIL import Image
from shapely.geometry import shape

from spermseg.data.datasets import open_dataset

NAMES = ["sperm-parsing.jpg", "pale.jpg"]
UM_PER_PX = 0.0456  # examples/README.md
NUCLEUS = 5


@pytest.fixture(scope="module")
def server(start_server, chromium, smears):
    """A server with two analysed smears."""
    server = start_server()
    context = chromium.new_context()
    context.request.get(server.address)
    for name in NAMES:
        answer = context.request.post(
            f"{server.origin}/api/pictures?name={name}",
            data=(smears / name).read_bytes(),
            headers={"Origin": server.origin, "Content-Type": "application/octet-stream"},
        )
        assert answer.status == 201, answer.text()
    context.close()
    return server


@pytest.fixture
def app(server, open_app):
    """The smears, one sperm of the first corrected by hand."""
    app = open_app(server)
    app.done()
    app.choose(NAMES[0])
    if app.state()["version"] == 0:
        app.put(f"pictures/{app.state()['id']}/scale?all=true", {"um_per_px": UM_PER_PX})
        sperm = next(one for one in app.sperm().values() if "5" in one["outlines"])
        app.row(sperm["id"]).click()
        app.page.keyboard.press("b")
        app.page.locator("#tool-options").get_by_text("Nucleus").click()
        (x, y), *_ = sperm["outlines"]["5"][0]
        app.drag((x, y), (x + 6, y + 6))
        app.edited(1)
        app.page.keyboard.press("Escape")
    return app


@pytest.fixture
def taken(app, tmp_path):
    """Take a download along by its link in the menu, and give the file."""

    def take(format):
        if not app.page.locator("#downloads-menu-panel").is_visible():
            app.page.get_by_role("button", name="Downloads").click()
        with app.page.expect_download() as coming:
            app.page.locator(f"a.download[href$='/{format}']").click()
        path = tmp_path / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    return take


def corrected_sperm(app):
    (one,) = [one for one in app.sperm().values() if one["corrected"]]
    return one


def test_the_sample_page_says_what_the_summary_says(app, taken, shoot):
    app.page.get_by_role("button", name="Sample", exact=True).click()
    page = app.page.locator("#sample-page")
    page.locator(".plot img").first.wait_for()
    tiles = page.locator(".hero .tile").all()
    shown = {
        tile.locator(".name").inner_text(): tile.locator(".value").inner_text() for tile in tiles
    }
    shoot(app, "sample", height=1870)
    (summary,) = json.loads(taken("summary").read_text())["samples"]
    assert shown == {
        "normal forms": f"{summary['normal']['percent']:.3g} %",
        "sperm counted": str(summary["counted"]),
        "assessable": str(summary["assessable"]),
        "abnormal": str(summary["assessable"] - summary["normal"]["count"]),
        "corrected by hand": "1",
    }
    counts = [one["counts"] for one in app.get("workspace")["pictures"]]
    assert summary["counted"] == sum(one["sperm"] for one in counts)
    assert summary["assessable"] == sum(one["normal"] + one["abnormal"] for one in counts)
    text = page.locator(".card-defects").inner_text()
    for share in summary["defects"].values():
        assert f"{share['count']} of {share['total']}" in text
    text = page.locator(".card-failures").inner_text()
    for share in summary["failed"].values():
        assert not share["count"] or f"{share['count']} of {share['total']}" in text
    assert f"{summary['tzi']:.2f}" in page.locator(".card-indices").inner_text()
    for plot in page.locator(".plot img").all():
        assert plot.evaluate("one => one.complete && one.naturalWidth") > 100
        assert plot.get_attribute("alt")

    page.get_by_role("button", name=NAMES[1]).click()
    app.page.locator("#viewer-title", has_text=NAMES[1]).wait_for()


def test_tables(app, taken):
    one = corrected_sperm(app)
    rows = list(csv.DictReader(io.StringIO(taken("csv").read_text("utf-8-sig"))))
    all_sperm = [
        sperm
        for picture in app.get("workspace")["pictures"]
        for sperm in app.get(f"pictures/{picture['id']}")["sperm"]
    ]
    assert len(rows) == len(all_sperm)
    marked = [row for row in rows if "corrected" in row["flags"]]
    assert [(row["image"], row["sperm_id"]) for row in marked] == [
        ("sperm-parsing", str(one["id"]))
    ]
    assert marked[0]["verdict"] == one["verdict"]
    written = float(marked[0]["head_width_px"])
    assert written == pytest.approx(one["measurements"]["head_width_px"], rel=1e-3)
    images = list(csv.DictReader(io.StringIO(taken("images").read_text("utf-8-sig"))))
    warnings = {row["id"]: row["warnings"] for row in images}
    assert warnings.keys() == {"pale", "sperm-parsing"}
    assert "corrected by hand" in warnings["sperm-parsing"]
    assert "corrected by hand" not in warnings["pale"]

    parquet = pytest.importorskip("pyarrow.parquet")
    with zipfile.ZipFile(taken("parquet")) as archive:
        name = next(name for name in archive.namelist() if "sperm" in name)
        assert parquet.read_table(io.BytesIO(archive.read(name))).num_rows == len(rows)


def test_report(taken):
    report = taken("report").read_text()
    assert "For research use, not for clinical diagnosis" in report
    assert "sperm-parsing" in report
    assert re.findall(r"""(?:src|href)=["'](?:https?:)?//""", report) == []


def areas(app, part):
    """Areas of the outlines of a part in the first picture, largest first."""
    found = [region_of(one, part) for one in app.sperm().values() if str(part) in one["outlines"]]
    return sorted((one.area for one in found), reverse=True)


def region_of(sperm, part):
    rings = [shape({"type": "Polygon", "coordinates": [r]}) for r in sperm["outlines"][str(part)]]
    first, *others = rings
    for other in others:
        first = first.symmetric_difference(other)
    return first


def test_outlines_for_other_programs(app, taken):
    wanted = areas(app, NUCLEUS)
    with zipfile.ZipFile(taken("geojson")) as archive:
        name = next(name for name in archive.namelist() if "sperm-parsing" in name)
        features = json.loads(archive.read(name))
    features = features["features"] if isinstance(features, dict) else features
    found = [
        shape(one["geometry"]).area
        for one in features
        if one["properties"]["classification"]["name"] == "nucleus"
    ]
    assert sorted(found, reverse=True) == pytest.approx(wanted, rel=0.03, abs=8)

    coco = json.loads(taken("coco").read_text())
    (image,) = [one for one in coco["images"] if "sperm-parsing" in one["file_name"]]
    assert (image["width"], image["height"]) == (1280, 1024)
    names = {one["id"]: one["name"] for one in coco["categories"]}
    nuclei = [
        one
        for one in coco["annotations"]
        if one["image_id"] == image["id"] and names[one["category_id"]] == "nucleus"
    ]
    assert len(nuclei) == len(wanted)

    with zipfile.ZipFile(taken("labelme")) as archive:
        name = next(name for name in archive.namelist() if "sperm-parsing" in name)
        assert {one["label"] for one in json.loads(archive.read(name))["shapes"]} >= {"nucleus"}
    with zipfile.ZipFile(taken("label-tiff")) as archive:
        name = next(name for name in archive.namelist() if "sperm-parsing" in name)
        labels = tifffile.imread(io.BytesIO(archive.read(name)))
    assert labels.shape[-2:] == (1024, 1280)
    with zipfile.ZipFile(taken("imagej")) as archive:
        name = next(name for name in archive.namelist() if "sperm-parsing" in name)
        with zipfile.ZipFile(io.BytesIO(archive.read(name))) as rois:
            regions = [roifile.ImagejRoi.frombytes(rois.read(one)) for one in rois.namelist()]
    assert sum("nucleus" in one.name for one in regions) == len(wanted)


def test_training_set(app, taken, smears, tmp_path):
    folder = tmp_path / "training"
    with zipfile.ZipFile(taken("training")) as archive:
        archive.extractall(folder)
    dataset = open_dataset(folder)
    assert len(dataset) == 1
    with Image.open(smears / NAMES[0]) as original, Image.open(next(folder.rglob("*.png"))) as one:
        assert np.array_equal(np.asarray(original.convert("RGB")), np.asarray(one.convert("RGB")))
