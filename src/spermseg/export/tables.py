"""The tables of a result for spreadsheets and for data frames."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spermseg import DISCLAIMER
from spermseg.errors import DataError
from spermseg.export.result_folder import ResultFolder
from spermseg.files import atomic_path

if TYPE_CHECKING:
    import pyarrow

TABLES = ("sperm", "images")
"""Names of the tables, as of their files."""

TEXTS = frozenset(
    {
        *("id", "file", "status", "reason", "warnings", "sample", "slide", "scale_source"),
        *("image", "flags", "verdict", "failed", "object", "uncertain_criteria"),
    }
)
"""Columns of words; all others hold numbers."""

INTEGERS = frozenset(
    {
        *("sperm_id", "bbox_x_px", "bbox_y_px", "bbox_width_px", "bbox_height_px"),
        *("page", "height", "width", "heads", "sperm"),
        *("normal", "abnormal", "not_assessable", "headless_tails", "loose_heads", "not_sperm"),
        *("views", "views_found", "views_normal", "views_abnormal", "views_not_assessable"),
        "verdict_uncertain",
    }
)

_ROWS_AT_ONCE = 10_000

Row = Mapping[str, str]


def write_csv(
    result: ResultFolder, folder: Path, *, decimal_comma: bool = False
) -> tuple[str, ...]:
    """Write ``sperm.csv`` and ``images.csv``.

    Parameters
    ----------
    result : ResultFolder
    folder : Path
    decimal_comma : bool
        Decimal commas and semicolons between cells, which spreadsheets expect where numbers are
        written so, as in Spanish.
    """
    for table in TABLES:
        columns, rows = _read(result, table)
        with (
            atomic_path(folder / f"{table}.csv") as path,
            # With the mark at its start, Excel reads letters beyond English ones.
            path.open("w", encoding="utf-8-sig", newline="") as stream,
        ):
            writer = csv.DictWriter(
                stream, columns, delimiter=";" if decimal_comma else ",", lineterminator="\r\n"
            )
            writer.writeheader()
            writer.writerows(map(_with_commas, rows) if decimal_comma else rows)
    return ()


def write_parquet(result: ResultFolder, folder: Path) -> tuple[str, ...]:
    """Write ``sperm.parquet`` and ``images.parquet``: numbers as numbers, missing ones as nulls.

    Raises
    ------
    MissingExtraError
        Where pyarrow is not installed.
    """
    import pyarrow
    from pyarrow import parquet

    said = {"spermseg": result.version, "model": result.model, "disclaimer": DISCLAIMER}
    for table in TABLES:
        columns, rows = _read(result, table)
        schema = pyarrow.schema([(name, _type_of(name)) for name in columns], metadata=said)
        with (
            atomic_path(folder / f"{table}.parquet") as path,
            parquet.ParquetWriter(path, schema) as writer,
        ):
            while block := list(islice(rows, _ROWS_AT_ONCE)):
                typed = [_typed(row, result.folder / f"{table}.csv") for row in block]
                writer.write_table(pyarrow.Table.from_pylist(typed, schema=schema))
    return ()


def _read(result: ResultFolder, table: str) -> tuple[list[str], Iterator[Row]]:
    path = result.folder / f"{table}.csv"
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            columns = list(csv.DictReader(stream).fieldnames or ())
    except (FileNotFoundError, ValueError, csv.Error):
        raise DataError("no such table, or damaged", where=path) from None
    return columns, _rows(path, columns)


def _rows(path: Path, columns: list[str]) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for number, row in enumerate(csv.DictReader(stream), 1):
                if None in row or None in row.values():
                    raise DataError(f"row {number} has not {len(columns)} cells", where=path)
                yield row
    except (ValueError, csv.Error) as error:
        raise DataError(f"damaged: {error}", where=path) from None


def _with_commas(row: Row) -> Row:
    return {name: cell if name in TEXTS else cell.replace(".", ",") for name, cell in row.items()}


def _type_of(column: str) -> pyarrow.DataType:
    import pyarrow

    if column in TEXTS:
        return pyarrow.string()
    return pyarrow.int64() if _is_integer(column) else pyarrow.float64()


def _is_integer(column: str) -> bool:
    return column in INTEGERS or column.endswith("_area_px")


def _typed(row: Row, path: Path) -> dict[str, Any]:
    typed: dict[str, Any] = {}
    for name, cell in row.items():
        try:
            if name in TEXTS:
                typed[name] = cell
            elif cell == "":
                typed[name] = None
            else:
                typed[name] = int(cell) if _is_integer(name) else float(cell)
        except ValueError:
            raise DataError(f"{name} is no number: {cell!r:.60}", where=path) from None
    return typed
