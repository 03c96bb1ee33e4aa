"""The comparison for people: one page in HTML and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spermseg import DISCLAIMER, __version__
from spermseg.experiments.augmented import LABELLINGS
from spermseg.experiments.book import EVALUATION
from spermseg.experiments.comparison import CURVES, Comparison
from spermseg.files import write_json, write_text
from spermseg.report.html import data_uri, inline_svg, render, show_interval, show_score
from spermseg.report.overlays import encode
from spermseg.report.plots import loss_comparison_svg

PANEL_PICTURES = 2
"""Test pictures whose masks are shown for every experiment."""
COLUMNS = ("head", "midpiece", "tail", "mean_without_background", "mean")
FIGURES = ("loss", "iou", "dice_loss")
NO_PICTURES = (
    "Panels are left out: photographs, annotations and masks of these pictures are not ours to "
    "publish."
)


def write_comparison(comparison: Comparison, folder: Path, *, pictures: bool = True) -> Path:
    """Write ``comparison.html``, ``.md`` and ``.json``.

    Parameters
    ----------
    comparison : Comparison
    folder : Path
        Made if it is missing.
    pictures : bool
        Whether to show test pictures with their masks. Without, nothing on the page is a picture
        or an annotation of the data set.

    Returns
    -------
    Path
        The HTML page, which is self-contained.
    """
    content = comparison.to_dict()
    if not pictures:
        content["notes"].append(NO_PICTURES)
    page = folder / "comparison.html"
    write_json(folder / "comparison.json", content)
    write_text(folder / "comparison.md", comparison_markdown(content))
    write_text(
        page,
        render(
            "comparison.html",
            **content,
            command=command_line(content),
            labellings=list(LABELLINGS),
            columns=COLUMNS,
            curves=_curves(comparison),
            panels=_panels(comparison) if pictures else [],
        ),
    )
    return page


def command_line(content: Mapping[str, Any]) -> str:
    """Give the command that runs the same experiments again."""
    split = content["split"]
    words = ["spermseg experiments run all --data DATA", f"--scale {content['scale']['name']}"]
    words += [f"--{part} {len(split[part])}" for part in ("train", "validation", "test")]
    words.append(f"--seed {content['seed']}")
    for settings in content["overrides"].values():
        words += [f"--{key.replace('_', '-')} {value}" for key, value in settings.items()]
    if content["substitute"]:
        words.append("--pretrained-substitute RUN")
    return " ".join([*words, "-o OUT"])


def comparison_markdown(content: Mapping[str, Any]) -> str:
    """Give a comparison as a Markdown page.

    Parameters
    ----------
    content : mapping
        As `Comparison.to_dict` gives it.
    """
    experiments = content["experiments"]
    done = [entry for entry in experiments if "training" in entry]
    lines = ["# The 2021 report's experiments", "", content["scale"]["title"], ""]
    lines += [f"> - {warning}" for warning in content["warnings"]]
    lines += ["", "## Its conclusions", ""]
    lines += markdown_table(
        ("conclusion", "verdict", "figures", "rule"),
        [
            (c["claim"], f"**{c['verdict']}**", "; ".join(c["figures"]), c["rule"])
            for c in content["conclusions"]
        ],
    )
    lines += ["", "Future work of the report:", ""]
    lines += [f"- {line}" for line in content["networks"]]
    lines += ["", "## Published beside measured, by the report's own definitions", ""]
    measured = [
        f"{name}: {figure}" for name in LABELLINGS for figure in ("loss", "“IoU”", "“Dice”")
    ]
    lines += markdown_table(
        ("experiment", "status", "published: loss", "“IoU”", "“Dice”", *measured),
        [(entry["name"], _status(entry), *_report_cells(entry)) for entry in experiments],
    )
    lines += ["", "## IoU on the test pictures", ""]
    lines += markdown_table(
        ("experiment", *(column.replace("_", " ") for column in COLUMNS)),
        [(entry["name"], *(_cell(entry["iou"][column]) for column in COLUMNS)) for entry in done],
    )
    lines += ["", "## What the defects of its labels do", ""]
    lines += markdown_table(
        ("trained with", "mean IoU", "difference", *(f"“IoU”, labels {n}" for n in LABELLINGS)),
        [
            (
                row["title"],
                show_score(row["iou"]),
                row["difference"],
                *(show_score(row["report_iou"][name], 5) for name in LABELLINGS),
            )
            for row in content["defects"]
        ],
    )
    lines += ["", *(f"- {line}" for line in content["defect_lines"])]
    lines += ["", "## Training", ""]
    lines += markdown_table(
        (
            "experiment",
            "differs",
            "starts from",
            "network",
            "batch",
            "epochs",
            "s / epoch",
            "CPU s / epoch",
            "minutes",
        ),
        [
            (entry["name"], entry["differs"], entry["started_from"], *_training_cells(entry))
            for entry in done
        ],
    )
    lines += ["", *(f"- {note}" for note in content["notes"])]
    lines += ["", f"    {command_line(content)}", ""]
    lines += [f"Made with spermseg {__version__}. {DISCLAIMER}", ""]
    return "\n".join(lines)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Give a table as lines of Markdown."""
    cells = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]


def _status(entry: Mapping[str, Any]) -> str:
    return f"{entry['status']}: {entry['reason']}" if entry["reason"] else str(entry["status"])


def _report_cells(entry: Mapping[str, Any]) -> list[str]:
    measured = entry.get("report_2021", {})
    sources = [entry["published"], *(measured.get(name) for name in LABELLINGS)]
    return [show_score(source and source[figure], 5) for source in sources for figure in FIGURES]


def _training_cells(entry: Mapping[str, Any]) -> list[str]:
    training = entry["training"]
    times = (training["seconds_per_epoch"], training["cpu_seconds_per_epoch"], training["minutes"])
    return [
        training["architecture"],
        str(training["batch_size"]),
        str(training["epochs"]),
        *(f"{time:.1f}" for time in times),
    ]


def _cell(score: Mapping[str, Any]) -> str:
    limits = show_interval(score["interval"])
    return show_score(score["value"]) + (f" ({limits})" if limits else "")


def _curves(comparison: Comparison) -> list[dict[str, Any]]:
    done = comparison.done
    plots = []
    for title, names in CURVES.items():
        logs = {name: done[name].log for name in names if name in done}
        if len(logs) > 1:
            plots.append({"title": title, "svg": inline_svg(loss_comparison_svg(logs))})
    return plots


def _panels(comparison: Comparison) -> list[dict[str, Any]]:
    """Give the panels that each experiment's evaluation drew of the first test pictures."""
    shown = []
    for id in comparison.test_ids[:PANEL_PICTURES]:
        images = []
        for name in comparison.done:
            path = comparison.out / name / EVALUATION / "panels" / f"{id}.png"
            if path.is_file():
                with Image.open(path) as panel:
                    pixels = np.asarray(panel.convert("RGB"))
                images.append({"name": name, "uri": data_uri(encode(pixels, "jpeg"), "jpeg")})
        shown.append({"id": id, "images": images})
    return shown
