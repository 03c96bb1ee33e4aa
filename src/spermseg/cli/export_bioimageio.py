"""``spermseg export bioimageio``: a model for the programs of the BioImage Model Zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder to make, or a .zip file to write.")
    ],
    model: Annotated[
        str | None,
        typer.Argument(
            help="Name of a bundled model, or a folder with card.json; else the default."
        ),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="The training it comes from, a folder or its .safetensors, for the TorchScript "
            "weights of a model whose file does not keep them. Needs torch.",
        ),
    ] = None,
    author: Annotated[
        list[str] | None, typer.Option(help="Name of an author of the model. Repeatable.")
    ] = None,
) -> None:
    """Make a package of the BioImage Model Zoo: weights, test tensors, description, cover.

    It takes raw pixel values and gives probabilities. It is tested with bioimageio.core before it
    is kept; see docs/bioimageio.md.
    """
    from spermseg.export.bioimageio import export_bioimageio

    options = {"authors": author} if author else {}
    export_bioimageio(model, out, training=training, **options)
    print(f"passed the test of bioimageio.core: {out}")
