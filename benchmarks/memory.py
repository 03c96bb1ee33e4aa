"""Memory of an analysis: the most for one very large picture, and whether a long folder adds to it.

    python benchmarks/memory.py [--model M] [--pictures N] [--side PX] [--tables N] [-o RESULT.json]

Each is measured in a process of its own, as resident memory. The large picture is a synthetic smear
laid out again and again, written as TIFF and as PNG without a stated scale, so that the scale has
to be found too. The folder holds the same smear many times, analysed in one process. Tables and
report are made once more of that analysis taken many times over, as of a folder of `--tables`
pictures and of one half as long.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from spermseg.analysis.criteria import load_criteria
from spermseg.batch import AnalysisOptions, analyze_files
from spermseg.batch.inputs import RUN_FILE
from spermseg.batch.sperm_files import report_rows, write_annotations, write_summary, write_table
from spermseg.benchmark.machine import (
    describe_machine,
    describe_versions,
    held_memory,
    peak_memory,
)
from spermseg.benchmark.running import synthetic_smear
from spermseg.data.images import read_image
from spermseg.files import write_json
from spermseg.report.analysis_page import write_analysis_report
from spermseg.result import overlay_path, sperm_path

MIB = 2**20
LARGEST_MIB = 2048
LARGEST_GROWTH = 1.1
LARGEST_KIB = 3


def large_picture(smear: Path, side: int, path: Path) -> None:
    """Write side x side pixels of the smear, again and again."""
    image = read_image(smear)
    rows, columns = (-(-side // extent) for extent in image.shape[:2])
    image = np.tile(image, (rows, columns, 1))[:side, :side]
    if path.suffix == ".tif":
        tifffile.imwrite(path, image, photometric="rgb", compression="zlib", rowsperstrip=64)
    else:
        path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(image), level=1))


def analyse(inputs: Path, out: Path, model: str | None) -> dict[str, Any]:
    """Analyse all of `inputs` in this process; give its memory after every picture."""
    held: list[int] = []

    def note(done: int, total: int) -> None:
        held.append(held_memory() or 0)

    start = time.perf_counter()
    summary = analyze_files([inputs], out, AnalysisOptions(model), workers=1, on_progress=note)
    if summary.failed:
        raise SystemExit(f"failed: {[row['reason'] for row in summary.run['pictures']]}")
    return {
        "seconds": time.perf_counter() - start,
        "peak_mib": (peak_memory() or 0) / MIB,
        "held_mib": [value / MIB for value in held],
        "picture": {
            name: summary.run["pictures"][0][name]
            for name in ("height", "width", "scale_source", "head_length_px", "heads")
        },
    }


def in_new_process(job: Callable[..., Any], *arguments: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(job, arguments)


def measure_large(model: str | None, side: int, scratch: Path) -> dict[str, Any]:
    smear = synthetic_smear(scratch)
    results = {}
    for suffix in (".tif", ".png"):
        path = scratch / f"large{suffix}"
        in_new_process(large_picture, smear, side, path)
        results[suffix[1:]] = in_new_process(analyse, path, scratch / f"out{suffix}", model)
        path.unlink()
    return results


def measure_folder(model: str | None, number: int, scratch: Path) -> dict[str, Any]:
    folder = scratch / "folder"
    folder.mkdir()
    smear = synthetic_smear(scratch)
    for index in range(number):
        os.link(smear, folder / f"{index:05d}.png")
    result = in_new_process(analyse, folder, scratch / "out-folder", model)
    held = result.pop("held_mib")
    tenth = max(1, number // 10)
    # The first pictures still fill what is then used again and again.
    early, late = max(held[: 2 * tenth]), max(held[-tenth:])
    return result | {
        "pictures": number,
        "held_mib": {str(n): held[n - 1] for n in (1, 2 * tenth, 5 * tenth, number)},
        "growth": late / early,
    }


def write_tables(done: Path, number: int, out: Path) -> dict[str, float]:
    """Make the files of a whole run of one picture's results, taken many times over."""
    run = json.loads((done / RUN_FILE).read_text(encoding="utf-8"))
    (row,) = run["pictures"]
    run["pictures"] = [row | {"id": f"{i}", "file": f"{i}.png"} for i in range(number)]
    for path_of in (sperm_path, overlay_path):
        path_of(out, "0").parent.mkdir(parents=True)
        for picture in run["pictures"]:
            os.link(path_of(done, row["id"]), path_of(out, picture["id"]))
    criteria, before = load_criteria(), held_memory() or 0
    write_annotations(out, run)
    write_table(out, run)
    summaries = write_summary(out, run, criteria)
    write_analysis_report(out, run, summaries=summaries, sperm=report_rows(out, run))
    peak = peak_memory() or 0
    return {"sperm": number * row["sperm"], "before_mib": before / MIB, "peak_mib": peak / MIB}


def measure_tables(model: str | None, number: int, scratch: Path) -> dict[str, Any]:
    done = scratch / "done"
    in_new_process(analyse, synthetic_smear(scratch), done, model)
    few, many = (
        in_new_process(write_tables, done, n, scratch / f"tables-{n}")
        for n in (number // 2, number)
    )
    grown = (many["peak_mib"] - few["peak_mib"]) * 1024
    return {
        "pictures": number,
        "few": few,
        "many": many,
        "kib_a_sperm": grown / max(1, many["sperm"] - few["sperm"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="default: the bundled one")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--tables", type=int, default=2000)
    parser.add_argument("-o", "--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        large = measure_large(arguments.model, arguments.side, Path(scratch))
        folder = measure_folder(arguments.model, arguments.pictures, Path(scratch))
        tables = measure_tables(arguments.model, arguments.tables, Path(scratch))
    result = {
        "machine": describe_machine(),
        "versions": describe_versions(),
        "large_picture": large,
        "folder": folder,
        "tables": tables,
        "within_limits": {
            f"large pictures below {LARGEST_MIB} MiB": all(
                entry["peak_mib"] < LARGEST_MIB for entry in large.values()
            ),
            f"a long folder adds less than {LARGEST_GROWTH - 1:.0%}": folder["growth"]
            < LARGEST_GROWTH,
            f"tables and report: less than {LARGEST_KIB} KiB a sperm": tables["kib_a_sperm"]
            < LARGEST_KIB,
        },
    }
    print(json.dumps(result, indent=2))
    if arguments.out is not None:
        write_json(arguments.out, result)


if __name__ == "__main__":
    main()
