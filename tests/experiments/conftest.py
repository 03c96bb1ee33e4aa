"""A tiny data set and a tiny scale, so that whole experiments run in seconds."""

from __future__ import annotations

from dataclasses import replace
from tempfile import TemporaryDirectory
from urllib.error import URLError

import numpy as np
import pytest
import torch

from spermseg.data.datasets import open_dataset
from spermseg.data.images import write_image
from spermseg.data.splits import Split
from spermseg.experiments.catalog import (
    EXPERIMENTS,
    load_experiment,
    load_experiments,
    load_scale,
)
from spermseg.experiments.runner import RunSettings, Substitute, run_experiments
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
    return replace(
        load_scale("quick"),
        architectures=dict.fromkeys(ARCHITECTURES, "lraspp_mobilenet_v3_large"),
        settings={"data": {"size": [48, 64], "crop": None, "variants_per_epoch": 20}},
    )


@pytest.fixture(scope="session")
def no_downloads():
    """An empty cache of pretrained weights and no way to fill it."""

    def refuse(*args, **options):
        raise URLError("no network in tests")

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as cache:
        patch.setattr(torch.hub, "get_dir", lambda: cache)
        patch.setattr(torch.hub, "download_url_to_file", refuse)
        yield


@pytest.fixture(scope="session")
def finished(tiny_data, tiny_split, tiny_scale, no_downloads, tmp_path_factory):
    """Experiment 4, done, and experiment 3, whose weights are not to be had."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("finished")
    experiments = load_experiments(["experiment-3", "experiment-4"])
    run_experiments(experiments, tiny_data, tiny_split, out, RunSettings(tiny_scale))
    return out


@pytest.fixture(scope="session")
def substituted(finished, tiny_data, tiny_split, tiny_scale, tmp_path_factory):
    """Experiment 3 on the backbone of the finished experiment 4."""
    out = tmp_path_factory.mktemp("substituted")
    settings = RunSettings(tiny_scale, Substitute(finished / "experiment-4", "a tiny substitute"))
    run_experiments(load_experiments(["experiment-3"]), tiny_data, tiny_split, out, settings)
    return out
