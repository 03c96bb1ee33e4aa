"""The book kept of a folder of experiments: how they are run and what became of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from spermseg.errors import UsageError
from spermseg.experiments.augmented import LABELLINGS
from spermseg.files import write_json

EVALUATION = "evaluation-test"
"""Folder of the evaluation on the test pictures, in a run folder."""

Status = Literal["waiting", "running", "done", "not run", "failed"]


def book_file(out: Path) -> Path:
    """Give where the book of a folder of experiments lies."""
    return out / "experiments.json"


def variants_file(run: Path, labelling: str) -> Path:
    """Give where the evaluation on the 111 variants lies, by the name of their labelling."""
    return run / f"evaluation-variants-{labelling}.json"


def is_finished(run: Path) -> bool:
    """Tell whether an experiment was trained and evaluated to the end, by its last files."""
    return all(variants_file(run, labelling).is_file() for labelling in LABELLINGS)


def read_book(out: Path) -> dict[str, Any]:
    """Read the book of a folder; what lies there whole is done, whatever the book says.

    Raises
    ------
    UsageError
        When no experiments were run there.
    """
    path = book_file(out)
    if not path.is_file():
        raise UsageError(
            "no experiments were run here", where=out, fix="See: spermseg experiments run --help"
        )
    book: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    # Of two processes that write at the same time one note may be lost, but no result.
    for name, entry in book["experiments"].items():
        if is_finished(out / name):
            entry["status"] = "done"
    return book


class Book:
    """Writes ``experiments.json``, also beside other processes that run other experiments.

    Parameters
    ----------
    out : Path
    head : mapping
        All of the file but the experiments.
    """

    def __init__(self, out: Path, head: Mapping[str, Any]):
        self._out = out
        self._head = head

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        """Status, what was started from and, where there is one, reason of every experiment."""
        if not book_file(self._out).exists():
            return {}
        entries: dict[str, dict[str, Any]] = read_book(self._out)["experiments"]
        return entries

    def note(self, name: str, status: Status, started_from: str, reason: str = "") -> None:
        """Write down what has become of an experiment."""
        entry = {"status": status, "started_from": started_from}
        if reason:
            entry["reason"] = reason
        write_json(
            book_file(self._out),
            {**self._head, "experiments": {**self.entries, name: entry}},
        )
