"""``spermseg experiments``: the experiments of the 2021 report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="List, run and compare the experiments of the 2021 report.", no_args_is_help=True
)


@app.command("list")
def list_experiments() -> None:
    """Show every experiment: its name, what differs in it, and its published figures."""
    from spermseg.experiments.catalog import differences, load_experiments

    for experiment in load_experiments():
        report = f" ({experiment.report})" if experiment.report else ""
        print(f"{experiment.name}\n    {experiment.title}{report}\n    {differences(experiment)}")
        if figures := experiment.published:
            print(
                f"    published: loss {figures.loss:.5f}, "
                f"“IoU” {figures.iou:.5f}, “Dice” {figures.dice_loss:.5f}"
            )


@app.command()
def run(
    data: Annotated[Path, typer.Option(help="Annotated folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for all runs.")],
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...|all", help="See `list`; default: all.")
    ] = None,
    scale: Annotated[str, typer.Option(help="full, laptop or quick.")] = "laptop",
    layout: Annotated[str | None, typer.Option(help="Layout of the folder.")] = None,
    split: Annotated[Path | None, typer.Option(help="Split file; else one is drawn.")] = None,
    train: Annotated[int, typer.Option(min=1, help="Pictures to draw for training.")] = 15,
    validation: Annotated[int, typer.Option(min=0, help="For the curves.")] = 4,
    test: Annotated[int, typer.Option(min=1, help="For the figures.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the split that is drawn.")] = 0,
    pretrained_substitute: Annotated[
        Path | None,
        typer.Option(help="Weights file or run folder in place of COCO's weights."),
    ] = None,
    substitute_label: Annotated[
        str, typer.Option(help="What the substitute is, said beside every figure.")
    ] = "backbone trained on synthetic smears instead of COCO",
    variants_per_epoch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Pictures an epoch, drawn from all variants; default: the scale's."
        ),
    ] = None,
    precision: Annotated[str | None, typer.Option(help="no, bf16 or fp16.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that prepare.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where a run stopped.")] = False,
) -> None:
    """Train and evaluate experiments, one folder each; see `compare` for the page."""
    from spermseg.cli.progress import staged_progress_bar
    from spermseg.data.datasets import open_dataset
    from spermseg.data.splits import grouped_split, read_split
    from spermseg.errors import PartialFailureError
    from spermseg.experiments.catalog import load_experiments, load_scale
    from spermseg.experiments.runner import RunSettings, Substitute, run_experiments
    from spermseg.training.interruption import TrainingInterrupted

    experiments = load_experiments(names or ["all"])
    overrides = _overrides(variants_per_epoch, precision, workers)
    substitute = (
        Substitute(pretrained_substitute, substitute_label) if pretrained_substitute else None
    )
    settings = RunSettings(load_scale(scale), substitute, overrides)
    dataset = open_dataset(data, layout)
    if split is None and resume and (out / "split.json").exists():
        split = out / "split.json"
    chosen = (
        grouped_split(dataset, seed=seed, train=train, validation=validation, test=test)
        if split is None
        else read_split(split, dataset)
    )
    try:
        with staged_progress_bar() as advance:
            statuses = run_experiments(
                experiments, dataset, chosen, out, settings, resume=resume, on_progress=advance
            )
    except TrainingInterrupted as stop:
        print(f"{stop}; go on with the same command and --resume", file=sys.stderr)
        raise typer.Exit(stop.exit_code) from None
    for name, entry in statuses.items():
        reason = f": {entry['reason']}" if "reason" in entry else ""
        print(f"{name}: {entry['status']}{reason}")
    failed = [name for name, entry in statuses.items() if entry["status"] == "failed"]
    if failed:
        raise PartialFailureError(f"{', '.join(failed)} failed; the others are done", where=out)


@app.command()
def compare(
    out: Annotated[Path, typer.Argument(help="Folder that `run` wrote.")],
    page: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for the page; default: the same.")
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            help="With panels of the test pictures. Leave them out where pictures and annotations "
            "may not be published."
        ),
    ] = True,
) -> None:
    """Write one page, HTML, Markdown and JSON: published beside measured, curves, conclusions."""
    from spermseg.experiments.comparison import compare_experiments
    from spermseg.experiments.page import write_comparison

    print(write_comparison(compare_experiments(out), page or out, pictures=pictures))


def _overrides(
    variants_per_epoch: int | None, precision: str | None, workers: int | None
) -> dict[str, Any]:
    data = {"variants_per_epoch": variants_per_epoch}
    training = {"precision": precision, "workers": workers}
    given = {
        group: {key: value for key, value in entries.items() if value is not None}
        for group, entries in (("data", data), ("training", training))
    }
    return {group: entries for group, entries in given.items() if entries}
