"""How much the server takes at once; whoever comes too many is told when to come again."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spermseg.web.refusals import RefusedError, answer

UPLOAD = ("POST", "/api/pictures")
"""The one request whose body is as large as a picture, and streamed."""
EVENTS = "/api/events"
"""The one answer that does not end."""

_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""A string, whole or broken off; an opening or a closing bracket."""


@dataclass(frozen=True)
class Limits:
    """What the server takes, besides the size of pictures and the length of the queue.

    Parameters
    ----------
    workspace_bytes : int
        Of all files of the workspace.
    head_bytes : int
        Of a request's address and headers.
    body_bytes, body_depth : int
        Of the JSON of a request; how deep it may be nested.
    requests, uploads, events : int
        At the same time: answers being made, pictures being received, pages listening.
    idle_seconds, upload_seconds : float
        Longest wait for the next piece of a body; for a whole picture.
    """

    workspace_bytes: int = 2**37
    head_bytes: int = 2**14
    body_bytes: int = 2**20
    body_depth: int = 32
    requests: int = 128
    uploads: int = 32
    events: int = 64
    idle_seconds: float = 20.0
    upload_seconds: float = 1800.0


class Slots:
    """A fixed number of places.

    Parameters
    ----------
    number : int
    line : str
        What is said to whoever finds none.
    """

    def __init__(self, number: int, line: str):
        self.number = number
        self.line = line
        self.taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place.

        Raises
        ------
        RefusedError
            429 when all are taken.
        """
        if self.taken >= self.number:
            raise _busy(self.line, retry_after=1)
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


def check_queue(waiting: int, most: int) -> None:
    """Refuse a picture where as many as may wait already do.

    Raises
    ------
    RefusedError
        429, with Retry-After.
    """
    if waiting >= most:
        raise _busy(f"{waiting} pictures are waiting already", retry_after=5)


def check_room(workspace: Path, limits: Limits, more: int = 0) -> None:
    """Refuse `more` bytes where the workspace would then hold more than it may.

    Raises
    ------
    RefusedError
        413.
    """
    if folder_bytes(workspace) + more > limits.workspace_bytes:
        raise RefusedError(
            f"the workspace would hold more than {limits.workspace_bytes} bytes",
            status=413,
            fix="Delete pictures, or start with another workspace",
        )


def folder_bytes(folder: Path) -> int:
    """Sum of the sizes of all files below `folder`; links are not followed."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(where) / name).lstat().st_size
            except FileNotFoundError:
                # Deleted or renamed since it was listed.
                continue
    return total


class RequestLimits:
    """Let through to `app` as many requests at once as it may have, with bodies in bounds.

    The body of an upload is passed on as it comes (`spermseg.web.uploads` counts it); any other is
    read here first, whole, so that nothing behind meets one that is endless, slow or too deep.

    Parameters
    ----------
    app : ASGI application
    limits : Limits
    """

    def __init__(self, app: ASGIApp, limits: Limits):
        self.app = app
        self.limits = limits
        self._requests = Slots(limits.requests, "too many requests at once")
        self._uploads = Slots(limits.uploads, "too many pictures are being sent at once")
        self._events = Slots(limits.events, "too many pages are open at once")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        upload = (scope["method"], scope["path"]) == UPLOAD
        events = scope["path"] == EVENTS
        slots = self._uploads if upload else self._events if events else self._requests
        try:
            _check_head(scope, self.limits.head_bytes)
            with slots.one():
                if not upload:
                    receive = _replayed(await self._body(scope, receive), receive)
                await self.app(scope, receive, send)
        except RefusedError as error:
            await answer(error.status, str(error), error.headers)(scope, receive, send)

    async def _body(self, scope: Scope, receive: Receive) -> Message:
        """Read a body whole; the message that the application gets instead of its pieces."""
        limits, body = self.limits, bytearray()
        check_declared(Headers(scope=scope), limits.body_bytes)
        more = True
        while more:
            message = await next_piece(receive, limits.idle_seconds)
            body += message.get("body", b"")
            if len(body) > limits.body_bytes:
                raise too_large(limits.body_bytes)
            more = message.get("more_body", False)
        if is_deeper(body, limits.body_depth):
            raise RefusedError(f"JSON nested deeper than {limits.body_depth}", status=400)
        return {"type": "http.request", "body": bytes(body), "more_body": False}


async def next_piece(receive: Receive, seconds: float) -> Message:
    """Receive the next piece of a body.

    Raises
    ------
    RefusedError
        408 when nothing comes for `seconds`; 400, which nobody reads, when the sender went away.
    """
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
    except TimeoutError:
        line = f"nothing came for {seconds:g} seconds; send it again"
        raise RefusedError(line, status=408, headers={"Connection": "close"}) from None
    if message["type"] == "http.disconnect":
        raise RefusedError("the sender went away", status=400)
    return message


def check_declared(headers: Headers, most: int) -> int:
    """Give the length that a body is declared to have, 0 where it is not; refuse too much.

    Raises
    ------
    RefusedError
        413.
    """
    declared = headers.get("content-length", "")
    length = int(declared) if declared.isdecimal() else 0
    if length > most:
        raise too_large(most)
    return length


def too_large(most: int) -> RefusedError:
    """Make the error for a body of more than `most` bytes: 413."""
    return RefusedError(f"more than {most} bytes", status=413)


def is_deeper(text: bytes | bytearray, most: int) -> bool:
    """Tell whether brackets of a JSON text, those inside strings apart, are nested over `most`."""
    depth = 0
    for found in _JSON_TOKEN.finditer(text):
        depth += found[0] in (b"[", b"{")
        depth -= found[0] in (b"]", b"}")
        if depth > most:
            return True
    return False


def _check_head(scope: Scope, most: int) -> None:
    # The protocol's own bound holds for what comes in several parts only.
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    if headers + len(scope["path"]) + len(scope["query_string"]) > most:
        raise RefusedError(f"address and headers of more than {most} bytes", status=431)


def _busy(line: str, *, retry_after: int) -> RefusedError:
    again = {"Retry-After": str(retry_after)}
    return RefusedError(line, status=429, fix="Try again later", headers=again)


def _replayed(first: Message, receive: Receive) -> Receive:
    """Give `first`, and from then on what comes."""
    waiting = [first]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
