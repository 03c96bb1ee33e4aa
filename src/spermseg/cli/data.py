"""``spermseg data``: look at, split, augment and make data sets."""

from __future__ import annotations

import typer

from spermseg.cli import data_augment, data_check, data_split, data_synthesize

app = typer.Typer(help="Check, split, augment and synthesise data sets.", no_args_is_help=True)
app.command("check")(data_check.command)
app.command("split")(data_split.command)
app.command("augment")(data_augment.command)
app.command("synthesize")(data_synthesize.command)
