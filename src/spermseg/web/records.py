"""What is known about one picture of a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Literal, Self

from spermseg.batch.rows import Row

Status = Literal["queued", "running", "done", "failed"]

LOOSE_SAMPLE = "pictures"
"""The sample of pictures that came without a folder."""

_NOT_SAVED = ("id", "revision")


@dataclass(frozen=True)
class PictureRecord:
    """One picture; all but `id` and `revision` is kept in its ``picture.json``.

    Parameters
    ----------
    id : str
        Generated; the name of its folder.
    name : str
        As its owner calls it, ``/`` between folders.
    suffix : str
        Of its file, with the dot.
    added : int
        When, in nanoseconds; pictures are listed in this order.
    height, width : int
    stated_um_per_px : float, optional
        What its file says.
    um_per_px, head_length_px : float, optional
        What was entered by hand, at most one of them.
    status : str
    reason : str, optional
        Why it failed.
    row : mapping, optional
        Its row of ``images.csv`` as it was analysed.
    scale : mapping, optional
        By which it is measured, as `Scale`.
    counts : mapping, optional
        Sperm by verdict in the version that is shown.
    version, versions : int
        Which version is shown, and how many there are beside the original, which is 0.
    corrected : int
        Number of corrected sperm in it.
    revision : int
        Grows with every change.
    """

    id: str
    name: str
    suffix: str
    added: int
    height: int
    width: int
    stated_um_per_px: float | None = None
    um_per_px: float | None = None
    head_length_px: float | None = None
    status: Status = "queued"
    reason: str | None = None
    row: Row | None = None
    scale: dict[str, Any] | None = None
    counts: dict[str, int] | None = None
    version: int = 0
    versions: int = 0
    corrected: int = 0
    revision: int = 0

    @property
    def sample(self) -> str:
        """The sample that it is of: its folder."""
        parent = PurePosixPath(self.name).parent
        return LOOSE_SAMPLE if parent == PurePosixPath() else str(parent)

    @property
    def is_pending(self) -> bool:
        """Whether it waits or is being analysed."""
        return self.status in ("queued", "running")

    def with_changes(self, **changes: Any) -> Self:
        """Give the same record with other values."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Give what is saved, JSON-ready."""
        return {name: value for name, value in asdict(self).items() if name not in _NOT_SAVED}

    @classmethod
    def from_dict(cls, id: str, value: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave.

        Raises
        ------
        TypeError
            When it is something else.
        """
        return cls(id=id, **value)

    def summary(self, progress: float | None = None) -> dict[str, Any]:
        """Give what the list of pictures shows of it."""
        row = self.row or {}
        given = self.um_per_px is not None or self.head_length_px is not None
        entered = {
            "source": None,
            "head_length_px": self.head_length_px,
            "um_per_px": self.um_per_px or self.stated_um_per_px,
        }
        return {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "progress": progress,
            "reason": self.reason,
            "width": self.width,
            "height": self.height,
            "scale": (self.scale or entered) | {"given": given},
            "counts": self.counts,
            "corrected": self.corrected,
            "version": self.version,
            "versions": self.versions,
            "warnings": list(row.get("warnings") or ()),
            "seconds": row.get("seconds"),
            "revision": self.revision,
        }
