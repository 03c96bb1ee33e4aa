from __future__ import annotations

import numpy as np
import pytest

from spermseg.config import DataSettings
from spermseg.data.preprocess import Preprocessing
from spermseg.experiments.augmented import LABELLINGS, AugmentedDataset, evaluate_variants
from spermseg.inference.card import ModelCard
from spermseg.inference.predictor import Predictor
from spermseg.structures import SCHEMAS

SETTINGS = DataSettings(size=(48, 64))


class GreyNetwork:
    """Knows the grey of every part of the tiny pictures; what is black, it takes for background."""

    def __init__(self):
        self.calls = 0

    def __call__(self, images):
        self.calls += 1
        greys = np.array([220, 60, 100, 140], np.float32) / 255 + 0.04
        logits = -np.abs(images[:, :1] - greys[np.newaxis, :, np.newaxis, np.newaxis]) * 1000
        logits[:, 0][images[:, 0] == 0] = 0
        return logits


def predictor(network):
    card = ModelCard(
        id="grey",
        architecture="grey",
        schema=SCHEMAS["report-2021"],
        preprocessing=Preprocessing(size=(48, 64)),
        weights="none.safetensors",
        weights_sha256="0" * 64,
        seed=0,
        recipe={},
        data="none",
    )
    return Predictor(network, card)


@pytest.fixture(scope="module")
def evaluated(tiny_data):
    network = GreyNetwork()
    results = evaluate_variants(predictor(network), tiny_data, tiny_data.ids[:2], SETTINGS)
    return network, results


def test_each_variant_is_there_once_for_each_labelling(tiny_data):
    variants = AugmentedDataset(tiny_data, tiny_data.ids[:2], SETTINGS)
    assert len(variants) == 2 * 111 * 2
    assert variants.records["p1/horizontal-045/corrected"].group == tiny_data.records["p1"].group


def test_the_network_sees_each_variant_once(evaluated):
    network, results = evaluated
    # One less a picture: horizontal-180 and vertical-000, which follow one another, are twins.
    assert network.calls == 2 * 110
    assert [len(result.pictures) for result in results.values()] == [222, 222]
    assert [result.data["pictures"] for result in results.values()] == [222, 222]


def test_every_variant_is_compared_with_its_own_labels(evaluated):
    _, results = evaluated
    for picture in results["corrected"].pictures:
        truth = picture.confusion.sum(1)
        right = np.diagonal(picture.confusion)
        # Interpolation blurs the grey of edges only.
        assert right[1] > 0.7 * truth[1], picture.id
        assert right[3] > 0.4 * truth[3], picture.id


def test_linear_interpolation_invents_heads_around_tails(tiny_data):
    variants = AugmentedDataset(tiny_data, tiny_data.ids[:1], SETTINGS)
    corrected, published = (variants.load(f"p0/none-045/{name}").part_map for name in LABELLINGS)
    tail = corrected == 3
    assert np.isin(published[tail], (1, 2)).sum() > 0.2 * tail.sum()
    assert (corrected == 255).sum() > 400
    assert not published[corrected == 255].any()


def test_finer_parts_become_heads_before_they_are_turned(tiny_data, monkeypatch):
    whole = type(tiny_data).load

    def load(self, sample_id):
        sample = whole(self, sample_id)
        sample.part_map[sample.part_map == 1] = 5
        return sample

    monkeypatch.setattr(type(tiny_data), "load", load)
    variants = AugmentedDataset(tiny_data, tiny_data.ids[:1], SETTINGS)
    for name in LABELLINGS:
        assert set(np.unique(variants.load(f"p0/none-030/{name}").part_map)) <= {0, 1, 2, 3, 255}
