from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from spermseg.config import DataSettings
from spermseg.data.augmentation import REPORT_2021, apply_variant
from spermseg.errors import DataError
from spermseg.training.transforms import Report2021Variant, training_transform

GENERATOR = np.random.default_rng(0)
IMAGE = GENERATOR.integers(1, 256, (30, 40, 3), dtype=np.uint8)
LABELS = np.zeros((30, 40), np.uint8)
LABELS[8:14, 5:36] = 3


def tensors():
    return torch.from_numpy(IMAGE).permute(2, 0, 1), torch.from_numpy(LABELS)


def settings(**changes):
    return DataSettings(**{"size": (30, 40), **changes})


def pixels(result):
    image, mask = result
    return image.permute(1, 2, 0).numpy(), mask.numpy()


@pytest.mark.parametrize("labels", ["nearest", "linear"])
@pytest.mark.parametrize("corners", ["ignore", "background"])
@pytest.mark.parametrize("index", [0, 7, 45, 110])
def test_on_the_fly_is_offline(labels, corners, index):
    transform = training_transform(settings(labels=labels, corners=corners))
    image, mask = pixels(transform(*tensors(), index))
    expected, expected_labels = apply_variant(
        IMAGE, LABELS, REPORT_2021[index], interpolation=labels, corners=corners
    )
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(mask, expected_labels)


def test_a_drawn_variant_is_one_of_the_reports_for_image_and_mask_alike():
    torch.manual_seed(3)
    image, mask = tensors()
    seen = set()
    for _ in range(5):
        turned = pixels(Report2021Variant()(tv_tensors.Image(image), tv_tensors.Mask(mask)))
        seen |= {
            index
            for index, variant in enumerate(REPORT_2021)
            if all(map(np.array_equal, turned, apply_variant(IMAGE, LABELS, variant)))
        }
    assert len(seen) >= 5


def test_other_inputs_pass_untouched():
    image, mask = tensors()
    *_, name = Report2021Variant(3)(tv_tensors.Image(image), tv_tensors.Mask(mask), "smear 1")
    assert name == "smear 1"


@pytest.mark.parametrize("augmentation", ["flips-and-turns", "report-2021"])
def test_a_seed_decides_everything_and_disturbs_nothing(augmentation):
    transform = training_transform(settings(augmentation=augmentation, random_crop=(16, 16)))
    before = torch.get_rng_state()
    first, again = (pixels(transform(*tensors(), None, 11)) for _ in range(2))
    others = [pixels(transform(*tensors(), None, seed)) for seed in range(6)]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(np.array_equal, first, again))
    assert len({image.tobytes() for image, _ in others}) == 6


def test_no_augmentation_changes_nothing():
    image, mask = pixels(training_transform(settings(augmentation="none"))(*tensors()))
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, LABELS)


def test_flips_and_turns_keep_picture_and_mask_together():
    labels = np.zeros((40, 40), np.uint8)
    labels[5:20, 8:16] = 3
    picture = torch.from_numpy(np.repeat(labels[None] * np.uint8(60), 3, axis=0))
    transform = training_transform(settings(size=(40, 40), augmentation="flips-and-turns"))
    orientations = set()
    for seed in range(40):
        image, mask = transform(picture, torch.from_numpy(labels), None, seed)
        assert set(mask.unique().tolist()) <= {0, 3, 255}
        bright, tail = image[0] > 90, mask == 3
        assert (bright & tail).sum() > 0.9 * (bright | tail).sum()
        rows, cols = np.nonzero(tail.numpy())
        orientations.add((np.ptp(rows) > np.ptp(cols), rows.mean() > 20, cols.mean() > 20))
    assert len(orientations) == 8


def test_corners_of_a_small_turn_are_as_set():
    for corners, fill in (("ignore", 255), ("background", 0)):
        transform = training_transform(settings(augmentation="flips-and-turns", corners=corners))
        image, mask = transform(*tensors(), None, 1)
        outside = (image == 0).all(0)
        assert outside.any()
        assert set(mask[outside].tolist()) == {fill}


def test_a_random_crop_is_filled_up_like_a_corner():
    transform = training_transform(settings(augmentation="none", random_crop=(50, 20)))
    image, mask = transform(*tensors(), None, 5)
    assert image.shape == (3, 50, 20)
    assert mask.shape == (50, 20)
    assert torch.equal((image == 0).all(0), mask == 255)


def test_the_centre_is_cropped_after_the_turn():
    transform = training_transform(settings(crop=(10, 10)))
    _, mask = transform(*tensors(), 9)
    _, whole = apply_variant(IMAGE, LABELS, REPORT_2021[9])
    np.testing.assert_array_equal(mask.numpy(), whole[10:20, 15:25])
    assert not (mask == 255).any()


def test_a_centre_crop_larger_than_the_picture_is_refused():
    with pytest.raises(DataError, match=r"crop \(31, 40\)"):
        training_transform(settings(crop=(31, 40)))(*tensors())
