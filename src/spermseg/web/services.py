"""What the routes of a server work with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spermseg.data.images import PictureHeader
from spermseg.web.jobs import AnalysisQueue
from spermseg.web.records import PictureRecord
from spermseg.web.refusals import RefusedError
from spermseg.web.settings import Settings
from spermseg.web.viewing import Viewing
from spermseg.web.workspace import Workspace


@dataclass(frozen=True)
class Services:
    """One of each, for the whole server."""

    settings: Settings
    workspace: Workspace
    queue: AnalysisQueue
    viewing: Viewing

    @classmethod
    def of(cls, settings: Settings) -> Services:
        """Open the workspace.

        Raises
        ------
        SpermsegError
            As `Workspace`.
        """
        workspace = Workspace(settings)
        return cls(settings, workspace, AnalysisQueue(workspace, settings), Viewing(workspace))

    def check_room(self) -> None:
        """Refuse a further picture while too many wait.

        Raises
        ------
        RefusedError
        """
        pending = self.workspace.pending()
        if pending >= self.settings.max_queue:
            again = {"Retry-After": "5"}
            line = f"{pending} pictures wait already"
            raise RefusedError(line, status=429, fix="Send it again later", headers=again)

    def add(self, file: Path, name: str, suffix: str, header: PictureHeader) -> PictureRecord:
        """Take over the file of a picture, to be analysed; see `Workspace.add`."""
        record = self.workspace.add(file, name, suffix, header)
        self.queue.add(record.id)
        return record

    def analyse_again(self, record: PictureRecord, **changes: object) -> PictureRecord:
        """Queue a picture once more, with other values in its record."""
        self.queue.cancel(record.id)
        again = {"status": "queued", "reason": None, "row": None, "counts": None, "scale": None}
        record = self.workspace.change(record.id, **again, **changes)
        self.queue.add(record.id)
        return record

    def remove(self, id: str) -> None:
        """Remove a picture, even while it is being analysed."""
        self.queue.cancel(id)
        self.workspace.remove(id)
