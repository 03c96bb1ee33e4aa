"""The sperm of a picture as they are shown: of the current version, by the current scale."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.correction import Ground, VersionStore, rescale
from spermseg.result import read_sperm, sperm_path
from spermseg.structures import Scale
from spermseg.web.records import PictureRecord
from spermseg.web.workspace import Workspace


class ShownSperm:
    """Reads the sperm of pictures; those of the latest one stay in memory.

    Parameters
    ----------
    workspace : Workspace
    versions : VersionStore
    """

    def __init__(self, workspace: Workspace, versions: VersionStore):
        self._workspace = workspace
        self._versions = versions
        self._lock = threading.Lock()
        self._latest: tuple[PictureRecord, tuple[AnalysedSperm, ...]] | None = None

    def of(self, record: PictureRecord) -> tuple[AnalysedSperm, ...]:
        """Give the sperm of a picture; none before it has been analysed.

        As long as it is the same picture, a sperm that was not touched is the same object.

        Raises
        ------
        DataError
            Naming a file that is damaged.
        """
        if record.row is None or record.scale is None:
            return ()
        with self._lock:
            latest = self._latest
        if latest is not None and _looks_same(latest[0], record):
            return latest[1]
        sperm = self.rescaled(record, Scale(**record.scale))
        self.keep(record, sperm)
        return sperm

    def rescaled(self, record: PictureRecord, scale: Scale) -> tuple[AnalysedSperm, ...]:
        """Read the sperm of an analysed picture, measured and judged by another scale.

        Raises
        ------
        UsageError
            When that cannot be its scale.
        """
        if record.version:
            stored = self._versions.read(record.id, record.version)
            sperm, measured_by = stored.sperm, stored.scale
        else:
            sperm = tuple(read_sperm(sperm_path(self._workspace.result, record.id)))
            measured_by = analysed_scale(record)
        return rescale(sperm, self.ground(record, measured_by), scale)

    def ground(self, record: PictureRecord, scale: Scale) -> Ground:
        """Give what the sperm of a picture are measured and judged by."""
        size = (record.height, record.width)
        return Ground(size, scale, self._workspace.criteria, self._workspace.card.schema)

    def keep(self, record: PictureRecord, sperm: Sequence[AnalysedSperm]) -> None:
        """Take over what a picture shows from now on."""
        with self._lock:
            self._latest = (record, tuple(sperm))


def analysed_scale(record: PictureRecord) -> Scale:
    """Give the scale with which a picture was analysed."""
    row = record.row
    assert row is not None
    return Scale(row["scale_source"], row["head_length_px"], row["um_per_px"])


def count(sperm: Sequence[AnalysedSperm]) -> dict[str, int]:
    """Count sperm by verdict, as `PictureRecord.counts`."""
    verdicts = Counter(one.verdict_name for one in sperm)
    return {
        "sperm": sum(one.is_sperm for one in sperm),
        "normal": verdicts["normal"],
        "abnormal": verdicts["abnormal"],
        "not_assessable": verdicts["not assessable"],
        "not_counted": verdicts["not counted"],
    }


def _looks_same(one: PictureRecord, other: PictureRecord) -> bool:
    # Every analysis gives a row of its own.
    return (one.id, one.version, one.scale) == (other.id, other.version, other.scale) and (
        one.row is other.row
    )
