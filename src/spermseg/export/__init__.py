"""Results of ``spermseg analyze`` in the files of other programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spermseg.errors import UsageError
from spermseg.export import coco, geojson, imagej, label_tiff, labelme, tables
from spermseg.export.result_folder import ResultFolder, ResultPicture
from spermseg.files import added_to_folder

__all__ = ["EXPORTERS", "Exported", "ResultFolder", "ResultPicture", "export_result"]

Losses = tuple[str, ...]
"""What a file could not hold, in words."""

EXPORTERS: dict[str, Callable[..., Losses]] = {
    "coco": coco.write_coco,
    "labelme": labelme.write_labelme,
    "geojson": geojson.write_geojson,
    "imagej": imagej.write_imagej,
    "label-tiff": label_tiff.write_label_tiff,
    "csv": tables.write_csv,
    "parquet": tables.write_parquet,
}
"""The formats; each function takes a `ResultFolder`, a folder to fill, and its own options."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Parameters
    ----------
    folder : Path
    files : int
    pictures : int
        Of the analysis, whether or not the format has a file for each.
    losses : tuple of str
        What the format could not hold, in words.
    """

    folder: Path
    files: int
    pictures: int
    losses: Losses


def export_result(
    format: str, result: Path | str, out: Path | str | None = None, **options: Any
) -> Exported:
    """Write the result of an analysis in the format of other programs; see docs/exports.md.

    Parameters
    ----------
    format : str
        Of `EXPORTERS`.
    result : Path
        What ``spermseg analyze -o`` wrote.
    out : Path, optional
        The files join what is there, none is replaced: it may be the folder of the pictures.
        ``exports/FORMAT`` in `result` by default.
    **options
        Of the function in `EXPORTERS`.

    Raises
    ------
    UsageError
        For an unknown format, a folder that is no result, or files that are there already.
    DataError
        When the result is unfinished, damaged, or more than the format can hold.
    MissingExtraError
        When the format needs a package that is not installed.
    """
    if format not in EXPORTERS:
        raise UsageError(f"no format {format!r}", fix=f"There are: {', '.join(EXPORTERS)}")
    source = ResultFolder(result)
    folder = source.folder / "exports" / format if out is None else Path(out)
    with added_to_folder(folder) as hidden:
        losses = EXPORTERS[format](source, hidden, **options)
        files = sum(path.is_file() for path in hidden.rglob("*"))
    return Exported(folder, files, len(source), losses)
