"""``spermseg analyze`` on pictures and settings from which there is little to say: it says why."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest

from spermseg.analysis.criteria import FOLDER
from spermseg.cli import main
from spermseg.data.images import write_image

SIZE = (240, 640)


def blank():
    return np.full((*SIZE, 3), 255, np.uint8)


def blot(image, row, column, length, width):
    """Draw what the colour model takes for a head."""
    rows, columns = np.indices(SIZE)
    inside = (2 * (columns - column) / length) ** 2 + (2 * (rows - row) / width) ** 2 <= 1
    image[inside] = (0, 0, 255)
    return image


def swimmer(image, row, column, tail=260):
    """Draw a sperm: head 45 x 28 px, its midpiece and its tail to the right of it."""
    image[row - 3 : row + 3, column + 20 : column + 65] = (0, 255, 0)
    image[row - 2 : row + 2, column + 65 : column + 65 + tail] = (255, 0, 0)
    return blot(image, row, column, 45, 28)


def debris(image):
    for row, column, size in ((40, 60, 26), (120, 200, 34), (190, 420, 22)):
        blot(image, row, column, size, size)
    return image


@pytest.fixture
def analyze(monkeypatch, capsys, colour_model, tmp_path):
    """Write pictures, analyse them; give exit code, words, summary.json and sperm.csv.

    The words are those of stderr and the reasons of pictures that failed.
    """

    def run(*pictures, arguments=(), to="out"):
        for number, image in enumerate(pictures):
            write_image(tmp_path / f"man/{number}.png", image)
        out = tmp_path / to
        words = ["spermseg", "analyze", tmp_path / "man", "-o", out, "--model", colour_model]
        monkeypatch.setattr(sys, "argv", [str(word) for word in (*words, *arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        code, said = int(caught.value.code or 0), capsys.readouterr().err
        if not (out / "summary.json").exists():
            return code, said, None, None
        pictures = json.loads((out / "run.json").read_text("utf-8"))["pictures"]
        said += "\n".join(row["reason"] for row in pictures if row["reason"])
        (summary,) = json.loads((out / "summary.json").read_text("utf-8"))["samples"] or (None,)
        assert (out / "report.html").exists()
        with (out / "sperm.csv").open(encoding="utf-8", newline="") as stream:
            return code, said, summary, list(csv.DictReader(stream))

    return run


def test_a_sperm_in_full_view_is_judged(analyze):
    code, _, summary, (row,) = analyze(swimmer(blank(), 120, 60))
    assert code == 0
    assert (summary["counted"], summary["assessable"]) == (1, 1)
    assert row["object"] == "sperm"
    assert float(row["tail_view"]) > 5.2


def test_no_sperm(analyze, tmp_path):
    code, said, summary, rows = analyze(blank())
    assert (code, said) == (0, "")
    assert (summary["counted"], summary["normal"]["percent"], rows) == (0, None, [])
    assert "No sperm was found." in (tmp_path / "out/report.html").read_text("utf-8")


def test_only_debris(analyze, tmp_path):
    code, _, summary, rows = analyze(debris(blank()))
    assert code == 0
    assert (summary["counted"], summary["assessable"]) == (0, 0)
    assert summary["not_sperm"] == {"round, without midpiece and tail": 3}
    assert {row["object"] for row in rows} == {"not a sperm"}
    assert {row["verdict"] for row in rows} == {"not counted"}
    page = (tmp_path / "out/report.html").read_text("utf-8")
    assert "No sperm was found." in page
    assert "Found, but not counted as sperm" in page


def test_debris_beside_sperm_is_in_no_percentage(analyze):
    _, _, alone, _ = analyze(swimmer(blank(), 100, 260))
    _, _, beside, rows = analyze(debris(swimmer(blank(), 100, 260)), to="out 2")
    for figure in ("counted", "assessable", "normal", "defects", "failed"):
        assert beside[figure] == alone[figure]
    assert sum(beside["not_sperm"].values()) == 3
    assert len(rows) == 4


def test_one_giant_clump(analyze):
    image = swimmer(blank(), 220, 60)
    rng = np.random.default_rng(0)
    for row, column in zip(rng.uniform(60, 140, 60), rng.uniform(200, 560, 60), strict=True):
        blot(image, row, column, 45, 28)
    code, _, summary, rows = analyze(image)
    assert code == 0
    assert len(rows) > 1
    # Heads in a clump touch each other or are too large for one: none of them is judged.
    assert summary["assessable"] <= 1
    assert sum(summary["not_assessable"].values()) == summary["counted"] - summary["assessable"]


def test_every_sperm_cut_by_the_border(analyze, tmp_path):
    heads = blot(blot(blank(), 0, 100, 45, 28), 239, 300, 45, 28)
    code, _, summary, rows = analyze(swimmer(heads, 120, 600, tail=0))
    assert code == 0
    assert (summary["counted"], summary["assessable"]) == (3, 0)
    assert summary["normal"]["percent"] is None
    assert {row["verdict"] for row in rows} == {"not assessable"}
    assert all(row["reason"] for row in rows)
    assert "none of which could be assessed" in (tmp_path / "out/report.html").read_text("utf-8")


def test_an_absurd_scale_fails_its_pictures_and_asks_for_the_right_one(analyze):
    # A head of 45 px would be 41 um long; the other picture has none and is done.
    code, said, summary, rows = analyze(
        swimmer(blank(), 120, 60), blank(), arguments=["--um-per-px", 0.9]
    )
    assert code == 3
    assert "would be 4" in said
    assert "um long" in said
    assert "Give the right pixel size" in said
    assert (summary["counted"], rows) == (0, [])
    # It would be 400 um long: no picture can be that coarse.
    arguments = ["--um-per-px", 400 / 45]
    code, said, _, _ = analyze(blank(), arguments=arguments, to="out 2")
    assert code == 3
    assert "a pixel size of 8.88889 um, with heads 0.495 px long cannot be true" in said


def test_criteria_with_a_typo_or_an_impossible_limit_are_refused_before_the_work(analyze, tmp_path):
    text = (FOLDER / "who-2021.yaml").read_text(encoding="utf-8")
    for wrong, right, words in (
        ("head_lenght", "quantity: head_length", "did you mean 'head_length'"),
        ("minn: 3.7", "min: 3.7", "did you mean 'min'"),
        ("min: 5.7", "min: 3.7", "min 5.7 is above max 5"),
        ("least_tail_view: -1", "least_tail_view: 5.2", "greater than 0"),
        ("shortest: none", "shortest: 0.5", "objects: shortest"),
    ):
        path = tmp_path / "mine.yaml"
        start = wrong if ":" in wrong else f"quantity: {wrong}"
        path.write_text(text.replace(right, start, 1), encoding="utf-8")
        code, said, summary, _ = analyze(blank(), arguments=["--criteria", path])
        assert (code, summary) == (2, None)
        assert words in said
        assert said.startswith("error: ") or "mine.yaml" in said


def test_a_table_of_samples_that_names_a_missing_picture_is_refused_before_the_work(
    analyze, tmp_path
):
    table = tmp_path / "samples.csv"
    table.write_text("picture,sample\n0.png,P1\n00.png,P1\n", encoding="utf-8")
    code, said, summary, _ = analyze(blank(), arguments=["--samples", table])
    assert (code, summary) == (2, None)
    assert "samples.csv, line 3" in said
    assert "00.png" in said
