import json
import os

import numpy as np
import pytest

from spermseg.cli import app
from spermseg.data.images import write_image
from spermseg.data.preprocess import Preprocessing
from spermseg.data.splits import Split, write_split
from spermseg.errors import DatasetError, SplitError
from spermseg.inference.card import ModelCard
from spermseg.inference.predictor import Predictor
from spermseg.structures import SCHEMAS

SIZE = (24, 32)


def bright_is_head(batch):
    bright = batch[0, 0] > 0.5
    logits = np.zeros((1, 4, *bright.shape), np.float32)
    logits[0, 0], logits[0, 1] = 8 * ~bright, 8 * bright
    return logits


@pytest.fixture
def pictures(tmp_path):
    """Folder of four pictures, each with a bright head."""
    folder = tmp_path / "smears"
    for index in range(4):
        part_map = np.zeros(SIZE, np.uint8)
        part_map[4:12, 5 + index : 20] = 1
        image = np.repeat((part_map * 200 + 20)[..., np.newaxis], 3, axis=2)
        write_image(folder / "images" / f"s{index}.png", image)
        write_image(folder / "masks" / f"s{index}.png", part_map)
    return folder


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Folder of a training of s0 and s1; the network is a threshold."""
    checkpoint = pytest.importorskip("spermseg.training.checkpoint")
    card = ModelCard(
        id="threshold",
        architecture="none",
        schema=SCHEMAS["report-2021"],
        preprocessing=Preprocessing(),
        weights="model.safetensors",
        weights_sha256="0" * 64,
        seed=0,
        recipe={},
        data="two drawings",
    )
    monkeypatch.setattr(checkpoint, "load_predictor", lambda _: Predictor(bright_is_head, card))
    folder = tmp_path / "run"
    write_split(folder / "split.json", Split(("s0", "s1"), ("s2",), ("s3",), seed=5))
    return folder


def invoke(*arguments):
    app([os.fspath(argument) for argument in arguments], standalone_mode=False)


def test_test_pictures_by_default(run, pictures, capsys):
    invoke("evaluate", run, "--data", pictures)
    out, err = capsys.readouterr()
    content = json.loads((run / "evaluation-test" / "evaluation.json").read_text())
    assert [picture["id"] for picture in content["pictures"]] == ["s3"]
    assert content["scores"]["head"]["iou"] == 1
    assert (content["data"]["part"], content["data"]["split_seed"]) == ("test", 5)
    assert out.rstrip().endswith("report.html")
    assert "warning" not in err


def test_training_pictures_are_warned_of_on_stderr_and_page(run, pictures, tmp_path, capsys):
    out = tmp_path / "out"
    invoke("evaluate", run, "--data", pictures, "--part", "train", "-o", out)
    assert "warning: The model was trained on all 2 pictures" in capsys.readouterr().err
    assert "The model was trained on all 2 pictures" in (out / "report.html").read_text()


def test_json_on_stdout_is_the_file(run, pictures, capsys):
    invoke("evaluate", run, "--data", pictures, "--part", "all", "--json")
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((run / "evaluation-all" / "evaluation.json").read_text())
    assert printed["data"]["pictures"] == 4


def test_split_of_other_pictures(run, pictures):
    (pictures / "images" / "s3.png").unlink()
    (pictures / "masks" / "s3.png").unlink()
    with pytest.raises(SplitError, match="--part all"):
        invoke("evaluate", run, "--data", pictures)
    assert not (run / "evaluation-test").exists()


def test_missing_data(run, tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        invoke("evaluate", run, "--data", tmp_path / "nowhere")
