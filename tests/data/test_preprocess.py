"""To the network's size and values, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spermseg.config import IMAGENET_MEAN, IMAGENET_STD
from spermseg.data import preprocess
from spermseg.data.preprocess import Preprocessing, resize_image, resize_labels, to_uint8
from spermseg.errors import DataError
from spermseg.structures import LabelledSample

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def test_imagenet_normalisation_by_its_published_formula():
    image = np.full((1, 1, 3), 255, np.uint8)
    values = Preprocessing(mean=IMAGENET_MEAN, std=IMAGENET_STD).normalise(image)
    expected = [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(values[:, 0, 0], expected, rtol=1e-6)


def test_without_normalisation_values_are_between_0_and_1():
    image = np.array([[[0, 51, 255]]], np.uint8)
    np.testing.assert_allclose(Preprocessing().normalise(image)[:, 0, 0], [0, 0.2, 1], atol=1e-7)


def test_16_bits_become_8():
    image = np.array([0, 257, 65535, 128], np.uint16)
    assert to_uint8(image).tolist() == [0, 1, 255, 0]
    with pytest.raises(DataError, match="float32"):
        to_uint8(image.astype(np.float32))


def test_halving_averages_pixels():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, 2:] = 200
    half = resize_image(image, (1, 2))
    # Triangle two pixels wide to each side, cut off at the border: weights 3, 3 and 1 of 7.
    assert half[0, :, 0].tolist() == [round(200 / 7), round(200 * 6 / 7)]


@given(SIZES, SIZES)
def test_resized_labels_invent_no_id(size, target):
    labels = np.random.default_rng(0).choice([0, 2, 3, 255], size).astype(np.uint8)
    resized = resize_labels(labels, target)
    assert resized.shape == target
    assert set(np.unique(resized)) <= set(np.unique(labels))


def test_picture_and_labels_are_cropped_at_the_same_place():
    labels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 7
    image = np.repeat(labels[:, :, None], 3, axis=2)
    sample = LabelledSample("a", image, part_map=labels)
    image_, labels_ = Preprocessing(crop=(2, 4)).prepare(sample)
    assert (image_[:, :, 0] == labels_).all()
    assert (labels_ == labels[2:4, 2:6]).all()


def test_crop_larger_than_the_picture():
    with pytest.raises(DataError, match="larger than the picture"):
        Preprocessing(size=(4, 4), crop=(5, 4)).prepare_image(np.zeros((9, 9, 3), np.uint8))


@given(SIZES)
def test_scores_come_back_at_the_picture_s_size_and_sum_to_one(size):
    scores = np.random.default_rng(1).dirichlet(np.ones(4), (6, 8)).transpose(2, 0, 1)
    full = Preprocessing(size=(6, 8)).restore_scores(scores.astype(np.float32), size)
    assert full.shape == (4, *size)
    np.testing.assert_allclose(full.sum(0), 1, atol=1e-5)


def test_outside_the_crop_is_background_and_not_visible():
    preprocessing = Preprocessing(size=(6, 8), crop=(2, 4))
    scores = np.zeros((4, 2, 4), np.float32)
    scores[3] = 1
    full = preprocessing.restore_scores(scores, (6, 8))
    seen = preprocessing.visible((6, 8))
    assert seen.sum() == 8
    assert (full.argmax(0) == np.where(seen, 3, 0)).all()


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(),
        Preprocessing((5, 6), (3, 4), IMAGENET_MEAN, IMAGENET_STD),
        Preprocessing(head_length_px=45, margin=32),
    ],
)
def test_survives_json(preprocessing):
    assert Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing


def test_a_working_scale_brings_heads_to_one_length():
    preprocessing = Preprocessing(head_length_px=45)
    assert preprocessing.working_size((1024, 1280), 90) == (512, 640)
    assert preprocessing.working_size((300, 401), 27) == (500, 668)
    assert preprocessing.working_size((300, 401)) == (300, 401)
    assert preprocessing.working_size((1, 1), 4500) == (1, 1)
    assert Preprocessing(size=(20, 30)).working_size((300, 401), 90) == (20, 30)


def test_a_working_scale_excludes_a_fixed_size():
    for other in ({"size": (20, 30)}, {"crop": (20, 30)}):
        with pytest.raises(DataError, match="not to both"):
            Preprocessing(head_length_px=45, **other)


def test_picture_and_labels_come_to_the_working_scale_together():
    part_map = np.zeros((40, 60), np.uint8)
    part_map[10:30, 20:40] = 5
    image = np.repeat(part_map[..., None] * 50, 3, axis=2)
    sample = LabelledSample("p", image, head_length_px=20, part_map=part_map)
    small, labels = Preprocessing(head_length_px=10).prepare(sample)
    assert small.shape == (20, 30, 3)
    assert (labels == 5).sum() == 100
    assert ((small[..., 0] > 125) == (labels == 5)).all()


def test_scores_of_a_working_scale_come_back_to_the_picture():
    scores = np.zeros((2, 5, 6), np.float32)
    scores[0] = 1
    restored = Preprocessing(head_length_px=45).restore_scores(scores, (10, 12))
    assert restored.shape == (2, 10, 12)
    assert (restored[0] == 1).all()


def test_the_margin_is_blank_and_only_where_the_picture_ends():
    preprocessing = Preprocessing(mean=IMAGENET_MEAN, std=IMAGENET_STD, margin=3)
    image = np.full((5, 7, 3), 200, np.uint8)
    framed = preprocessing.framed(image)
    assert framed.shape == (11, 13, 3)
    assert (framed[3:8, 3:10] == 200).all()
    framed[3:8, 3:10] = preprocessing.blank
    assert np.abs(preprocessing.normalise(framed)).max() < 0.01
    one_side = preprocessing.framed(image, (False, True, False, False))
    assert one_side.shape == (5, 10, 3)
    assert (one_side[:, 3:] == 200).all()
    assert np.array_equal(Preprocessing().framed(image), image)


def test_two_threads_resize_as_one_does(monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8)
    alone = preprocess.resize_image(image, (27, 40))
    monkeypatch.setattr(preprocess, "_SHARED_PIXELS", 1)
    halves = preprocess.resize_image(image, (27, 40))
    # Where a band begins between two rows, a value may be rounded the other way.
    assert np.abs(halves.astype(int) - alone).max() <= 1
    assert np.mean(halves != alone) < 0.01
    np.testing.assert_array_equal(preprocess.resize_image(image, (1, 40)).shape, (1, 40, 3))
