"""``spermseg data check``: what an annotated folder holds, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from spermseg.data.datasets.check import DatasetCheck


def command(
    path: Annotated[Path, typer.Argument(help="Annotated folder.")],
    layout: Annotated[
        str | None,
        typer.Option(help="One of those in docs/data.md, as labelme or coco; else recognised."),
    ] = None,
    annotation_set: Annotated[
        int, typer.Option(help="1, 2 or 3, where there are several (sperm-parsing).")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print pictures, sizes, sperm, pixel shares and problems of an annotated folder."""
    import json

    from spermseg.cli.progress import progress_bar
    from spermseg.data.datasets import open_dataset
    from spermseg.data.datasets.check import check_dataset
    from spermseg.errors import DatasetError

    dataset = open_dataset(path, layout, annotation_set=annotation_set, strict=False)
    with progress_bar("checking") as advance:
        check = check_dataset(dataset, advance)
    if as_json:
        print(json.dumps(check.to_dict(), indent=2, ensure_ascii=False))
    else:
        _print_table(check)
    if check.problems:
        file, what = check.problems[0]
        more = f" (and {len(check.problems) - 1} more)" if len(check.problems) > 1 else ""
        raise DatasetError(f"cannot be used: {what}{more}", where=path / file)


def _print_table(check: DatasetCheck) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("layout", check.layout)
    table.add_row("pictures", str(check.pictures))
    sizes = [f"{width} x {height}: {count}" for (height, width), count in check.sizes.items()]
    table.add_row("sizes", _list(sizes, "size"))
    groups = [f"{group}: {count}" for group, count in check.groups.items()]
    table.add_row("groups", _list(groups, "group"))
    table.add_row("sperm", "not told apart" if check.sperm is None else f"{check.sperm:,}")
    for part, share in check.shares.items():
        table.add_row(f"  {part}", f"{share:8.3%} of the pixels")
    if check.ignored_pixels:
        table.add_row("  ignored", f"{check.ignored_pixels:,} pixels")
    table.add_row("problems", str(len(check.problems)))
    Console(highlight=False).print(table)
    # Lines of their own: a table would break long file names.
    for kind, findings in (("problem", check.problems), ("note", check.notes)):
        for file, what in findings:
            print(f"{kind}: {file}: {what}")


def _list(entries: list[str], noun: str) -> str:
    if len(entries) > 30:
        return f"{len(entries)} {noun}s"
    return f"{len(entries)} ({', '.join(entries)})" if entries else "none"
