import numpy as np
import pytest

from spermseg.errors import DataError
from spermseg.metrics import report_2021

LABEL = np.array([[0, 1, 2, 3], [3, 3, 0, 1]], np.uint8)
PREDICTION = np.array([[0, 1, 3, 3], [1, 0, 2, 2]], np.uint8)


def test_iou_combines_bits():
    # & : 0 1 2 3 / 1 0 0 0 = 7; | : 0 1 3 3 / 3 3 2 3 = 18.
    assert report_2021.iou(PREDICTION, LABEL) == pytest.approx(7 / 18, rel=1e-6)


def test_iou_of_all_background_is_next_to_zero_as_published():
    value = report_2021.iou(np.zeros_like(LABEL), LABEL)
    assert value == pytest.approx(1e-6 / (13 + 1e-6))
    assert f"{value:.5f}" == "0.00000"
    assert report_2021.iou(np.zeros_like(LABEL), np.zeros_like(LABEL)) == 1


def test_iou_without_ignored_pixels():
    label = LABEL.copy()
    label[1, 1:] = 255
    # Columns left: & 0 1 2 3 / 1 = 7; | 0 1 3 3 / 3 = 10.
    assert report_2021.iou(PREDICTION, label) == pytest.approx(0.7, rel=1e-6)


def test_sums_do_not_overflow_eight_bits():
    threes = np.full((300, 300), 3, np.uint8)
    assert report_2021.iou(threes, threes) == 1


def scores_of_two_pixels():
    return np.array([[[0.5, 0.1]], [[0.25, 0.2]], [[0.125, 0.3]], [[0.125, 0.4]]], np.float32)


def test_dice_loss_by_hand():
    # The true classes got 0.5 and 0.4: 1 - 2 * 0.9 / (2 + 2 + 1e-6).
    loss = report_2021.dice_loss(scores_of_two_pixels(), np.array([[0, 3]], np.uint8))
    assert loss == pytest.approx(1 - 1.8 / 4.000001, rel=1e-6)
    only = report_2021.dice_loss(scores_of_two_pixels(), np.array([[0, 255]], np.uint8))
    assert only == pytest.approx(0.5, rel=1e-5)


def test_background_rules_the_dice_loss():
    scores = np.zeros((4, 100, 100), np.float32)
    scores[0] = 1
    label = np.zeros((100, 100), np.uint8)
    label[0] = 3
    # Every tail pixel is missed, and the loss is the background's 1 %.
    assert report_2021.dice_loss(scores, label) == pytest.approx(0.01)


def test_cross_entropy_by_hand():
    value = report_2021.cross_entropy(scores_of_two_pixels(), np.array([[0, 3]], np.uint8))
    assert value == pytest.approx(-(np.log(0.5) + np.log(0.4)) / 2)
    alone = report_2021.cross_entropy(scores_of_two_pixels(), np.array([[255, 3]], np.uint8))
    assert alone == pytest.approx(-np.log(0.4))
    assert np.isnan(
        report_2021.cross_entropy(scores_of_two_pixels(), np.full((1, 2), 255, np.uint8))
    )


def test_cross_entropy_of_a_certain_mistake_is_finite():
    scores = np.array([[[1.0]], [[0.0]]], np.float32)
    assert report_2021.cross_entropy(scores, np.array([[1]], np.uint8)) == pytest.approx(87.3, 0.01)


def test_losses_agree_with_torch():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    logits = torch.from_numpy(random.normal(size=(1, 4, 6, 7)).astype(np.float32))
    label = torch.from_numpy(random.integers(0, 4, (1, 6, 7)))
    soft = torch.softmax(logits, 1)
    hot = torch.nn.functional.one_hot(label, 4).permute(0, 3, 1, 2).float()
    # torchgeometry.losses.DiceLoss.forward, line by line.
    intersection = torch.sum(soft * hot, (1, 2, 3))
    cardinality = torch.sum(soft + hot, (1, 2, 3))
    dice = torch.mean(1.0 - 2.0 * intersection / (cardinality + 1e-6))
    entropy = torch.nn.functional.cross_entropy(logits, label)
    scores, indices = soft[0].numpy(), label[0].numpy().astype(np.uint8)
    assert report_2021.dice_loss(scores, indices) == pytest.approx(dice.item(), rel=1e-5)
    assert report_2021.cross_entropy(scores, indices) == pytest.approx(entropy.item(), rel=1e-5)


def test_average_is_the_mean_while_batches_are_complete():
    assert report_2021.average([0.1, 0.3, 0.5, 0.7], 2) == pytest.approx(0.4)
    assert report_2021.average([0.1, 0.3, 0.5], 1) == pytest.approx(0.3)


def test_average_overrates_an_incomplete_last_batch():
    # Means 0.2 and 0.5, of 3 pictures in batches of 2: (0.2 + 0.5) / 3 * 2.
    assert report_2021.average([0.1, 0.3, 0.5], 2) == pytest.approx(0.7 / 3 * 2)
    # The report's own test set, 444 pictures in batches of 10: 45 / 44.4 too high.
    assert report_2021.average(np.full(444, 0.3), 10) == pytest.approx(0.3 * 45 / 44.4)


def test_average_of_nothing_and_of_no_batch():
    assert np.isnan(report_2021.average([], 10))
    with pytest.raises(DataError, match="batch size"):
        report_2021.average([1.0], 0)
