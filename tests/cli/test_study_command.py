from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from spermseg.cli import app
from spermseg.cli.study import TIME_OVER
from spermseg.data.splits import Split, write_split
from spermseg.errors import PartialFailureError
from spermseg.files import write_text
from spermseg.study import comparison, page, running
from spermseg.training.interruption import TrainingInterrupted

EXPERIMENT = "title: a\nquestion: b\n"


class Nothing:
    """A data set of three pictures that nobody reads."""

    layout = "nothing"
    root = Path("nothing")

    def __init__(self):
        from spermseg.data.datasets.base import SampleRecord

        self.records = {id: SampleRecord(id, Path(id), id) for id in "abc"}


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Call `study run` with statuses that the run gives; tells with what it was called."""
    monkeypatch.setattr("spermseg.data.datasets.open_dataset", lambda *arguments: Nothing())
    write_split(tmp_path / "split.json", Split(("a",), ("b",), ("c",)))
    write_text(tmp_path / "files" / "one.yaml", EXPERIMENT)
    write_text(tmp_path / "over.yaml", "training: {workers: 3}\n")
    called = {}

    def call(statuses, *arguments):
        def run_study(run, names, seeds):
            called.update(run=run, names=list(names), seeds=list(seeds))
            if isinstance(statuses, BaseException):
                raise statuses
            return statuses

        monkeypatch.setattr(running, "run_study", run_study)
        words = ["study", "run", str(tmp_path / "files"), "--data", "x", *arguments]
        words += ["--split", str(tmp_path / "split.json"), "-o", str(tmp_path / "out")]
        return CliRunner().invoke(app, words), called

    return call


def test_what_became_of_each_is_printed(command, tmp_path):
    over = str(tmp_path / "over.yaml")
    result, called = command({"one-0": "done"}, "--settings", over, "--only", "one")
    assert (result.exit_code, result.output) == (0, "one-0: done\n")
    assert called["run"].overrides == {"training": {"workers": 3}}
    assert (called["names"], called["seeds"]) == (["one"], [0, 1])
    assert called["run"].synthetic is None


def test_seeds_and_synthetic_smears_can_be_named(command):
    _, called = command({}, "--seed", "4", "--seed", "7", "--synthetic", "y")
    assert called["seeds"] == [4, 7]
    assert isinstance(called["run"].synthetic, Nothing)


def test_time_that_is_over_with_work_left_has_its_own_exit_code(command):
    assert command({"one-0": "done", "one-1": "waiting"}, "--minutes", "0")[0].exit_code == 4
    assert TIME_OVER == 4
    assert command({"one-0": "done"}, "--minutes", "0")[0].exit_code == 0
    assert command({"one-0": "waiting for two"})[0].exit_code == 0


def test_a_failure_is_an_exit_code_of_3(command):
    result, _ = command({"one-0": "failed: full", "one-1": "not run: no weights"})
    assert isinstance(result.exception, PartialFailureError)
    assert "one-0 failed" in str(result.exception)


def test_ctrl_c_says_how_to_go_on(command):
    result, _ = command(TrainingInterrupted(Path("one-0"), 3))
    assert result.exit_code == 130
    assert "go on with the same command" in result.stderr


def test_compare_prints_where_the_page_is(monkeypatch, tmp_path):
    monkeypatch.setattr(comparison, "compare_study", lambda out: out)
    monkeypatch.setattr(page, "write_study_page", lambda found, folder: folder / "study.md")
    result = CliRunner().invoke(app, ["study", "compare", "out", "-o", "there"])
    assert result.output == f"{Path('there') / 'study.md'}\n"
