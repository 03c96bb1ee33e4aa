"""The result as it is after corrections, of smears in plain colours."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from spermseg.analysis.criteria import load_criteria
from spermseg.batch import AnalysisOptions, analyze_files
from spermseg.batch.corrected import CORRECTED_BY_HAND, write_current_result
from spermseg.batch.sperm_files import report_rows, write_annotations, write_summary, write_table
from spermseg.correction import Ground, VersionStore, apply_edit, edit_from_dict, pixel_size_scale
from spermseg.data.images import write_image
from spermseg.data.masks import read_mask
from spermseg.errors import UsageError
from spermseg.export import ResultFolder, export_result
from spermseg.report.analysis_page import write_analysis_report
from spermseg.result import part_map_path, read_sperm, sperm_path
from spermseg.structures import LabelSchema, Scale

SIZE = (300, 400)
CRITERIA = load_criteria()


def draw(path: Path, sperm: int) -> None:
    """Write a picture with sperm below each other: heads of 24 x 32 px."""
    image = np.full((*SIZE, 3), 255, np.uint8)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    for number in range(sperm):
        row = 50 + 90 * number
        image[row - 3 : row + 4, 85:120] = (0, 255, 0)
        image[row - 2 : row + 3, 120:360] = (255, 0, 0)
        image[((rows - row) / 12) ** 2 + ((columns - 70) / 16) ** 2 <= 1] = (0, 0, 255)
    write_image(path, image)


@dataclass
class Corrected:
    folder: Path
    run: dict
    versions: VersionStore
    smears: Path

    def correct(self, id, **edit):
        """Apply an edit to the current version of a picture."""
        row = next(row for row in self.run["pictures"] if row["id"] == id)
        scale = Scale(row["scale_source"], row["head_length_px"], row["um_per_px"])
        schema = LabelSchema.from_dict(self.run["model"]["card"]["schema"])
        ground = Ground(SIZE, scale, CRITERIA, schema)
        current = self.versions.current(id)
        if current:
            sperm = self.versions.read(id).sperm
        else:
            sperm = read_sperm(sperm_path(self.folder, id))
        made = edit_from_dict(edit)
        after = apply_edit(sperm, made, ground)
        self.versions.add(id, current, made, after, SIZE, scale)

    def write(self, out, **more):
        return write_current_result(self.folder, self.run, self.versions, out, CRITERIA, **more)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory, colour_model):
    folder = tmp_path_factory.mktemp("analysed")
    draw(folder / "smears/a.png", 2)
    draw(folder / "smears/b.png", 3)
    (folder / "smears/bad.png").write_bytes(b"no picture")
    options = AnalysisOptions(model=colour_model, um_per_px=4.4 / 32)
    run = analyze_files([folder / "smears"], folder / "result", options, workers=1).run
    return folder, run


@pytest.fixture
def corrected(analysed, tmp_path):
    folder, run = analysed
    return Corrected(folder / "result", run, VersionStore(tmp_path / "versions"), folder / "smears")


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rows_of(run):
    return {row["id"]: row for row in run["pictures"]}


def table(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_without_corrections_it_is_the_result(corrected, tmp_path):
    run = corrected.write(tmp_path / "out")

    now, before = tree(tmp_path / "out"), tree(corrected.folder)
    assert run == corrected.run
    assert json.loads(now["run.json"]) == json.loads(before["run.json"])
    made_later = {"annotations.json", "sperm.csv", "summary.json", "report.html", "run.json"}
    assert now.keys() - {"run.json"} == before.keys() - made_later
    assert all(now[name] == before[name] for name in now.keys() - {"run.json"})


def test_corrections_are_in_every_file_and_the_result_is_as_it_was(corrected, tmp_path):
    before = tree(corrected.folder)
    corrected.correct("b", type="delete", sperm=1)
    corrected.correct("b", type="paint", sperm=3, part=3, points=[[360, 230.5]], radius=10)
    out = tmp_path / "out"

    run = corrected.write(out, pictures={"b": corrected.smears / "b.png"})
    write_annotations(out, run)
    write_table(out, run)
    summaries = write_summary(out, run, CRITERIA)
    write_analysis_report(out, run, summaries=summaries, sperm=report_rows(out, run))

    assert tree(corrected.folder) == before
    pictures = {picture.id: picture for picture in ResultFolder(out)}
    assert [one.instance.id for one in pictures["b"].sperm] == [2, 3]
    assert [one.corrected for one in pictures["b"].sperm] == [False, True]
    sperm = {(row["image"], row["sperm_id"]): row for row in table(out / "sperm.csv")}
    assert sperm.keys() == {("a", "1"), ("a", "2"), ("b", "2"), ("b", "3")}
    assert "corrected" in sperm["b", "3"]["flags"]
    assert "corrected" not in sperm["b", "2"]["flags"]
    annotations = json.loads((out / "annotations.json").read_text("utf-8"))["annotations"]
    assert {(one["image_id"], one["sperm_id"]) for one in annotations if one["corrected"]} == {
        (2, 3)
    }
    row = rows_of(run)["b"]
    assert (row["sperm"], row["heads"]) == (2, 2)
    assert row["warnings"][-1] == CORRECTED_BY_HAND
    assert row["sample"] == rows_of(corrected.run)["b"]["sample"]
    assert rows_of(run)["a"] == rows_of(corrected.run)["a"]
    assert summaries[0]["counted"] == 4
    assert CORRECTED_BY_HAND in (out / "report.html").read_text("utf-8")
    assert len(table(out / "images.csv")) == 3


def test_the_part_map_and_the_overlay_show_what_was_corrected(corrected, tmp_path):
    corrected.correct("b", type="delete", sperm=1)

    run = corrected.write(tmp_path / "with", pictures={"b": corrected.smears / "b.png"})
    corrected.write(tmp_path / "without")

    part_map = read_mask(part_map_path(tmp_path / "with", "b"))
    found = read_mask(part_map_path(corrected.folder, "b"))
    assert not part_map[:80].any()
    assert (part_map[100:] == found[100:]).all()
    assert rows_of(run)["b"]["tail_area_px"] == (part_map == 3).sum()
    overlays = [tmp_path / name / "overlays/b.jpg" for name in ("with", "without")]
    assert [path.exists() for path in overlays] == [True, False]
    assert overlays[0].read_bytes() != (corrected.folder / "overlays/b.jpg").read_bytes()


def test_undone_it_is_the_result_again(corrected, tmp_path):
    corrected.correct("b", type="delete", sperm=1)
    corrected.versions.show("b", 0)

    assert corrected.write(tmp_path / "out") == corrected.run


def test_another_pixel_size_is_that_of_all_versions(corrected, tmp_path):
    corrected.correct("b", type="delete", sperm=1)
    scale = pixel_size_scale(4.4 / 40, SIZE)

    run = corrected.write(tmp_path / "out", scales={"a": scale, "b": scale})

    assert {row["um_per_px"] for row in run["pictures"] if row["status"] == "done"} == {4.4 / 40}
    for picture in ResultFolder(tmp_path / "out"):
        for one in picture.sperm:
            row = one.row(picture.um_per_px)
            assert row["head_length_um"] == pytest.approx(32 * 4.4 / 40, rel=0.03)
    assert CORRECTED_BY_HAND not in rows_of(run)["a"]["warnings"]


def test_it_is_exported_like_any_result(corrected, tmp_path):
    corrected.correct("a", type="merge", sperm=[1, 2])
    corrected.write(tmp_path / "out")

    exported = export_result("labelme", tmp_path / "out", tmp_path / "labelme")

    shapes = json.loads((exported.folder / "a.json").read_text("utf-8"))["shapes"]
    assert {shape["group_id"] for shape in shapes} == {1}


def test_a_picture_without_sperm_says_so_once(corrected, tmp_path):
    corrected.correct("a", type="delete", sperm=1)
    corrected.correct("a", type="delete", sperm=2)

    row = rows_of(corrected.write(tmp_path / "out"))["a"]

    assert row["sperm"] == 0
    assert row["warnings"].count("no sperm found") == 1


def test_a_folder_with_something_in_it_is_refused(corrected, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")

    with pytest.raises(UsageError, match="something here already"):
        corrected.write(tmp_path / "out")


def test_pictures_under_way_are_left_out(corrected, tmp_path):
    waiting = {"id": "c", "file": "c.png", "status": "queued"}
    running = replace(
        corrected, run={**corrected.run, "pictures": [*corrected.run["pictures"], waiting]}
    )

    assert "c" not in rows_of(running.write(tmp_path / "out"))
