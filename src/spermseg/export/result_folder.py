"""The folder that ``spermseg analyze`` wrote, read back picture by picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.batch.inputs import RUN_FILE
from spermseg.batch.record import RUN_FORMAT
from spermseg.data.images import MAX_PIXELS
from spermseg.data.preprocess import Size
from spermseg.errors import DataError, UsageError
from spermseg.result import read_sperm, sperm_path
from spermseg.structures import LabelSchema, Part


@dataclass(frozen=True)
class ResultPicture:
    """One analysed picture.

    Parameters
    ----------
    id : str
        Path of its outputs, ``/`` between folders.
    file : str
        Path of the picture itself below the folder that was analysed.
    size : (height, width)
    um_per_px : float, optional
    sperm : tuple of AnalysedSperm
    page : int
        Of the file.
    """

    id: str
    file: str
    size: Size
    um_per_px: float | None
    sperm: tuple[AnalysedSperm, ...]
    page: int = 0

    def masks(self) -> Iterator[tuple[AnalysedSperm, Part, NDArray[np.bool_]]]:
        """Give every part of every sperm with its mask, cropped to the sperm's box; none empty."""
        for one in self.sperm:
            for part, mask in sorted(one.instance.masks.items()):
                if mask.any():
                    yield one, Part(part), mask


class ResultFolder:
    """A finished analysis; of its pictures, those that are done.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    UsageError
        When there is no such folder, or it was written by something else.
    DataError
        When the analysis did not end, or its record is damaged.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        run = _read_run(self.folder)
        self._path = self.folder / RUN_FILE
        try:
            self.version = str(run["spermseg_version"])
            self.model = str(run["model"]["id"])
            schema = LabelSchema.from_dict(run["model"]["card"]["schema"])
            self.parts = tuple(sorted(Part(id) for id in schema.ids if id != Part.BACKGROUND))
            self._rows = [_checked(row) for row in run["pictures"] if row["status"] == "done"]
        except (LookupError, TypeError, ValueError, DataError) as error:
            raise DataError(f"damaged: {error!r}", where=self._path) from None

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[ResultPicture]:
        """Read one picture after the other; none is kept.

        Raises
        ------
        DataError
            Naming the file that is missing or damaged.
        """
        return map(self._read, self._rows)

    def picture(self, id: str) -> ResultPicture:
        """Read one picture.

        Raises
        ------
        UsageError
            When the analysis has none of that id, or could not read it.
        DataError
            As in reading all.
        """
        for row in self._rows:
            if row["id"] == id:
                return self._read(row)
        raise UsageError(f"no picture {id!r} in this result", where=self.folder)

    def _read(self, row: Mapping[str, Any]) -> ResultPicture:
        path = sperm_path(self.folder, row["id"])
        size = (row["height"], row["width"])
        try:
            sperm = tuple(read_sperm(path))
        except FileNotFoundError:
            raise DataError("no such file", where=path, fix="Analyse the picture again") from None
        except DataError as error:
            raise DataError(error.what, where=path, fix=error.fix) from None
        # A file from elsewhere may hold anything.
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise DataError(f"damaged: {error!r}", where=path) from None
        for one in sperm:
            if unknown := one.instance.masks.keys() - set(Part):
                raise DataError(f"sperm {one.instance.id} has no such part {unknown}", where=path)
            row0, column0, row1, column1 = one.instance.bbox
            if not (0 <= row0 <= row1 <= size[0] and 0 <= column0 <= column1 <= size[1]):
                raise DataError(
                    f"sperm {one.instance.id} lies outside of the picture of {size}", where=path
                )
        page = row.get("page", 0)
        return ResultPicture(row["id"], row["file"], size, row["um_per_px"], sperm, page)


def _read_run(folder: Path) -> dict[str, Any]:
    path = folder / RUN_FILE
    if not path.is_file():
        raise UsageError(
            "no result of `spermseg analyze` here" if folder.exists() else "no such folder",
            where=folder,
            fix=f"Give the folder that holds its {RUN_FILE}",
        )
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        version, status = run["format_version"], run["status"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise DataError("no record of an analysis", where=path) from None
    if version != RUN_FORMAT:
        raise DataError(
            f"record has format {version!r}, this version reads {RUN_FORMAT}",
            where=path,
            fix="Analyse the pictures again",
        )
    if status != "done":
        raise DataError(
            f"this analysis is {status!r}, not done", where=path, fix="Go on with --resume first"
        )
    return dict(run)


def _checked(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuse what would lead out of a folder, or into too much memory."""
    for name in (row["id"], row["file"]):
        path = PurePosixPath(name)
        if not path.name or path.is_absolute() or ".." in path.parts or "\\" in name:
            raise ValueError(f"no name for a file: {name!r}")
    height, width, um_per_px = row["height"], row["width"], row["um_per_px"]
    if type(height) is not int or type(width) is not int or not 0 < height * width <= MAX_PIXELS:
        raise ValueError(f"{row['id']} is of {height!r} x {width!r} pixels")
    if not (um_per_px is None or (isinstance(um_per_px, float | int) and um_per_px > 0)):
        raise ValueError(f"{row['id']} has pixels of {um_per_px!r} um")
    return row
