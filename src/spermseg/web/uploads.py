"""Receive a picture: bounded while it comes, known for a picture before it is decoded."""

from __future__ import annotations

import asyncio
import errno
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request

from spermseg.data.images import PictureHeader, read_header
from spermseg.errors import ImageError, PictureTooLargeError
from spermseg.web.limits import check_declared, check_room, next_piece, too_large
from spermseg.web.refusals import RefusedError
from spermseg.web.settings import Settings

_SUFFIXES = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"II+\0": ".tif",
    b"MM\0+": ".tif",
}
"""By the first bytes of a file, whatever it is called; WebP has them further on."""
_HEAD_BYTES = 132
"""Enough to tell every format, and DICOM."""

_MAX_NAME, _MAX_SUFFIX = 200, 5
_NO_NAME = "picture"
_NOT_IN_NAMES = frozenset('<>:"|?*\\')
_FORMULA = ("=", "+", "-", "@")
_PORTS = frozenset(f"{port}{n}" for port in ("COM", "LPT") for n in range(10))
_DEVICES = _PORTS | {"CON", "PRN", "AUX", "NUL"}
"""What Windows opens instead of a file, whatever the extension."""


async def receive(request: Request, settings: Settings, into: Path) -> tuple[PictureHeader, str]:
    """Write the picture that is the body of a request to a file.

    Nothing but its header is decoded.

    Parameters
    ----------
    request : Request
        Its body is the bytes of one picture.
    settings : Settings
    into : Path
        A file that does not exist yet; also after a refusal it is the caller's to remove.

    Returns
    -------
    header : PictureHeader
    suffix : str
        Of the format that the content has, with the dot.

    Raises
    ------
    RefusedError
        413 for too many bytes or pixels or a full workspace, 415 for what is no picture, 408 for
        a body that stops coming or takes too long, 507 for a full disk.
    """
    _check_kind(request)
    declared = check_declared(request.headers, settings.max_bytes)
    await run_sync(check_room, settings.workspace, settings.limits, declared)
    try:
        suffix = await _write(request, settings, into)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RefusedError("the server's disk is full", status=507) from None
    await run_sync(check_room, settings.workspace, settings.limits)
    header = await run_sync(_header, into, settings.max_pixels)
    if suffix is None:
        raise RefusedError("no picture of a known format", status=415)
    return header, suffix


def clean_name(name: str) -> str:
    """Make the name by which a picture is shown from the one that came with it.

    No file is ever called so; but tables and archives hold the name, so it is made one that no
    system, spreadsheet or terminal takes for more than a name.

    Parameters
    ----------
    name : str
        Anything.

    Returns
    -------
    str
        Folders and name with ``/`` between, relative, at most 200 characters, never empty.
    """
    # Categories C: control characters, marks of direction, halves of surrogate pairs, unassigned.
    shown = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    parts = [_clean_part(part) for part in unicodedata.normalize("NFC", shown).split("/")]
    parts = [part for part in parts if part] or [_NO_NAME]
    while len(parts) > 1 and len("/".join(parts)) > _MAX_NAME:
        del parts[0]
    return "/".join(parts)


def _clean_part(part: str) -> str:
    # Browsers of old sent C:\fakepath\name.
    part = part.rpartition("\\")[2]
    part = "".join("_" if char in _NOT_IN_NAMES else char for char in part)
    part = " ".join(part.split()).strip(". ")
    if part.startswith(_FORMULA) or part.partition(".")[0].strip().upper() in _DEVICES:
        part = f"_{part}"
    if len(part) > _MAX_NAME:
        stem, dot, suffix = part.rpartition(".")
        end = f"{dot}{suffix}" if stem and len(suffix) <= _MAX_SUFFIX else ""
        part = part[: _MAX_NAME - len(end)].strip(". ") + end
    return part


def _check_kind(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("multipart/") or kind == "application/x-www-form-urlencoded":
        raise RefusedError("a form, not a picture", status=415, fix="Send the bytes as the body")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusedError("compressed on the way", status=415, fix="Send the bytes as they are")


async def _write(request: Request, settings: Settings, into: Path) -> str | None:
    """Write the body to a file, or as much of it as shows that it is no picture; its suffix."""
    written, head = 0, b""
    async with await anyio.open_file(into, "xb") as stream:
        async for piece in _pieces(request, settings):
            written += len(piece)
            if written > settings.max_bytes:
                raise too_large(settings.max_bytes)
            await stream.write(piece)
            if len(head) < _HEAD_BYTES:
                head += piece[: _HEAD_BYTES - len(head)]
                if len(head) == _HEAD_BYTES and _suffix(head) is None:
                    break
    return _suffix(head)


async def _pieces(request: Request, settings: Settings) -> AsyncIterator[bytes]:
    limits = settings.limits
    end = asyncio.get_running_loop().time() + limits.upload_seconds
    more = True
    while more:
        message = await next_piece(request.receive, limits.idle_seconds)
        yield message.get("body", b"")
        more = message.get("more_body", False)
        if asyncio.get_running_loop().time() > end:
            raise RefusedError(f"not sent in {limits.upload_seconds:g} seconds", status=408)


def _suffix(head: bytes) -> str | None:
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return ".webp"
    found = (suffix for start, suffix in _SUFFIXES.items() if head.startswith(start))
    return next(found, None)


def _header(path: Path, max_pixels: int) -> PictureHeader:
    try:
        header = read_header(path)
    except PictureTooLargeError as error:
        raise RefusedError(error.what, status=413, fix=error.fix) from None
    except ImageError as error:
        # What a decoder says may name the file that it had.
        what = "damaged, or no picture" if path.name in error.what else error.what
        raise RefusedError(what, status=415, fix=error.fix) from None
    if header.width * header.height > max_pixels:
        raise RefusedError(
            f"{header.width} x {header.height} pixels are more than {max_pixels}", status=413
        )
    return header
