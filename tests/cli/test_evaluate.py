import json
import os

import numpy as np
import pytest

from spermseg.cli import app
from spermseg.data.images import write_image
from spermseg.data.preprocess import Preprocessing
from spermseg.data.splits import Split, write_split
from spermseg.errors import DatasetError, SplitError, UsageError
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


@pytest.fixture
def annotated_sperm(tmp_path):
    """Folder of one picture with one sperm, of the colours that `colour_model` reads."""
    parts = {  # left, top, right, bottom; the colour
        "Nucleus": ((20, 30, 60, 56), (0, 0, 255)),
        "Midpiece": ((60, 40, 90, 46), (0, 255, 0)),
        "Tail": ((90, 41, 190, 45), (255, 0, 0)),
    }
    image = np.full((90, 220, 3), 255, np.uint8)
    for (left, top, right, bottom), colour in parts.values():
        image[top:bottom, left:right] = colour
    folder = tmp_path / "labelled"
    write_image(folder / "a.png", image)
    shapes = [
        {"label": name, "group_id": 3, "shape_type": "rectangle", "points": [box[:2], box[2:]]}
        for name, (box, _) in parts.items()
    ]
    (folder / "a.json").write_text(json.dumps({"shapes": shapes}))
    return folder


def test_worst_sperm_with_reasons(colour_model, annotated_sperm, tmp_path, capsys):
    reasons = tmp_path / "reasons.yaml"
    reasons.write_text(
        "model: colours\n"
        "reasons: [{picture: a, sperm: 3, reason: blur, sentence: It is not sharp.}]\n"
    )
    arguments = ("evaluate", colour_model, "--data", annotated_sperm, "--part", "all")
    out = tmp_path / "out"
    invoke(*arguments, "-o", out, "--worst", "5", "--reasons", reasons)
    (row,) = json.loads((out / "worst.json").read_text())["worst"]
    assert (row["picture"], row["sperm"], row["reason"]) == ("a", 3, "blur")
    assert row["iou"]["nucleus"] > 0.9
    assert "It is not sharp." in (out / "worst.html").read_text()
    assert capsys.readouterr().out.rstrip().endswith("worst.html")


def test_worst_sperm_are_not_shown_unless_asked_for(colour_model, annotated_sperm, tmp_path):
    arguments = ("evaluate", colour_model, "--data", annotated_sperm, "--part", "all")
    out = tmp_path / "out"
    invoke(*arguments, "-o", out)
    assert not (out / "worst.html").exists()
    with pytest.raises(UsageError, match="--worst 20"):
        invoke(*arguments, "-o", out, "--reasons", tmp_path / "reasons.yaml")
