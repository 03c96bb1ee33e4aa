from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy.special import softmax

from spermseg.data.splits import Split
from spermseg.errors import CheckpointError, UsageError
from spermseg.files import claimed, read_log
from spermseg.study import running
from spermseg.study.book import failure_file, read_book
from spermseg.study.comparison import compare_study
from spermseg.study.page import study_content
from spermseg.study.plan import Experiment, Study, Variant, read_study, run_folder
from spermseg.study.results import read_result
from spermseg.study.running import Deadline, StudyRun, run_study
from spermseg.training.interruption import TrainingInterrupted


class Tick:
    """A deadline that is over when it was looked at so many times; None never."""

    def __init__(self, looks=None):
        self.looks = looks

    @property
    def over(self):
        if self.looks is None:
            return False
        self.looks -= 1
        return self.looks < 0


@pytest.fixture
def study_run(quick, drawn_sperm, drawn_split, tmp_path):
    torch.set_num_threads(1)
    return StudyRun(quick, drawn_sperm, drawn_split, tmp_path / "out")


@pytest.fixture
def pretend(monkeypatch):
    """Replace training and evaluation by what marks their ends; gives what was done."""
    done = []

    def train(run, experiment, config, folder):
        done.append(("train", folder.name))
        folder.mkdir(parents=True, exist_ok=True)
        settings = json.dumps(running.without_folders(config).to_dict())
        (folder / "config.yaml").write_text(settings)
        (folder / "card.json").touch()

    class Result:
        def write(self, path):
            done.append(("write", path.parent.name, path.name))
            path.touch()

    monkeypatch.setattr(running, "_train", train)
    monkeypatch.setattr(running, "_evaluate", lambda *arguments: Result())
    return done


def weights(out, name):
    return load_file(run_folder(out, name, 0) / "model.safetensors")


@pytest.fixture(scope="module")
def trained(quick_files, drawn_sperm, drawn_split, tmp_path_factory):
    """The base, trained in one go and in pieces of one step, and the second stage."""
    torch.set_num_threads(1)
    outs = {}
    for name, looks in (("whole", None), ("pieces", 2)):
        outs[name] = tmp_path_factory.mktemp(name)
        for _ in range(1 if looks is None else 20):
            run = StudyRun(
                read_study([quick_files]),
                drawn_sperm,
                drawn_split,
                outs[name],
                deadline=Tick(looks),
            )
            only = ["second"] if looks is None else ["base"]
            statuses = run_study(run, only, [0])
            if set(statuses.values()) == {"done"}:
                break
            assert set(statuses.values()) == {"waiting"}
    return outs


def test_pieces_give_the_same_weights_and_figures_as_one_go(trained):
    whole, pieces = (weights(trained[name], "base") for name in ("whole", "pieces"))
    assert whole.keys() == pieces.keys()
    assert all((whole[name] == pieces[name]).all() for name in whole)
    results = [
        read_result(run_folder(trained[name], "base", 0) / "result.json")
        for name in ("whole", "pieces")
    ]
    assert results[0].facts["figures"] == results[1].facts["figures"]
    record = json.loads((run_folder(trained["pieces"], "base", 0) / "run.json").read_text())
    assert [entry["status"] for entry in record["earlier"]] == ["interrupted"] * 2


def test_a_result_says_what_was_done_on_the_validation_pictures_alone(trained):
    folder = run_folder(trained["whole"], "base", 0)
    result = read_result(folder / "result.json")
    assert result.ids == ["p2", "p3"]
    assert result.facts["training"]["steps"] == 4
    assert result.facts["training"]["parameters"] > 3e6
    assert result.facts["training"]["cpu_seconds"] > 0
    assert result.facts["machine"]["cores"] >= 1
    assert json.loads((folder / "split.json").read_text())["validation"] == []
    assert json.loads((folder / "split.json").read_text())["test"] == []
    assert not (folder / "checkpoints").exists()


def test_variants_are_evaluated_once_and_not_those_of_the_base(trained):
    folder = run_folder(trained["whole"], "base", 0)
    for name in ("views-2", "last"):
        assert read_result(folder / f"result-{name}.json").facts["variant"] == name
    assert not list(run_folder(trained["whole"], "second", 0).glob("result-*"))


def test_a_second_stage_begins_with_the_weights_of_the_first(trained):
    logs = [
        read_log(run_folder(trained["whole"], name, 0) / "log.jsonl") for name in ("base", "second")
    ]
    assert logs[1][0]["loss"] < logs[0][0]["loss"]


def test_the_study_of_a_run_can_be_compared_and_names_no_folder(trained):
    content = json.dumps(study_content(compare_study(trained["whole"])))
    rows = {row["name"]: row for row in json.loads(content)["rows"]}
    assert rows["second"]["verdict"] == "one seed"
    assert rows["base+views-2"]["figures"]["tail"]["difference"] is not None
    assert rows["loss"]["verdict"] == "not run"
    for text in (content, (trained["whole"] / "study.json").read_text()):
        assert str(trained["whole"]) not in text


def test_seed_by_seed_and_what_is_needed_first(study_run, pretend):
    statuses = run_study(study_run, ["second"], [4, 2])
    assert statuses == dict.fromkeys(("base-4", "second-4", "base-2", "second-2"), "done")
    assert [entry[1] for entry in pretend if entry[0] == "train"] == list(statuses)
    assert read_book(study_run.out)["seeds"] == [2, 4]
    files = [entry[2] for entry in pretend if entry[1] == "base-4" and entry[0] == "write"]
    assert files == ["result.json", "result-views-2.json", "result-last.json"]


def test_what_is_finished_is_left_alone(study_run, pretend):
    run_study(study_run, ["base"], [0])
    before = len(pretend)
    assert run_study(study_run, ["base"], [0]) == {"base-0": "done"}
    assert len(pretend) == before
    (run_folder(study_run.out, "base", 0) / "result-last.json").unlink()
    run_study(study_run, ["base"], [0])
    assert pretend[before:] == [("write", "base-0", "result-last.json")]


def test_other_settings_than_those_of_a_finished_run_are_refused(study_run, pretend):
    run_study(study_run, ["base"], [0])
    base = study_run.study.experiments["base"]
    other = base.model_copy(update={"settings": base.settings | {"optimiser": {"lr": 0.5}}})
    changed = replace(study_run, study=Study({"base": other}))
    status = run_study(changed, ["base"], [0])["base-0"]
    assert status.startswith("failed: ")
    assert "optimiser.lr was 0.01, is now 0.5" in status


def test_what_the_training_found_out_about_its_teacher_is_no_other_setting(study_run, pretend):
    base = study_run.study.experiments["base"]
    taught = Experiment(
        name="taught",
        title="x",
        question="x",
        base="base",
        teacher="base",
        settings={"teacher": {"distillation": 1.0}},
    )
    run = replace(study_run, study=Study({"base": base, "taught": taught}))
    assert run_study(run, (), [0])["taught-0"] == "done"
    file = run_folder(run.out, "taught", 0) / "config.yaml"
    settings = json.loads(file.read_text())
    settings["teacher"]["sha256"] = "of the weights"
    file.write_text(json.dumps(settings))
    (file.parent / "result.json").unlink()
    assert run_study(run, (), [0])["taught-0"] == "done"


def test_what_another_process_is_at_is_not_taken_up(study_run, pretend):
    with claimed(study_run.out / ".base-0.lock") as ours:
        assert ours
        assert run_study(study_run, (), [0]) == {
            "base-0": "running",
            "loss-0": "done",
            "second-0": "waiting for base",
        }


def test_a_failure_is_noted_and_does_not_stop_the_others(study_run, pretend, monkeypatch):
    work = running._train

    def fail(run, experiment, config, folder):
        if experiment.name == "base":
            raise ZeroDivisionError("a defect")
        work(run, experiment, config, folder)

    with monkeypatch.context() as patch:
        patch.setattr(running, "_train", fail)
        statuses = run_study(study_run, ["base", "loss"], [0])
    assert statuses == {"base-0": "failed: ZeroDivisionError: a defect", "loss-0": "done"}
    note = failure_file(run_folder(study_run.out, "base", 0))
    assert json.loads(note.read_text())["status"] == "failed"
    assert run_study(study_run, ["base"], [0]) == {"base-0": "done"}
    assert not note.exists()


def test_weights_that_are_not_here_are_no_failure(study_run):
    change = {"model": {"pretrained": "nowhere.pth"}}
    base = study_run.study.experiments["base"]
    other = Experiment(name="base", title="x", question="x", settings=base.settings | change)
    statuses = run_study(replace(study_run, study=Study({"base": other})), (), [0])
    assert statuses["base-0"].startswith("not run: weights unavailable")
    assert not (run_folder(study_run.out, "base", 0) / "run.json").exists()


def test_synthetic_smears_are_trained_on_whole_or_not_at_all(study_run, drawn_sperm):
    experiment = Experiment(name="x", title="x", question="x", data="synthetic")
    study = Study({"x": experiment})
    without = replace(study_run, study=study)
    assert run_study(without, (), [0]) == {"x-0": "not run: no synthetic smears were given"}
    dataset, split = replace(without, synthetic=drawn_sperm).training_pictures(experiment)
    assert (dataset, split.train, split.test) == (drawn_sperm, drawn_sperm.ids, ())


def test_an_interruption_from_outside_goes_through(study_run, monkeypatch):
    def stop(*arguments, **options):
        raise TrainingInterrupted(study_run.out, 3)

    monkeypatch.setattr(running, "train", stop)
    with pytest.raises(TrainingInterrupted):
        run_study(study_run, ["base"], [0])


def test_a_folder_stays_with_its_pictures_and_overrides(study_run, pretend, drawn_sperm):
    run_study(study_run, ["base"], [0])
    with pytest.raises(UsageError, match="overrides is another one"):
        run_study(replace(study_run, overrides={"training": {"workers": 1}}), ["base"], [0])
    other = Split(("p0",), ("p2", "p3"))
    with pytest.raises(UsageError, match="split is another one"):
        run_study(replace(study_run, split=other), ["base"], [0])
    with pytest.raises(UsageError, match="no validation pictures"):
        run_study(replace(study_run, split=Split(("p0",))), ["base"], [0])


def logits(folder, images, **options):
    variant = Variant(name="x", title="x", question="x", **options)
    return running._predictor(folder, variant)[0].backend(images)[0]


def test_variants_use_the_same_weights_in_another_way(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run_folder(trained["whole"], "base", 0), folder)
    images = torch.rand(1, 3, 32, 32).numpy()
    plain = logits(folder, images)

    moved = logits(folder, images, logit_offsets={"tail": 1.5}) - plain
    assert moved.mean((1, 2)).tolist() == pytest.approx([0, 0, 1.5, 0, 0, 0], abs=1e-5)

    turned = logits(folder, images[..., ::-1].copy())[..., ::-1]
    mean = (softmax(plain, 0) + softmax(turned, 0)) / 2
    assert softmax(logits(folder, images, views=2), 0) == pytest.approx(mean, abs=1e-5)

    with pytest.raises(CheckpointError, match="the weights of the last step are gone"):
        logits(folder, images, average=False)
    for step, factor in (("step-00000003", 7), ("step-00000004", 0)):
        state = load_file(folder / "model.safetensors")
        (folder / "checkpoints" / step).mkdir(parents=True)
        scaled = {name: np.asarray(factor * value) for name, value in state.items()}
        save_file(scaled, folder / "checkpoints" / step / "model.safetensors")
    assert (logits(folder, images, average=False) == 0).all()


def test_minutes_pass():
    assert not Deadline().over
    assert not Deadline(10).over
    assert Deadline(0).over
