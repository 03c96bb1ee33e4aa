"""Optimisers, learning rate schedules and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from spermseg.config import OptimiserSettings

Parameters = Iterable[nn.Parameter]


def _adamw(parameters: Parameters, settings: OptimiserSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=settings.lr, weight_decay=settings.weight_decay)


def _adadelta(parameters: Parameters, settings: OptimiserSettings) -> torch.optim.Optimizer:
    return torch.optim.Adadelta(parameters, lr=settings.lr, weight_decay=settings.weight_decay)


def _sgd(parameters: Parameters, settings: OptimiserSettings) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


OPTIMISERS: Mapping[str, Callable[[Parameters, OptimiserSettings], torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "adadelta": _adadelta,
    "sgd": _sgd,
}

SCHEDULES: Mapping[str, Callable[[float], float]] = {
    # The factor of the learning rate, by the share of the steps after warm-up that is done.
    "constant": lambda share: 1.0,
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    "poly": lambda share: (1 - share) ** 0.9,
}


def create_optimiser(model: nn.Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """Make the optimiser of all weights of `model` that are trained."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return OPTIMISERS[settings.name](parameters, settings)


def learning_rate(settings: OptimiserSettings, step: int, total: int) -> float:
    """Give the learning rate of one step; a resumed training needs to remember nothing.

    Parameters
    ----------
    settings : OptimiserSettings
    step : int
        Steps done so far, 0 ... `total` - 1.
    total : int
        Steps of the whole training.

    Notes
    -----
    Linear warm-up from lr / warm-up steps; then constant, half a cosine (Loshchilov & Hutter 2017)
    or the power 0.9 of DeepLab's "poly" policy (Chen et al. 2017).
    """
    warmup = round(settings.warmup * total)
    if step < warmup:
        return settings.lr * (step + 1) / warmup
    return settings.lr * SCHEDULES[settings.schedule]((step - warmup) / max(1, total - warmup))


def set_learning_rate(optimiser: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group of weights."""
    for group in optimiser.param_groups:
        group["lr"] = lr


@torch.no_grad()  # type: ignore[untyped-decorator]
def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move an exponential moving average of the weights towards those of `model`.

    Parameters
    ----------
    average, model : nn.Module
        Of one architecture. Buffers that are no floats (counters) are copied.
    decay : float
        Share of the old average that is kept.
    step : int
        Steps done before this one; early on the decay is (1 + step) / (10 + step) at most, so that
        the random start is soon forgotten (as in TensorFlow's ExponentialMovingAverage).
    """
    kept = min(decay, (1 + step) / (10 + step))
    current = model.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], 1 - kept)
        else:
            value.copy_(current[name])
