"""What the routes of a server work with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spermseg.correction import VersionStore, pixel_size_scale
from spermseg.data.images import PictureHeader
from spermseg.web.corrections import Corrections, check_head_length
from spermseg.web.jobs import AnalysisQueue
from spermseg.web.records import PictureRecord
from spermseg.web.results import Results
from spermseg.web.settings import Settings
from spermseg.web.shown import ShownSperm
from spermseg.web.viewing import Viewing
from spermseg.web.workspace import Workspace


@dataclass(frozen=True)
class Services:
    """One of each, for the whole server."""

    settings: Settings
    workspace: Workspace
    queue: AnalysisQueue
    viewing: Viewing
    versions: VersionStore
    corrections: Corrections
    results: Results

    @classmethod
    def of(cls, settings: Settings) -> Services:
        """Open the workspace.

        Raises
        ------
        SpermsegError
            As `Workspace`.
        """
        workspace = Workspace(settings)
        versions = VersionStore(workspace.versions)
        shown = ShownSperm(workspace, versions)
        corrections = Corrections(workspace, versions, shown)
        corrections.reconcile()
        return cls(
            settings,
            workspace,
            AnalysisQueue(workspace, settings),
            Viewing(workspace, shown),
            versions,
            corrections,
            Results(workspace, versions),
        )

    def add(self, file: Path, name: str, suffix: str, header: PictureHeader) -> PictureRecord:
        """Take over the file of a picture, to be analysed; see `Workspace.add`."""
        record = self.workspace.add(file, name, suffix, header)
        self.queue.add(record.id)
        return record

    def set_pixel_size(self, id: str, um_per_px: float | None) -> PictureRecord:
        """Have a picture measured by another pixel size; None is that of its file.

        Raises
        ------
        SpermsegError
            When that cannot be its pixel size.
        """
        record = self.workspace.picture(id)
        if um_per_px is not None:
            pixel_size_scale(um_per_px, (record.height, record.width))
        if record.status == "done":
            rescaled = self.corrections.rescale(id, um_per_px)
            if rescaled is not None:
                return rescaled
        return self._analyse_again(record, um_per_px=um_per_px, head_length_px=None)

    def set_head_length(self, id: str, head_length_px: float) -> PictureRecord:
        """Have a picture analysed again, with heads of another length.

        Raises
        ------
        SpermsegError
            When heads cannot be as long.
        """
        record = self.workspace.picture(id)
        check_head_length(head_length_px, record)
        return self._analyse_again(record, um_per_px=None, head_length_px=head_length_px)

    def remove(self, id: str) -> None:
        """Remove a picture, even while it is being analysed."""
        self.queue.cancel(id)
        self.versions.forget(id)
        self.workspace.remove(id)

    def _analyse_again(self, record: PictureRecord, **scale: float | None) -> PictureRecord:
        """Queue a picture once more; its versions are kept, the new original is shown."""
        self.queue.cancel(record.id)
        if record.version:
            self.versions.show(record.id, 0)
        shown = {"row": None, "scale": None, "counts": None, "version": 0, "corrected": 0}
        changes = {"status": "queued", "reason": None, **shown, **scale}
        record = self.workspace.change(record.id, **changes)
        self.queue.add(record.id)
        return record
