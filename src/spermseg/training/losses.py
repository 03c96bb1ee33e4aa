"""Losses: each takes logits and class indices, and leaves ignored pixels out of value and gradient.

Every loss is 0, with a gradient of 0, where all pixels are ignored. Some take a soft target as
well: the share of every class, all 0 where a pixel is ignored.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from scipy.ndimage import binary_dilation
from skimage.morphology import skeletonize
from torch import Tensor
from torch.nn import functional as F

from spermseg.config import LossSettings
from spermseg.errors import ConfigError
from spermseg.structures import IGNORE_ID, LabelSchema, Part

Loss = Callable[[Tensor, Tensor], Tensor]
"""Logits (N, C, H, W) and class indices (N, H, W) int64, or shares (N, C, H, W) float32, to a
scalar."""

SOFT_LOSSES = ("cross_entropy", "dice", "tversky", "skeleton_recall")
"""Those that take shares."""

REPORT_2021_EPS = 1e-6
SKELETON_ITERATIONS = 5
"""Erosions of soft-clDice: tails up to twice as many pixels wide are thinned to their middle."""


def create_loss(
    settings: LossSettings,
    schema: LabelSchema,
    class_weights: Tensor | None = None,
    *,
    soft: bool = False,
) -> Loss:
    """Build the weighted sum of losses that the settings name.

    Parameters
    ----------
    settings : LossSettings
    schema : LabelSchema
        Gives the number of classes and the tail's channel.
    class_weights : (C,) Tensor, optional
        Needed where ``settings.class_weights`` is ``balanced``; see `class_weights_from_shares`.
    soft : bool
        Whether targets will be soft.

    Returns
    -------
    callable
        Logits (N, C, H, W) of any float type and class indices (N, H, W), 255 where ignored, or,
        where all terms are of `SOFT_LOSSES`, shares (N, C, H, W), to a float32 scalar.

    Raises
    ------
    ConfigError
        For an unknown loss, one that does not take soft targets, a weight that is not positive, or
        class weights that do not fit.
    """
    losses = _losses(settings, schema, _class_weights(settings, schema, class_weights))
    _check_terms(settings.terms, losses, soft)

    def total(logits: Tensor, target: Tensor) -> Tensor:
        # Sums over half a million pixels need float32, also under mixed precision.
        logits = logits.float()
        target = target if target.is_floating_point() else target.long()
        terms = [weight * losses[name](logits, target) for name, weight in settings.terms.items()]
        return torch.stack(terms).sum()

    return total


def _losses(settings: LossSettings, schema: LabelSchema, weights: Tensor | None) -> dict[str, Loss]:
    tail = _tail_channel(settings, schema)
    tversky_terms = {"alpha": settings.tversky_alpha, "beta": settings.tversky_beta}
    return {
        "cross_entropy": partial(cross_entropy, weights=weights),
        "dice": dice,
        "dice_report_2021": dice_report_2021,
        "focal": partial(focal, gamma=settings.focal_gamma, weights=weights),
        "tversky": partial(tversky, **tversky_terms),
        "soft_cldice": partial(soft_cldice, channel=tail),
        "skeleton_recall": partial(skeleton_recall, channel=tail),
    }


def _check_terms(terms: dict[str, float], losses: dict[str, Loss], soft: bool) -> None:
    if not terms:
        raise ConfigError("loss.terms is empty", fix=f"There are: {', '.join(losses)}")
    for name, weight in terms.items():
        if name not in losses:
            close = difflib.get_close_matches(name, losses, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(losses)}"
            raise ConfigError(f"unknown loss {name!r} in loss.terms: {hint}")
        if not weight > 0:
            raise ConfigError(f"loss.terms.{name} must be a positive weight, got {weight}")
    hard = [name for name in terms if name not in SOFT_LOSSES]
    if soft and hard:
        raise ConfigError(
            f"soft annotations cannot be learnt with {', '.join(hard)}",
            where="loss.terms",
            fix=f"Take {', '.join(SOFT_LOSSES)}, or set data.annotations to majority or drawn",
        )


def _tail_channel(settings: LossSettings, schema: LabelSchema) -> int:
    if Part.TAIL in schema.ids:
        return schema.ids.index(Part.TAIL)
    for name in ("soft_cldice", "skeleton_recall"):
        if name in settings.terms:
            raise ConfigError(f"{name} needs a tail, the schema has {', '.join(schema.parts)}")
    return 0


def _class_weights(
    settings: LossSettings, schema: LabelSchema, measured: Tensor | None
) -> Tensor | None:
    if settings.class_weights is None:
        return None
    if settings.class_weights == "balanced":
        if measured is None:
            raise ConfigError("balanced class weights need the training pixels' shares")
        weights = measured.float()
    else:
        weights = torch.tensor(settings.class_weights, dtype=torch.float32)
    if len(weights) != schema.n_classes or not (weights >= 0).all() or not weights.any():
        raise ConfigError(
            f"loss.class_weights needs {schema.n_classes} weights of 0 or more, "
            f"for {', '.join(schema.parts)}; got {weights.tolist()}"
        )
    return weights


def class_weights_from_shares(shares: Sequence[float] | Tensor) -> Tensor:
    """Give inverse square roots of pixel shares, scaled to a mean of 1.

    Parameters
    ----------
    shares : (C,)
        Share of the training pixels, or their count, a class. A class without any gets weight 1.

    Returns
    -------
    (C,) float32 Tensor
    """
    shares = torch.as_tensor(shares, dtype=torch.float64)
    present = shares > 0
    weights = torch.ones_like(shares)
    inverse = shares[present].rsqrt()
    weights[present] = inverse / inverse.mean()
    return weights.float()


def cross_entropy(logits: Tensor, target: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Cross entropy, averaged over pixels by their class weights as `torch.nn.CrossEntropyLoss`.

    A pixel whose class is shared has the mean of the classes' weights, by their shares.
    """
    if target.is_floating_point():
        weighted = target if weights is None else target * weights.to(target)[:, None, None]
        return -(weighted * logits.log_softmax(1)).sum() / weighted.sum().clamp(min=1e-12)
    losses = F.cross_entropy(logits, target, ignore_index=IGNORE_ID, reduction="none")
    return _weighted_mean(losses, target, weights)


def focal(
    logits: Tensor, target: Tensor, *, gamma: float = 2.0, weights: Tensor | None = None
) -> Tensor:
    """Focal loss of Lin et al. 2017, ``-(1 - p)^gamma log p``, averaged as `cross_entropy`."""
    losses = F.cross_entropy(logits, target, ignore_index=IGNORE_ID, reduction="none")
    # The power has no finite derivative at 0 where gamma < 1.
    easiness = (1 - torch.exp(-losses)).clamp(min=1e-6)
    return _weighted_mean(easiness**gamma * losses, target, weights)


def _weighted_mean(losses: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
    pixel_weights = (target != IGNORE_ID).float()
    if weights is not None:
        pixel_weights = pixel_weights * weights.to(losses.device)[_without_ignored(target)]
    return (losses * pixel_weights).sum() / pixel_weights.sum().clamp(min=1e-12)


def tversky(logits: Tensor, target: Tensor, *, alpha: float = 0.3, beta: float = 0.7) -> Tensor:
    """Tversky loss of Salehi et al. 2017, one index a class, averaged over classes.

    ``1 - mean(TP / (TP + alpha FP + beta FN))`` with soft counts over the whole batch. Background
    is one of the classes; a class that no pixel of the batch has does not count.

    A score p meets a share g of the truth by min(p, g), which is p g where g is 0 or 1, so that the
    loss is least where scores are the shares (Dice semimetric loss, Wang et al. 2023,
    arXiv:2303.16296).
    """
    scores, truth, _ = _scores_and_truth(logits, target)
    soft = target.is_floating_point()
    hits = (torch.minimum(scores, truth) if soft else scores * truth).sum((0, 2, 3))
    false_positives = scores.sum((0, 2, 3)) - hits
    pixels = truth.sum((0, 2, 3))
    # A class that is present has at least one pixel: the clamp only saves absent ones from 0 / 0.
    union = hits + alpha * false_positives + beta * (pixels - hits)
    present = (pixels > 0).float()
    losses = (1 - hits / union.clamp(min=1e-6)) * present
    return losses.sum() / present.sum().clamp(min=1)


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """Soft Dice loss, one coefficient a class over the whole batch, averaged over classes.

    ``1 - mean(2 TP / (2 TP + FP + FN))``, as Milletari et al. 2016 without squares: the Tversky
    loss with both weights 1/2. Background is one of the classes; absent classes do not count.
    """
    return tversky(logits, target, alpha=0.5, beta=0.5)


def dice_report_2021(logits: Tensor, target: Tensor) -> Tensor:
    """Torchgeometry's Dice loss, which the report of 2021 added to cross entropy.

    One coefficient a picture, summed over classes and pixels together so that background rules it:
    ``mean(1 - 2 sum(p g) / (sum(p + g) + 1e-6))``. Torchgeometry knew no ignored pixels; here they
    are left out of both sums, and a picture without any other pixel does not count.
    """
    scores, truth, valid = _scores_and_truth(logits, target)
    hits = (scores * truth).sum((1, 2, 3))
    total = (scores + truth).sum((1, 2, 3))
    counted = valid.any(3).any(2).any(1).float()
    losses = (1 - 2 * hits / (total + REPORT_2021_EPS)) * counted
    return losses.sum() / counted.sum().clamp(min=1)


def soft_cldice(
    logits: Tensor, target: Tensor, *, channel: int, iterations: int = SKELETON_ITERATIONS
) -> Tensor:
    """Centre line Dice loss of one thin class, by Shit et al. 2021 (arXiv:2003.07311).

    Precision is how much of the predicted skeleton lies in the annotation, sensitivity how much of
    the annotation's skeleton lies in the prediction; 1 is added above and below each fraction. One
    loss a picture, averaged over pictures, with skeletons made of pooling so that they have
    gradients.

    Parameters
    ----------
    logits : (N, C, H, W) float32
    target : (N, H, W) int64
    channel : int
        Class index of the thin class.
    iterations : int
        Erosions; at least half the width in pixels of the widest structure.
    """
    scores, truth, _ = _scores_and_truth(logits, target)
    scores, truth = scores[:, channel : channel + 1], truth[:, channel : channel + 1]
    precision = _covered(_soft_skeleton(scores, iterations), truth)
    sensitivity = _covered(_soft_skeleton(truth, iterations), scores)
    return (1 - 2 * precision * sensitivity / (precision + sensitivity)).mean()


def _covered(skeleton: Tensor, mask: Tensor) -> Tensor:
    return ((skeleton * mask).sum((1, 2, 3)) + 1) / (skeleton.sum((1, 2, 3)) + 1)


def _soft_skeleton(mask: Tensor, iterations: int) -> Tensor:
    skeleton = F.relu(mask - _dilate(_erode(mask)))
    for _ in range(iterations):
        mask = _erode(mask)
        ridge = F.relu(mask - _dilate(_erode(mask)))
        skeleton = skeleton + F.relu(ridge - skeleton * ridge)
    return skeleton


def _erode(mask: Tensor) -> Tensor:
    vertical = -F.max_pool2d(-mask, (3, 1), 1, (1, 0))
    horizontal = -F.max_pool2d(-mask, (1, 3), 1, (0, 1))
    return torch.minimum(vertical, horizontal)


def _dilate(mask: Tensor) -> Tensor:
    return F.max_pool2d(mask, 3, 1, 1)


def skeleton_recall(logits: Tensor, target: Tensor, *, channel: int) -> Tensor:
    """Skeleton recall loss of one thin class, by Kirchhoff et al. 2024 (arXiv:2404.03010).

    ``1 - sum(p s) / sum(s)`` over the batch: p are the class's scores, s is 1 on the skeleton of
    the annotation, dilated to a tube five pixels wide and cut to the annotation. It asks nothing of
    other pixels, and so goes with a loss that does. 0 where nothing is annotated as that class. Of
    a soft target the class with the largest share is the annotation.

    Parameters
    ----------
    logits : (N, C, H, W) float32
    target : (N, H, W) int64, or (N, C, H, W) float32
    channel : int
        Class index of the thin class.
    """
    classes = target.argmax(1) if target.is_floating_point() else target
    tube = _tube(classes == channel)
    pixels = tube.sum()
    hits = (logits.softmax(1)[:, channel] * tube).sum()
    return (pixels - hits) / pixels.clamp(min=1)


def _tube(masks: Tensor) -> Tensor:
    """Give 1 within two steps of the skeleton of each mask (N, H, W) bool and inside it, else 0."""
    thin = [binary_dilation(skeletonize(mask), iterations=2) & mask for mask in masks.cpu().numpy()]
    return torch.from_numpy(np.stack(thin)).to(masks.device, torch.float32)


def _scores_and_truth(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Give probabilities and truth (N, C, H, W), 0 where ignored; valid (N, 1, H, W)."""
    if target.is_floating_point():
        valid = target.sum(1, keepdim=True) > 0
        return logits.softmax(1) * valid, target, valid
    valid = (target != IGNORE_ID).unsqueeze(1)
    truth = F.one_hot(_without_ignored(target), logits.shape[1]).permute(0, 3, 1, 2)
    return logits.softmax(1) * valid, truth * valid.float(), valid


def _without_ignored(target: Tensor) -> Tensor:
    return target.masked_fill(target == IGNORE_ID, 0)
