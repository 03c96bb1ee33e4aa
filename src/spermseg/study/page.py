"""The one page of a study: Markdown, the same as JSON, and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spermseg import DISCLAIMER, __version__
from spermseg.experiments.page import markdown_table
from spermseg.files import write_json, write_text
from spermseg.report.forest import Estimate, ForestRow, forest_svg
from spermseg.report.html import show_score
from spermseg.study.comparison import (
    HELPS,
    HURTS,
    NO_BASE,
    NOT_RUN,
    ONE_SEED,
    RULE,
    SAME,
    Difference,
    Row,
    StudyComparison,
)
from spermseg.study.plan import describe
from spermseg.study.results import FIGURES, PAINTED, RAW, TAIL_RECALL

FORMAT, FORMAT_VERSION = "spermseg study comparison", 1

LABELS: Mapping[str, str] = {
    PAINTED: "mIoU painted",
    RAW: "mIoU raw",
    TAIL_RECALL: "tail recall",
    "ap50": "APp50",
    "ap_volume": "APvol",
    "pcp50": "PCP50",
}
"""Headings of figures; those of parts are their names."""

COLUMNS = (
    "nucleus",
    "acrosome",
    "vacuole",
    "midpiece",
    "tail",
    TAIL_RECALL,
    "ap50",
    "ap_volume",
    "pcp50",
)
"""Figures shown by their mean alone; their differences are in the JSON."""

LEGEND = (
    "mIoU is over the 6 classes, background included: *painted* of the map painted from the sperm "
    "found, as the benchmark counts it; *raw* of the network's own map, as are the IoU of parts "
    "and the recall of tails. Means over seeds; every seed's own value in brackets. Differences "
    "are to the base, seed by seed, with the 95 % bootstrap interval over the validation "
    "pictures, drawn together for both experiments and all seeds."
)
CAPTION = (
    "Points are means over seeds on their 95 % intervals, ticks the single seeds; colours are the "
    "verdict, by the painted mIoU on both sides."
)
CAUTION = (
    "These are short trainings, compared with one another only: what helps in minutes may not help "
    "in hours. The intervals know the pictures of the validation days, not other days, and of the "
    "seeds only those run. At 95 %, one in twenty comparisons is told apart by chance."
)


def write_study_page(comparison: StudyComparison, folder: Path) -> Path:
    """Write ``study.md``, ``study.json`` and ``differences.svg``.

    Parameters
    ----------
    comparison : StudyComparison
    folder : Path
        Made if it is missing.

    Returns
    -------
    Path
        The Markdown page.
    """
    content = study_content(comparison)
    write_json(folder / "study.json", content)
    plot = folder / "differences.svg"
    if any(row.differences for row in comparison.rows):
        write_text(plot, study_svg(comparison))
    else:
        plot.unlink(missing_ok=True)
    page = folder / "study.md"
    write_text(page, study_markdown(content, plot.name if plot.is_file() else None))
    return page


def study_content(comparison: StudyComparison) -> dict[str, Any]:
    """Give everything that the page says, JSON-ready."""
    book, results = comparison.book, comparison.results
    split = book["split"]
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "spermseg_version": __version__,
        "intended_use": DISCLAIMER,
        "rule": RULE,
        "dataset": book["dataset"],
        "split": {
            "seed": split["seed"],
            **{part: len(split[part]) for part in ("train", "validation")},
            "days": split["groups"],
        },
        "overrides": book["overrides"],
        "seeds": sorted({result.seed for result in results}),
        "machines": _distinct([result.facts["machine"] for result in results]),
        "versions": _distinct([result.facts["versions"] for result in results]),
        "rows": [_row_content(comparison, row) for row in comparison.rows],
    }


def study_svg(comparison: StudyComparison) -> str:
    """Draw the differences of both mean IoUs, by question, on white ground."""
    groups = {
        question: [_forest_row(row) for row in rows if row.differences]
        for question, rows in comparison.questions.items()
    }
    drawn = {question: rows for question, rows in groups.items() if rows}
    panels = [f"{LABELS[figure]}: difference to the base" for figure in (PAINTED, RAW)]
    svg = forest_svg(drawn, panels, (HELPS, HURTS, SAME, ONE_SEED))
    # As a file it has no page to take its ground from.
    end = svg.index(">") + 1
    return f'{svg[:end]}\n<rect width="100%" height="100%" fill="#ffffff"/>{svg[end:]}'


def study_markdown(content: Mapping[str, Any], plot: str | None) -> str:
    """Give the page.

    Parameters
    ----------
    content : mapping
        As `study_content` gives it.
    plot : str, optional
        File name of the plot, beside the page.
    """
    rows = content["rows"]
    lines = ["# What helps, and what does not", "", CAUTION, ""]
    lines += [*_facts(content), "", "## In short", "", RULE, "", *_summary(rows), ""]
    if plot:
        lines += [f"![Differences to the base with their intervals]({plot})", "", CAPTION, ""]
    lines += ["## Question by question", "", LEGEND, ""]
    for question in dict.fromkeys(row["question"] for row in rows if row["seeds"]):
        shown = [row for row in rows if row["question"] == question and row["seeds"]]
        lines += [f"### {question}", "", *_question_table(shown), "", *_parts_table(shown), ""]
    lines += ["## What was changed", "", *_changes_table(rows), ""]
    missing = [row for row in rows if not row["seeds"]]
    if missing:
        lines += ["## Planned and not run", ""]
        lines += [f"- {_named(row)}: {row['reason'] or NOT_RUN}" for row in missing]
        lines.append("")
    return "\n".join([*lines, *_commands(content), ""])


def _row_content(comparison: StudyComparison, row: Row) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": row.name,
        "title": row.title,
        "question": row.question,
        "change": row.change,
        "base": row.base,
        "verdict": row.verdict,
        "reason": row.reason,
        "seeds": sorted(row.results),
    }
    if not row.results:
        return entry
    facts = next(iter(row.results.values())).facts
    return entry | {
        "figures": {name: _figure_content(row, name) for name in FIGURES},
        "training": {name: facts["training"][name] for name in ("steps", "images", "parameters")},
        "cost": {what: comparison.cost(row, what) for what in ("training", "evaluation")},
    }


def _figure_content(row: Row, name: str) -> dict[str, Any]:
    values = row.figure(name)
    known = [value for value in values.values() if not np.isnan(value)]
    return {
        "mean": float(np.mean(known)) if known else None,
        "by_seed": {
            str(seed): None if np.isnan(value) else value for seed, value in values.items()
        },
        "difference": row.differences[name].to_dict() if row.differences else None,
    }


def _distinct(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [entry for place, entry in enumerate(entries) if entry not in entries[:place]]


def _forest_row(row: Row) -> ForestRow:
    estimates = tuple(_estimate(row.differences[figure]) for figure in (PAINTED, RAW))
    return ForestRow(row.title, estimates, row.verdict)


def _estimate(difference: Difference) -> Estimate:
    mean = difference.mean
    return Estimate(mean.value, mean.low, mean.high, tuple(difference.by_seed.values()))


def _facts(content: Mapping[str, Any]) -> list[str]:
    split, days = content["split"], content["split"]["days"]
    seeds = ", ".join(map(str, content["seeds"])) or "none"
    lines = [
        f"- **Pictures.** {split['train']} training pictures ({', '.join(days['train'])}) and "
        f"{split['validation']} validation pictures ({', '.join(days['validation'])}) of the "
        f"layout {content['dataset']['layout']}, split with seed {split['seed']}. All figures are "
        "of the validation pictures; test pictures were not read.",
        f"- **Seeds.** {seeds}.",
    ]
    lines += [
        f"- **Machine.** {machine['cpu']}, {machine['cores']} cores, {machine['threads']} "
        f"threads, accelerator: {machine['accelerator']}."
        for machine in content["machines"]
    ]
    versions = [", ".join(f"{k} {v}" for k, v in entry.items()) for entry in content["versions"]]
    lines += [f"- **Versions.** {text}." for text in versions]
    if content["overrides"]:
        lines.append(f"- **Laid over the base.** {describe(content['overrides'])}")
    return lines


def _summary(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for verdict in (HELPS, HURTS, SAME, ONE_SEED, NOT_RUN):
        named = [_named(row) for row in rows if row["verdict"] == verdict]
        if named:
            lines.append(f"- **{verdict}** ({len(named)}): {'; '.join(named)}")
    return lines or ["Nothing was compared yet."]


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['title']} (`{row['name']}`)"


def _question_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    head = (
        "experiment",
        "against",
        "verdict",
        f"{LABELS[PAINTED]}: difference",
        "seed by seed",
        f"{LABELS[RAW]}: difference",
        LABELS[PAINTED],
        LABELS[RAW],
    )
    cells = [
        (
            row["title"],
            row["base"] or "–",
            f"**{row['verdict']}**" if row["verdict"] != NO_BASE else "–",
            _difference_cell(row["figures"][PAINTED]["difference"]),
            _seeds_cell(row["figures"][PAINTED]["difference"]),
            _difference_cell(row["figures"][RAW]["difference"]),
            _mean_cell(row["figures"][PAINTED]),
            _mean_cell(row["figures"][RAW]),
        )
        for row in rows
    ]
    return markdown_table(head, cells)


def _parts_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    figures = [LABELS.get(name, name) for name in COLUMNS]
    head = ("experiment", *figures, "training", "evaluation")
    cells = [
        (
            row["title"],
            *(show_score(row["figures"][name]["mean"]) for name in COLUMNS),
            *(_cost_cell(row["cost"][what]) for what in ("training", "evaluation")),
        )
        for row in rows
    ]
    return markdown_table(head, cells)


def _changes_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    cells = []
    for row in rows:
        training = row.get("training")
        steps, weights = "–", "–"
        if training:
            steps = f"{training['steps']:,}"
            weights = f"{training['parameters'] / 1e6:.1f} M"
        cells.append((f"`{row['name']}`", row["base"] or "–", row["change"], steps, weights))
    return markdown_table(("experiment", "differs from", "in", "steps", "weights"), cells)


def _difference_cell(difference: Mapping[str, Any] | None) -> str:
    if difference is None or difference["value"] is None:
        return "–"
    low, high = difference["interval"]
    return f"{difference['value']:+.3f} [{low:+.3f}, {high:+.3f}]"


def _seeds_cell(difference: Mapping[str, Any] | None) -> str:
    if difference is None:
        return "–"
    values = difference["by_seed"].values()
    return ", ".join("–" if value is None else f"{value:+.3f}" for value in values)


def _mean_cell(figure: Mapping[str, Any]) -> str:
    by_seed = ", ".join(show_score(value) for value in figure["by_seed"].values())
    return f"{show_score(figure['mean'])} ({by_seed})"


def _cost_cell(cost: Mapping[str, Any] | None) -> str:
    if cost is None:
        return "none"
    times = cost["times_base"]
    return f"{cost['seconds']:.0f} {cost['unit']}" + ("" if times is None else f", × {times:.2f}")


def _commands(content: Mapping[str, Any]) -> list[str]:
    seeds = " ".join(f"--seed {seed}" for seed in content["seeds"])
    return [
        "## Again",
        "",
        f"    spermseg study run experiments --data DATA --split SPLIT -o OUT {seeds}".rstrip(),
        "    spermseg study compare OUT -o PAGE",
        "",
        f"Made with spermseg {__version__}. {DISCLAIMER}",
    ]
