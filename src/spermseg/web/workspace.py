"""The folder of a server: its pictures, their results and corrections; whole after any kill."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from spermseg.batch.picture import AnalysisOptions
from spermseg.batch.record import check_same_run
from spermseg.batch.running import run_head
from spermseg.data.images import PictureHeader
from spermseg.errors import DataError, UsageError
from spermseg.files import write_json
from spermseg.inference.card import ModelCard, read_card
from spermseg.inference.catalog import CARD_NAME, model_folder
from spermseg.result import overlay_path, part_map_path, sperm_path
from spermseg.web.events import Changes
from spermseg.web.limits import check_queue
from spermseg.web.records import PictureRecord
from spermseg.web.refusals import RefusedError
from spermseg.web.settings import Settings

_ID_BYTES = 6


class Workspace:
    """Keeps the record of every picture, and knows where its files are.

    May be used by several threads at once, by one process only.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    UsageError
        When the folder is a file or something else's, was begun with another model or other
        criteria, or another server has it open.
    ModelError
        When there is no such model.
    """

    def __init__(self, settings: Settings):
        self.folder = settings.workspace
        self.result = self.folder / "result"
        self.versions = self.folder / "versions"
        self._pictures = self.folder / "pictures"
        self._temporary = self.folder / "temporary"
        self.criteria = settings.criteria
        self._max_queue = settings.max_queue
        self.changes = Changes()
        self._lock = threading.RLock()
        _check_folder(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._held = _hold(self.folder / ".lock")
        try:
            self.card, self.head = self._begin(settings)
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary.mkdir()
            self._records = self._read_records()
        except BaseException:
            self._held.close()
            raise

    def close(self) -> None:
        """Let another server open the folder."""
        self._held.close()

    def pictures(self) -> list[PictureRecord]:
        """Give all pictures in the order in which they came."""
        with self._lock:
            return sorted(self._records.values(), key=lambda record: record.added)

    def picture(self, id: str) -> PictureRecord:
        """Give one picture.

        Raises
        ------
        RefusedError
            When there is none of that id.
        """
        with self._lock:
            if id not in self._records:
                raise RefusedError("there is no such picture, perhaps it was removed", status=404)
            return self._records[id]

    def pending(self) -> int:
        """Count the pictures that wait or are being analysed."""
        with self._lock:
            return sum(record.is_pending for record in self._records.values())

    def check_queue(self) -> None:
        """Refuse a further picture while too many wait.

        Raises
        ------
        RefusedError
        """
        check_queue(self.pending(), self._max_queue)

    def add(self, file: Path, name: str, suffix: str, header: PictureHeader) -> PictureRecord:
        """Take a picture's file over, to be analysed.

        Parameters
        ----------
        file : Path
            Moved; lies in this workspace.
        name : str
            As its owner calls it.
        suffix : str
            Of the name that it gets.
        header : PictureHeader

        Raises
        ------
        RefusedError
            When too many wait already.
        """
        record = PictureRecord(
            id=self._new_id(),
            name=name,
            suffix=suffix,
            added=time.time_ns(),
            height=header.height,
            width=header.width,
            stated_um_per_px=header.um_per_px,
        )
        with self._lock:
            # Here and not before: of many that come at once, each would see the same free places.
            self.check_queue()
            self.picture_folder(record.id).mkdir(parents=True)
            file.replace(self.original(record))
            self._records[record.id] = record
            try:
                return self.change(record.id)
            except OSError:
                del self._records[record.id]
                self.sweep(record.id)
                raise

    def change(self, id: str, **changes: Any) -> PictureRecord:
        """Change what is known about a picture, on the disk first.

        Raises
        ------
        RefusedError
            When it was removed.
        """
        with self._lock:
            record = self.picture(id).with_changes(**changes)
            write_json(self.picture_folder(id) / "picture.json", record.to_dict())
            record = record.with_changes(revision=self.changes.note())
            self._records[id] = record
            return record

    def fail(self, id: str, reason: str) -> None:
        """Note that a picture could not be analysed, if it is still there.

        Where even that cannot be written, it is known until the next start, which tries again.
        """
        with self._lock:
            if id not in self._records:
                return
            try:
                self.change(id, status="failed", reason=reason)
            except OSError:
                failed = self.picture(id).with_changes(status="failed", reason=reason)
                self._records[id] = failed.with_changes(revision=self.changes.note())

    def remove(self, id: str) -> None:
        """Remove a picture with all that came of it.

        Raises
        ------
        RefusedError
            When there is none of that id.
        """
        with self._lock:
            self.picture(id)
            # The record goes first: a picture without one is swept away at the next start.
            (self.picture_folder(id) / "picture.json").unlink(missing_ok=True)
            del self._records[id]
            self.changes.note()
        self.sweep(id)

    def sweep(self, id: str) -> None:
        """Remove the files of a picture that is no longer there, half written ones too."""
        shutil.rmtree(self.picture_folder(id), ignore_errors=True)
        shutil.rmtree(self.versions / id, ignore_errors=True)
        for make_path in (part_map_path, sperm_path, overlay_path):
            path = make_path(self.result, id)
            for file in (path, *path.parent.glob(f".{path.stem}.*")):
                file.unlink(missing_ok=True)

    def picture_folder(self, id: str) -> Path:
        """Give the folder of a picture's own file and of what is drawn of it."""
        return self._pictures / id

    def original(self, record: PictureRecord) -> Path:
        """Give a picture's own file."""
        return self.picture_folder(record.id) / f"original{record.suffix}"

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """Make a folder on the same disk that is removed when the block ends."""
        with tempfile.TemporaryDirectory(dir=self._temporary) as folder:
            yield Path(folder)

    @contextmanager
    def temporary_path(self) -> Iterator[Path]:
        """Give the path of a file to be written, which is removed if it is still there then."""
        path = self._temporary / secrets.token_hex(_ID_BYTES)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def temporary_file(self) -> IO[bytes]:
        """Open a file without a name, which is gone when it is closed."""
        return tempfile.TemporaryFile(dir=self._temporary)

    def _new_id(self) -> str:
        while True:
            id = secrets.token_hex(_ID_BYTES)
            if not self.picture_folder(id).exists():
                return id

    def _begin(self, settings: Settings) -> tuple[ModelCard, dict[str, Any]]:
        """Give the model's card and the head of run.json, the same as before in this folder."""
        path = self.folder / "workspace.json"
        card = read_card(model_folder(settings.model) / CARD_NAME)
        head = run_head([], AnalysisOptions(criteria=settings.criteria), card)
        if path.is_file():
            earlier = _read_json(path)
            # A newer version of spermseg may go on, the record says with which one it was made.
            same_version = {"spermseg_version": head["spermseg_version"]}
            check_same_run(self.folder, earlier | same_version, head)
        write_json(path, head)
        return card, head

    def _read_records(self) -> dict[str, PictureRecord]:
        """Read all records; what a kill left half done is swept away, or queued again."""
        records = {}
        self._pictures.mkdir(exist_ok=True)
        for folder in self._pictures.iterdir():
            id, path = folder.name, folder / "picture.json"
            if not path.is_file():
                self.sweep(id)
                continue
            try:
                record = PictureRecord.from_dict(id, _read_json(path))
            except TypeError as error:
                raise DataError(f"damaged: {error}", where=path) from None
            if record.status == "running":
                record = record.with_changes(status="queued")
            records[id] = record.with_changes(revision=self.changes.revision)
        return records


def _check_folder(folder: Path) -> None:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    fix = "Choose a new folder, or one of spermseg serve"
    if not there.is_dir():
        raise UsageError("this is a file, not a folder", where=there, fix=fix)
    is_free = not folder.exists() or all(path.name.startswith(".") for path in folder.iterdir())
    if not is_free and not (folder / "workspace.json").is_file():
        raise UsageError("there is something else in this folder", where=folder, fix=fix)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"damaged: {error}", where=path) from None
    if not isinstance(value, Mapping):
        raise DataError("damaged: no mapping", where=path)
    return dict(value)


def _hold(path: Path) -> IO[bytes]:
    """Keep other servers out for as long as the file is open, which a kill ends as well."""
    stream = path.open("ab")
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        stream.close()
        fix = "Use that one, or choose another folder"
        raise UsageError("another server has this open", where=path.parent, fix=fix) from None
    os.set_inheritable(stream.fileno(), False)
    return stream
