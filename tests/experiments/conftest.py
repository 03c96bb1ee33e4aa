"""A tiny data set and a tiny scale, so that whole experiments run in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from spermseg.data.datasets import open_dataset
from spermseg.data.images import write_image
from spermseg.data.splits import Split
from spermseg.experiments.catalog import EXPERIMENTS, Scale, load_experiment
from spermseg.files import write_json

ARCHITECTURES = {load_experiment(name).config.model.architecture for name in EXPERIMENTS}


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """Six pictures of 48x64 with a dark head, midpiece and tail each, in as many groups."""
    root = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    for number in range(6):
        labels = np.zeros((48, 64), np.uint8)
        row, column = rng.integers(12, 30), rng.integers(4, 14)
        labels[row : row + 8, column : column + 12] = 1
        labels[row + 2 : row + 6, column + 12 : column + 18] = 2
        labels[row + 3 : row + 5, column + 18 : column + 40] = 3
        image = np.array([220, 60, 100, 140], np.uint8)[labels]
        image = np.repeat(image[..., np.newaxis], 3, axis=2) + rng.integers(0, 20, (48, 64, 3))
        write_image(root / "images" / f"p{number}.png", image.astype(np.uint8))
        write_image(root / "masks" / f"p{number}.png", labels)
    write_json(root / "dataset.json", {"schema": "report-2021"})
    return open_dataset(root)


@pytest.fixture(scope="session")
def tiny_split(tiny_data):
    ids = tiny_data.ids
    return Split(train=ids[:4], validation=ids[4:5], test=ids[5:])


@pytest.fixture(scope="session")
def tiny_scale():
    return Scale(
        name="tiny",
        title="For tests.",
        comparable="Nothing may be compared.",
        architectures=dict.fromkeys(ARCHITECTURES, "lraspp_mobilenet_v3_large"),
        epochs={25: 2, 10: 1},
        settings={"data": {"size": [48, 64], "crop": None, "variants_per_epoch": 20}},
    )
