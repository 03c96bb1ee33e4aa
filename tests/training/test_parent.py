"""Reading the network of a model for training, and training it on."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from spermseg.config import TrainingConfig, training_config
from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.splits import Split
from spermseg.errors import CheckpointError, ConfigError, ModelError
from spermseg.inference.card import ModelCard, file_sha256, read_card, write_card
from spermseg.inference.catalog import load_model
from spermseg.structures import SCHEMAS, Sample
from spermseg.training import fine_tuning, rehearsal
from spermseg.training.checkpoint import write_weights
from spermseg.training.dataset import preprocessing_of
from spermseg.training.export import export_run
from spermseg.training.fine_tuning import (
    HELD_OUT,
    fastest_precision,
    fine_tune,
    fine_tuning_config,
    hold_out,
)
from spermseg.training.models import create_model
from spermseg.training.parent import open_parent, read_initializers
from spermseg.training.rehearsal import RehearsalDataset

ARCHITECTURE = "unet_mobilenetv4_small"
OFFSETS = {"tail": 1.5, "head": -0.5}
RECIPE = training_config(
    {
        "name": "first",
        "data": {
            "schema": "report-2021",
            "size": None,
            "augmentation": "none",
            "head_length_px": 12,
            "margin": 4,
            "crops": {"on_unannotated": 0.3},
        },
        "model": {"architecture": ARCHITECTURE, "pretrained": "none"},
        "loss": {"terms": {"cross_entropy": 1.0, "dice": 0.5}},
        "optimiser": {"lr": 0.05},
    }
)
TINY = {
    "data": {"crops": {"size": 32, "per_epoch": 4}},
    "training": {"epochs": 1, "batch_size": 2, "precision": "no"},
}
"""Two steps on small crops."""


def card_of(config: TrainingConfig, sha256: str, **changes) -> ModelCard:
    card = ModelCard(
        id="first",
        architecture=config.model.architecture,
        schema=SCHEMAS["report-2021"],
        preprocessing=preprocessing_of(config.data),
        weights="model.safetensors",
        weights_sha256=sha256,
        seed=1,
        recipe=config.to_dict(),
        data="drawings",
        data_licence="for looking at only",
        limits="knows squares",
    )
    return dataclasses.replace(card, **changes)


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    """A finished training, and its export with offsets in ``model``."""
    run = tmp_path_factory.mktemp("first")
    torch.manual_seed(0)
    network = create_model(ARCHITECTURE, 4)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
    write_card(
        run / "card.json", card_of(RECIPE, write_weights(run / "model.safetensors", network))
    )
    export_run(run, run / "model", logit_offsets=OFFSETS, margin=3)
    return run


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((1, 3, 70, 90)).astype(np.float32)


@pytest.fixture(autouse=True)
def _small_rehearsal(monkeypatch) -> None:
    monkeypatch.setattr(rehearsal, "SIZE", (48, 64))
    monkeypatch.setattr(fine_tuning, "REHEARSED", 2)


def scores(network: nn.Module, pictures: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network.eval()(torch.from_numpy(pictures))["out"].numpy()


def test_an_exported_model_s_network_scores_as_its_file_does(first, pictures):
    parent = open_parent(first / "model")
    assert parent.architecture == f"{ARCHITECTURE}-merged"
    expected = load_model(first / "model").backend(pictures)
    np.testing.assert_allclose(scores(parent.network, pictures), expected, atol=1e-4)
    file = open_parent(first / "model" / "model.onnx")
    assert file.card == parent.card


def test_a_training_s_network_has_no_offsets_and_no_statistics_of_batches(first, pictures):
    parent = open_parent(first)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in parent.network.modules())
    exported = load_model(first / "model").backend(pictures)
    offsets = np.array([0, OFFSETS["head"], 0, OFFSETS["tail"]]).reshape(1, 4, 1, 1)
    np.testing.assert_allclose(scores(parent.network, pictures), exported - offsets, atol=1e-4)


def test_a_model_whose_weights_have_no_names_is_refused(first, tmp_path):
    model = shutil.copytree(first / "model", tmp_path / "model")
    graph = onnx.load(model / "model.onnx")
    old = graph.graph.initializer[3].name
    for node in graph.graph.node:
        node.input[:] = ["onnx::Conv_7" if name == old else name for name in node.input]
    graph.graph.initializer[3].name = "onnx::Conv_7"
    onnx.save(graph, model / "model.onnx")
    card = read_card(model / "card.json")
    sha256 = file_sha256(model / "model.onnx")
    write_card(model / "card.json", dataclasses.replace(card, weights_sha256=sha256))
    load_model(model)
    with pytest.raises(ModelError, match=r"first cannot be read for training: 1 of \d+ are not"):
        open_parent(model)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"recipe": {}}, "no recipe"), ({"architecture": "my U-Net"}, "my U-Net does not name them")],
)
def test_a_network_of_one_s_own_is_refused(first, tmp_path, changes, reason):
    model = shutil.copytree(first / "model", tmp_path / "model")
    write_card(model / "card.json", dataclasses.replace(read_card(model / "card.json"), **changes))
    with pytest.raises(ModelError, match=reason) as raised:
        open_parent(model)
    assert "\n" not in str(raised.value)


def test_files_that_are_no_whole_onnx(first, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes((first / "model" / "model.onnx").read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="no ONNX file"):
        read_initializers(path)
    graph = onnx.load(first / "model" / "model.onnx")
    onnx.save(graph, path, save_as_external_data=True, location="weights.bin")
    with pytest.raises(CheckpointError, match="other files"):
        read_initializers(path)


def test_settings_are_the_parent_s_but_for_small_steps(first):
    config = fine_tuning_config(open_parent(first), "lab")
    assert config.name == "first-lab"
    assert config.model.architecture == f"{ARCHITECTURE}-merged"
    assert preprocessing_of(config.data) == preprocessing_of(RECIPE.data)
    assert config.data.crops.on_unannotated == 0.3
    assert config.loss == RECIPE.loss
    assert config.optimiser.lr < RECIPE.optimiser.lr
    assert config.training.precision == fastest_precision()
    assert fine_tuning_config(open_parent(first / "model"), "lab").data.margin == 3
    changed = fine_tuning_config(open_parent(first), "lab", {"optimiser": {"lr": 0.5}})
    assert changed.optimiser.lr == 0.5
    assert changed.training == config.training


def test_other_parts_than_the_parent_s_are_refused(first):
    with pytest.raises(ConfigError, match=r"data\.schema sperm-parsing is not that of first"):
        fine_tuning_config(open_parent(first), "lab", {"data": {"schema": "sperm-parsing"}})


def test_a_parent_of_whole_pictures_is_trained_on_whole_pictures(tmp_path, settings):
    recipe = settings()
    sha256 = write_weights(tmp_path / "model.safetensors", create_model("tiny", 4))
    write_card(tmp_path / "card.json", card_of(recipe, sha256))
    parent = open_parent(tmp_path)
    config = fine_tuning_config(parent, "lab")
    assert parent.architecture == config.model.architecture == "tiny"
    assert config.data == recipe.data


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True}, "no")],
)
def test_bfloat16_only_where_the_processor_has_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert fastest_precision() == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert fastest_precision() == "no"


class Grouped(LabelledDataset):
    layout = "grouped"

    def __init__(self, *groups: str):
        records = (SampleRecord(f"p{i}", Path(f"p{i}.png"), g) for i, g in enumerate(groups))
        super().__init__(Path("grouped"), SCHEMAS["report-2021"], tuple(records))

    def load(self, sample_id: str):
        raise NotImplementedError


def test_a_third_is_held_out_by_groups():
    split = hold_out(Grouped(*"aabbccddee"), 0)
    assert len(split.test) == 4, f"{HELD_OUT} of 10, whole groups of two"
    assert not split.validation
    groups = split.groups
    assert not {groups[id] for id in split.train} & {groups[id] for id in split.test}
    alone = hold_out(Grouped(*"aaaa"), 0)
    assert (len(alone.train), alone.test) == (4, ())


def test_steps_of_no_size_leave_the_model_as_it_was(first, pictures, drawn, tmp_path):
    parent = open_parent(first / "model")
    changes = {**TINY, "optimiser": {"lr": 1e-12}}
    run = tmp_path / "lab"
    card = fine_tune(
        parent, fine_tuning_config(parent, "lab", changes), drawn, Split(("p0", "p1")), run
    )
    # Operating point included: the offsets have become part of the network.
    expected = load_model(first / "model").backend(pictures)
    found = load_model(run / "model").backend(pictures)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert "logit_offsets" not in card.recipe

    assert (card.parent.id, card.parent.weights_sha256) == ("first", parent.card.weights_sha256)
    assert (card.id, card.data_licence, card.limits) == (
        "first-lab",
        "for looking at only",
        "knows squares",
    )
    assert card.data == "2 pictures of the layout drawn, after drawings (first)"
    assert read_card(run / "card.json").parent == card.parent
    for again in (run, run / "model"):
        grandparent = open_parent(again)
        assert grandparent.architecture == f"{ARCHITECTURE}-merged"
        np.testing.assert_allclose(scores(grandparent.network, pictures), expected, atol=1e-4)


def test_what_a_model_rehearses_is_what_it_sees(first):
    predictor = load_model(first / "model")
    pictures = RehearsalDataset(predictor, 3, seed=4)
    shown = [pictures.load(id) for id in pictures.ids]
    assert [one.size for one in shown] == [(48, 64)] * 3
    assert len({one.image.tobytes() for one in shown}) == 3
    for one in shown:
        seen = predictor.segment(Sample(one.id, one.image, head_length_px=12.0)).part_map
        np.testing.assert_array_equal(one.part_map, seen)
    again = RehearsalDataset(predictor, 3, seed=4).load("0001")
    np.testing.assert_array_equal(again.image, shown[1].image)
    np.testing.assert_array_equal(again.part_map, shown[1].part_map)


def test_training_on_moves_towards_the_corrections(first, drawn, tmp_path):
    parent = open_parent(first)
    changes = {
        "data": {
            "crops": {"size": 32, "per_epoch": 24, "rehearsed": None, "appearance": {"share": 0}}
        },
        "training": {"epochs": 2, "batch_size": 4, "precision": "no"},
        "optimiser": {"lr": 0.01},
    }
    run = tmp_path / "lab"
    fine_tune(parent, fine_tuning_config(parent, "lab", changes), drawn, Split(drawn.ids), run)
    before, after = (
        model.predict(dataclasses.replace(drawn.load("p0"), head_length_px=12.0)).scores
        for model in (load_model(first / "model"), load_model(run / "model"))
    )
    truth = drawn.load("p0").part_map
    assert (after.argmax(0) == truth).mean() > (before.argmax(0) == truth).mean()
