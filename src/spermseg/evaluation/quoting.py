"""Measured figures for a model's card, out of what evaluations wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spermseg.errors import UsageError
from spermseg.inference.card import ModelCard
from spermseg.metrics.parsing import FIGURES
from spermseg.metrics.parts import SCORES

_MEANS = {"mean": "mean_iou", "mean_without_background": "mean_iou_without_background"}


def quote_evaluation(card: ModelCard, path: Path) -> ModelCard:
    """Put the scores of an ``evaluation.json`` into a card.

    Parameters
    ----------
    card : ModelCard
        Of the evaluated model, or of the export of an evaluated training.
    path : Path

    Returns
    -------
    ModelCard
        Its ``metrics`` have, under the part of the split (``test``, ``validation``, ``train``,
        ``all``): ``data``, ``annotation_set``, ``pictures``, ``groups``, ``scores`` by part with
        the IoU's interval, ``mean_iou`` over all classes with its interval and
        ``mean_iou_without_background``, and ``warnings``; where sperm were told apart, ``sperm``
        with the published `FIGURES`, their ``intervals``, and the version that told them apart.

    Raises
    ------
    UsageError
        When the file is no evaluation of this model.
    """
    content = _read(card, path, "spermseg evaluation")
    data, scores, intervals = content["data"], content["scores"], content["intervals"]
    quoted: dict[str, Any] = {
        "data": data["name"],
        "annotation_set": data.get("annotation_set"),
        "pictures": data["pictures"],
        "groups": data["groups"],
        "scores": {
            column: {name: values[name] for name in SCORES}
            | {"iou_interval": intervals[column]["iou"]}
            for column, values in scores.items()
            if column not in _MEANS
        },
        "warnings": content["warnings"],
    }
    for column, name in _MEANS.items():
        quoted[name] = {"iou": scores[column]["iou"], "iou_interval": intervals[column]["iou"]}
    if sperm := content.get("sperm"):
        quoted["sperm"] = {name: sperm[name] for name in (*FIGURES, "intervals")}
        quoted["sperm"]["spermseg_version"] = content["spermseg_version"]
    return _with_metrics(card, {data["part"] or "all": quoted})


def quote_robustness(card: ModelCard, path: Path) -> ModelCard:
    """Put the table of a ``robustness.json`` into a card, as its metrics' ``robustness``.

    Raises
    ------
    UsageError
        When the file is no measurement of this model.
    """
    content = _read(card, path, "spermseg robustness")
    return _with_metrics(card, {"robustness": content["robustness"]})


def _with_metrics(card: ModelCard, metrics: Mapping[str, Any]) -> ModelCard:
    return replace(card, metrics={**card.metrics, **metrics})


def _read(card: ModelCard, path: Path, format: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found, weights = content["format"], content["model"]["weights_sha256"]
    except FileNotFoundError:
        raise UsageError("no such file", where=path) from None
    except (ValueError, TypeError, KeyError):
        raise UsageError(f"no {format}", where=path) from None
    if found != format:
        raise UsageError(f"expected a {format}, found {found!r}", where=path)
    measured = _measured_weights(card)
    if weights not in measured:
        raise UsageError(
            f"measured a model with weights of sha256 {weights[:12]}..., "
            f"expected {' or '.join(f'{one[:12]}...' for one in measured)}",
            where=path,
            fix="Measure this model, or its training where no offsets were added to its logits",
        )
    result: dict[str, Any] = content
    return result


def _measured_weights(card: ModelCard) -> list[str]:
    """Give the sums of the weights whose scores are the model's: also those it was made from."""
    parity = card.metrics.get("parity", {})
    if "torch_weights_sha256" in parity and "logit_offsets" not in card.recipe:
        return [card.weights_sha256, parity["torch_weights_sha256"]]
    return [card.weights_sha256]
