"""Losses against torch, MONAI, worked examples, and what must not depend on ignored pixels."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from spermseg.config import LossSettings
from spermseg.errors import ConfigError
from spermseg.structures import SCHEMAS
from spermseg.training import losses
from spermseg.training.losses import SOFT_LOSSES, class_weights_from_shares, create_loss

REPORT = SCHEMAS["report-2021"]
TERMS = (
    *("cross_entropy", "dice", "dice_report_2021", "focal", "tversky"),
    *("soft_cldice", "skeleton_recall"),
)


def example(seed=0, size=(2, 4, 13, 17), ignored=0.2):
    """Random logits and truth, with some pixels ignored."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(size, generator=generator)
    n, classes, height, width = size
    target = torch.randint(0, classes, (n, height, width), generator=generator)
    target[torch.rand(target.shape, generator=generator) < ignored] = 255
    return logits, target


def certain(target, n_classes=4):
    """Logits that predict `target` with a probability of 1 in float32."""
    return 200 * F.one_hot(target, n_classes).permute(0, 3, 1, 2).float()


def single(name, **options):
    return create_loss(LossSettings(terms={name: 1.0}, **options), REPORT)


@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 3.0, 2.5]])
def test_cross_entropy_is_that_of_torch(weights):
    logits, target = example()
    expected = F.cross_entropy(
        logits, target, torch.tensor(weights) if weights else None, ignore_index=255
    )
    torch.testing.assert_close(
        single("cross_entropy", class_weights=weights)(logits, target), expected
    )


@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 3.0, 2.5]])
def test_focal_without_focus_is_cross_entropy(weights):
    logits, target = example()
    focal = single("focal", focal_gamma=0, class_weights=weights)(logits, target)
    plain = single("cross_entropy", class_weights=weights)(logits, target)
    torch.testing.assert_close(focal, plain)


def test_focal_of_one_pixel():
    # Two classes with equal logits: p = 1/2, so (1 - 1/2)^2 log 2.
    loss = losses.focal(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1, dtype=torch.long), gamma=2)
    assert loss.item() == pytest.approx(0.25 * math.log(2), rel=1e-6)


def test_dice_of_two_by_two_pixels():
    # Truth 0 0 / 0 1, certain prediction 0 0 / 1 1: Dice of background 4/5, of class 1 2/3.
    target, predicted = torch.tensor([[[0, 0], [0, 1]]]), torch.tensor([[[0, 0], [1, 1]]])
    loss = losses.dice(certain(predicted), target)
    assert loss.item() == pytest.approx(1 - (4 / 5 + 2 / 3) / 2, abs=1e-6)


def test_tversky_weighs_false_positives_by_alpha_and_negatives_by_beta():
    target, predicted = torch.tensor([[[0, 0], [0, 1]]]), torch.tensor([[[0, 0], [1, 1]]])
    loss = losses.tversky(certain(predicted), target, alpha=0.3, beta=0.7)
    background, foreground = 2 / (2 + 0.7), 1 / (1 + 0.3)
    assert loss.item() == pytest.approx(1 - (background + foreground) / 2, abs=1e-6)


def test_tversky_with_halves_is_dice():
    logits, target = example()
    tversky = single("tversky", tversky_alpha=0.5, tversky_beta=0.5)(logits, target)
    torch.testing.assert_close(tversky, single("dice")(logits, target))


def test_classes_that_the_batch_lacks_do_not_count():
    target = torch.zeros(1, 4, 4, dtype=torch.long)
    assert losses.dice(certain(target), target).item() == pytest.approx(0, abs=1e-6)
    assert losses.dice(torch.zeros(1, 4, 4, 4), target).item() == pytest.approx(1 - 0.4, abs=1e-6)


def test_dice_of_the_report_is_torchgeometrys():
    # Its formula written out; for 0/1 truth sum(p + g) is twice the pixel count.
    logits, target = example(ignored=0)
    pixels = target[0].numel()
    hits = logits.softmax(1).gather(1, target.unsqueeze(1)).sum((1, 2, 3))
    expected = (1 - 2 * hits / (2 * pixels + 1e-6)).mean()
    torch.testing.assert_close(single("dice_report_2021")(logits, target), expected)


def test_dice_of_the_report_leaves_ignored_pixels_and_pictures_out():
    logits, target = example(ignored=0)
    halved = target.clone()
    halved[:, 6:] = 255
    halved[1] = 255
    expected = losses.dice_report_2021(logits[:1, :, :6], target[:1, :6])
    torch.testing.assert_close(losses.dice_report_2021(logits, halved), expected)


@pytest.mark.parametrize("iterations", [0, 3, 5])
def test_soft_cldice_is_monais(iterations):
    monai = pytest.importorskip("monai.losses.cldice", reason="MONAI is in the dev extra")
    logits, target = example(ignored=0, size=(3, 4, 40, 33))
    target[:, 10:14, 3:30] = 3
    target[:, 5:40, 20:23] = 3
    peer = monai.SoftclDiceLoss(iter_=iterations, smooth=1e-12)
    expected = peer(logits.softmax(1)[:, 3:], (target == 3).float().unsqueeze(1))
    ours = losses.soft_cldice(logits, target, channel=3, iterations=iterations)
    torch.testing.assert_close(ours, expected)


def test_soft_cldice_punishes_a_gap_but_not_a_thicker_tail():
    target = torch.zeros(1, 41, 61, dtype=torch.long)
    target[:, 18:23, 5:55] = 3
    thicker, broken = target.clone(), target.clone()
    thicker[:, 17:24, 5:55] = 3
    broken[:, :, 25:35] = 0
    loss = single("soft_cldice")
    assert loss(certain(target), target).item() == pytest.approx(0, abs=1e-5)
    assert loss(certain(thicker), target).item() < 0.02
    assert loss(certain(broken), target).item() > 0.08


def test_skeleton_recall_of_a_line():
    # A line of one pixel is its own skeleton. Six of its ten pixels are found, with a score of 1,
    # another has the score of four equal classes, 1/4; what is found beside the line is no matter.
    target = torch.zeros(2, 9, 14, dtype=torch.long)
    target[0, 4, 2:12] = 3
    predicted = target.clone()
    predicted[0, 4, 8:12] = 0
    predicted[:, 7] = 3
    logits = certain(predicted)
    logits[0, :, 4, 8] = 0
    loss = single("skeleton_recall")
    assert loss(logits, target).item() == pytest.approx(1 - 6.25 / 10, abs=1e-6)
    assert loss(certain(predicted), 0 * target).item() == 0
    # Two of three people saw the line.
    shares = (2 * one_hot(target) + one_hot(0 * target)) / 3
    assert loss(logits, shares).item() == pytest.approx(1 - 6.25 / 10, abs=1e-6)


def test_skeleton_recall_asks_for_the_middle_of_a_wide_tail_only():
    target = torch.zeros(1, 41, 61, dtype=torch.long)
    target[:, 14:27, 5:55] = 3
    middle, rim = torch.zeros_like(target), target.clone()
    middle[:, 18:23, 5:55] = 3
    rim[:, 17:24, 12:48] = 0
    loss = single("skeleton_recall")
    assert loss(certain(middle), target).item() < 0.15
    assert loss(certain(rim), target).item() > 0.8


@pytest.mark.parametrize("schema", SCHEMAS)
def test_soft_cldice_looks_at_the_tail(schema):
    schema = SCHEMAS[schema]
    tail = schema.parts.index("tail")
    logits, target = example(size=(1, schema.n_classes, 20, 20))
    loss = create_loss(LossSettings(terms={"soft_cldice": 1.0}), schema)
    torch.testing.assert_close(
        loss(logits, target), losses.soft_cldice(logits, target, channel=tail)
    )


@pytest.mark.parametrize("term", TERMS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), share=st.floats(0.05, 0.95), shift=st.floats(-50, 50))
def test_ignored_pixels_change_neither_loss_nor_gradient(term, seed, share, shift):
    loss = single(term)
    logits, target = example(seed, size=(2, 4, 7, 6), ignored=share)
    ignored = (target == 255).unsqueeze(1).expand_as(logits)
    noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(seed))
    changed = torch.where(ignored, logits + shift * noise, logits).requires_grad_()
    value = loss(changed, target)
    torch.testing.assert_close(value, loss(logits, target))
    value.backward()
    assert changed.grad.isfinite().all()
    assert (changed.grad[ignored] == 0).all()


@pytest.mark.parametrize("term", TERMS)
def test_pictures_that_are_ignored_whole_give_zero(term):
    logits = torch.randn(2, 4, 8, 8, requires_grad=True)
    loss = single(term)(logits, torch.full((2, 8, 8), 255))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("term", TERMS)
def test_every_loss_falls_towards_the_truth(term):
    _, target = example(ignored=0)
    loss = single(term)
    values = [loss(scale * certain(target) / 200, target).item() for scale in (0, 2, 5, 200)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(0, abs=1e-5)
    assert values[0] > 0.1


@pytest.mark.parametrize("gamma", [0, 0.5, 2])
def test_focal_gradient_is_finite_where_the_network_is_certain(gamma):
    target = torch.zeros(1, 3, 3, dtype=torch.long)
    logits = certain(target).requires_grad_()
    losses.focal(logits, target, gamma=gamma).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("term", TERMS)
def test_half_precision_logits_give_a_float32_loss(term):
    logits, target = example(size=(1, 4, 64, 64))
    value = single(term)(logits.bfloat16(), target.byte())
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, single(term)(logits.bfloat16().float(), target))


def one_hot(target, n_classes=4):
    """Shares of one annotation: all 0 where it is ignored."""
    known = (target != 255).unsqueeze(1)
    return F.one_hot(target.masked_fill(target == 255, 0), n_classes).permute(0, 3, 1, 2) * known


@pytest.mark.parametrize("term", SOFT_LOSSES)
@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 3.0, 2.5]])
def test_shares_of_one_annotation_are_that_annotation(term, weights):
    logits, target = example()
    loss = single(term, class_weights=weights)
    torch.testing.assert_close(loss(logits, one_hot(target).float()), loss(logits, target))


def shared(seed=0):
    """Shares of three annotations by chance, with some pixels ignored."""
    generator = torch.Generator().manual_seed(seed)
    sets = torch.randint(0, 4, (3, 2, 9, 8), generator=generator)
    shares = sum(one_hot(one) for one in sets) / 3
    return shares * (torch.rand((2, 1, 9, 8), generator=generator) > 0.2)


def test_cross_entropy_of_shares_is_that_of_torch():
    shares = shared()
    logits = torch.randn(shares.shape, generator=torch.Generator().manual_seed(1))
    known = shares.sum(1) > 0
    expected = F.cross_entropy(logits, shares, reduction="none")[known].mean()
    torch.testing.assert_close(losses.cross_entropy(logits, shares), expected)


@pytest.mark.parametrize("term", ["cross_entropy", "dice", "tversky"])
def test_no_scores_are_better_than_the_shares_themselves(term):
    shares, loss = shared(), single(term)
    at_best = shares.clamp(min=1e-9).log().requires_grad_()
    least = loss(at_best, shares)
    assert term == "cross_entropy" or least.item() == pytest.approx(0, abs=1e-5)
    for step in range(8):
        noise = torch.randn(shares.shape, generator=torch.Generator().manual_seed(step))
        assert loss(at_best + 0.1 * noise, shares) > least


@pytest.mark.parametrize("term", SOFT_LOSSES)
def test_pixels_of_which_no_share_is_known_count_nothing(term):
    shares = shared()
    ignored = (shares.sum(1, keepdim=True) == 0).expand_as(shares)
    logits = torch.randn(shares.shape, requires_grad=True)
    value = single(term)(logits, shares)
    torch.testing.assert_close(value, single(term)(torch.where(ignored, 9.0, logits), shares))
    value.backward()
    assert (logits.grad[ignored] == 0).all()
    nothing = single(term)(logits, torch.zeros_like(shares))
    assert nothing.item() == 0


def test_losses_that_do_not_take_shares_are_named():
    settings = LossSettings(terms={"cross_entropy": 1.0, "focal": 1.0, "soft_cldice": 1.0})
    with pytest.raises(ConfigError, match=r"learnt with focal, soft_cldice\. Take cross_entropy"):
        create_loss(settings, REPORT, soft=True)
    create_loss(LossSettings(terms={"cross_entropy": 1.0, "dice": 1.0}), REPORT, soft=True)


def test_terms_are_summed_by_weight():
    logits, target = example()
    loss = create_loss(LossSettings(terms={"cross_entropy": 0.8, "dice_report_2021": 0.2}), REPORT)
    expected = 0.8 * losses.cross_entropy(logits, target)
    expected += 0.2 * losses.dice_report_2021(logits, target)
    torch.testing.assert_close(loss(logits, target), expected)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"cross_entropi": 1.0}, "did you mean 'cross_entropy'"),
        ({"zzz": 1.0}, "there are cross_entropy, dice"),
        ({}, "empty"),
        ({"dice": 0.0}, "positive"),
        ({"dice": float("nan")}, "positive"),
    ],
)
def test_wrong_terms_are_refused(terms, words):
    with pytest.raises(ConfigError, match=words):
        create_loss(LossSettings(terms=terms), REPORT)


@pytest.mark.parametrize("term", ["soft_cldice", "skeleton_recall"])
def test_losses_of_thin_parts_need_a_tail(term):
    schema = type(REPORT)(("background", "head"), (0, 1))
    with pytest.raises(ConfigError, match=f"{term} needs a tail"):
        create_loss(LossSettings(terms={term: 1.0}), schema)
    create_loss(LossSettings(), schema)


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, -1.0, 1.0, 1.0], [0.0] * 4])
def test_class_weights_must_fit_the_schema(weights):
    with pytest.raises(ConfigError, match="4 weights"):
        create_loss(LossSettings(class_weights=weights), REPORT)


def test_balanced_weights_come_from_the_training_pixels():
    balanced = LossSettings(class_weights="balanced")
    with pytest.raises(ConfigError, match="shares"):
        create_loss(balanced, REPORT)
    logits, target = example()
    weights = torch.tensor([0.1, 1.0, 2.0, 0.9])
    expected = F.cross_entropy(logits, target, weights, ignore_index=255)
    torch.testing.assert_close(create_loss(balanced, REPORT, weights)(logits, target), expected)


def test_class_weights_are_inverse_square_roots_with_mean_one():
    weights = class_weights_from_shares([0.96, 0.04])
    # 1 / sqrt(share) is 1.0206 and 5.
    assert weights.mean().item() == pytest.approx(1)
    assert (weights[1] / weights[0]).item() == pytest.approx(math.sqrt(24))
    assert class_weights_from_shares([960_000, 40_000]).tolist() == pytest.approx(weights.tolist())


def test_class_weights_of_absent_classes_are_neutral():
    weights = class_weights_from_shares([0.96, 0.0, 0.04])
    assert weights[1] == 1
    assert weights[[0, 2]].mean().item() == pytest.approx(1)
