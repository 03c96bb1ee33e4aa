"""``spermseg bench``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def command(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PICTURES...]",
            help="Pictures, and folders of pictures; else a synthetic one of 1280 x 1024 pixels.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="fast, accurate, the name of a bundled model, or a folder with a model card."
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the network; default: all cores.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often each picture is timed.")] = 5,
    folder: Annotated[
        int, typer.Option(min=1, help="Pictures to be analysed with all processes, at least.")
    ] = 24,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="JSON file to write.")] = None,
) -> None:
    """Measure the speed of the analysis on this machine, stage by stage.

    Leave the machine alone meanwhile. For research use, not for clinical diagnosis.
    """
    from spermseg.benchmark import run_benchmark
    from spermseg.cli.progress import staged_progress_bar
    from spermseg.files import write_json

    with staged_progress_bar() as advance:
        result = run_benchmark(
            inputs or (),
            model=model,
            threads=threads,
            repeats=repeat,
            folder_pictures=folder,
            on_progress=advance,
        )
    for line in _lines(result):
        print(line)
    if out is not None:
        write_json(out, result)
        print(out)


def _lines(result: Mapping[str, Any]) -> list[str]:
    machine, versions, network, folder = (
        result[name] for name in ("machine", "versions", "network", "folder")
    )
    memory = result["peak_memory_mib"]
    return [
        ", ".join(f"{name} {version}" for name, version in versions.items()),
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}",
        f"model {result['model']['id']}, loaded in {result['model']['load_seconds']['min']:.2f} s",
        "",
        *_times(result),
        "",
        f"network: {network['gflop_per_picture']:.1f} GFLOP a picture at "
        f"{network['gflop_per_second']:.0f} GFLOP/s, {100 * network['share']:.0f} % of the "
        f"{network['matrix_product_gflop_per_second']:.0f} of a float32 matrix product",
        f"folder: {folder['pictures_per_second']:.2f} pictures/s, {folder['pictures']} pictures in "
        f"{folder['seconds']:.1f} s with {folder['processes']} processes of "
        f"{folder['threads']} threads",
        f"peak memory: {'not known' if memory is None else f'{memory:.0f} MiB'}",
        result["disclaimer"],
    ]


def _times(result: Mapping[str, Any]) -> list[str]:
    pictures, times = result["pictures"], result["per_picture"]
    one = pictures[0]
    what = (
        f"{one['file']}, {one['width']} x {one['height']}, scale {one['scale_source']}"
        if len(pictures) == 1
        else f"mean of {len(pictures)} pictures"
    )
    rows = {**times["stages"], "end to end": times["seconds"]}
    return [
        f"{what}; {result['threads']} threads; best and median of {result['repeats']}, seconds:",
        *(
            f"  {name:<14}{values['min']:>8.4f}{values['median']:>10.4f}"
            for name, values in rows.items()
        ),
    ]
