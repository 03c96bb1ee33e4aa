"""What users change: sperm, versions and scales; the figures follow at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.correction import (
    VersionConflictError,
    VersionStore,
    apply_edit,
    edit_from_dict,
    pixel_size_scale,
)
from spermseg.errors import DataError, UsageError
from spermseg.inference.predictor import given_scale
from spermseg.structures import Sample, Scale
from spermseg.web.gate import Gate
from spermseg.web.records import PictureRecord
from spermseg.web.refusals import RefusedError
from spermseg.web.shown import ShownSperm, analysed_scale, count
from spermseg.web.workspace import Workspace

logger = logging.getLogger(__name__)

_WAITING = 6


class Corrections:
    """Changes what the pictures of a workspace show, one change after the other.

    Parameters
    ----------
    workspace : Workspace
    versions : VersionStore
    shown : ShownSperm
    """

    def __init__(self, workspace: Workspace, versions: VersionStore, shown: ShownSperm):
        self._workspace = workspace
        self._versions = versions
        self._shown = shown
        self._gate = Gate(_WAITING)

    def edit(self, id: str, base: int, edit: Mapping[str, Any]) -> PictureRecord:
        """Correct sperm of a picture: a new version, which is shown from now on.

        Parameters
        ----------
        id : str
        base : int
            The version that was corrected.
        edit : mapping
            As `edit_from_dict` reads it.

        Raises
        ------
        RefusedError
            When there is no such picture, it is not analysed, or `base` is not shown any more.
        UsageError
            When the edit is impossible.
        """
        with self._gate.entered():
            record = self._analysed(id)
            if base != record.version:
                raise _conflict(f"version {base} was corrected, but {record.version} is shown")
            parsed = edit_from_dict(edit)
            scale = Scale(**record.scale or {})
            ground = self._shown.ground(record, scale)
            sperm = apply_edit(self._shown.of(record), parsed, ground)
            try:
                self._versions.add(id, base, parsed, sperm, ground.size, scale)
            except VersionConflictError as error:
                raise _conflict(error.what) from None
            return self._note(record, sperm, scale)

    def show(self, id: str, version: int) -> PictureRecord:
        """Show another version of a picture; 0 is the original.

        Raises
        ------
        UsageError
            When there is no such version.
        """
        with self._gate.entered():
            record = self._analysed(id)
            self._versions.show(id, version)
            scale = Scale(**record.scale or {})
            sperm = self._shown.rescaled(record.with_changes(version=version), scale)
            return self._note(record, sperm, scale)

    def versions(self, record: PictureRecord) -> dict[str, Any]:
        """Tell what versions of a picture there are."""
        return {
            "current": self._versions.current(record.id),
            "versions": [version.to_dict() for version in self._versions.versions(record.id)],
        }

    def rescale(self, id: str, um_per_px: float | None) -> PictureRecord | None:
        """Measure and judge an analysed picture by another pixel size.

        Parameters
        ----------
        id : str
        um_per_px : float, optional
            None goes back to what its file says.

        Returns
        -------
        PictureRecord or None
            None where only another analysis could tell its scale.

        Raises
        ------
        UsageError, DataError
            When that cannot be its pixel size.
        """
        with self._gate.entered():
            record = self._analysed(id)
            scale = self._wanted(record, um_per_px)
            if scale is None:
                return None
            sperm = self._shown.rescaled(record, scale)
            return self._note(record, sperm, scale, um_per_px=um_per_px, head_length_px=None)

    def reconcile(self) -> None:
        """Note versions that were saved before a kill and not noted any more."""
        for record in self._workspace.pictures():
            try:
                current = self._versions.current(record.id)
                if record.status == "done" and record.version != current:
                    self.show(record.id, current)
            # Damaged files of one picture are no reason to keep the others away.
            except DataError as error:
                logger.warning("%s: %s", record.name, error)

    def _analysed(self, id: str) -> PictureRecord:
        record = self._workspace.picture(id)
        if record.status != "done":
            raise _conflict(f"this picture is {record.status}")
        return record

    def _wanted(self, record: PictureRecord, um_per_px: float | None) -> Scale | None:
        size = (record.height, record.width)
        if um_per_px is not None:
            return pixel_size_scale(um_per_px, size)
        analysed = analysed_scale(record)
        if analysed.source != "head length given" and analysed.um_per_px == record.stated_um_per_px:
            return analysed
        stated = record.stated_um_per_px
        return None if stated is None else pixel_size_scale(stated, size)

    def _note(
        self,
        record: PictureRecord,
        sperm: tuple[AnalysedSperm, ...],
        scale: Scale,
        **changes: Any,
    ) -> PictureRecord:
        record = self._workspace.change(
            record.id,
            version=self._versions.current(record.id),
            versions=len(self._versions.versions(record.id)),
            corrected=sum(one.corrected for one in sperm),
            counts=count(sperm),
            scale=asdict(scale),
            **changes,
        )
        self._shown.keep(record, sperm)
        return record


def check_head_length(head_length_px: float, record: PictureRecord) -> None:
    """Refuse a length that no heads have.

    Raises
    ------
    SpermsegError
    """
    if not 0 < head_length_px < float("inf"):
        raise UsageError(f"the head length must be positive, got {head_length_px}")
    blank = np.broadcast_to(np.uint8(0), (record.height, record.width, 3))
    given_scale(Sample(record.name, blank, head_length_px=head_length_px))


def _conflict(line: str) -> RefusedError:
    return RefusedError(line, status=409, fix="Look at it again first")
