from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spermseg.config import OptimiserSettings, merge
from spermseg.data.splits import Split
from spermseg.errors import (
    CheckpointError,
    ConfigError,
    ModelError,
    UsageError,
    WeightsUnavailableError,
)
from spermseg.inference.card import file_sha256
from spermseg.training.checkpoint import load_predictor
from spermseg.training.interruption import TrainingInterrupted, stop_requests
from spermseg.training.loop import epoch_batches, train
from spermseg.training.optimisation import learning_rate, update_average

TIMES = ("seconds", "cpu_seconds")


def weights(run):
    return load_file(run / "model.safetensors")


def log(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in TIMES} for line in lines]


def assert_same_run(one, other):
    expected = weights(one)
    for name, value in weights(other).items():
        assert torch.equal(value, expected[name]), name
    assert log(other) == log(one)


def stop_after(steps, error=KeyboardInterrupt):
    def on_progress(step, total, loss, seconds_left):
        if step == steps:
            raise error

    return on_progress


FULL = {
    "data": {"augmentation": "flips-and-turns", "random_crop": (24, 24), "variants_per_epoch": 4},
    "model": {"auxiliary_loss": 0.4},
    "loss": {"terms": {"cross_entropy": 0.8, "dice": 0.2}, "class_weights": "balanced"},
    "optimiser": {"schedule": "cosine", "warmup": 0.2, "clip_norm": 1.0},
    "training": {"ema": 0.9, "batch_size": 1, "precision": "bf16"},
}


def test_a_training_learns_what_can_be_learnt(tmp_path, settings, drawn, drawn_split):
    config = settings(
        data={"variants_per_epoch": 40, "corners": "background"},
        optimiser={"lr": 0.02},
        training={"epochs": 6, "batch_size": 4},
    )
    summary = train(config, drawn, drawn_split, tmp_path / "run")
    losses = [line["train_loss"] for line in log(tmp_path / "run") if line["kind"] == "epoch"]
    assert losses[-1] < 0.5 * losses[0]
    assert summary.validation["mean_iou"] > 0.6
    # A picture that it never saw, through the predictor.
    test = drawn.load("p5")
    prediction = load_predictor(tmp_path / "run").predict(test).part_map
    assert (prediction == test.part_map).mean() > 0.9


def test_the_run_folder_is_complete_and_names_no_place(tmp_path, settings, drawn, drawn_split):
    run = tmp_path / "run"
    seen = []
    train(
        settings(),
        drawn,
        drawn_split,
        run,
        command={"layout": None},
        on_progress=lambda *progress: seen.append(progress),
        on_epoch=lambda line: seen.append(line["epoch"]),
    )
    assert {path.name for path in run.iterdir()} == {
        *("config.yaml", "split.json", "run.json", "log.jsonl", "tensorboard"),
        *("checkpoints", "model.safetensors", "card.json"),
    }
    lines = log(run)
    assert [(line["kind"], line["step"], line["epoch"]) for line in lines] == [
        *(("step", 1, 0), ("step", 2, 0), ("step", 3, 0), ("epoch", 3, 0)),
        *(("step", 4, 1), ("step", 5, 1), ("step", 6, 1), ("epoch", 6, 1)),
    ]
    assert lines[3]["train_loss"] == pytest.approx(np.mean([line["loss"] for line in lines[:3]]))
    assert lines[3]["images"] == 9
    assert set(lines[3]["validation"]) == {"loss", "iou", "mean_iou"}
    assert [entry[:2] if isinstance(entry, tuple) else entry for entry in seen] == [
        *((1, 6), (2, 6), (3, 6), 0, (4, 6), (5, 6), (6, 6), 1),
    ]
    assert seen[-2][3] == 0

    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "done"
    assert record["seed"] == 5
    assert record["dataset"] == {"layout": "drawn", "pictures": 6}
    assert set(record["versions"]) == {"spermseg", "torch", "torchvision", "python"}
    for file in run.rglob("*"):
        assert file.is_dir() or str(tmp_path).encode() not in file.read_bytes()


def test_the_same_seed_gives_the_same_weights_and_another_does_not(
    tmp_path, settings, drawn, drawn_split
):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        train(settings(training={"seed": seed}), drawn, drawn_split, tmp_path / name)
    assert_same_run(tmp_path / "a", tmp_path / "b")
    assert not torch.equal(
        weights(tmp_path / "a")["classifier.weight"], weights(tmp_path / "c")["classifier.weight"]
    )


@pytest.mark.parametrize("changes", [{}, FULL], ids=["plain", "full"])
@pytest.mark.parametrize("steps", [1, 2, 4, 5])
def test_a_killed_training_resumes_to_the_same_weights(
    tmp_path, settings, drawn, drawn_split, changes, steps
):
    config = settings(**changes)
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    train(config, drawn, drawn_split, straight)
    config = config.model_copy(
        update={"training": config.training.model_copy(update={"checkpoint_steps": 2})}
    )
    with pytest.raises(KeyboardInterrupt):
        train(config, drawn, drawn_split, stopped, on_progress=stop_after(steps))
    train(config, drawn, drawn_split, stopped, resume=True)
    assert_same_run(straight, stopped)


CROPS = {
    "data": {
        "size": None,
        "augmentation": "none",
        "variants_per_epoch": None,
        "head_length_px": 12,
        "crops": {"size": 32, "per_epoch": 9},
    },
    "loss": {"terms": {"cross_entropy": 1.0, "dice": 1.0}},
}
OPTIONS = {
    "drawn": {"data": {"annotation_sets": [1, 2]}},
    "majority": {"data": {"annotation_sets": [1, 2], "annotations": "majority"}},
    "soft": {"data": {"annotation_sets": [1, 2], "annotations": "soft"}},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_a_training_on_crops_resumes_to_the_same_weights(
    tmp_path, settings, annotators, drawn_split, option
):
    config = settings(**merge(CROPS, OPTIONS[option]))
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    train(config, annotators, drawn_split, straight)
    with pytest.raises(KeyboardInterrupt):
        train(config, annotators, drawn_split, stopped, on_progress=stop_after(4))
    train(config, annotators, drawn_split, stopped, resume=True)
    assert_same_run(straight, stopped)


def test_a_taught_training_resumes_to_the_same_weights(tmp_path, settings, annotators, drawn_split):
    train(settings(**CROPS), annotators, drawn_split, tmp_path / "first")
    taught = {"unannotated": "teacher", "threshold": 0.9, "distillation": 0.5}
    teacher = {"model": str(tmp_path / "first"), **taught}
    config = settings(**merge(CROPS, {"teacher": teacher, "training": {"precision": "bf16"}}))
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    train(config, annotators, drawn_split, straight)
    with pytest.raises(KeyboardInterrupt):
        train(config, annotators, drawn_split, stopped, on_progress=stop_after(4))
    train(config, annotators, drawn_split, stopped, resume=True)
    assert_same_run(straight, stopped)
    recipe = json.loads((straight / "card.json").read_text())["recipe"]["teacher"]
    assert recipe["model"].endswith("/first")
    assert not recipe["model"].startswith("/")
    assert recipe["sha256"] == file_sha256(tmp_path / "first" / "model.safetensors")

    # Another teacher in the same place, and none.
    (tmp_path / "first").rename(tmp_path / "old")
    other = settings(**CROPS, training={"seed": 6})
    train(other, annotators, drawn_split, tmp_path / "first")
    with pytest.raises(CheckpointError, match=r"teacher.sha256 was '\w+', is now '\w+'"):
        train(config, annotators, drawn_split, stopped, resume=True)
    with pytest.raises(CheckpointError, match=r"teacher.distillation was 0.5, is now None"):
        train(settings(**CROPS), annotators, drawn_split, stopped, resume=True)


def test_soft_annotations_with_another_loss_leave_no_folder(
    tmp_path, settings, annotators, drawn_split
):
    config = settings(**merge(merge(CROPS, OPTIONS["soft"]), {"loss": {"terms": {"focal": 1.0}}}))
    with pytest.raises(ConfigError, match="soft annotations cannot be learnt with focal"):
        train(config, annotators, drawn_split, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_workers_and_their_number_do_not_change_the_weights(tmp_path, settings, drawn, drawn_split):
    train(settings(), drawn, drawn_split, tmp_path / "a")
    train(settings(training={"workers": 2}), drawn, drawn_split, tmp_path / "b")
    assert_same_run(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [2, 3])  # within an epoch, and at its end
def test_a_signal_saves_and_stops(tmp_path, settings, drawn, drawn_split, number, step):
    def on_progress(done, total, loss, seconds_left):
        if done == step:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    run = tmp_path / "run"
    with pytest.raises(TrainingInterrupted, match=f"saved after step {step}"):
        train(settings(), drawn, drawn_split, run, on_progress=on_progress)
    assert signal.getsignal(number) == before
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert (run / "checkpoints" / f"step-{step:08d}").is_dir()

    train(settings(), drawn, drawn_split, run, resume=True)
    train(settings(), drawn, drawn_split, tmp_path / "straight")
    assert_same_run(tmp_path / "straight", run)
    record = json.loads((run / "run.json").read_text())
    assert [record["status"], *(r["status"] for r in record["earlier"])] == ["done", "interrupted"]


@pytest.fixture
def interruptible():
    """Make SIGINT interrupt, as at a terminal; a job in the background starts with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_second_signal_acts_at_once_unless_it_is_an_echo(monkeypatch):
    now = 100.0
    monkeypatch.setattr("spermseg.training.interruption.time.monotonic", lambda: now)
    with stop_requests() as request:
        assert not request.wanted
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert request.wanted
        now += 2
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_finished_training_resumes_to_itself(tmp_path, settings, drawn, drawn_split):
    run = tmp_path / "run"
    first = train(settings(), drawn, drawn_split, run)
    before = weights(run), log(run)
    assert train(settings(), drawn, drawn_split, run, resume=True) == first
    assert log(run) == before[1]
    assert all(torch.equal(value, before[0][name]) for name, value in weights(run).items())


def test_a_log_line_cut_off_by_the_kill_is_mended(tmp_path, settings, drawn, drawn_split):
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(settings(), drawn, drawn_split, run, on_progress=stop_after(5))
    with (run / "log.jsonl").open("a") as stream:
        stream.write('{"kind": "ste')
    train(settings(), drawn, drawn_split, run, resume=True)
    assert [line["step"] for line in log(run)] == [1, 2, 3, 3, 4, 5, 6, 6]


def test_without_validation_pictures_there_is_no_validation(tmp_path, settings, drawn):
    summary = train(settings(), drawn, Split(("p0", "p1")), tmp_path / "run")
    assert summary.validation is None
    assert [x["validation"] for x in log(tmp_path / "run") if x["kind"] == "epoch"] == [None, None]


def test_an_existing_folder_is_not_overwritten(tmp_path, settings, drawn, drawn_split):
    with pytest.raises(UsageError, match=r"exists already.*--resume"):
        train(settings(), drawn, drawn_split, tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_settings_or_another_split_cannot_resume(tmp_path, settings, drawn, drawn_split):
    run = tmp_path / "run"
    train(settings(), drawn, drawn_split, run)
    with pytest.raises(CheckpointError, match=r"optimiser.lr was 0.001, is now 0.1"):
        train(settings(optimiser={"lr": 0.1}), drawn, drawn_split, run, resume=True)
    with pytest.raises(CheckpointError, match=r"split.json: .*another split"):
        train(settings(), drawn, Split(("p0", "p1")), run, resume=True)


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path, settings, drawn, drawn_split):
    config = settings(optimiser={"name": "sgd", "lr": 1e30}, training={"checkpoint_steps": 1})
    run = tmp_path / "run"
    with pytest.raises(ModelError, match=r"the loss is (nan|inf) in step \d.*optimiser.lr"):
        train(config, drawn, drawn_split, run)
    assert list((run / "checkpoints").iterdir())
    assert json.loads((run / "run.json").read_text())["status"] == "failed"


def test_float16_needs_a_gpu(tmp_path, settings, drawn, drawn_split, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="fp16 needs a CUDA GPU, this is cpu"):
        train(settings(training={"precision": "fp16"}), drawn, drawn_split, tmp_path / "run")


def test_settings_that_cannot_work_leave_no_folder(tmp_path, settings, drawn, drawn_split):
    with pytest.raises(ConfigError, match="1 pictures an epoch are too few"):
        train(settings(data={"variants_per_epoch": 1}), drawn, drawn_split, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_missing_weights_leave_no_folder(tmp_path, settings, drawn, drawn_split):
    config = settings(model={"pretrained": str(tmp_path / "none.safetensors")})
    with pytest.raises(WeightsUnavailableError):
        train(config, drawn, drawn_split, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_pretrained_weights_are_loaded_and_their_folder_is_not_written_down(
    tmp_path, settings, drawn, drawn_split
):
    train(settings(), drawn, drawn_split, tmp_path / "first")
    path = tmp_path / "first" / "model.safetensors"
    config = settings(
        model={"pretrained": str(path), "fresh_classifier": False},
        optimiser={"lr": 1e-12, "weight_decay": 0},
    )
    train(config, drawn, drawn_split, tmp_path / "second")
    first, second = weights(tmp_path / "first"), weights(tmp_path / "second")
    assert torch.allclose(first["classifier.weight"], second["classifier.weight"], atol=1e-8)
    card = json.loads((tmp_path / "second" / "card.json").read_text())
    assert card["recipe"]["model"]["pretrained"] == "first/model.safetensors"
    assert "first/model.safetensors" in (tmp_path / "second" / "run.json").read_text()
    train(config, drawn, drawn_split, tmp_path / "second", resume=True)


def test_a_network_that_cannot_take_one_picture_says_so(tmp_path, settings, drawn, drawn_split):
    config = settings(
        model={"architecture": "deeplabv3_mobilenet_v3_large"}, training={"batch_size": 1}
    )
    with pytest.raises(ConfigError, match=r"deeplabv3_mobilenet_v3_large .*batch of one picture"):
        train(config, drawn, drawn_split, tmp_path / "run")


@pytest.mark.parametrize(
    ("n_items", "batch_size", "expected"),
    [
        (6, 3, [[0, 1, 2], [3, 4, 5]]),
        (5, 3, [[0, 1, 2], [3, 4]]),
        (4, 3, [[0, 1, 2]]),  # one picture alone cannot be normalised
        (2, 1, [[0], [1]]),
        (2, 10, [[0, 1]]),
    ],
)
def test_an_epoch_is_cut_into_batches(n_items, batch_size, expected):
    assert [list(batch) for batch in epoch_batches(n_items, batch_size)] == expected


def test_processes_share_every_batch_and_drop_incomplete_ones():
    first, second = (epoch_batches(11, 4, process, 2) for process in (0, 1))
    assert [list(batch) for batch in first] == [[0, 2], [4, 6]]
    assert [list(batch) for batch in second] == [[1, 3], [5, 7]]


def test_batches_that_cannot_be_made_are_errors():
    with pytest.raises(ConfigError, match="5 cannot be shared by 2 processes"):
        epoch_batches(10, 5, 0, 2)
    with pytest.raises(ConfigError, match="1 pictures an epoch are too few"):
        epoch_batches(1, 10)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]),
        # After two steps of warm-up: (1 + cos(pi s)) / 2 and (1 - s) ** 0.9 at s = 0, 1/4, ...
        ("cosine", [0.5, 1.0, 1.0, 0.853553, 0.5, 0.146447]),
        ("poly", [0.5, 1.0, 1.0, 0.771891, 0.535887, 0.287175]),
    ],
)
def test_learning_rates(schedule, expected):
    settings = OptimiserSettings(lr=1.0, schedule=schedule, warmup=1 / 3)
    rates = [learning_rate(settings, step, 6) for step in range(6)]
    assert rates == pytest.approx(expected, abs=1e-5)


def test_the_moving_average_follows_the_weights():
    average, model = torch.nn.BatchNorm1d(1), torch.nn.BatchNorm1d(1)
    torch.nn.init.constant_(average.weight, 0.0)
    model(torch.rand(2, 1))
    update_average(average, model, decay=0.75, step=1000)
    assert average.weight.item() == pytest.approx(0.25)
    assert average.num_batches_tracked == 1
    # At first, (1 + 0) / (10 + 0) of the old average is kept at most.
    update_average(average, model, decay=0.75, step=0)
    assert average.weight.item() == pytest.approx(0.1 * 0.25 + 0.9)


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import conftest, torch
from spermseg.config import load_training_config
from spermseg.data.splits import Split
from spermseg.training.loop import train
from spermseg.training.models import ARCHITECTURES, Architecture
torch.set_num_threads(1)
ARCHITECTURES["tiny"] = Architecture("for tests", conftest.TinyNetwork)
split = Split(("p0", "p1", "p2", "p3"), ("p4",), ("p5",))
config, run = load_training_config(sys.argv[2]), Path(sys.argv[3])
report = lambda step, *_: print(step, flush=True)
train(config, conftest.DrawnDataset(), split, run, on_progress=report)
"""


def test_a_process_killed_without_warning_resumes_to_the_same_weights(
    tmp_path, settings, drawn, drawn_split
):
    config = settings(
        data={"variants_per_epoch": 21}, training={"epochs": 3, "checkpoint_steps": 1}
    )
    path, run = tmp_path / "config.yaml", tmp_path / "killed"
    path.write_text(json.dumps(config.to_dict()))
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(path), str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) == 9:
                time.sleep(0.01)  # somewhere in the next steps or in saving them
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL
    train(config, drawn, drawn_split, run, resume=True)
    train(config, drawn, drawn_split, tmp_path / "straight")
    assert_same_run(tmp_path / "straight", run)
