"""``spermseg analyze``."""

from __future__ import annotations

import logging
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer


def command(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUTS...", help="Pictures, and folders of pictures.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="A new or empty folder.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="fast, accurate, the name of a bundled model, or a folder with a model card."
        ),
    ] = None,
    um_per_px: Annotated[
        float | None, typer.Option(help="Pixel size in micrometres; else that of each file.")
    ] = None,
    head_length_px: Annotated[
        float | None,
        typer.Option(help="Typical length of a head in pixels; else estimated from each picture."),
    ] = None,
    page: Annotated[int, typer.Option(min=0, help="Page of multi-page TIFF files.")] = 0,
    criteria: Annotated[
        str, typer.Option(help="By which sperm are judged: a name, or a YAML file.")
    ] = "who-2021",
    samples: Annotated[
        Path | None,
        typer.Option(
            help="Table (CSV) of which picture is of which sample; else each folder is one."
        ),
    ] = None,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="Look at each picture in nine views; say what depends on them. Nine times slower.",
        ),
    ] = False,
    overlays: Annotated[bool, typer.Option(help="Write pictures with outlined parts.")] = True,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one a core.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in OUT; what is done and unchanged is skipped.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print run.json.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only warnings and errors.")] = False,
) -> None:
    """Find, measure and judge all sperm in pictures: masks, tables, samples and a report.

    A picture that cannot be read does not stop the others (exit code 3). Ctrl-C stops; the same
    command with --resume goes on. For research use, not for clinical diagnosis.
    """
    import json

    from spermseg.analysis.criteria import load_criteria
    from spermseg.batch import AnalysisOptions, analyze_files
    from spermseg.cli.progress import progress_bar
    from spermseg.errors import PartialFailureError

    options = AnalysisOptions(
        model, um_per_px, head_length_px, page, overlays, load_criteria(criteria), uncertainty
    )
    try:
        with nullcontext() if quiet else progress_bar("analysing") as advance:
            # Only now, since the bar takes over stderr to print lines above itself.
            logging.basicConfig(level=logging.WARNING, format="%(message)s")
            summary = analyze_files(
                *(inputs, out, options),
                samples=samples,
                workers=workers,
                resume=resume,
                on_progress=advance,
            )
    except KeyboardInterrupt:
        print(f"{out}: stopped; go on with the same command and --resume", file=sys.stderr)
        raise typer.Exit(130) from None
    if as_json:
        print(json.dumps(summary.run, indent=2, ensure_ascii=False))
    elif not quiet:
        earlier = f" ({summary.skipped} of them before)" if summary.skipped else ""
        print(f"{_pictures(summary.done)} done{earlier}, {summary.failed} failed")
        print(f"The report: {out / 'report.html'}")
    if summary.failed:
        raise PartialFailureError(
            f"{_pictures(summary.failed)} failed, see above; the others are done", where=out
        )


def _pictures(n: int) -> str:
    return f"{n} picture{'' if n == 1 else 's'}"
