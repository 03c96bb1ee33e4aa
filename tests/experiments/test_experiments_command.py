from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from spermseg.cli import app
from spermseg.errors import CheckpointError, PartialFailureError, UsageError
from spermseg.experiments import runner
from spermseg.experiments.augmented import LABELLINGS
from spermseg.experiments.book import variants_file
from spermseg.experiments.catalog import EXPERIMENTS


@pytest.fixture
def run(monkeypatch, tiny_data, tmp_path):
    """Call `experiments run` on the tiny data; experiment 2 fails, the others leave their files."""

    def pretend(config, dataset, split, folder, on_progress):
        if config.name == "experiment-2":
            raise CheckpointError("damaged")
        for labelling in LABELLINGS:
            variants_file(folder, labelling).parent.mkdir(exist_ok=True)
            variants_file(folder, labelling).touch()

    monkeypatch.setattr(runner, "_run", pretend)
    amounts = ["--train", "3", "--validation", "1", "--test", "1"]

    def call(*arguments):
        command = ["experiments", "run", *arguments, "--data", str(tiny_data.root), *amounts]
        return CliRunner().invoke(app, [*command, "--scale", "quick", "-o", str(tmp_path / "out")])

    return call


def test_list_names_every_experiment_and_its_published_figures():
    result = CliRunner().invoke(app, ["experiments", "list"])
    assert [line for line in result.output.splitlines() if not line.startswith(" ")] == list(
        EXPERIMENTS
    )
    assert "loss 0.07198, “IoU” 0.32160, “Dice” 0.02613" in result.output


def test_run_prints_what_became_of_each(run):
    result = run("experiment-1", "lraspp")
    assert result.exit_code == 0
    assert result.output.splitlines() == ["experiment-1: done", "lraspp: done"]


def test_a_failure_is_an_exit_code_of_3(run):
    result = run("experiment-2", "experiment-1")
    assert "experiment-2: failed: damaged" in result.output
    assert "experiment-1: done" in result.output
    assert isinstance(result.exception, PartialFailureError)
    assert result.exception.exit_code == 3


def test_resume_keeps_the_split_that_was_drawn(run, tmp_path):
    run("experiment-1", "--seed", "5")
    drawn = json.loads((tmp_path / "out" / "experiments.json").read_text())["split"]
    assert run("experiment-3", "--resume").exit_code == 0
    again = json.loads((tmp_path / "out" / "experiments.json").read_text())
    assert again["split"] == drawn
    assert list(again["experiments"]) == ["experiment-1", "experiment-3"]


def test_overrides_reach_the_book(run, tmp_path):
    run("experiment-1", "--variants-per-epoch", "7", "--precision", "bf16")
    book = json.loads((tmp_path / "out" / "experiments.json").read_text())
    assert book["overrides"] == {
        "data": {"variants_per_epoch": 7},
        "training": {"precision": "bf16"},
    }


def test_unknown_names_are_refused(run):
    assert isinstance(run("experiment-9").exception, UsageError)


def test_compare_prints_where_the_page_is(finished, tmp_path):
    command = ["experiments", "compare", str(finished), "-o", str(tmp_path), "--no-pictures"]
    result = CliRunner().invoke(app, command)
    assert result.output.strip() == str(tmp_path / "comparison.html")
    assert "data:image" not in (tmp_path / "comparison.html").read_text()
