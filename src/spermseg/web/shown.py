"""The sperm of a picture as they are shown: of the current version, by the current scale."""

from __future__ import annotations

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.result import read_sperm, sperm_path
from spermseg.web.records import PictureRecord
from spermseg.web.workspace import Workspace


def shown_sperm(workspace: Workspace, record: PictureRecord) -> tuple[AnalysedSperm, ...]:
    """Read the sperm of a picture; none before it has been analysed."""
    if record.row is None:
        return ()
    return tuple(read_sperm(sperm_path(workspace.result, record.id)))
