"""``spermseg data synthesize``: synthetic smears with known truth."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer


class _Preset(enum.StrEnum):
    """What the smears look like."""

    SPERM_PARSING = "sperm-parsing"
    PALE = "pale"
    SCIAN = "scian"
    TINY = "tiny"


def command(
    out: Annotated[Path, typer.Option("-o", "--out", help="A new or empty folder.")],
    preset: Annotated[
        _Preset, typer.Option(help="What the smears look like.")
    ] = _Preset.SPERM_PARSING,
    n: Annotated[int, typer.Option("-n", min=1, help="How many pictures.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pictures.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one a processor.")
    ] = None,
) -> None:
    """Write synthetic smears with part masks, sperm by sperm, and their true measurements.

    sperm-parsing: 1280x1024, violet heads of about 90x57 px on pale lilac.

    pale: 1280x1024, weak rosy stain in warm, uneven light.

    scian: 780x580, greyish, crowded, heads of about 25x14 px.

    tiny: 160x128, few sperm, for tests and quick trials.
    """
    import os

    from spermseg.cli.progress import progress_bar
    from spermseg.data.synthetic import synthesize_dataset

    with progress_bar("synthesising") as advance:
        n_sperm = synthesize_dataset(
            out,
            preset.value,
            n,
            seed,
            workers=workers or os.cpu_count() or 1,
            on_progress=advance,
        )
    print(f"{n} pictures with {n_sperm} sperm ({preset.value}, seed {seed}) in {out}")
