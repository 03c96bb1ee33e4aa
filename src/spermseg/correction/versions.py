"""The versions of each picture's sperm, saved beside the result and never over it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.correction.edits import Edit, edit_from_dict
from spermseg.data.preprocess import Size
from spermseg.errors import DataError, SpermsegError, UsageError
from spermseg.files import locked, write_json, write_text
from spermseg.result import RESULT_FORMAT
from spermseg.structures import Scale

CURRENT_FILE = "current.json"
"""Says which version is shown; where it is missing, the original."""

ORIGINAL = 0
"""The number of what was found, which has no file here."""

_HELD = 16
"""Versions held in memory, so that undo takes no time: with all masks, a large picture's sperm take
half a second to read."""

_NAME = re.compile(r"\d{4,9}\.json")
_DAMAGES = (LookupError, TypeError, ValueError, AttributeError, RecursionError, SpermsegError)
"""What reading a file from elsewhere may end in."""


class VersionConflictError(UsageError):
    """A correction of a version that is not the current one any more."""


@dataclass(frozen=True)
class Version:
    """What made one version.

    Parameters
    ----------
    number : int
        From 1.
    parent : int
        The version that was corrected; 0 is the original.
    edit : Edit
    time : str
        ISO 8601, UTC.
    corrected : tuple of int
        Ids of the sperm in it that a person has drawn or changed.
    """

    number: int
    parent: int
    edit: Edit
    time: str
    corrected: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping, of the edit its type and the sperm named alone."""
        edit = self.edit.to_dict()
        return {
            "version": self.number,
            "parent": self.parent,
            "edit": {"type": edit["type"], "sperm": edit.get("sperm")},
            "time": self.time,
            "corrected": list(self.corrected),
        }


@dataclass(frozen=True)
class StoredVersion:
    """One version with its sperm.

    Parameters
    ----------
    version : Version
    sperm : tuple of AnalysedSperm
    scale : Scale
        What they were measured by.
    """

    version: Version
    sperm: tuple[AnalysedSperm, ...]
    scale: Scale


class VersionStore:
    """The versions of all pictures of a result: ``FOLDER/PICTURE/NNNN.json`` and which is current.

    A version's file is written once and never changed. It has the format of ``sperm/PICTURE.json``
    and says besides what made it. Several threads and processes may write: one after the other.

    Parameters
    ----------
    folder : Path
        Made when there is something to write.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self._known: dict[Path, Version] = {}
        self._made: dict[Path, StoredVersion] = {}
        self._encoded: dict[int, tuple[AnalysedSperm, Size, float | None, str]] = {}

    def path(self, picture: str, version: int) -> Path:
        """Give where a version is, or would be."""
        return self._of(picture) / f"{version:04d}.json"

    def current(self, picture: str) -> int:
        """Give the number of the version to show; 0 is the original.

        Raises
        ------
        DataError
            When what says so is damaged, or names a version that is not there.
        """
        path = self._of(picture) / CURRENT_FILE
        try:
            number = json.loads(path.read_text(encoding="utf-8"))["version"]
        except FileNotFoundError:
            return ORIGINAL
        except _DAMAGES as error:
            raise _damaged(path, error, "Delete it to see the original") from None
        if type(number) is not int or number not in (ORIGINAL, *self._numbers(picture)):
            raise DataError(
                f"names version {number!r}, which is not there",
                where=path,
                fix="Delete it to see the original",
            )
        return number

    def versions(self, picture: str) -> tuple[Version, ...]:
        """Give what made each version, in their order.

        Raises
        ------
        DataError
            Naming a file that is damaged.
        """
        return tuple(self._version(picture, number) for number in self._numbers(picture))

    def read(self, picture: str, version: int | None = None) -> StoredVersion:
        """Read a version, by default the current one.

        Raises
        ------
        UsageError
            When there is no such version; the original is in the result.
        DataError
            Naming a file that is damaged.
        """
        number = self.current(picture) if version is None else version
        path = self._existing(picture, number)
        if path in self._made:
            return self._made[path]
        try:
            value = _saved(path)
            stored = StoredVersion(
                _version(value, picture, number),
                tuple(map(AnalysedSperm.from_dict, value["sperm"])),
                Scale(**value["scale"]),
            )
        except _DAMAGES as error:
            raise _damaged(path, error, "Delete it, or go back to another version") from None
        self._known[path] = stored.version
        return stored

    def add(
        self,
        picture: str,
        base: int,
        edit: Edit,
        sperm: Sequence[AnalysedSperm],
        size: Size,
        scale: Scale,
    ) -> Version:
        """Save a new version, which becomes the current one.

        Parameters
        ----------
        picture : str
        base : int
            The version that was corrected.
        edit : Edit
            What was done.
        sperm : sequence of AnalysedSperm
            All of the picture after it.
        size : (height, width)
            Of the picture.
        scale : Scale
            What they were measured by.

        Raises
        ------
        VersionConflictError
            When `base` is not the current version; nothing is written.
        """
        with locked(self.folder / ".lock"):
            current = self.current(picture)
            if base != current:
                raise VersionConflictError(
                    f"version {base} was corrected, but the current one is {current}",
                    fix="Look at the current version and correct that",
                )
            number = max(self._numbers(picture), default=ORIGINAL) + 1
            time = datetime.now(UTC).isoformat(timespec="seconds")
            corrected = tuple(one.instance.id for one in sperm if one.corrected)
            made = Version(number, base, edit, time, corrected)
            path = self.path(picture, number)
            write_text(path, self._text(picture, made, sperm, size, scale))
            self._known[path] = made
            self._keep(path, StoredVersion(made, tuple(sperm), scale))
            self._set_current(picture, number)
        return made

    def show(self, picture: str, version: int) -> None:
        """Make another version the current one: undo, redo, or 0, the original.

        Raises
        ------
        UsageError
            When there is no such version.
        """
        with locked(self.folder / ".lock"):
            if version != ORIGINAL:
                self._existing(picture, version)
            self._set_current(picture, version)

    def undo_target(self, picture: str) -> int | None:
        """Give the version before the current one; None at the original."""
        current = self.current(picture)
        return None if current == ORIGINAL else self._version(picture, current).parent

    def redo_target(self, picture: str) -> int | None:
        """Give the latest version that was made of the current one; None where there is none."""
        current = self.current(picture)
        made = [one.number for one in self.versions(picture) if one.parent == current]
        return max(made, default=None)

    def forget(self, picture: str) -> None:
        """Delete all versions of a picture that is itself deleted."""
        folder = self._of(picture)
        with locked(self.folder / ".lock"):
            if folder.exists():
                shutil.rmtree(folder)
        self._known = {path: one for path, one in self._known.items() if path.parent != folder}
        self._made = {path: one for path, one in self._made.items() if path.parent != folder}

    def _of(self, picture: str) -> Path:
        path = PurePosixPath(picture)
        if not path.name or path.is_absolute() or ".." in path.parts or "\\" in picture:
            raise UsageError(f"no name of a picture: {picture!r:.80}")
        return self.folder / path

    def _numbers(self, picture: str) -> list[int]:
        folder = self._of(picture)
        if not folder.is_dir():
            return []
        names = (entry.name for entry in folder.iterdir())
        return sorted(int(name[:-5]) for name in names if _NAME.fullmatch(name))

    def _existing(self, picture: str, version: int) -> Path:
        path = self.path(picture, version)
        if version < 1 or not path.is_file():
            raise UsageError(f"there is no version {version} of this picture")
        return path

    def _version(self, picture: str, number: int) -> Version:
        path = self.path(picture, number)
        if path not in self._known:
            try:
                self._known[path] = _version(_saved(path), picture, number)
            except _DAMAGES as error:
                raise _damaged(path, error, "Delete it") from None
        return self._known[path]

    def _set_current(self, picture: str, version: int) -> None:
        write_json(self._of(picture) / CURRENT_FILE, {"version": version})

    def _keep(self, path: Path, stored: StoredVersion) -> None:
        """Hold the latest versions of one picture, of which most sperm are the same objects."""
        alike = {
            other: one
            for other, one in self._made.items()
            if other.parent == path.parent and one.scale == stored.scale
        }
        self._made = dict([*alike.items(), (path, stored)][-_HELD:])

    def _text(
        self,
        picture: str,
        version: Version,
        sperm: Sequence[AnalysedSperm],
        size: Size,
        scale: Scale,
    ) -> str:
        header = {
            "format_version": RESULT_FORMAT,
            "id": picture,
            "um_per_px": scale.um_per_px,
            **version.to_dict(),
            "edit": version.edit.to_dict(),
            "scale": asdict(scale),
        }
        texts = self._encode(sperm, size, scale.um_per_px)
        return f'{_compact(header)[:-1]},"sperm":[{",".join(texts)}]}}\n'

    def _encode(
        self, sperm: Sequence[AnalysedSperm], size: Size, um_per_px: float | None
    ) -> list[str]:
        """Write sperm as JSON; those of the last version that are the same are not written anew."""
        encoded = {}
        for one in sperm:
            known = self._encoded.get(id(one))
            if known is None or known[1:3] != (size, um_per_px):
                known = (one, size, um_per_px, _compact(one.to_dict(size, um_per_px)))
            encoded[id(one)] = known
        # Held here, they keep their identity.
        self._encoded = encoded
        return [text for *_, text in encoded.values()]


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _saved(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if value["format_version"] != RESULT_FORMAT:
        raise DataError(
            f"it has format {value['format_version']!r}, this version reads {RESULT_FORMAT}"
        )
    return value


def _version(value: Mapping[str, Any], picture: str, number: int) -> Version:
    if (value["id"], value["version"]) != (picture, number):
        raise DataError(f"it is version {value['version']!r} of {value['id']!r:.80}")
    parent, corrected = value["parent"], value["corrected"]
    if type(parent) is not int or not ORIGINAL <= parent < number:
        raise DataError(f"its parent cannot be {parent!r}")
    return Version(
        number, parent, edit_from_dict(value["edit"]), str(value["time"]), tuple(corrected)
    )


def _damaged(path: Path, error: Exception, fix: str) -> DataError:
    what = error.what if isinstance(error, SpermsegError) else repr(error)
    return DataError(f"damaged: {what}", where=path, fix=fix)
