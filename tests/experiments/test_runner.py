from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from spermseg.errors import CheckpointError, UsageError
from spermseg.experiments import runner
from spermseg.experiments.augmented import LABELLINGS
from spermseg.experiments.book import book_file, is_finished, read_book, variants_file
from spermseg.experiments.catalog import load_experiment, load_experiments
from spermseg.experiments.runner import RunSettings, Substitute, run_experiments

FOUR = ["experiment-1", "experiment-2", "experiment-3", "experiment-4"]


@pytest.fixture
def pretend(monkeypatch):
    """Replace training and evaluation by their last files; gives the names that were run."""
    ran = []

    def run(config, dataset, split, folder, on_progress):
        ran.append(config.name)
        for labelling in LABELLINGS:
            variants_file(folder, labelling).parent.mkdir(exist_ok=True)
            variants_file(folder, labelling).touch()

    monkeypatch.setattr(runner, "_run", run)
    return ran


def test_an_experiment_is_trained_and_evaluated(finished):
    run = finished / "experiment-4"
    assert is_finished(run)
    assert (run / "model.safetensors").is_file()
    assert (run / "curves.svg").is_file()
    assert not (run / "checkpoints").exists()
    evaluation = json.loads((run / "evaluation-test" / "evaluation.json").read_text())
    assert [picture["id"] for picture in evaluation["pictures"]] == ["p5"]
    assert "boundary_iou" in evaluation["scores"]["head"]


def test_the_reports_test_set_has_111_variants_a_picture(finished):
    for labelling in LABELLINGS:
        variants = json.loads(variants_file(finished / "experiment-4", labelling).read_text())
        assert len(variants["pictures"]) == 111
        assert all(picture["id"].endswith(labelling) for picture in variants["pictures"])
        assert variants["settings"]["report_2021_batch_size"] == 5
        assert variants["report_2021"]["loss"] > 0


def test_corrected_labels_leave_corners_out_and_published_ones_count_them(finished):
    pixels = {}
    for labelling in LABELLINGS:
        variants = json.loads(variants_file(finished / "experiment-4", labelling).read_text())
        by_name = {picture["id"]: picture["confusion"] for picture in variants["pictures"]}
        pixels[labelling] = np.sum(by_name[f"p5/none-045/{labelling}"])
    assert pixels["as-published"] == 48 * 64
    assert pixels["corrected"] < 0.8 * 48 * 64


def test_without_weights_an_experiment_is_not_run(finished):
    entry = read_book(finished)["experiments"]["experiment-3"]
    assert entry["status"] == "not run"
    assert entry["reason"].startswith("weights unavailable: ")
    assert "lraspp_mobilenet_v3_large" in entry["reason"]
    assert not (finished / "experiment-3").exists()


def test_the_book_says_how_it_was_run(finished, tiny_split):
    book = read_book(finished)
    assert book["scale"] == "quick"
    assert book["split"]["test"] == list(tiny_split.test)
    assert {"torch", "spermseg"} <= book["versions"].keys()
    assert book["machine"]["cores"] >= 1


def test_a_substitute_gives_the_backbone_and_its_label(finished, substituted):
    book = read_book(substituted)
    assert book["substitute"] == "a tiny substitute"
    assert book["experiments"]["experiment-3"] == {
        "status": "done",
        "started_from": "a tiny substitute",
    }
    record = json.loads((substituted / "experiment-3" / "run.json").read_text())
    assert "model.safetensors" in record["weights"]


def test_a_substitute_must_exist(tmp_path):
    with pytest.raises(CheckpointError, match="no such weights file"):
        Substitute(tmp_path)


def test_the_substitutes_names_fit_all_networks_of_the_laptop_scale(finished):
    from spermseg.config import ModelSettings
    from spermseg.training.models import create_model, load_pretrained

    path = finished / "experiment-4" / "model.safetensors"
    n_backbone = sum(name.startswith("backbone.") for name in load_file(path))
    for name in ("deeplabv3_mobilenet_v3_large", "fcn_mobilenet_v3_large"):
        settings = ModelSettings(architecture=name, pretrained=str(path))
        assert len(load_pretrained(create_model(name, 4), settings).loaded) == n_backbone


def test_overrides_come_last(tiny_scale):
    overrides = {"data": {"variants_per_epoch": 7}, "training": {"precision": "bf16"}}
    config = RunSettings(tiny_scale, None, overrides).config(load_experiment("experiment-1"))
    assert config.data.variants_per_epoch == 7
    assert (config.training.precision, config.training.epochs) == ("bf16", 2)


def test_finished_experiments_are_left_alone(pretend, tiny_data, tiny_split, tiny_scale, tmp_path):
    arguments = tiny_data, tiny_split, tmp_path, RunSettings(tiny_scale)
    run_experiments(load_experiments(FOUR[:2]), *arguments)
    run_experiments(load_experiments(FOUR[:3]), *arguments, resume=True)
    assert pretend == FOUR[:3]
    # What another process noted over our note is put right by what lies there.
    book = json.loads(book_file(tmp_path).read_text())
    book["experiments"]["experiment-1"]["status"] = "waiting"
    book_file(tmp_path).write_text(json.dumps(book))
    assert (
        run_experiments(load_experiments(FOUR[:3]), *arguments, resume=True)["experiment-1"][
            "status"
        ]
        == "done"
    )
    assert pretend == FOUR[:3]


def test_a_folder_is_not_taken_twice_by_accident(
    pretend, tiny_data, tiny_split, tiny_scale, tmp_path
):
    run_experiments(
        load_experiments(FOUR[:1]), tiny_data, tiny_split, tmp_path, RunSettings(tiny_scale)
    )
    with pytest.raises(UsageError, match="--resume"):
        run_experiments(
            load_experiments(FOUR[:1]), tiny_data, tiny_split, tmp_path, RunSettings(tiny_scale)
        )
    other = RunSettings(tiny_scale, None, {"data": {"variants_per_epoch": 3}})
    with pytest.raises(UsageError, match=r"overrides was \{\} in the earlier run"):
        run_experiments(
            load_experiments(FOUR[:1]), tiny_data, tiny_split, tmp_path, other, resume=True
        )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (CheckpointError("damaged"), "damaged"),
        (ZeroDivisionError("a defect"), "ZeroDivisionError: a defect"),
    ],
)
def test_a_failure_does_not_stop_the_others(
    error, reason, pretend, monkeypatch, tiny_data, tiny_split, tiny_scale, tmp_path
):
    whole = runner._run

    def fail_once(config, *arguments):
        if config.name == "experiment-1":
            raise error
        whole(config, *arguments)

    monkeypatch.setattr(runner, "_run", fail_once)
    entries = run_experiments(
        load_experiments(FOUR[:2]), tiny_data, tiny_split, tmp_path, RunSettings(tiny_scale)
    )
    assert entries["experiment-1"]["status"] == "failed"
    assert entries["experiment-1"]["reason"] == reason
    assert entries["experiment-2"]["status"] == "done"


def test_an_interruption_stops_all_and_is_noted(
    monkeypatch, tiny_data, tiny_split, tiny_scale, tmp_path
):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "_run", stop)
    with pytest.raises(KeyboardInterrupt):
        run_experiments(
            load_experiments(FOUR[:2]), tiny_data, tiny_split, tmp_path, RunSettings(tiny_scale)
        )
    entries = read_book(tmp_path)["experiments"]
    assert {entry["status"] for entry in entries.values()} == {"waiting"}
    assert entries["experiment-1"]["reason"] == "interrupted"


def test_an_experiment_stopped_in_its_evaluation_is_not_trained_again(
    monkeypatch, tiny_data, tiny_split, tiny_scale, tmp_path
):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    arguments = (
        load_experiments(["experiment-4"]),
        tiny_data,
        tiny_split,
        tmp_path,
        RunSettings(tiny_scale),
    )
    with monkeypatch.context() as patch:
        patch.setattr(runner, "evaluate", stop)
        with pytest.raises(KeyboardInterrupt):
            run_experiments(*arguments)
    run = tmp_path / "experiment-4"
    log = (run / "log.jsonl").read_text()
    assert run_experiments(*arguments, resume=True)["experiment-4"]["status"] == "done"
    assert (run / "log.jsonl").read_text() == log
    assert is_finished(run)
