"""TorchScript with the normalisation and softmax inside."""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

from spermseg.data.preprocess import Preprocessing
from spermseg.errors import CheckpointError
from spermseg.inference.card import ModelCard, write_card
from spermseg.inference.predictor import softmax
from spermseg.structures import SCHEMAS
from spermseg.training.checkpoint import load_network, write_weights
from spermseg.training.models import create_model
from spermseg.training.torchscript import run_torchscript, write_torchscript

SCHEMA = SCHEMAS["sperm-parsing"]
OFFSETS = {"tail": 1.5, "nucleus": -0.5}
IMAGE = np.random.default_rng(1).integers(0, 256, (41, 58, 3), np.uint8)
RAW = IMAGE.transpose(2, 0, 1)[np.newaxis].astype(np.float32)


@pytest.fixture
def run(tmp_path, settings):
    """Write the folder of a training of random weights."""
    torch.manual_seed(2)
    model = create_model("tiny", SCHEMA.n_classes)
    card = ModelCard(
        id="tiny",
        architecture="tiny",
        schema=SCHEMA,
        preprocessing=Preprocessing(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)),
        weights="model.safetensors",
        weights_sha256=write_weights(tmp_path / "run" / "model.safetensors", model),
        seed=5,
        recipe=settings().to_dict(),
        data="nothing",
    )
    write_card(tmp_path / "run" / "card.json", card)
    return tmp_path / "run", replace(card, recipe=card.recipe | {"logit_offsets": OFFSETS})


@pytest.mark.parametrize("weights", ["", "model.safetensors"])
def test_probabilities_are_those_of_the_network_at_its_operating_point(run, tmp_path, weights):
    folder, card = run
    version = write_torchscript(tmp_path / "out.pt", folder / weights, card)
    assert torch.__version__.startswith(version)
    network, _ = load_network(folder)
    with torch.inference_mode():
        prepared = torch.from_numpy(card.preprocessing.normalise(IMAGE)[np.newaxis])
        logits = network.eval()(prepared)["out"][0].numpy()
    logits += np.array([OFFSETS.get(part, 0) for part in SCHEMA.parts]).reshape(-1, 1, 1)
    found = run_torchscript(tmp_path / "out.pt", RAW)
    np.testing.assert_allclose(found[0], softmax(logits), atol=1e-6)


def test_nothing_says_where_it_was_written(run, tmp_path):
    write_torchscript(tmp_path / "out.pt", *run)
    with zipfile.ZipFile(tmp_path / "out.pt") as archive:
        contents = [archive.read(name) for name in archive.namelist()]
    for place in (__file__, torch.__file__, "spermseg/training/torchscript.py"):
        assert not any(place.encode() in content for content in contents)


def test_weights_of_another_architecture_are_refused(run, tmp_path):
    _, card = run
    write_weights(tmp_path / "other.safetensors", torch.nn.Conv2d(3, 2, 1))
    with pytest.raises(CheckpointError, match="another architecture"):
        write_torchscript(tmp_path / "out.pt", tmp_path / "other.safetensors", card)
