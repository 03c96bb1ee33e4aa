"""``spermseg data augment``: the report's augmentation, written to a folder."""

from __future__ import annotations

import enum
import re
from pathlib import Path
from typing import Annotated

import typer

from spermseg.errors import UsageError


class _Recipe(enum.StrEnum):
    """Which augmentation."""

    REPORT_2021 = "report-2021"


class _Labels(enum.StrEnum):
    """How label maps are interpolated."""

    NEAREST = "nearest"
    LINEAR = "linear"


class _Corners(enum.StrEnum):
    """What label a turn brings in from outside."""

    IGNORE = "ignore"
    BACKGROUND = "background"


def command(
    path: Annotated[Path, typer.Argument(help="Annotated folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A new or empty folder.")],
    recipe: Annotated[
        _Recipe, typer.Option(help="37 angles of the picture and of its two mirror images.")
    ] = _Recipe.REPORT_2021,
    split: Annotated[Path | None, typer.Option(help="Split file; else all pictures.")] = None,
    part: Annotated[str, typer.Option(help="train, validation or test, of the split.")] = "train",
    size: Annotated[
        str | None, typer.Option(metavar="HEIGHTxWIDTH", help="Resize first, for example 580x780.")
    ] = None,
    labels: Annotated[
        _Labels, typer.Option(help="Interpolation of label maps; linear as published.")
    ] = _Labels.NEAREST,
    corners: Annotated[
        _Corners, typer.Option(help="Label of the corners; background as published.")
    ] = _Corners.IGNORE,
    schema: Annotated[str, typer.Option(help="Parts to tell apart.")] = "report-2021",
    layout: Annotated[str | None, typer.Option(help="Layout of the folder.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one a processor.")
    ] = None,
) -> None:
    """Write the 111 variants of every picture that the 2021 report trained on."""
    import os

    from spermseg.cli.progress import progress_bar
    from spermseg.data.augmented_folder import augment_dataset
    from spermseg.data.datasets import open_dataset
    from spermseg.data.splits import read_split
    from spermseg.structures import schema_named

    wanted_size = None if size is None else _parse_size(size)
    dataset = open_dataset(path, layout)
    ids = dataset.ids if split is None else read_split(split, dataset).part(part)
    with progress_bar("augmenting") as advance:
        n_variants = augment_dataset(
            dataset,
            ids,
            out,
            size=wanted_size,
            schema=schema_named(schema),
            interpolation=labels.value,
            corners=corners.value,
            workers=workers or os.cpu_count() or 1,
            on_progress=advance,
        )
    each = n_variants // len(ids)
    print(f"{len(ids)} pictures x {each} variants of {recipe.value} = {n_variants:,} in {out}")
    print(
        "note: the report says 14 training and 6 test pictures, but its 1,665 and 444 variants "
        "are those of 15 (1665 / 111) and 4 (444 / 111)"
    )


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise UsageError(f"--size must be HEIGHTxWIDTH, for example 580x780, got {text!r}")
    return int(match[1]), int(match[2])
