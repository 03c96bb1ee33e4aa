from __future__ import annotations

import copy
import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from spermseg.errors import CheckpointError, ModelError, ResourceError, translate
from spermseg.training.checkpoint import (
    check_same_settings,
    load_predictor,
    read_weights,
    restore_latest,
    save_checkpoint,
    torch_backend,
    write_weights,
)
from spermseg.training.engine import create_learner
from spermseg.training.loop import train

CPU = torch.device("cpu")


def tensors(learner):
    result = dict(learner.model.state_dict())
    for index, entries in learner.optimiser.state_dict()["state"].items():
        result |= {f"{index}.{name}": value for name, value in entries.items() if value is not None}
    if learner.average is not None:
        result |= {f"ema.{name}": value for name, value in learner.average.state_dict().items()}
    return result


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def trained(config, steps=1):
    """Give a learner after `steps` steps on noise."""
    learner = create_learner(config, CPU)
    for _ in range(steps):
        learner.model(torch.rand(2, 3, 8, 8))["out"].square().mean().backward()
        learner.optimiser.step()
        learner.optimiser.zero_grad()
        learner.state.step += 1
    return learner


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["adamw", "adadelta", "sgd"])
def test_a_checkpoint_holds_everything_bit_for_bit(tmp_path, settings, name):
    config = settings(optimiser={"name": name}, training={"ema": 0.9})
    learner = trained(config, steps=3)
    learner.state.loss_sum = 0.1 + 0.2
    save_checkpoint(tmp_path, learner, config)

    other = create_learner(config, CPU)
    assert restore_latest(tmp_path, other, config)
    assert_same(tensors(other), tensors(learner))
    assert other.state == learner.state


def test_restored_moments_keep_the_weights_memory_layout(tmp_path, settings):
    config = settings(training={"channels_last": True})
    save_checkpoint(tmp_path, trained(config), config)
    other = create_learner(config, CPU)
    restore_latest(tmp_path, other, config)
    weight = other.model.backbone[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert other.optimiser.state[weight]["exp_avg"].stride() == weight.stride()


def test_only_the_last_two_stay(tmp_path, settings):
    config = settings()
    learner = trained(config)
    (tmp_path / ".step-00000009.killed").mkdir()
    for step in (1, 2, 30):
        learner.state.step = step
        save_checkpoint(tmp_path, learner, config)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000002", "step-00000030"]


def test_without_a_checkpoint_there_is_nothing_to_restore(tmp_path, settings):
    assert not restore_latest(tmp_path / "none", trained(settings()), settings())


@pytest.mark.parametrize(
    ("file", "harm"),
    [
        ("model.safetensors", damage),
        ("optimiser.safetensors", lambda path: path.write_bytes(path.read_bytes()[:100])),
        ("model.safetensors", Path.unlink),
        ("state.json", Path.unlink),
        ("state.json", lambda path: path.write_text("{")),
        ("state.json", lambda path: path.write_text("[]")),
    ],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, settings, caplog, file, harm):
    config = settings()
    learner = trained(config)
    save_checkpoint(tmp_path, learner, config)
    before = copy.deepcopy(tensors(learner))
    learner.state.step = 2
    save_checkpoint(tmp_path, learner, config)
    harm(tmp_path / "step-00000002" / file)

    other = create_learner(config, CPU)
    assert restore_latest(tmp_path, other, config)
    assert other.state.step == 1
    assert_same(tensors(other), before)
    (line,) = caplog.messages
    assert "step-00000002: damaged" in line
    assert "going back" in line


def test_when_none_is_whole_that_is_an_error(tmp_path, settings):
    config = settings()
    damage(save_checkpoint(tmp_path, trained(config), config) / "model.safetensors")
    with pytest.raises(CheckpointError, match="none of the checkpoints is whole"):
        restore_latest(tmp_path, create_learner(config, CPU), config)


def test_a_checkpoint_of_other_settings_names_what_differs(tmp_path, settings):
    config = settings()
    save_checkpoint(tmp_path, trained(config), config)
    other = settings(
        model={"architecture": "lraspp_mobilenet_v3_large"}, loss={"terms": {"dice": 1.0}}
    )
    with pytest.raises(CheckpointError) as caught:
        restore_latest(tmp_path, create_learner(other, CPU), other)
    assert "model.architecture was 'tiny', is now 'lraspp_mobilenet_v3_large'" in str(caught.value)
    assert "loss.terms.cross_entropy was 1.0, is now None" in str(caught.value)


def test_settings_that_do_not_change_the_weights_may_differ(settings):
    new = settings(name="other", training={"workers": 2, "checkpoint_steps": 7})
    check_same_settings(settings().to_dict(), new.to_dict(), Path("run"))


def test_settings_that_an_older_version_did_not_know_had_their_defaults(settings):
    old = settings().to_dict()
    del old["training"]["channels_last"]
    check_same_settings(old, settings().to_dict(), Path("run"))
    with pytest.raises(CheckpointError, match="channels_last was True, is now False"):
        check_same_settings(old, settings(training={"channels_last": False}).to_dict(), Path("run"))


@pytest.mark.parametrize("full_at", [1, 2])
def test_a_full_disk_leaves_earlier_checkpoints_whole(tmp_path, settings, monkeypatch, full_at):
    config = settings()
    learner = trained(config)
    save_checkpoint(tmp_path, learner, config)
    learner.state.step = 2
    writes, write = 0, Path.write_bytes

    def write_until_full(path, content):
        nonlocal writes
        writes += 1
        if writes < full_at:
            return write(path, content)
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_until_full)
        with pytest.raises(OSError, match="No space left") as caught:
            save_checkpoint(tmp_path, learner, config)
    assert isinstance(translate(caught.value), ResourceError)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000001"]
    other = create_learner(config, CPU)
    assert restore_latest(tmp_path, other, config)
    assert other.state.step == 1


def test_weights_of_another_architecture_are_refused(tmp_path, settings):
    path = tmp_path / "model.safetensors"
    write_weights(path, create_learner(settings(), CPU).model)
    wider = create_learner(settings(data={"schema": "sperm-parsing"}), CPU).model
    with pytest.raises(CheckpointError, match=r"2 tensors differ, first classifier.weight is \(4,"):
        read_weights(path, wider)


def test_the_backend_gives_the_networks_logits(settings):
    model = create_learner(settings(), CPU).model
    images = np.random.default_rng(0).random((1, 3, 9, 11), np.float32)
    logits = torch_backend(model)(images)
    assert logits.dtype == np.float32
    assert not model.training
    with torch.no_grad():
        expected = model(torch.from_numpy(images))["out"].numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-6)


@pytest.mark.parametrize("ema", [None, 0.5])
def test_a_run_predicts_as_its_network_was_validated(tmp_path, settings, drawn, drawn_split, ema):
    config = settings(training={"ema": ema, "epochs": 1}, model={"auxiliary_loss": 0.4})
    summary = train(config, drawn, drawn_split, tmp_path / "run")
    predictor = load_predictor(tmp_path / "run")
    sample = drawn.load("p4")
    prediction = predictor.predict(sample).part_map
    hits = (prediction == 0) & (sample.part_map == 0)
    union = (prediction == 0) | (sample.part_map == 0)
    assert summary.validation["iou"]["background"] == pytest.approx(hits.sum() / union.sum())
    assert predictor.card.id == "quick"
    assert predictor.card.recipe == config.to_dict()


def test_changed_weights_are_not_the_cards(tmp_path, settings, drawn, drawn_split):
    run = tmp_path / "run"
    train(settings(training={"epochs": 1}), drawn, drawn_split, run)
    damage(run / "model.safetensors")
    with pytest.raises(CheckpointError, match="sha256"):
        load_predictor(run)


def test_a_run_without_card_is_not_finished(tmp_path):
    with pytest.raises(ModelError, match="no model card"):
        load_predictor(tmp_path)


def test_a_checkpoint_says_how_far_it_is(tmp_path, settings):
    config = settings()
    path = save_checkpoint(tmp_path, trained(config), config)
    state = json.loads((path / "state.json").read_text())
    assert state["state"]["step"] == 1
    assert state["config"] == config.to_dict()
    assert set(state["sha256"]) == {"model.safetensors", "optimiser.safetensors"}
