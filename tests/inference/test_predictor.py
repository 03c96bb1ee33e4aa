from dataclasses import replace

import numpy as np
import pytest

from spermseg.data.preprocess import Preprocessing
from spermseg.errors import ModelError
from spermseg.inference.card import ModelCard
from spermseg.inference.predictor import Predictor, softmax
from spermseg.structures import SCHEMAS, Sample, Scale


def a_predictor(backend, **preprocessing):
    card = ModelCard(
        id="fake",
        architecture="none",
        schema=SCHEMAS["report-2021"],
        preprocessing=Preprocessing(**preprocessing),
        weights="model.safetensors",
        weights_sha256="0" * 64,
        seed=0,
        recipe={},
        data="nothing",
    )
    return Predictor(backend, card)


def brightness_is_class(batch):
    """Logits that name class 0, 1, 2, 3 at red values of 0, 1/3, 2/3, 1."""
    classes = np.round(batch[:, 0] * 3).astype(int)
    return 20 * np.eye(4, dtype=np.float32)[classes].transpose(0, 3, 1, 2)


def quadrants(height=16, width=24):
    indices = np.zeros((height, width), np.uint8)
    indices[: height // 2, width // 2 :] = 1
    indices[height // 2 :, : width // 2] = 2
    indices[height // 2 :, width // 2 :] = 3
    return indices


def picture(indices):
    return Sample("q", np.repeat(indices[..., np.newaxis] * 85, 3, axis=2).astype(np.uint8))


def test_prediction_at_the_pictures_own_size():
    indices = quadrants()
    prediction = a_predictor(brightness_is_class).predict(picture(indices))
    np.testing.assert_array_equal(prediction.part_map, indices)
    assert prediction.scores.dtype == np.float32
    np.testing.assert_allclose(prediction.scores.sum(0), 1, rtol=1e-6)
    assert prediction.card_id == "fake"


def test_half_size_network_gives_full_size_scores():
    seen = []

    def backend(batch):
        seen.append(batch.shape)
        return brightness_is_class(batch)

    prediction = a_predictor(backend, size=(8, 12)).predict(picture(quadrants()))
    assert seen == [(1, 3, 8, 12)]
    assert prediction.scores.shape == (4, 16, 24)
    corners = prediction.part_map[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.tolist() == [0, 1, 2, 3]


def test_outside_the_crop_is_background():
    white = Sample("w", np.full((16, 24, 3), 255, np.uint8))
    prediction = a_predictor(brightness_is_class, crop=(8, 12)).predict(white)
    expected = np.zeros((16, 24), np.uint8)
    expected[4:12, 6:18] = 3
    np.testing.assert_array_equal(prediction.part_map, expected)


def test_wrong_shape_is_named():
    with pytest.raises(ModelError, match=r"\(1, 2, 16, 24\).*\(1, 4, 16, 24\)"):
        a_predictor(lambda batch: batch[:, :2]).predict(picture(quadrants()))


def test_diverged_network_is_no_empty_picture():
    with pytest.raises(ModelError, match="not finite"):
        a_predictor(lambda batch: np.full((1, 4, *batch.shape[2:]), np.nan)).predict(
            picture(quadrants())
        )


@pytest.mark.parametrize(
    "preprocessing",
    [{}, {"size": (8, 12)}, {"size": (20, 30), "crop": (16, 24)}, {"crop": (8, 12)}],
)
def test_a_fixed_size_is_segmented_as_it_is_predicted(preprocessing):
    predictor, sample = a_predictor(brightness_is_class, **preprocessing), picture(quadrants())
    segmentation = predictor.segment(sample)
    np.testing.assert_array_equal(segmentation.part_map, predictor.predict(sample).part_map)
    assert segmentation.scores.shape[1:] == preprocessing.get("size", (16, 24))
    assert segmentation.scores.dtype == np.float16
    assert segmentation.scale == Scale("unknown")
    assert segmentation.warnings == ()


def test_working_scale_pads_to_what_networks_halve():
    seen = []

    def backend(batch):
        seen.append(batch.shape)
        return brightness_is_class(batch)

    sample = replace(picture(quadrants(70, 90)), head_length_px=45.0)
    segmentation = a_predictor(backend, head_length_px=45.0).segment(sample)
    assert seen == [(1, 3, 96, 96)]
    np.testing.assert_array_equal(segmentation.part_map, quadrants(70, 90))
    assert segmentation.scores.shape == (4, 70, 90)
    assert segmentation.card_id == "fake"


@pytest.mark.parametrize("size", [(70, 90), (1500, 1300)])
def test_the_blank_margin_lies_where_the_picture_ends_and_nowhere_else(size):
    seen = []

    def backend(batch):
        seen.append(batch)
        return brightness_is_class(np.clip(batch, 0, 1))

    sample = replace(picture(quadrants(*size) % 3 + 1), head_length_px=45.0)
    mean = (0.0, 0.0, 0.0)
    predictor = a_predictor(backend, head_length_px=45.0, margin=16, mean=mean)
    segmentation = predictor.segment(sample)
    np.testing.assert_array_equal(segmentation.part_map, quadrants(*size) % 3 + 1)
    # All tiles together see every side's margin: blank is 0, the picture is not.
    blank = [(batch[0, 0] == 0) for batch in seen]
    assert any(b[:16].all() and b[:, :16].all() for b in blank)
    assert any(b[-16:].all() and b[:, -16:].all() for b in blank)
    if len(seen) > 1:
        assert any(not b[0].all() and not b[:, -1].all() for b in blank)


def test_a_16_bit_picture_is_segmented_as_its_8_bit_one():
    sample = replace(picture(quadrants()), head_length_px=9.0)
    deep = replace(sample, image=sample.image.astype(np.uint16) * 257)
    predictor = a_predictor(brightness_is_class, head_length_px=9.0)
    np.testing.assert_array_equal(predictor.segment(deep).scores, predictor.segment(sample).scores)


def test_working_scores_lie_where_prepare_brings_the_labels():
    sample = replace(picture(quadrants()), head_length_px=20.0)
    predictor = a_predictor(brightness_is_class, head_length_px=10.0)
    assert predictor.working_scores(sample).shape == (4, 8, 12)
    assert predictor.working_scores(picture(quadrants())).shape == (4, 16, 24)


def test_softmax_by_hand_and_without_overflow():
    half = np.log(np.array([1, 2, 5], np.float16))[:, np.newaxis]
    np.testing.assert_allclose(softmax(half)[:, 0], [0.125, 0.25, 0.625], rtol=1e-3)
    huge = softmax(np.array([[1e4], [-1e4], [1e4]], np.float32))
    np.testing.assert_allclose(huge[:, 0], [0.5, 0, 0.5])
    assert huge.dtype == np.float32


def test_softmax_leaves_its_argument_alone():
    logits = np.ones((2, 1), np.float32)
    softmax(logits)
    assert (logits == 1).all()


@pytest.mark.parametrize(("head_length", "darkest"), [(45.0, 1.45), (None, -2)])
def test_the_surround_of_a_round_field_is_not_shown_to_a_model_with_a_working_scale(
    card_of, head_length, darkest
):
    shown = []

    def keep(batch):
        shown.append(batch)
        return np.zeros((1, 4, *batch.shape[2:]), np.float32)

    rows, columns = np.ogrid[:200, :300]
    image = np.full((200, 300, 3), 220, np.uint8)
    image[np.hypot(rows - 100, columns - 150) > 95] = 0
    half, quarter = (0.5,) * 3, (0.25,) * 3
    preprocessing = Preprocessing(head_length_px=head_length, mean=half, std=quarter)
    predictor = Predictor(keep, replace(card_of(), preprocessing=preprocessing))
    predictor.segment(Sample("round", image, head_length_px=45.0))
    # The background is (220 / 255 - 0.5) / 0.25, black -2.
    assert max(batch.max() for batch in shown) == pytest.approx(1.45, abs=0.01)
    assert min(batch.min() for batch in shown) == pytest.approx(darkest, abs=0.02)
