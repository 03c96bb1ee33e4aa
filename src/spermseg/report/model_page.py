"""A model card for people: as a page, and as Markdown beside the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from spermseg import __version__
from spermseg.files import write_text
from spermseg.inference.card import ModelCard
from spermseg.report.evaluation_page import SCORE_LABELS, SPERM_LABELS
from spermseg.report.html import render, show_count, show_interval, show_score
from spermseg.report.robustness_page import COLUMNS, robustness_rows

MEAN_LABELS: Mapping[str, str] = {
    "mean_iou": "mean with background",
    "mean_iou_without_background": "mean without background",
}

Row = tuple[str, ...]


def write_model_page(path: Path, card: ModelCard) -> None:
    """Write a model card as a self-contained HTML page."""
    write_text(path, model_html(card))


def model_html(card: ModelCard) -> str:
    """Render a model card as a page."""
    evaluations = _evaluations(card)
    return render(
        "model.html",
        card=card,
        warnings=_warnings(evaluations),
        facts=_facts(card),
        evaluations={
            name: (_described(content), *_score_table(content))
            for name, content in evaluations.items()
        },
        columns=COLUMNS,
        robustness=_robustness(card),
        parity=_parity(card),
        other=_yaml(_other(card)),
        recipe=_yaml(card.recipe),
    )


def model_markdown(card: ModelCard) -> str:
    """Give a model card as a Markdown page."""
    evaluations = _evaluations(card)
    lines = [f"# {card.id}", "", card.intended_use, ""]
    lines += [f"> **Note:** {warning}" for warning in _warnings(evaluations)]
    lines += [""] * bool(_warnings(evaluations))
    lines += [f"**Limits:** {card.limits}", ""]
    lines += [f"- {name}: {value}" for name, value in _facts(card)]
    for name, content in evaluations.items():
        lines += ["", f"## Quality on the {name} pictures", "", _described(content), ""]
        lines += _markdown_table(*_score_table(content))
    if rows := _robustness(card):
        lines += ["", "## What changed pictures cost", "", *_markdown_table(COLUMNS, rows)]
        lines += ["", "Points are hundredths of head Dice; the scale was not told."]
    if parity := _parity(card):
        lines += ["", "## As exported", "", parity]
    for title, block in (("Other figures", _other(card)), ("Recipe", card.recipe)):
        if block:
            lines += ["", f"## {title}", "", "```yaml", _yaml(block).rstrip(), "```"]
    lines += ["", f"Written by spermseg {__version__}.", ""]
    return "\n".join(lines)


def _working_scale(card: ModelCard) -> str:
    """Say in words at what size the network sees a picture."""
    preprocessing = card.preprocessing
    if preprocessing.head_length_px is not None:
        length = f"{preprocessing.head_length_px:g}"
        return f"pictures are resized until a typical head is {length} px long"
    words = []
    if preprocessing.size is not None:
        words.append("resized to {1} x {0} px".format(*preprocessing.size))
    if preprocessing.crop is not None:
        words.append("cropped to the middle {1} x {0} px".format(*preprocessing.crop))
    return f"pictures are {' and '.join(words)}" if words else "pictures keep their own size"


def _facts(card: ModelCard) -> list[tuple[str, str]]:
    parts = zip(card.schema.parts, card.schema.ids, strict=True)
    parent = card.parent
    mean, std = (
        ", ".join(f"{value:g}" for value in values)
        for values in (card.preprocessing.mean, card.preprocessing.std)
    )
    return [
        ("architecture", card.architecture),
        ("parts", ", ".join(f"{part} ({id})" for part, id in parts)),
        ("working scale", _working_scale(card)),
        ("input", f"RGB, (value / 255 - mean) / std; mean {mean}; std {std}"),
        *([("parent", f"{parent.id}, sha256 {parent.weights_sha256}")] if parent else []),
        ("trained on", card.data),
        ("licence of that data", card.data_licence),
        ("seed", str(card.seed)),
        ("weights", f"{card.weights}, sha256 {card.weights_sha256}"),
        ("trained with", f"spermseg {card.spermseg_version}"),
    ]


def _evaluations(card: ModelCard) -> dict[str, Mapping[str, Any]]:
    """Give what `spermseg.evaluation.quoting` put in, by the part of the split."""
    return {
        name: content
        for name, content in card.metrics.items()
        if isinstance(content, Mapping) and "scores" in content
    }


def _other(card: ModelCard) -> dict[str, Any]:
    shown = {*_evaluations(card), "robustness", "parity"}
    return {name: content for name, content in card.metrics.items() if name not in shown}


def _warnings(evaluations: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [
        f"{name.capitalize()} pictures: {warning}"
        for name, content in evaluations.items()
        for warning in content.get("warnings", ())
    ]


def _described(content: Mapping[str, Any]) -> str:
    pictures, groups = (show_count(content[key], key[:-1]) for key in ("pictures", "groups"))
    annotated = content.get("annotation_set")
    return (
        f"{pictures} of {groups}"
        + (f", {content['data']}" if content.get("data") else "")
        + (f", annotation set {annotated}" if annotated else "")
        + ". In brackets 95 % bootstrap intervals over the pictures."
        + (_by_sperm(content["sperm"]) if content.get("sperm") else "")
    )


def _by_sperm(sperm: Mapping[str, Any]) -> str:
    intervals = {f"{name}_interval": limits for name, limits in sperm["intervals"].items()}
    figures = [
        f"{label} {_cell({**sperm, **intervals}, name)}" for name, label in SPERM_LABELS.items()
    ]
    return (
        f" Sperm one by one, told apart by spermseg {sperm['spermseg_version']}: "
        f"{', '.join(figures)}."
    )


def _score_table(content: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    """Give the heading, and a row for each part and the means."""
    scores: Mapping[str, Mapping[str, Any]] = content["scores"]
    names = [name for name in SCORE_LABELS if any(name in values for values in scores.values())]
    means = {
        label: content[name] for name, label in MEAN_LABELS.items() if content.get(name) is not None
    }
    rows = [
        (label, *(_cell(values, name) for name in names))
        for label, values in {**scores, **means}.items()
    ]
    return ("part", *(SCORE_LABELS[name] for name in names)), rows


def _cell(values: Mapping[str, Any], name: str) -> str:
    limits = values.get(f"{name}_interval")
    return show_score(values.get(name)) + (f" ({show_interval(limits)})" if limits else "")


def _robustness(card: ModelCard) -> list[Row]:
    rows = card.metrics.get("robustness", [])
    too_much = [
        row["change"]
        for row in rows
        if None not in (row["allowed_points"], row["loss_points"])
        and row["loss_points"] > row["allowed_points"]
    ]
    return robustness_rows({"robustness": rows, "too_much": too_much})


def _parity(card: ModelCard) -> str:
    parity = card.metrics.get("parity")
    if parity is None:
        return ""
    inputs = show_count(len(parity["inputs"]), "input")
    return (
        f"Compared with the training's own network on {inputs}: "
        f"probabilities differ by at most {parity['max_probability_difference']:.6f}, labels are "
        f"equal on {100 * parity['equal_labels']:.3f} % of the pixels."
    )


def _markdown_table(head: Sequence[str], rows: Sequence[Row]) -> list[str]:
    table = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in table]


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True) if value else ""
