"""The queue: pictures are analysed one after the other, in a process of its own."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from spermseg import errors
from spermseg.batch.inputs import Picture
from spermseg.batch.picture import AnalysisOptions, PictureJob, reason_of
from spermseg.batch.rows import Row, failed_row
from spermseg.batch.running import usable_cores
from spermseg.data.parallel import Worker, WorkerDiedError
from spermseg.structures import Scale
from spermseg.web.records import PictureRecord
from spermseg.web.refusals import RefusedError
from spermseg.web.settings import Settings
from spermseg.web.workspace import Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One picture to be analysed, at the scale that was entered for it."""

    picture: Picture
    um_per_px: float | None
    head_length_px: float | None


@dataclass(frozen=True)
class AnalysisJob:
    """What the process does: `spermseg.analyze`, as ``spermseg analyze`` does it.

    Parameters
    ----------
    out : Path
        Output folder.
    options : AnalysisOptions
    threads : int
        Of the network.
    """

    out: Path
    options: AnalysisOptions
    threads: int

    def __call__(self, task: Task | None) -> Row | None:
        """Analyse a picture and describe it; without one, get ready for the first."""
        if task is None:
            _get_ready(self.options.model, self.threads)
            return None
        options = replace(
            self.options, um_per_px=task.um_per_px, head_length_px=task.head_length_px
        )
        return PictureJob(self.out, options, self.threads)(task.picture)


class AnalysisQueue:
    """Analyses the queued pictures of a workspace while it is started.

    Parameters
    ----------
    workspace : Workspace
    settings : Settings
    """

    def __init__(self, workspace: Workspace, settings: Settings):
        options = AnalysisOptions(model=settings.model, criteria=settings.criteria)
        threads = settings.threads or usable_cores()
        self._job = AnalysisJob(workspace.result, options, threads)
        self._workspace = workspace
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._running: str | None = None
        self._cancelled = False
        self._stopping = False
        self._worker: Worker[Task | None, Row | None] | None = None
        self._thread = threading.Thread(target=self._work, name="analysis queue", daemon=True)

    def start(self) -> None:
        """Begin with the pictures that were left over, the oldest first."""
        for record in self._workspace.pictures():
            if record.status == "queued":
                self.add(record.id)
        self._thread.start()

    def stop(self) -> None:
        """End at once; the picture that was being analysed is begun again at the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
            if self._worker is not None:
                self._worker.process.kill()
        self._thread.join()

    def add(self, id: str) -> None:
        """Put a picture at the end."""
        with self._changed:
            self._waiting.append(id)
            self._changed.notify()

    def cancel(self, id: str) -> None:
        """Take a picture out, even while it is being analysed."""
        with self._changed:
            if id in self._waiting:
                self._waiting.remove(id)
            if id == self._running and self._worker is not None:
                self._cancelled = True
                self._worker.process.kill()

    def progress(self) -> dict[str, tuple[str, float | None]]:
        """Give status and progress of every picture, by its id."""
        return {record.id: (record.status, None) for record in self._workspace.pictures()}

    def _work(self) -> None:
        if sys.platform != "win32":
            # The process inherits it: Ctrl-C on a terminal, which reaches both, is for the server.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        while not self._stopping:
            try:
                if self._worker is None:
                    self._start_worker()
                if (id := self._next()) is not None:
                    self._analyze(id)
            # This thread has no caller whom an exception could reach.
            except Exception:
                logger.exception("the analysis queue goes on after an unexpected error")
        if self._worker is not None:
            self._worker.process.join()

    def _start_worker(self) -> None:
        """Start a process and have it load the model, so that the first picture need not wait."""
        worker: Worker[Task | None, Row | None] = Worker(self._job)
        with self._changed:
            self._worker = worker
            if self._stopping:
                worker.process.kill()
        try:
            worker.receive()
            worker.send(None)
            worker.receive()
        # Whatever it is, the first picture meets it again and says so.
        except Exception as error:
            if not self._stopping:
                logger.warning("the analysis could not get ready: %s", _reason(error))

    def _next(self) -> str | None:
        with self._changed:
            while not self._waiting and not self._stopping:
                self._changed.wait()
            if self._stopping:
                return None
            self._running = self._waiting.popleft()
            return self._running

    def _analyze(self, id: str) -> None:
        try:
            row = self._row_of(self._workspace.change(id, status="running", reason=None))
        except RefusedError:
            row = None  # It was removed in the meantime.
        except OSError as error:
            row = None
            self._workspace.fail(id, _reason(error))
        with self._changed:
            self._running = None
            cancelled, self._cancelled = self._cancelled, False
            if cancelled:
                self._worker = None
        if row is not None and not cancelled and not self._stopping:
            self._finish(id, row)
        try:
            self._workspace.picture(id)
        except RefusedError:
            self._workspace.sweep(id)

    def _row_of(self, record: PictureRecord) -> Row | None:
        """Analyse a picture; whatever happens, there is a row that says what became of it."""
        task = _task(self._workspace, record)
        worker = self._worker
        assert worker is not None
        try:
            worker.send(task)
            return worker.receive()[0]
        except WorkerDiedError:
            self._worker = None
            return worker.loss(lambda _, cause: failed_row(task.picture, 0, cause))
        except Exception as error:
            if errors.translate(error) is None:
                logger.exception("%s: unexpected error", record.id)
            return failed_row(task.picture, 0, reason_of(error, task.picture))

    def _finish(self, id: str, row: Row) -> None:
        if row["status"] == "failed":
            self._workspace.fail(id, row["reason"])
            return
        try:
            self._workspace.change(id, status="done", **analysed(row))
        except RefusedError:
            return
        except OSError as error:
            self._workspace.fail(id, _reason(error))


def analysed(row: Row) -> dict[str, Any]:
    """Give what the record of a picture says after its analysis: the original is shown."""
    scale = Scale(row["scale_source"], row["head_length_px"], row["um_per_px"])
    apart = sum(row[name] for name in ("loose_heads", "headless_tails", "not_sperm"))
    verdicts = {name: row[name] for name in ("sperm", "normal", "abnormal", "not_assessable")}
    counts = verdicts | {"not_counted": apart}
    return {"row": row, "scale": asdict(scale), "counts": counts, "version": 0, "corrected": 0}


def _task(workspace: Workspace, record: PictureRecord) -> Task:
    picture = Picture(workspace.original(record), record.name, record.id, record.sample)
    return Task(picture, record.um_per_px, record.head_length_px)


def _get_ready(model: str | Path | None, threads: int) -> None:
    from spermseg.analysis import instances, morphometry  # noqa: F401  slow to import
    from spermseg.pipeline import cached_model

    cached_model(model, threads)


def _reason(error: Exception) -> str:
    known = errors.translate(error)
    return str(known) if known is not None else f"{type(error).__name__}: {error}"
