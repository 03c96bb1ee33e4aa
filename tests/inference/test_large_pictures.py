"""Pictures of many tiles: the same result, in little memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from spermseg.data.synthetic import PRESETS, synthesize_sample
from spermseg.inference import predictor as predictor_module
from spermseg.inference import tiling
from spermseg.inference.catalog import load_model
from spermseg.inference.predictor import Predictor
from spermseg.structures import Sample


def bright_is_class(batch):
    """Logits of 4 classes, the higher the brighter."""
    centres = np.linspace(0, 1, 4, dtype=np.float32)[:, np.newaxis, np.newaxis]
    return -30 * (batch[:, :1] - centres[np.newaxis]) ** 2


@pytest.fixture
def bright(card_of):
    return Predictor(bright_is_class, card_of(head_length_px=45.0))


def waves(size):
    rows, columns = np.ogrid[: size[0], : size[1]]
    grey = 127.5 * (1 + np.sin(rows / 37) * np.cos(columns / 53))
    return np.repeat(np.rint(grey).astype(np.uint8)[..., np.newaxis], 3, axis=2)


@pytest.mark.parametrize("head_length", [90.0, 45.0, 20.0])
def test_tiles_change_nothing(bright, monkeypatch, head_length):
    sample = Sample("waves", waves((900, 1000)), head_length_px=head_length)
    monkeypatch.setattr(tiling, "ONE_GO", 10**9)
    untiled = bright.segment(sample)
    monkeypatch.setattr(tiling, "ONE_GO", 2**13)
    tiled = bright.segment(sample)
    assert (tiled.part_map == untiled.part_map).mean() >= 0.999
    assert tiled.scores.shape == untiled.scores.shape
    # Pictures of tiles are rounded to whole grey values at slightly different places.
    assert np.abs(tiled.scores.astype(float) - untiled.scores).max() < 0.2
    assert np.abs(tiled.scores.astype(float) - untiled.scores).mean() < 1e-3


def test_seams_of_the_default_model_are_not_to_be_seen(monkeypatch):
    smear = replace(PRESETS["sperm-parsing"], size=(2048, 2560))
    picture = synthesize_sample(smear, seed=5, index=0).sample.image
    sample = Sample("smear", picture, head_length_px=90.0)
    model = load_model()
    whole = model.segment(sample).part_map
    monkeypatch.setattr(tiling, "ONE_GO", 0)
    tiled = model.segment(sample).part_map
    assert (whole > 0).mean() > 0.01
    assert (tiled != whole).mean() <= 0.001


@pytest.mark.parametrize("head_length", [90.0, 45.0, 20.0])
@pytest.mark.parametrize("one_go", [2**13, 10**9])
def test_prediction_and_segmentation_agree(bright, monkeypatch, head_length, one_go):
    monkeypatch.setattr(tiling, "ONE_GO", one_go)
    sample = Sample("waves", waves((400, 700)), head_length_px=head_length)
    agree = bright.predict(sample).part_map == bright.segment(sample).part_map
    assert agree.mean() >= 0.9999


def test_of_very_many_scores_every_third_is_kept(bright, monkeypatch):
    sample = Sample("waves", waves((500, 607)), head_length_px=45.0)
    monkeypatch.setattr(tiling, "ONE_GO", 2**13)
    everything = bright.segment(sample)
    monkeypatch.setattr(predictor_module, "KEPT_PIXELS", 500 * 607 / 8)
    thinned = bright.segment(sample)
    np.testing.assert_array_equal(thinned.part_map, everything.part_map)
    np.testing.assert_array_equal(thinned.scores, everything.scores[:, ::3, ::3])


def test_memory_does_not_hold_the_scores_of_everything(bright, monkeypatch):
    monkeypatch.setattr(predictor_module, "KEPT_PIXELS", 2**18)
    sample = Sample("waves", waves((1500, 1600)), head_length_px=25.0)
    working_pixels = 2700 * 2880
    tracemalloc.start()
    try:
        bright.segment(sample)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Four classes of float32 would be 16 bytes a pixel; a tile's needs do not grow.
    assert peak < 8 * working_pixels
