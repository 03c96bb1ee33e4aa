"""``spermseg evaluate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from spermseg.evaluation import EvaluationResult
    from spermseg.inference.predictor import Predictor


class _Part(StrEnum):
    train = "train"
    validation = "validation"
    test = "test"
    all = "all"


def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MODEL",
            help="Folder of a finished training; or a model: a bundled one's name, a folder, an "
            ".onnx file.",
        ),
    ],
    data: Annotated[Path, typer.Option(help="Annotated folder of any known layout.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Else RUN/evaluation-PART; ./evaluation-PART of a MODEL."),
    ] = None,
    part: Annotated[_Part, typer.Option(help="Pictures of the split.")] = _Part.test,
    split: Annotated[Path | None, typer.Option(help="Split file; else the training's.")] = None,
    layout: Annotated[str | None, typer.Option(help="Layout of the folder.")] = None,
    annotation_set: Annotated[int, typer.Option(help="Where a layout has several.")] = 1,
    worst: Annotated[
        int, typer.Option(min=0, help="Show so many of the worst sperm: worst.html, worst.json.")
    ] = 0,
    reasons: Annotated[
        Path | None, typer.Option(help="YAML: why each of the worst sperm went wrong.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print evaluation.json.")] = False,
) -> None:
    """Compare a model with an annotation: scores, overlays, panels and an HTML report.

    For research use, not for clinical diagnosis.
    """
    import dataclasses
    import json
    import sys

    from spermseg.cli.progress import progress_bar
    from spermseg.data.datasets import open_dataset
    from spermseg.errors import UsageError
    from spermseg.evaluation import evaluate, select_pictures, write_evaluation_report
    from spermseg.evaluation.reasons import read_reasons
    from spermseg.evaluation.worst import write_worst
    from spermseg.files import read_log

    if reasons and not worst:
        raise UsageError("--reasons belongs to --worst", fix="Say how many sperm, as --worst 20")
    predictor, run = open_model(model)
    if reasons:
        read_reasons(reasons, predictor.card.id)  # Rather now than after the evaluation.
    dataset = open_dataset(data, layout, annotation_set=annotation_set)
    pictures = select_pictures(
        dataset, part.value, training_split=run and run / "split.json", split=split
    )
    for warning in pictures.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    with progress_bar("evaluating") as advance:
        result = evaluate(predictor, dataset, pictures.ids, on_progress=advance)
    result = dataclasses.replace(
        result,
        data={
            **result.data,
            "part": pictures.part,
            "split_seed": pictures.split_seed,
            "annotation_set": annotation_set,
        },
        warnings=(*pictures.warnings, *result.warnings),
    )
    out = out or (run or Path()) / f"evaluation-{part}"
    log = run and run / "log.jsonl"
    write_evaluation_report(result, out, log=read_log(log) if log and log.exists() else ())
    if worst:
        write_worst(result, predictor, dataset, out, worst, reasons)
    if as_json:
        print(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    else:
        _print_table(result)
        print(out / "report.html")
        if worst:
            print(out / "worst.html")


def open_model(model: str) -> tuple[Predictor, Path | None]:
    """Give a model, and the folder of its training where it is a training's."""
    folder = Path(model)
    if folder.is_dir() and not any(folder.glob("*.onnx")):
        from spermseg.training.checkpoint import load_predictor

        return load_predictor(folder), folder
    from spermseg.inference.catalog import load_model

    return load_model(model), None


def _print_table(result: EvaluationResult) -> None:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from spermseg.report.evaluation_page import SCORE_LABELS, SPERM_LABELS, summary_labels
    from spermseg.report.html import show_score

    table = Table(box=None)
    table.add_column("part", style="bold")
    for name in result.score_names:
        table.add_column(SCORE_LABELS[name], justify="right")
    labels = summary_labels(result.to_dict())
    for index, column in enumerate(result.columns):
        values = result.pooled[:, index]
        scores = ["–" if np.isnan(value) else f"{value:.3f}" for value in values]
        table.add_row(labels.get(column, column), *scores)
    console = Console(highlight=False)
    console.print(table)
    if result.sperm:
        figures = [f"{label} {show_score(result.sperm[n])}" for n, label in SPERM_LABELS.items()]
        console.print(f"sperm one by one: {', '.join(figures)}")
