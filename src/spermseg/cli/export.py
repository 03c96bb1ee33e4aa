"""``spermseg export``: results and models for other programs."""

from __future__ import annotations

import typer

from spermseg import DISCLAIMER
from spermseg.cli import export_bioimageio, export_onnx, export_result

app = typer.Typer(
    help=f"Write results and models for other programs; see docs/exports.md. {DISCLAIMER}",
    no_args_is_help=True,
)
for name, command in export_result.COMMANDS.items():
    app.command(name, rich_help_panel="Results of spermseg analyze")(command)
app.command("onnx", rich_help_panel="Models")(export_onnx.command)
app.command("bioimageio", rich_help_panel="Models")(export_bioimageio.command)
