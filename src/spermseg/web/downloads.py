"""The results in one file each, to be taken along."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from spermseg.analysis.criteria import Criteria
from spermseg.batch.sperm_files import report_rows, write_summary, write_table
from spermseg.export import EXPORTERS, export_result
from spermseg.export.training_set import write_training_set
from spermseg.report.analysis_page import write_analysis_report
from spermseg.web.refusals import RefusedError

_PIECE_BYTES = 2**18


@dataclass(frozen=True)
class Collected:
    """A result of the current versions.

    Parameters
    ----------
    folder : Path
        As ``spermseg analyze`` writes it, without tables and report.
    run : mapping
        What its run.json holds.
    criteria : Criteria
    corrected_pictures : mapping of str to Path
        The files of the corrected pictures, by their id in the result.
    corrected : int
        Number of corrected sperm.
    """

    folder: Path
    run: Mapping[str, Any]
    criteria: Criteria
    corrected_pictures: Mapping[str, Path]
    corrected: int


def available_formats() -> list[str]:
    """Name the formats that can be written here."""
    needed = {"parquet": "pyarrow"}
    return [name for name in _WRITERS if name not in needed or find_spec(needed[name])]


def check_format(format: str) -> None:
    """Refuse a format that cannot be written here.

    Raises
    ------
    RefusedError
    """
    if format not in available_formats():
        raise RefusedError(f"no download {format!r:.40}", status=404)


def write_download(
    format: str, collected: Collected, open_file: Callable[[], IO[bytes]]
) -> tuple[str, IO[bytes]]:
    """Write a result in a format: one file, or a zip of several.

    Parameters
    ----------
    format : str
        Of `available_formats`.
    collected : Collected
    open_file : callable
        Opens a file to be written to.

    Returns
    -------
    name : str
    file : binary file
        At its start.
    """
    written = _WRITERS[format](collected)
    file = open_file()
    try:
        if written.is_dir():
            _zip(written, file)
        else:
            with written.open("rb") as stream:
                shutil.copyfileobj(stream, file)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return (f"spermseg-{format}.zip" if written.is_dir() else written.name), file


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Read a file piece by piece, and close it at the end or when nobody wants more."""
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _zip(folder: Path, file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())


def _sperm(collected: Collected) -> Path:
    write_table(collected.folder, collected.run)
    return collected.folder / "sperm.csv"


def _images(collected: Collected) -> Path:
    return collected.folder / "images.csv"


def _summary(collected: Collected) -> Path:
    write_summary(collected.folder, collected.run, collected.criteria)
    return collected.folder / "summary.json"


def _report(collected: Collected) -> Path:
    folder, run = collected.folder, collected.run
    summaries = write_summary(folder, run, collected.criteria)
    write_analysis_report(folder, run, summaries=summaries, sperm=report_rows(folder, run))
    return folder / "report.html"


def _training(collected: Collected) -> Path:
    folder = collected.folder.parent / "training"
    write_training_set(collected.folder, collected.corrected_pictures, folder)
    return folder


def _exporter(format: str) -> Callable[[Collected], Path]:
    def write(collected: Collected) -> Path:
        _sperm(collected)  # Tables of other formats are made of it.
        exported = export_result(format, collected.folder, collected.folder.parent / format)
        if exported.losses:
            text = "\n".join(exported.losses) + "\n"
            (exported.folder / "lost.txt").write_text(text, encoding="utf-8")
        return exported.folder

    return write


def _coco(collected: Collected) -> Path:
    return _exporter("coco")(collected) / "annotations.json"


_WRITERS: dict[str, Callable[[Collected], Path]] = {
    "csv": _sperm,
    "images": _images,
    "summary": _summary,
    "report": _report,
    **{name: _exporter(name) for name in EXPORTERS if name != "csv"},
    "coco": _coco,
    "training": _training,
}
"""What writes a format and gives the file, or the folder of files to be put into a zip."""
