"""What all pictures of a workspace give together: their samples, and files to take along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from spermseg.batch.corrected import write_current_result
from spermseg.batch.inputs import Picture
from spermseg.batch.record import RUN_FORMAT
from spermseg.batch.rows import Row, failed_row
from spermseg.batch.sperm_files import report_rows, write_summary
from spermseg.correction import VersionStore
from spermseg.report.sample_section import (
    distributions,
    numbered_pictures,
    sample_notes,
    sample_sentence,
)
from spermseg.structures import Scale
from spermseg.web.downloads import Collected, check_format, write_download
from spermseg.web.gate import Gate
from spermseg.web.records import PictureRecord
from spermseg.web.refusals import RefusedError
from spermseg.web.workspace import Workspace

_WAITING = 4


class Results:
    """Collects what the pictures show, as an analysis of them all would have written it.

    Parameters
    ----------
    workspace : Workspace
    versions : VersionStore
    """

    def __init__(self, workspace: Workspace, versions: VersionStore):
        self._workspace = workspace
        self._versions = versions
        self._gate = Gate(_WAITING)
        self._sample: tuple[int, dict[str, Any]] | None = None

    def sample(self) -> dict[str, Any]:
        """Sum all samples up, with their distributions drawn."""
        with self._gate.entered():
            revision = self._workspace.changes.revision
            if self._sample is None or self._sample[0] != revision:
                self._sample = (revision, self._make_sample())
            return self._sample[1]

    def download(self, format: str) -> tuple[str, IO[bytes]]:
        """Write the results in a format.

        Returns
        -------
        name : str
            Of the file.
        file : binary file
            At its start, to be closed.

        Raises
        ------
        RefusedError
            When there is no such format, or nothing to write.
        """
        check_format(format)
        with self._gate.entered(), self._collected(overlays=format == "report") as collected:
            return write_download(format, collected, self._workspace.temporary_file)

    def _make_sample(self) -> dict[str, Any]:
        if not any(record.status == "done" for record in self._workspace.pictures()):
            return {"samples": [], "plots": [], "corrected": 0}
        with self._collected() as collected:
            out, run = collected.folder, collected.run
            summaries = write_summary(out, run, collected.criteria)
            pictures = numbered_pictures(run)
            rows = list(report_rows(out, run))
        plots = [
            _plot(summary["sample"], drawn)
            for summary in summaries
            for drawn in distributions(
                summary, [row for row in rows if row["sample"] == summary["sample"]], pictures
            )
        ]
        told = [
            {**one, "sentence": sample_sentence(one), "notes": sample_notes(one)}
            for one in summaries
        ]
        return {"samples": told, "plots": plots, "corrected": collected.corrected}

    @contextmanager
    def _collected(self, *, overlays: bool = False) -> Iterator[Collected]:
        """Write the current versions of all pictures that are ready into a folder of their own."""
        records = [one for one in self._workspace.pictures() if not one.is_pending]
        done = [record for record in records if record.row is not None]
        if not done:
            raise RefusedError("no picture has been analysed yet", status=409)
        names = unique_names([record.name for record in records])
        ids = {record.id: name for record, name in zip(records, names, strict=True)}
        corrected = {one.id: self._workspace.original(one) for one in done if one.version}
        with self._workspace.temporary_folder() as folder:
            out = folder / "result"
            run = write_current_result(
                self._workspace.result,
                self._run(sorted(records, key=lambda record: ids[record.id])),
                self._versions,
                out,
                self._workspace.criteria,
                scales={one.id: Scale(**one.scale) for one in done if one.scale is not None},
                pictures=corrected if overlays else {},
                names=ids,
            )
            yield Collected(
                out,
                run,
                self._workspace.criteria,
                {ids[id]: path for id, path in corrected.items()},
                sum(record.corrected for record in done),
            )

    def _run(self, records: list[PictureRecord]) -> dict[str, Any]:
        started = datetime.fromtimestamp(min(one.added for one in records) / 1e9, UTC)
        return {
            "format_version": RUN_FORMAT,
            "status": "done",
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "resumed": 0,
            **self._workspace.head,
            "pictures": [_row(record) for record in records],
        }


def unique_names(names: list[str]) -> list[str]:
    """Give every picture the shortest name that is its own, as ``spermseg analyze`` does.

    That is its path without the extension; with it, where another one is called so; and a number,
    where even that is taken.

    Parameters
    ----------
    names : list of str
        Paths, ``/`` between folders.
    """
    taken: set[str] = set()
    stems = [str(PurePosixPath(name).with_suffix("")) for name in names]
    folded = [stem.casefold() for stem in stems]
    unique = []
    for name, stem, key in zip(names, stems, folded, strict=True):
        base = stem if folded.count(key) == 1 else name
        candidate, number = base, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{base}-{number}"
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique


def _row(record: PictureRecord) -> Row:
    row = record.row
    if row is None:
        picture = Picture(Path(record.name), record.name, record.id, record.sample)
        row = failed_row(picture, 0, record.reason or "")
    return row | {"sample": record.sample, "slide": ""}


def _plot(sample: str, drawn: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": drawn["title"],
        "svg": str(drawn["svg"]),
        "sample": sample,
        "quantity": drawn["name"],
        "unit": drawn["unit"],
        "median": drawn["counted"]["median"],
        "n": drawn["counted"]["n"],
        "band": drawn["band"],
    }
