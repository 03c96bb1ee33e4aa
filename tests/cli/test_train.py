from __future__ import annotations

import json
import signal

import numpy as np
import pytest
from torch import nn
from typer.testing import CliRunner

from spermseg.cli import app
from spermseg.data.images import write_image
from spermseg.errors import UsageError
from spermseg.training.models import ARCHITECTURES, Architecture

SETTINGS = """
name: dots
data: {size: [16, 24], variants_per_epoch: 6}
model: {architecture: dots, pretrained: none}
training: {epochs: 2, batch_size: 2}
"""


class Dots(nn.Module):
    """Looks at single pixels."""

    def __init__(self, n_classes, auxiliary):
        super().__init__()
        self.classifier = nn.Conv2d(3, n_classes, 1)

    def forward(self, x):
        return {"out": self.classifier(x)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Eight pictures of a bright head, and settings beside them."""
    monkeypatch.setitem(ARCHITECTURES, "dots", Architecture("for tests", Dots))
    for index in range(8):
        part_map = np.zeros((16, 24), np.uint8)
        part_map[4:12, 2 + index : 12] = 1
        image = np.repeat((part_map * 200 + 20)[..., np.newaxis], 3, axis=2)
        write_image(tmp_path / "data" / "images" / f"s{index}.png", image)
        write_image(tmp_path / "data" / "masks" / f"s{index}.png", part_map)
    (tmp_path / "dots.yaml").write_text(SETTINGS)
    return tmp_path


def invoke(folder, *arguments):
    fixed = ("train", str(folder / "dots.yaml"), "--data", str(folder / "data"))
    return CliRunner().invoke(app, [*fixed, "-o", str(folder / "run"), *arguments])


def test_trains_on_a_split_that_it_draws_and_keeps(folder):
    result = invoke(folder)
    assert result.exit_code == 0, result.output
    split = json.loads((folder / "run" / "split.json").read_text())
    assert sorted(len(split[part]) for part in ("train", "validation", "test")) == [1, 2, 5]
    assert (folder / "run" / "curves.svg").read_text().lstrip().startswith("<svg")
    assert json.loads((folder / "run" / "run.json").read_text())["command"] == {
        "layout": None,
        "annotation_set": 1,
        "resume": False,
    }
    assert "epoch 2/2: loss" in result.stderr
    assert not result.stdout


def test_a_signal_ends_in_130_and_resume_goes_on(folder, monkeypatch):
    forward = Dots.forward

    def interrupted(self, x):
        signal.raise_signal(signal.SIGINT)
        return forward(self, x)

    with monkeypatch.context() as patch:
        patch.setattr(Dots, "forward", interrupted)
        result = invoke(folder)
    assert result.exit_code == 130
    assert "stopped and saved after step 1; go on with the same command and --resume" in (
        " ".join(result.stderr.split())
    )
    assert isinstance(invoke(folder).exception, UsageError)
    result = invoke(folder, "--resume", "--quiet")
    assert result.exit_code == 0, result.output
    assert not result.output
    steps = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps if line["kind"] == "step"] == [1, 2, 3, 4, 5, 6]
