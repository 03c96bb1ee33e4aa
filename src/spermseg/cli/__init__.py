"""The command ``spermseg``: arguments in, library calls, words out; no logic."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from spermseg import DISCLAIMER, __version__, errors
from spermseg.cli import (
    analyze,
    bench,
    data,
    evaluate,
    experiments,
    export,
    models,
    robustness,
    serve,
    study,
    train,
)

app = typer.Typer(
    name="spermseg",
    help=f"Segment, separate and measure human sperm in microscope pictures. {DISCLAIMER}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("analyze")(analyze.command)
app.add_typer(data.app, name="data")
app.add_typer(experiments.app, name="experiments")
app.add_typer(study.app, name="study")
app.add_typer(models.app, name="models")
app.command("train")(train.command)
app.command("evaluate")(evaluate.command)
app.command("robustness")(robustness.command)
app.add_typer(export.app, name="export")
app.command("serve")(serve.command)
app.command("bench")(bench.command)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"spermseg {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; what a user can put right is one line on stderr and an exit code."""
    try:
        app()
    except Exception as error:
        known = errors.translate(error)
        if known is None:
            raise
        print(f"spermseg: error: {known}", file=sys.stderr)
        sys.exit(known.exit_code)
