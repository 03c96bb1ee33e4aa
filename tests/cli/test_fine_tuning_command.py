from __future__ import annotations

import json

import numpy as np
import pytest
from torch import nn
from typer.testing import CliRunner

from spermseg.cli import app
from spermseg.data.images import write_image
from spermseg.errors import UsageError
from spermseg.inference.card import read_card
from spermseg.training.models import ARCHITECTURES, Architecture

SETTINGS = """
name: dots
data: {size: [16, 24], variants_per_epoch: 6}
model: {architecture: dots, pretrained: none}
training: {epochs: 1, batch_size: 2}
"""
QUICK = "{training: {epochs: 1, batch_size: 2, precision: 'no'}, optimiser: {lr: 1.0e-12}}"


class Dots(nn.Module):
    """Looks at single pixels."""

    def __init__(self, n_classes, auxiliary):
        super().__init__()
        self.classifier = nn.Conv2d(3, n_classes, 1)

    def forward(self, x):
        return {"out": self.classifier(x)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Pictures of a bright head in `data`, a training on them in `first`, and settings."""
    monkeypatch.setitem(ARCHITECTURES, "dots", Architecture("for tests", Dots))
    for index in range(20):
        part_map = np.zeros((16, 24), np.uint8)
        part_map[4:12, 2 + index % 8 : 12] = 1
        image = np.repeat((part_map * 200 + 20)[..., np.newaxis], 3, axis=2)
        write_image(tmp_path / "data" / "images" / f"s{index}.png", image)
        write_image(tmp_path / "data" / "masks" / f"s{index}.png", part_map)
    (tmp_path / "dots.yaml").write_text(SETTINGS)
    (tmp_path / "quick.yaml").write_text(QUICK)
    train = ("train", tmp_path / "dots.yaml", "--data", tmp_path / "data", "-o", tmp_path / "first")
    assert CliRunner().invoke(app, list(map(str, train))).exit_code == 0
    return tmp_path


def fine_tune(folder, *arguments):
    command = ("train", folder / "quick.yaml", "--from", folder / "first")
    fixed = (*command, "--data", folder / "data", "-o", folder / "lab")
    return CliRunner().invoke(app, list(map(str, (*fixed, *arguments))))


def test_trains_on_compares_and_exports(folder):
    result = fine_tune(folder)
    assert result.exit_code == 0, result.output
    # Steps of no size change nothing.
    assert "no difference that can be told: mean IoU on 6 pictures held out" in result.stdout
    assert f"{folder / 'lab' / 'model'}" in result.stdout.replace("\n", "")
    card = read_card(folder / "lab" / "model" / "card.json")
    assert (card.id, card.parent.id) == ("dots-lab", "dots")
    assert card.metrics["compared_with_parent"]["pictures"] == 6
    comparison = json.loads((folder / "lab" / "comparison.json").read_text())
    split = json.loads((folder / "lab" / "split.json").read_text())
    assert comparison["pictures"] == split["test"]
    assert not set(split["test"]) & set(split["train"])
    assert (folder / "lab" / "model" / "model.onnx").exists()
    assert "dots-lab" in (folder / "lab" / "model" / "README.md").read_text()


def test_a_finished_one_can_be_resumed_and_trained_on_from(folder):
    assert fine_tune(folder).exit_code == 0
    before = read_card(folder / "lab" / "model" / "card.json")
    assert fine_tune(folder, "--resume").exit_code == 0
    assert read_card(folder / "lab" / "model" / "card.json") == before
    again = fine_tune(folder, "--from", folder / "lab", "-o", folder / "more", "--quiet")
    assert again.exit_code == 0, again.output
    assert read_card(folder / "more" / "card.json").parent.id == "dots-lab"


def test_without_pictures_held_out_it_says_so(folder):
    split = json.loads((folder / "first" / "split.json").read_text())
    split |= {"train": [*split["train"], *split["test"]], "test": [], "validation": []}
    (folder / "all.json").write_text(json.dumps(split))
    result = fine_tune(folder, "--split", folder / "all.json")
    assert result.exit_code == 0, result.output
    assert "no pictures were held out" in result.stderr
    assert not (folder / "lab" / "comparison.json").exists()


def test_an_export_of_another_network_is_refused_in_one_line(folder):
    fine_tune(folder)
    result = fine_tune(folder, "--from", folder / "lab" / "model", "-o", folder / "more")
    assert "an exported dots does not name them" in str(result.exception)
    assert not (folder / "more").exists()


def test_neither_settings_nor_a_model(folder):
    result = CliRunner().invoke(app, ["train", "--data", str(folder), "-o", str(folder / "x")])
    assert isinstance(result.exception, UsageError)
    assert "--from" in str(result.exception)
