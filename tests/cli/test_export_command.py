"""``spermseg export onnx``, and the evaluation of what it made."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest

from spermseg import DISCLAIMER
from spermseg.cli import app
from spermseg.data.images import write_image
from spermseg.data.preprocess import Preprocessing
from spermseg.errors import ModelError, UsageError
from spermseg.inference.card import ModelCard, read_card, write_card
from spermseg.structures import SCHEMAS

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

SCHEMA = SCHEMAS["sperm-parsing"]
NUCLEUS = SCHEMA.parts.index("nucleus")


def redness(n_classes, auxiliary):
    """Give a network that takes red for nucleus: logit 8 * red - 4 against 0."""
    from torch import nn

    class Redness(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Conv2d(3, n_classes, 1)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)
            with torch.no_grad():
                self.head.weight[NUCLEUS, 0] = 8
                self.head.bias[NUCLEUS] = -4
                self.head.bias[1:NUCLEUS] = self.head.bias[NUCLEUS + 1 :] = -20

        def forward(self, x):
            return {"out": self.head(x)}

    return Redness()


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Folder of a finished training of the network above."""
    from spermseg.config import training_config
    from spermseg.data.synthetic import PRESETS
    from spermseg.training import models, parity
    from spermseg.training.checkpoint import write_weights

    torch.set_num_threads(1)
    monkeypatch.setattr(parity, "SMEAR", PRESETS["tiny"])
    architecture = models.Architecture("for tests", redness)
    monkeypatch.setitem(models.ARCHITECTURES, "redness", architecture)
    folder = tmp_path / "run"
    config = training_config({"model": {"architecture": "redness", "pretrained": "none"}})
    card = ModelCard(
        id="red",
        architecture="redness",
        schema=SCHEMA,
        preprocessing=Preprocessing(),
        weights="model.safetensors",
        weights_sha256=write_weights(folder / "model.safetensors", redness(6, False)),
        seed=0,
        recipe=config.to_dict(),
        data="nothing",
    )
    write_card(folder / "card.json", card)
    return folder


@pytest.fixture
def pictures(tmp_path):
    """Folder of three pictures with a red nucleus, a fourth of which is not red enough."""
    folder = tmp_path / "smears"
    for index in range(3):
        part_map = np.zeros((24, 32), np.uint8)
        part_map[4:12, 5 : 20 + index] = 5
        image = np.full((24, 32, 3), 90, np.uint8)
        image[part_map == 5, 0] = 220
        image[4:8, 5:10] = 120
        write_image(folder / "images" / f"s{index}.png", image)
        write_image(folder / "masks" / f"s{index}.png", part_map)
    return folder


def invoke(*arguments):
    app([os.fspath(argument) for argument in arguments], standalone_mode=False)


def evaluated(model, pictures, out):
    invoke("evaluate", model, "--data", pictures, "--part", "all", "-o", out)
    return out / "evaluation.json"


def test_a_training_becomes_a_model_with_a_page(run, tmp_path, capsys):
    out = tmp_path / "model"
    words = ("--id", "red-1", "--trained-on", "one drawing", "--limits", "Red only.")
    invoke("export", "onnx", run, "-o", out, *words, "--logit-offset", "tail=0.5")
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "card.json", "model.onnx"]
    card = read_card(out / "card.json")
    assert (card.id, card.data, card.limits) == ("red-1", "one drawing", "Red only.")
    assert card.recipe["logit_offsets"] == {"tail": 0.5}
    page = (out / "README.md").read_text()
    assert "red-1" in page
    assert DISCLAIMER in page
    printed = capsys.readouterr().out
    assert "labels are equal on 100.000 % of pixels" in printed
    assert printed.rstrip().endswith("model.onnx")


def test_the_exported_model_is_evaluated_as_its_training(run, pictures, tmp_path, capsys):
    invoke("export", "onnx", run, "-o", tmp_path / "model")
    one = json.loads(evaluated(run, pictures, tmp_path / "one").read_text())
    two = json.loads(evaluated(tmp_path / "model", pictures, tmp_path / "two").read_text())
    assert one["scores"] == two["scores"]
    assert 0.5 < one["scores"]["nucleus"]["iou"] < 1
    assert one["data"] == two["data"]
    assert one["data"]["annotation_set"] == 1
    assert (one["model"]["id"], two["model"]["id"]) == ("red", "red")
    assert "does not say which pictures it was trained on" in capsys.readouterr().err


def test_measured_figures_go_into_the_card(run, pictures, tmp_path):
    path = evaluated(run, pictures, tmp_path / "scores")
    measured = json.loads(path.read_text())
    invoke("export", "onnx", run, "-o", tmp_path / "model", "--evaluation", path)
    quoted = read_card(tmp_path / "model" / "card.json").metrics["all"]
    nucleus = quoted["scores"]["nucleus"]
    assert nucleus["iou"] == measured["scores"]["nucleus"]["iou"]
    assert nucleus["iou_interval"] == measured["intervals"]["nucleus"]["iou"]
    assert nucleus["recall"] == measured["scores"]["nucleus"]["recall"]
    assert quoted["mean_iou"]["iou"] == measured["scores"]["mean"]["iou"]
    assert (quoted["pictures"], quoted["groups"], quoted["annotation_set"]) == (3, 3, 1)
    assert quoted["warnings"] == measured["warnings"]


def test_figures_of_sperm_go_into_the_card_with_the_version_that_told_them_apart(
    run, pictures, tmp_path
):
    path = evaluated(run, pictures, tmp_path / "scores")
    content = json.loads(path.read_text())
    figures = {"miou": 0.7, "ap50": 0.9, "ap_volume": 0.6, "pcp50": None}
    figures["intervals"] = {"miou": [0.6, 0.8], "pcp50": None}
    path.write_text(json.dumps({**content, "sperm": {**figures, "people": {}}}))
    invoke("export", "onnx", run, "-o", tmp_path / "model", "--evaluation", path)
    quoted = read_card(tmp_path / "model" / "card.json").metrics["all"]
    assert quoted["sperm"] == {**figures, "spermseg_version": content["spermseg_version"]}


def test_figures_of_another_model_are_refused(run, pictures, tmp_path):
    path = evaluated(run, pictures, tmp_path / "scores")
    content = json.loads(path.read_text())
    content["model"]["weights_sha256"] = "f" * 64
    path.write_text(json.dumps(content))
    out = tmp_path / "model"
    with pytest.raises(UsageError, match=r"sha256 ffffffffffff\.\.\., expected"):
        invoke("export", "onnx", run, "-o", out, "--evaluation", path)
    assert not list(out.iterdir())


def test_with_offsets_only_the_models_own_figures_count(run, pictures, tmp_path):
    path = evaluated(run, pictures, tmp_path / "scores")
    arguments = ("export", "onnx", run, "--logit-offset", "nucleus=0.7")
    with pytest.raises(UsageError, match="no offsets were added"):
        invoke(*arguments, "-o", tmp_path / "refused", "--evaluation", path)
    invoke(*arguments, "-o", tmp_path / "first")
    path = evaluated(tmp_path / "first", pictures, tmp_path / "own-scores")
    shutil.rmtree(tmp_path / "first")
    invoke(*arguments, "-o", tmp_path / "first", "--evaluation", path)
    quoted = read_card(tmp_path / "first" / "card.json").metrics["all"]
    assert quoted["scores"]["nucleus"]["iou"] == 1


def test_the_table_of_changes_goes_into_the_card(run, pictures, tmp_path):
    model, scores = tmp_path / "model", tmp_path / "robustness"
    invoke("export", "onnx", run, "-o", model)
    invoke("robustness", model, "--data", pictures, "--part", "all", "-o", scores)
    shutil.rmtree(model)
    invoke("export", "onnx", run, "-o", model, "--robustness", scores / "robustness.json")
    measured = json.loads((scores / "robustness.json").read_text())
    assert len(measured["robustness"]) > 10
    assert read_card(model / "card.json").metrics["robustness"] == measured["robustness"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "no spermseg evaluation"),
        ("[1]", "no spermseg evaluation"),
        ("no JSON", "no spermseg evaluation"),
        (
            '{"format": "spermseg robustness", "model": {"weights_sha256": ""}}',
            "expected a spermseg evaluation, found 'spermseg robustness'",
        ),
    ],
)
def test_files_that_are_no_evaluation(run, tmp_path, content, words):
    path = tmp_path / "evaluation.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=words):
        invoke("export", "onnx", run, "-o", tmp_path / "model", "--evaluation", path)


def test_a_missing_evaluation(run, tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        invoke("export", "onnx", run, "-o", tmp_path / "m", "--evaluation", tmp_path / "none.json")


@pytest.mark.parametrize("offset", ["tail", "tail=much", "=1"])
def test_offsets_that_say_nothing(run, tmp_path, offset):
    with pytest.raises(UsageError):
        invoke("export", "onnx", run, "-o", tmp_path / "model", "--logit-offset", offset)


def test_a_folder_that_is_no_training(tmp_path, pictures):
    with pytest.raises(ModelError, match="no model card"):
        invoke("export", "onnx", pictures, "-o", tmp_path / "model")
