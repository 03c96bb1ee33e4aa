"""``spermseg train``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from spermseg.cli.fine_tuning import compare_with_parent, prepare_fine_tuning
from spermseg.errors import UsageError


def command(
    config: Annotated[
        Path | None,
        typer.Argument(
            help="Settings, YAML; with --from only those that differ from fine-tuning's own."
        ),
    ] = None,
    *,
    data: Annotated[Path, typer.Option(help="Annotated folder of any known layout.")],
    run: Annotated[Path, typer.Option("-o", "--out", help="Folder of the training, to be made.")],
    parent: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Train on from this model: a bundled one's name, a folder of a model or of a "
            "training. Compared with it in the end, exported to RUN/model.",
        ),
    ] = None,
    layout: Annotated[str | None, typer.Option(help="Layout of the folder.")] = None,
    annotation_set: Annotated[int, typer.Option(help="Where a layout has several.")] = 1,
    split: Annotated[
        Path | None,
        typer.Option(help="Split file; else 70/15/15 by whole groups is drawn, with --from 70/30."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the folder's last checkpoint.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only warnings and errors.")] = False,
) -> None:
    """Train a network. Ctrl-C saves and stops; --resume goes on exactly there.

    On several devices: torchrun --nproc-per-node N -m spermseg train ...
    """
    from spermseg.cli.progress import progress_bar
    from spermseg.config import load_training_config
    from spermseg.data.datasets import open_dataset
    from spermseg.data.splits import grouped_split, read_split
    from spermseg.report.plots import write_curves
    from spermseg.training.fine_tuning import hold_out
    from spermseg.training.interruption import TrainingInterrupted
    from spermseg.training.loop import train

    learn: Callable[..., Any] = train
    if parent is not None:
        learn, settings = prepare_fine_tuning(parent, config, run)
    elif config is not None:
        settings = load_training_config(config)
    else:
        raise UsageError("nothing says what to train", fix="Name settings, or a model with --from")
    dataset = open_dataset(data, layout, annotation_set=annotation_set)
    if split is None and resume and (run / "split.json").exists():
        split = run / "split.json"
    if split is not None:
        pictures = read_split(split, dataset)
    elif parent is not None:
        pictures = hold_out(dataset, settings.training.seed)
    else:
        seed = settings.training.seed
        pictures = grouped_split(dataset, seed=seed, train=0.7, validation=0.15, test=0.15)

    def on_epoch(line: Mapping[str, Any]) -> None:
        write_curves(run / "log.jsonl", run / "curves.svg")
        if not quiet:
            print(_epoch_text(line, settings.training.epochs), file=sys.stderr)

    def on_step(step: int, total: int, loss: float, seconds_left: float) -> None:
        if advance is not None:
            advance(step, total)

    try:
        with nullcontext() if quiet else progress_bar(settings.name) as advance:
            # Only now, since the bar takes over stderr to print lines above itself.
            logging.basicConfig(
                level=logging.WARNING if quiet else logging.INFO, format="%(message)s"
            )
            learn(
                settings,
                dataset,
                pictures,
                run,
                resume=resume,
                command={"layout": layout, "annotation_set": annotation_set, "resume": resume},
                on_progress=on_step,
                on_epoch=on_epoch,
            )
    except TrainingInterrupted as stop:
        print(f"{stop}; go on with the same command and --resume", file=sys.stderr)
        raise typer.Exit(stop.exit_code) from None
    if parent is not None:
        compare_with_parent(parent, run, dataset, pictures.test or pictures.validation)


def _epoch_text(line: Mapping[str, Any], epochs: int) -> str:
    text = f"epoch {line['epoch'] + 1}/{epochs}: loss {line['train_loss']:.4f}"
    if line["validation"] is not None:
        iou = ", ".join(
            f"{part} {value:.3f}"
            for part, value in line["validation"]["iou"].items()
            if value is not None
        )
        text += f", validation loss {line['validation']['loss']:.4f}, IoU {iou}"
    return f"{text}, {line['seconds']:.0f} s"
