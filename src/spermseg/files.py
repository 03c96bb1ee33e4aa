"""Files that are either whole or not there."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

from spermseg.errors import DataError, UsageError


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    The file is flushed to the disk before it is renamed; after an exception the temporary file is
    removed and what stood at `path` before is untouched.

    Parameters
    ----------
    path : Path or str
        Where the file shall be. Missing parent folders are made.

    Yields
    ------
    Path
        The temporary path, with the suffix of `path`, to be written by the caller.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Named before it is made: an interruption just after that leaves nothing behind either.
    temporary = path.with_name(f".{path.stem}.{token_hex(4)}{path.suffix}")
    try:
        temporary.touch(mode=0o600, exist_ok=False)
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _name_file(error, path)
        raise


@contextmanager
def atomic_folder(path: Path | str) -> Iterator[Path]:
    """Give a temporary folder beside `path` that takes its place when the block ends well.

    Its files are flushed to the disk before it is renamed; after an exception it is removed and
    what stood at `path` before is untouched. A process that is killed leaves ``.NAME.*`` behind.

    Parameters
    ----------
    path : Path or str
        Where the folder shall be; what is there is replaced. Missing parent folders are made.

    Yields
    ------
    Path
        The temporary folder, to be filled with files by the caller.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        for file in temporary.iterdir():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _name_file(error, path)
        raise


@contextmanager
def locked(path: Path | str) -> Iterator[None]:
    """Let one thread or process after the other into the block; the others wait.

    Parameters
    ----------
    path : Path or str
        A file that is made for this and stays. Whoever holds it and is killed lets go of it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        _lock(stream, wait=True)
        yield


@contextmanager
def claimed(path: Path | str) -> Iterator[bool]:
    """Tell one thread or process after the other whether it is the only one in the block.

    Parameters
    ----------
    path : Path or str
        As for `locked`, but nobody waits.

    Yields
    ------
    bool
        False when another one is in the block.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        try:
            _lock(stream, wait=False)
        except (BlockingIOError, PermissionError):
            yield False
            return
        yield True


def _lock(stream: IO[str], *, wait: bool) -> None:
    """Lock an open file, until it is closed."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _name_file(error: BaseException, path: Path) -> None:
    # A write to a full disk fails without saying which file it was.
    if isinstance(error, OSError) and error.filename is None:
        error.filename = str(path)


@contextmanager
def new_folder(path: Path | str) -> Iterator[Path]:
    """Make a folder, filled through a hidden one inside whose content moves up at the end.

    After an exception the hidden folder is removed, and `path` is empty as before.

    Parameters
    ----------
    path : Path or str
        A folder that does not exist yet, or is empty.

    Yields
    ------
    Path
        The hidden folder, to be filled by the caller.

    Raises
    ------
    UsageError
        When there is something at `path` already.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError("there is something here already", where=path, fix="Choose a new folder")
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=path) as temporary:
        yield Path(temporary)
        for entry in sorted(Path(temporary).iterdir()):
            entry.rename(path / entry.name)


@contextmanager
def added_to_folder(path: Path | str) -> Iterator[Path]:
    """Fill a hidden folder whose files join those at `path` at the end; none is replaced.

    After an exception the hidden folder is removed, and what was at `path` is untouched.

    Parameters
    ----------
    path : Path or str
        A folder with anything in it; made if it is missing.

    Yields
    ------
    Path
        The hidden folder, to be filled by the caller, in folders as they shall be at `path`.

    Raises
    ------
    UsageError
        When `path` is a file, or holds a file of one of the names already.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise UsageError("this is a file, not a folder", where=path, fix="Choose a folder")
    path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=path) as temporary:
        hidden = Path(temporary)
        yield hidden
        names = sorted(file.relative_to(hidden) for file in hidden.rglob("*") if file.is_file())
        for name in names:
            if (path / name).exists():
                raise UsageError(
                    "there is something here already",
                    where=path / name,
                    fix="Move it away, or choose another folder",
                )
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (hidden / name).rename(path / name)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_log(path: Path | str) -> list[dict[str, Any]]:
    """Read a training's ``log.jsonl``, one mapping a line.

    A last line that a killed training left unfinished is not read.

    Raises
    ------
    DataError
        When the file is missing or a line is no JSON.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        raise DataError("no such training log", where=path) from None
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(json.loads(line))
        except ValueError as error:
            if number == len(lines) and not line.endswith("\n"):
                break
            raise DataError(f"line {number} is no JSON: {error}", where=path) from None
    return entries
