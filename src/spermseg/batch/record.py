"""The record of an analysis: ``run.json``, ``images.csv``, and how far a stopped one came."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from spermseg.batch.inputs import RUN_FILE
from spermseg.batch.rows import COLUMNS, Row
from spermseg.errors import UsageError
from spermseg.files import read_log, write_json, write_text

PROGRESS_FILE = "progress.jsonl"
"""One row a picture, appended as soon as it is done; gone when run.json holds them all."""

RUN_FORMAT = 2

Status = Literal["running", "done", "interrupted", "stopped"]


class RunRecord:
    """Keeps the record of an analysis that is under way.

    At its start run.json says that it is running, at its end what became of every picture. Between
    the two, rows are appended to a file of their own, so that a kill at any moment loses none and a
    long run does not write the same rows again and again.

    Parameters
    ----------
    out : Path
    head : mapping
        All of run.json but status, times and pictures.
    earlier : mapping, optional
        The record of the run that this one goes on with, see `read_record`.
    """

    def __init__(self, out: Path, head: Mapping[str, Any], earlier: Mapping[str, Any] | None):
        self._out = out
        self._head = head
        self._started = _now() if earlier is None else earlier["started"]
        self._resumed = 0 if earlier is None else earlier["resumed"] + 1
        self._rows: dict[str, Row] = {}
        if earlier is not None:
            self._rows |= {row["id"]: row for row in earlier["pictures"]}
        write_json(out / RUN_FILE, self.to_dict("running"))
        self._progress = (out / PROGRESS_FILE).open("w", encoding="utf-8")

    def note(self, row: Row) -> None:
        """Write down what has become of a picture."""
        self._rows[row["id"]] = row
        self._progress.write(json.dumps(row, allow_nan=False) + "\n")
        self._progress.flush()

    def close(self, status: Status) -> dict[str, Any]:
        """Write run.json and images.csv and give what run.json holds."""
        self._progress.close()
        run = self.to_dict(status, finished=_now())
        write_text(self._out / "images.csv", images_table(run["pictures"]))
        write_json(self._out / RUN_FILE, run)
        (self._out / PROGRESS_FILE).unlink()
        return run

    @contextmanager
    def closed_early(self) -> Iterator[None]:
        """Close the record where this block is left by an exception, Ctrl-C among them."""
        try:
            yield
        except BaseException as error:
            # On a full disk this may fail as well; then the rows stay in their progress file.
            with suppress(OSError):
                self.close("interrupted" if isinstance(error, KeyboardInterrupt) else "stopped")
            raise

    def to_dict(self, status: Status, finished: str | None = None) -> dict[str, Any]:
        """Give the record, JSON-ready."""
        rows = [self._rows[id] for id in sorted(self._rows)]
        statuses = [row["status"] for row in rows]
        return {
            "format_version": RUN_FORMAT,
            "status": status,
            "started": self._started,
            "finished": finished,
            "resumed": self._resumed,
            **self._head,
            "counts": {name: statuses.count(name) for name in ("done", "failed")},
            "pictures": rows,
        }


def read_record(out: Path) -> dict[str, Any] | None:
    """Read the record in an output folder; None where the folder is missing or empty.

    Of its pictures, those that are done.

    Raises
    ------
    UsageError
        When there is something else, or a record of another format.
    """
    if is_free(out):
        return None
    path = out / RUN_FILE
    fix = "Choose a new folder"
    if not path.is_file():
        raise UsageError(f"there is something here, but no {RUN_FILE}", where=out, fix=fix)
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = record["format_version"]
        rows = {row["id"]: row for row in record["pictures"]}
    except (ValueError, LookupError, TypeError):
        raise UsageError("no record of an analysis", where=path, fix=fix) from None
    if version != RUN_FORMAT:
        what = f"record has format {version}, this version reads {RUN_FORMAT}"
        raise UsageError(what, where=path, fix=fix)
    if (out / PROGRESS_FILE).exists():
        rows |= {row["id"]: row for row in read_log(out / PROGRESS_FILE)}
    return record | {"pictures": [row for row in rows.values() if row["status"] == "done"]}


def is_free(out: Path) -> bool:
    """Tell whether a folder is missing or empty, apart from hidden files.

    Raises
    ------
    UsageError
        When it is, or lies below, a file.
    """
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UsageError("this is a file, not a folder", where=there, fix="Choose a new folder")
    return not out.exists() or all(path.name.startswith(".") for path in out.iterdir())


def check_same_run(out: Path, earlier: Mapping[str, Any], head: Mapping[str, Any]) -> None:
    """Refuse to go on with a run under other conditions.

    Raises
    ------
    UsageError
        Names the first condition that differs, with both values.
    """
    before, now = _conditions(earlier), _conditions(head)
    for name, value in now.items():
        if before.get(name) != value:
            raise UsageError(
                f"was begun with {name} {_shown(before.get(name))}, not {_shown(value)}",
                where=out,
                fix="Give the same again, or choose a new folder",
            )


def _conditions(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "spermseg": record["spermseg_version"],
        "model": record["model"]["id"],
        "model weights": record["model"]["sha256"],
        "criteria": record["criteria"]["name"],
        "limits of the criteria": _fingerprint(record["criteria"]),
        **record["arguments"],
    }


def _fingerprint(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def images_table(rows: Iterable[Row]) -> str:
    """Give the text of ``images.csv``: one row a picture, see `COLUMNS`."""
    stream = io.StringIO()
    table = csv.DictWriter(stream, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow(row | {"warnings": "; ".join(row["warnings"])})
    return stream.getvalue()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
