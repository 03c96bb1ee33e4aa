"""Many pictures: outputs, records, bad files, resuming, lost processes, full disks."""

from __future__ import annotations

import csv
import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import spermseg
from spermseg.batch import AnalysisOptions, Picture, analyze_files, running
from spermseg.batch.picture import reason_of
from spermseg.batch.record import PROGRESS_FILE
from spermseg.batch.rows import COLUMNS
from spermseg.batch.running import share_out
from spermseg.data.images import write_image
from spermseg.errors import ImageError, ModelError, UsageError
from spermseg.result import AnalysisResult


def draw(path: Path, heads: int = 1) -> None:
    """Write a white picture, 40 x 60, with blue heads of 8 x 6 px and a red tail of 20 x 2."""
    image = np.full((40, 60, 3), 255, np.uint8)
    for head in range(heads):
        image[10 * head + 2 : 10 * head + 10, 4:10] = (0, 0, 255)
    if heads:
        image[4:6, 10:30] = (255, 0, 0)
    write_image(path, image)


@pytest.fixture
def smears(tmp_path):
    folder = tmp_path / "smears"
    draw(folder / "one.png", 1)
    draw(folder / "day 2/three.png", 3)
    draw(folder / "empty.png", 0)
    return folder


@pytest.fixture
def options(colour_model):
    return AnalysisOptions(model=colour_model)


analyze_here = partial(analyze_files, workers=1)
"""Without other processes: they take a second to start, and see no patches."""


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_outputs_keep_to_the_contract(smears, tmp_path, options):
    out = tmp_path / "out"
    summary = analyze_here([smears], out, options)
    assert (summary.done, summary.failed, summary.skipped) == (3, 0, 0)
    assert files_in(out) == {
        "parts/one.png",
        "parts/day 2/three.png",
        "parts/empty.png",
        "overlays/one.jpg",
        "overlays/day 2/three.jpg",
        "overlays/empty.jpg",
        "sperm/one.json",
        "sperm/day 2/three.json",
        "sperm/empty.json",
        "annotations.json",
        "sperm.csv",
        "summary.json",
        "images.csv",
        "report.html",
        "run.json",
    }
    with Image.open(out / "parts/day 2/three.png") as picture:
        assert (picture.mode, picture.size) == ("L", (60, 40))
        assert np.bincount(np.asarray(picture).ravel()).tolist() == [2216, 0, 0, 40, 0, 144]
    assert json.loads((out / "run.json").read_text("utf-8")) == summary.run


def test_the_record_says_how_and_what(smears, tmp_path, options):
    run = analyze_here([smears], tmp_path / "out", options).run
    assert run["status"] == "done"
    assert run["started"] <= run["finished"]
    assert run["spermseg_version"] == spermseg.__version__
    assert run["model"]["id"] == "colours"
    assert run["arguments"] == {
        "folders": ["smears"],
        "um_per_px": None,
        "head_length_px": None,
        "page": 0,
        "overlays": True,
        "uncertainty": False,
    }
    assert run["counts"] == {"done": 3, "failed": 0}
    three, empty, one = run["pictures"]
    assert (three["id"], three["file"]) == ("day 2/three", "day 2/three.png")
    assert (three["heads"], empty["heads"], one["heads"]) == (3, 0, 1)
    assert (three["height"], three["width"], three["scale_source"]) == (40, 60, "unknown")
    assert (three["head_area_px"], three["nucleus_area_px"], three["tail_area_px"]) == (
        144,
        144,
        40,
    )
    assert three["head_share"] == pytest.approx(0.06)
    assert "no sperm found" in empty["warnings"]
    assert empty["status"] == "done"
    assert str(tmp_path) not in json.dumps(run)


def test_the_table_has_a_row_a_picture(smears, tmp_path, options):
    (smears / "bad.png").write_bytes(b"")
    run = analyze_here([smears], tmp_path / "out", options).run
    with (tmp_path / "out/images.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    assert [row["file"] for row in rows] == ["bad.png", "day 2/three.png", "empty.png", "one.png"]
    assert (rows[0]["status"], rows[0]["reason"], rows[0]["heads"]) == (
        "failed",
        "the file is empty",
        "",
    )
    assert rows[1]["head_area_px"] == str(run["pictures"][1]["head_area_px"])


def test_scale_page_and_overlays_are_options(smears, tmp_path, colour_model):
    options = AnalysisOptions(colour_model, um_per_px=0.5, overlays=False)
    run = analyze_here([smears / "one.png"], tmp_path / "out", options).run
    assert run["pictures"][0]["um_per_px"] == 0.5
    assert run["arguments"]["um_per_px"] == 0.5
    assert not (tmp_path / "out/overlays").exists()


def spoil(folder: Path) -> dict[str, str]:
    """Put files into a folder that cannot be analysed; give what is to be said about each."""
    whole = (folder / "one.png").read_bytes()
    (folder / "0 bytes.png").touch()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.tif").write_text("no picture at all, but long enough for a signature" * 9)
    (folder / "dicom.png").write_bytes(bytes(128) + b"DICM" + bytes(99))
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    return {
        "0 bytes.png": "empty",
        "half.png": "",
        "text.tif": "no picture of a known format",
        "dicom.png": "DICOM is not read. Export it",
        "gone.jpg": "No such file",
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_bad_files_never_stop_the_rest(smears, tmp_path, options, workers, caplog):
    expected = spoil(smears)
    summary = analyze_files([smears], tmp_path / "out", options, workers=workers)
    assert (summary.done, summary.failed) == (3, 5)
    failed = {r["file"]: r["reason"] for r in summary.run["pictures"] if r["status"] == "failed"}
    assert failed.keys() == expected.keys()
    for file, words in expected.items():
        assert words in failed[file]
    assert sorted(caplog.messages) == sorted(f"{file}: {why}" for file, why in failed.items())
    assert all("\n" not in message for message in caplog.messages)
    assert str(tmp_path) not in json.dumps(summary.run)
    assert (tmp_path / "out/report.html").exists()


def test_a_process_that_dies_costs_one_picture(tmp_path, options):
    draw(tmp_path / "smears/0.png")
    for number in range(1, 20):
        (tmp_path / f"smears/{number}.png").symlink_to(tmp_path / "smears/0.png")

    def kill_one(done: int, total: int) -> None:
        if done == 3:
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    summary = analyze_files(
        [tmp_path / "smears"], tmp_path / "out", options, workers=2, on_progress=kill_one
    )
    assert (summary.done, summary.failed) == (19, 1)
    reasons = [row["reason"] for row in summary.run["pictures"] if row["status"] == "failed"]
    assert "killed by signal 9, most likely for lack of memory" in reasons[0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ImageError("DICOM is not read", where="/x", fix="Export it"),
            "DICOM is not read. Export it",
        ),
        (PermissionError(13, "Permission denied", "/home/me/a.png"), "Permission denied"),
        (MemoryError(), "out of memory"),
        (ValueError("no\n  good: /home/me/a.png"), "unexpected ValueError: no good: day/a.png"),
    ],
)
def test_reasons_are_one_line_without_the_place_on_this_machine(error, reason):
    picture = Picture(Path("/home/me/a.png"), "day/a.png", "day/a")
    assert reason_of(error, picture) == reason


def test_processes_give_the_same_bytes_as_one(smears, tmp_path, options):
    for name, workers in (("one", 1), ("two", 2)):
        analyze_files([smears], tmp_path / name, options, workers=workers)
    for file in files_in(tmp_path / "one/parts"):
        one, two = (tmp_path / name / "parts" / file for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_defect_costs_one_picture(smears, tmp_path, options, monkeypatch):
    def break_on_three(self, *arguments, **options):
        raise ZeroDivisionError("three heads")

    monkeypatch.setattr(AnalysisResult, "overlay", break_on_three)
    run = analyze_here([smears], tmp_path / "out", options).run
    assert {row["reason"] for row in run["pictures"]} == {
        "unexpected ZeroDivisionError: three heads"
    }


def test_nothing_is_begun_where_something_is_wrong(smears, tmp_path, options):
    out = tmp_path / "out"
    with pytest.raises(UsageError, match=r"gone\.png"):
        analyze_files([smears, tmp_path / "gone.png"], out, options)
    with pytest.raises(ModelError, match="no such model"):
        analyze_files([smears], out, AnalysisOptions("no such model"))
    with pytest.raises(UsageError, match="workers"):
        analyze_files([smears], out, options, workers=0)
    assert not out.exists()


@pytest.mark.parametrize(
    "arguments", [{"um_per_px": 0.1, "head_length_px": 9.0}, {"um_per_px": -1.0}, {"page": -1}]
)
def test_impossible_options_are_refused(arguments):
    with pytest.raises(UsageError):
        AnalysisOptions(**arguments)


def test_an_output_folder_in_use_is_left_alone(smears, tmp_path, options):
    out = tmp_path / "out"
    (out / "mine").mkdir(parents=True)
    for resume, words in ((False, "something here already.*--resume"), (True, "no run.json")):
        with pytest.raises(UsageError, match=words):
            analyze_here([smears], out, options, resume=resume)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="a file, not a folder"):
        analyze_here([smears], tmp_path / "file", options)
    (out / "run.json").write_text("[]")
    with pytest.raises(UsageError, match="no record of an analysis"):
        analyze_here([smears], out, options, resume=True)


def test_an_output_folder_among_the_inputs_is_not_read_again(smears, options):
    first = analyze_here([smears], smears / "out", options)
    again = analyze_here([smears], smears / "out", options, resume=True)
    other = analyze_here([smears], smears / "other", options)
    assert first.done == again.skipped == again.done == other.done == 3


def test_resuming_does_what_is_missing_changed_or_failed(smears, tmp_path, options):
    out = tmp_path / "out"
    (smears / "late.png").touch()
    assert analyze_here([smears], out, options).failed == 1
    before = {path: (out / path).stat().st_mtime_ns for path in files_in(out)}
    draw(smears / "late.png", 2)
    draw(smears / "one.png", 2)
    os.utime(smears / "one.png", ns=(1, 1))
    draw(smears / "new.jpg", 1)
    (out / "parts/empty.png").unlink()
    summary = analyze_here([smears], out, options, resume=True)
    assert (summary.done, summary.failed, summary.skipped) == (5, 0, 1)
    assert {row["id"]: row["heads"] for row in summary.run["pictures"]} == {
        "day 2/three": 3,
        "empty": 0,
        "late": 2,
        "new": 1,
        "one": 2,
    }
    assert summary.run["resumed"] == 1
    again = {path: (out / path).stat().st_mtime_ns for path in before}
    kept = {path for path in before if before[path] == again[path]}
    assert kept == {
        "parts/day 2/three.png",
        "overlays/day 2/three.jpg",
        "sperm/day 2/three.json",
    }


def test_names_stay_when_pictures_join(smears, tmp_path, options):
    out = tmp_path / "out"
    analyze_here([smears], out, options)
    draw(smears / "one.jpg", 2)
    summary = analyze_here([smears], out, options, resume=True)
    assert {row["file"]: row["id"] for row in summary.run["pictures"]} == {
        "day 2/three.png": "day 2/three",
        "empty.png": "empty",
        "one.png": "one",
        "one.jpg": "one.jpg",
    }
    assert summary.skipped == 3


def test_results_of_pictures_that_left_are_kept(smears, tmp_path, options):
    analyze_here([smears], tmp_path / "out", options)
    (smears / "one.png").unlink()
    summary = analyze_here([smears], tmp_path / "out", options, resume=True)
    assert (summary.done, summary.run["counts"]["done"]) == (2, 3)


def test_a_failed_picture_leaves_no_older_result(smears, tmp_path, options):
    analyze_here([smears], tmp_path / "out", options)
    (smears / "one.png").write_bytes(b"damaged meanwhile")
    summary = analyze_here([smears], tmp_path / "out", options, resume=True)
    assert summary.failed == 1
    assert not (tmp_path / "out/parts/one.png").exists()
    assert not (tmp_path / "out/overlays/one.jpg").exists()


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"um_per_px": 0.2}, "um_per_px null, not 0.2"),
        ({"page": 1}, "page 0, not 1"),
        ({"overlays": False}, "overlays true, not false"),
    ],
)
def test_resuming_under_other_conditions_is_refused(smears, tmp_path, colour_model, now, says):
    analyze_here([smears], tmp_path / "out", AnalysisOptions(colour_model))
    with pytest.raises(UsageError, match=says):
        analyze_here([smears], tmp_path / "out", AnalysisOptions(colour_model, **now), resume=True)


def test_resuming_with_another_model_or_folder_is_refused(smears, tmp_path, options, colour_model):
    analyze_here([smears], tmp_path / "out", options)
    other = shutil.copytree(colour_model, tmp_path / "other")
    card = json.loads((other / "card.json").read_text("utf-8")) | {"id": "another"}
    (other / "card.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(UsageError, match='model "colours", not "another"'):
        analyze_here([smears], tmp_path / "out", AnalysisOptions(other), resume=True)
    with pytest.raises(UsageError, match=r'folders \["smears"\], not \["day 2"\]'):
        analyze_here([smears / "day 2"], tmp_path / "out", options, resume=True)


def test_resuming_where_nothing_was_begun_begins(smears, tmp_path, options):
    assert analyze_here([smears], tmp_path / "out", options, resume=True).skipped == 0


def test_a_full_disk_stops_at_once(smears, tmp_path, options, monkeypatch):
    save = AnalysisResult.save
    out = tmp_path / "out"

    def fill(self, folder, **options):
        if self.sample.id == "one":
            raise OSError(errno.ENOSPC, "No space left on device", "parts/one.png")
        save(self, folder, **options)

    with monkeypatch.context() as patch:
        patch.setattr(AnalysisResult, "save", fill)
        with pytest.raises(OSError, match="No space left"):
            analyze_here([smears], out, options, workers=1)
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert run["status"] == "stopped"
    assert [row["id"] for row in run["pictures"]] == ["empty"]
    assert analyze_here([smears], out, options, resume=True).skipped == 1


def test_ctrl_c_notes_what_is_done(smears, tmp_path, options):
    def interrupt(done: int, total: int) -> None:
        assert total == 3
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        analyze_here([smears], tmp_path / "out", options, on_progress=interrupt)
    run = json.loads((tmp_path / "out/run.json").read_text("utf-8"))
    assert (run["status"], run["counts"]["done"]) == ("interrupted", 1)
    assert analyze_here([smears], tmp_path / "out", options, resume=True).skipped == 1


def test_a_kill_loses_nothing_that_was_done(smears, tmp_path, colour_model):
    code = (
        "import os, signal, sys\n"
        "from spermseg.batch import AnalysisOptions, analyze_files\n"
        "def die(done, total):\n"
        "    if done == 2:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "analyze_files([sys.argv[1]], sys.argv[2], AnalysisOptions(sys.argv[3]), workers=1,\n"
        "              on_progress=die)\n"
    )
    arguments = [str(smears), str(tmp_path / "out"), str(colour_model)]
    killed = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert json.loads((tmp_path / "out/run.json").read_text("utf-8"))["status"] == "running"
    with (tmp_path / "out" / PROGRESS_FILE).open("a") as stream:
        stream.write('{"id": "cut o')
    summary = analyze_here([smears], tmp_path / "out", AnalysisOptions(colour_model), resume=True)
    assert (summary.done, summary.skipped) == (3, 2)
    assert not (tmp_path / "out" / PROGRESS_FILE).exists()


@pytest.mark.parametrize(
    ("cores", "pictures", "asked", "expected"),
    [
        (4, 100, None, (4, 1)),
        (4, 4, None, (4, 1)),
        (4, 3, None, (1, 4)),
        (4, 0, None, (1, 4)),
        (4, 100, 2, (2, 2)),
        (4, 100, 9, (9, 1)),
        (8, 2, 5, (2, 4)),
    ],
)
def test_cores_are_shared_out(monkeypatch, cores, pictures, asked, expected):
    monkeypatch.setattr(running, "usable_cores", lambda: cores)
    assert share_out(pictures, asked) == expected
