"""``spermseg models``, on networks of one convolution."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from spermseg import DISCLAIMER
from spermseg.cli import app
from spermseg.data.preprocess import Preprocessing
from spermseg.errors import CheckpointError, ModelError, PartialFailureError
from spermseg.inference import catalog
from spermseg.inference.card import ModelCard, file_sha256, read_card, write_card
from spermseg.structures import SCHEMAS

onnx = pytest.importorskip("onnx")

SCHEMA = SCHEMAS["sperm-parsing"]


def write_network(path, n_classes=SCHEMA.n_classes, bias=0.0):
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    tensors = {
        "weight": np.full((n_classes, 3, 1, 1), 0.1, np.float32),
        "bias": np.full(n_classes, bias, np.float32),
    }
    values = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", channels, "h", "w"])
        for name, channels in (("image", 3), ("logits", n_classes))
    ]
    node = helper.make_node("Conv", ["image", "weight", "bias"], ["logits"])
    initial = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph([node], "one", values[:1], values[1:], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.parent.mkdir(parents=True)
    onnx.save(model, path)


@pytest.fixture
def make_model():
    def make(folder, **network):
        write_network(folder / "model.onnx", **network)
        card = ModelCard(
            id=folder.name,
            architecture="one convolution",
            schema=SCHEMA,
            preprocessing=Preprocessing(head_length_px=45),
            weights="model.onnx",
            weights_sha256=file_sha256(folder / "model.onnx"),
            seed=0,
            recipe={},
            data="nothing",
            data_licence="free of any",
        )
        write_card(folder / "card.json", card)
        return folder

    return make


@pytest.fixture
def bundled(tmp_path, monkeypatch, make_model):
    """Folder of two bundled models, of which ``slow`` is not the default."""
    weights = tmp_path / "weights"
    monkeypatch.setattr(catalog, "WEIGHTS", weights)
    make_model(weights / catalog.DEFAULT_MODEL)
    make_model(weights / "slow", bias=1.0)
    return weights


def invoke(*arguments):
    app([os.fspath(argument) for argument in arguments], standalone_mode=False)


def damage(folder):
    content = bytearray((folder / "model.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "model.onnx").write_bytes(content)


def test_list(bundled, capsys):
    invoke("models", "list", "--json")
    slow, default = json.loads(capsys.readouterr().out)
    assert slow == {
        "id": "slow",
        "purpose": None,
        "default": False,
        "parts": ["midpiece", "tail", "acrosome", "nucleus", "vacuole"],
        "megabytes": (bundled / "slow" / "model.onnx").stat().st_size / 1e6,
        "head_length_px": 45,
        "data_licence": "free of any",
    }
    assert default["default"]
    assert default["purpose"] == "fast"
    invoke("models", "list")
    text = " ".join(capsys.readouterr().out.split())
    assert f"{catalog.DEFAULT_MODEL} (fast, default)" in text
    assert "free of any" in text


def test_list_of_an_incomplete_installation(bundled, capsys):
    (bundled / "slow" / "model.onnx").unlink()
    invoke("models", "list")
    assert "missing" in capsys.readouterr().out


def test_show_prints_the_card(bundled, capsys):
    invoke("models", "show", "slow", "--json")
    assert json.loads(capsys.readouterr().out) == read_card(bundled / "slow/card.json").to_dict()
    invoke("models", "show")
    page = capsys.readouterr().out
    assert catalog.DEFAULT_MODEL in page
    assert DISCLAIMER in page
    invoke("models", "show", "--html", str(bundled / "card.html"))
    assert capsys.readouterr().out == ""
    written = (bundled / "card.html").read_text(encoding="utf-8")
    assert catalog.DEFAULT_MODEL in written
    assert DISCLAIMER in written


def test_sound_models(bundled, tmp_path, make_model, capsys):
    invoke("models", "check")
    assert capsys.readouterr().out.splitlines() == [
        "slow: sound",
        f"{catalog.DEFAULT_MODEL}: sound",
    ]
    own = make_model(tmp_path / "own")
    invoke("models", "check", own)
    invoke("models", "check", own / "model.onnx")
    assert capsys.readouterr().out.splitlines() == ["own: sound"] * 2


def test_one_damaged_model_is_an_error_and_the_others_are_checked(bundled, capsys):
    damage(bundled / catalog.DEFAULT_MODEL)
    with pytest.raises(CheckpointError, match="sha256"):
        invoke("models", "check", catalog.DEFAULT_MODEL)
    with pytest.raises(PartialFailureError, match="1 of 2 models"):
        invoke("models", "check")
    out, err = capsys.readouterr()
    assert out == "slow: sound\n"
    assert catalog.DEFAULT_MODEL in err
    assert "sha256" in err


def test_scores_of_another_number_of_classes(tmp_path, make_model):
    with pytest.raises(ModelError, match="3 classes, its card names 6"):
        invoke("models", "check", make_model(tmp_path / "own", n_classes=3))


def test_scores_that_are_not_finite(tmp_path, make_model):
    with pytest.raises(ModelError, match="not finite"):
        invoke("models", "check", make_model(tmp_path / "own", bias=np.nan))


def test_no_such_model(bundled, tmp_path):
    for command in ("show", "check"):
        with pytest.raises(ModelError, match=r"no model 'sperm'.*slow"):
            invoke("models", command, "sperm")


def test_no_bundled_models(bundled, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "WEIGHTS", tmp_path / "nowhere")
    with pytest.raises(ModelError, match="no model is bundled"):
        invoke("models", "check")


def test_the_page_on_models_shows_how_to_bring_ones_own(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path / "my-model" / "model.onnx", n_classes=4)
    exec(example, {})
    invoke("models", "check", "my-model")
    assert capsys.readouterr().out == "my-model-1: sound\n"
    fields = {entry.name for entry in dataclasses.fields(ModelCard)}
    assert [name for name in fields if f"`{name}`" not in page] == []
