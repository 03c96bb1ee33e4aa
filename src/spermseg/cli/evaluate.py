"""``spermseg evaluate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from spermseg.evaluation import EvaluationResult


class _Part(StrEnum):
    train = "train"
    validation = "validation"
    test = "test"
    all = "all"


def command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished training.")],
    data: Annotated[Path, typer.Option(help="Annotated folder of any known layout.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Else RUN/evaluation-PART.")
    ] = None,
    part: Annotated[_Part, typer.Option(help="Pictures of the split.")] = _Part.test,
    split: Annotated[Path | None, typer.Option(help="Split file; else the training's.")] = None,
    layout: Annotated[str | None, typer.Option(help="Layout of the folder.")] = None,
    annotation_set: Annotated[int, typer.Option(help="Where a layout has several.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print evaluation.json.")] = False,
) -> None:
    """Compare a model with an annotation: scores, overlays, panels and an HTML report."""
    import dataclasses
    import json
    import sys

    from spermseg.cli.progress import progress_bar
    from spermseg.data.datasets import open_dataset
    from spermseg.evaluation import evaluate, select_pictures, write_evaluation_report
    from spermseg.files import read_log
    from spermseg.training.checkpoint import load_predictor

    predictor = load_predictor(run)
    dataset = open_dataset(data, layout, annotation_set=annotation_set)
    pictures = select_pictures(dataset, part.value, training_split=run / "split.json", split=split)
    for warning in pictures.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    with progress_bar("evaluating") as advance:
        result = evaluate(predictor, dataset, pictures.ids, on_progress=advance)
    result = dataclasses.replace(
        result,
        data={**result.data, "part": pictures.part, "split_seed": pictures.split_seed},
        warnings=(*pictures.warnings, *result.warnings),
    )
    out = out or run / f"evaluation-{part}"
    log = run / "log.jsonl"
    write_evaluation_report(result, out, log=read_log(log) if log.exists() else ())
    if as_json:
        print(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    else:
        _print_table(result)
        print(out / "report.html")


def _print_table(result: EvaluationResult) -> None:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from spermseg.report.evaluation_page import MEAN_LABELS, SCORE_LABELS

    table = Table(box=None)
    table.add_column("part", style="bold")
    for name in result.score_names:
        table.add_column(SCORE_LABELS[name], justify="right")
    for index, column in enumerate(result.columns):
        values = result.pooled[:, index]
        scores = ["–" if np.isnan(value) else f"{value:.3f}" for value in values]
        table.add_row(MEAN_LABELS.get(column, column), *scores)
    Console(highlight=False).print(table)
