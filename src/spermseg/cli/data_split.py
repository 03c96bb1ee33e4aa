"""``spermseg data split``: training, validation and test pictures by whole groups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spermseg.errors import UsageError

_AMOUNT = "Number of pictures (15), or share (0.7)."


def command(
    path: Annotated[Path, typer.Argument(help="Annotated folder.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Split file to write, JSON.")],
    train: Annotated[str, typer.Option(help=_AMOUNT)],
    validation: Annotated[str, typer.Option(help=_AMOUNT)] = "0",
    test: Annotated[str, typer.Option(help=_AMOUNT)] = "0",
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same split.")] = 0,
    layout: Annotated[str | None, typer.Option(help="Layout of the folder.")] = None,
) -> None:
    """Draw pictures so that no group (original picture, acquisition day) is in two parts."""
    from spermseg.data.datasets import open_dataset
    from spermseg.data.splits import PARTS, grouped_split, write_split

    split = grouped_split(
        open_dataset(path, layout),
        seed=seed,
        train=_amount(train, "--train"),
        validation=_amount(validation, "--validation"),
        test=_amount(test, "--test"),
    )
    write_split(out, split)
    for part in PARTS:
        ids = split.part(part)
        print(f"{part}: {len(ids)} pictures of {len({split.groups[id] for id in ids})} groups")
    print(f"written to {out}")


def _amount(text: str, option: str) -> int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise UsageError(f"{option} must be a number of pictures or a share, got {text!r}")
