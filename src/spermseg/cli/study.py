"""``spermseg study``: many short trainings, and the page that says what helped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from spermseg import DISCLAIMER

TIME_OVER = 4
"""Exit code when the minutes are over and something is left to do."""

app = typer.Typer(
    help=f"Run and compare the experiments of a study. {DISCLAIMER}", no_args_is_help=True
)


@app.command()
def run(
    experiments: Annotated[
        list[Path] | None,
        typer.Argument(metavar="EXPERIMENTS...", help="YAML files or folders; ./experiments."),
    ] = None,
    *,
    data: Annotated[Path, typer.Option(help="Annotated folder of any known layout.")],
    split: Annotated[
        Path, typer.Option(help="Split file; its validation pictures judge, none is tested.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for all runs.")],
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable; default: 0 and 1.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of the experiments, and what it needs. Repeatable."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0,
            help=f"Save and stop then, with exit code {TIME_OVER}: the same command goes on.",
        ),
    ] = None,
    synthetic: Annotated[
        Path | None, typer.Option(help="Synthetic smears, for experiments that train on these.")
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="Settings, YAML, laid over the base's: what the machine asks for."),
    ] = None,
    layout: Annotated[str | None, typer.Option(help="Layout of the folder.")] = None,
) -> None:
    """Train and evaluate experiments; what is finished is left alone, so that it can be repeated.

    Several processes may run the same command at the same time.
    """
    from spermseg.cli.progress import staged_progress_bar
    from spermseg.config import read_yaml
    from spermseg.data.datasets import open_dataset
    from spermseg.data.splits import read_split
    from spermseg.errors import PartialFailureError
    from spermseg.study.plan import read_study
    from spermseg.study.running import Deadline, StudyRun, run_study
    from spermseg.training.interruption import TrainingInterrupted

    deadline = Deadline(minutes)
    dataset = open_dataset(data, layout)
    study = read_study(experiments or [Path("experiments")])
    try:
        with staged_progress_bar() as advance:
            statuses = run_study(
                StudyRun(
                    study,
                    dataset,
                    read_split(split, dataset),
                    out,
                    None if synthetic is None else open_dataset(synthetic),
                    {} if settings is None else read_yaml(settings),
                    deadline,
                    advance,
                ),
                only or (),
                [0, 1] if seed is None else seed,
            )
    except TrainingInterrupted as stop:
        print(f"{stop}; go on with the same command", file=sys.stderr)
        raise typer.Exit(stop.exit_code) from None
    for name, status in statuses.items():
        print(f"{name}: {status}")
    if failed := [name for name, status in statuses.items() if status.startswith("failed")]:
        raise PartialFailureError(f"{', '.join(failed)} failed; the others are as said", where=out)
    if deadline.over and any(status.startswith("waiting") for status in statuses.values()):
        raise typer.Exit(TIME_OVER)


@app.command()
def compare(
    out: Annotated[Path, typer.Argument(help="Folder that `run` wrote.")],
    page: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for the page; default: the same.")
    ] = None,
) -> None:
    """Write one page, Markdown, JSON and a plot: what each experiment gave against its base."""
    from spermseg.study.comparison import compare_study
    from spermseg.study.page import write_study_page

    print(write_study_page(compare_study(out), page or out / "page"))
