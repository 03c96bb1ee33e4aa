"""Fixtures of the server's tests: settings of a small server, and requests byte by byte."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("fastapi")

ORIGIN = "http://127.0.0.1:8642"
TOKEN = "the-token-of-the-tests"

Headers = dict[str, str] | Sequence[tuple[str, str]]


@dataclass
class Answer:
    """What came back, and how many pieces of the body were asked for."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    pieces_read: int

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) < 2
        return found[0] if found else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def _ask(
    app: Any,
    method: str,
    target: str,
    headers: Headers = (),
    pieces: Iterable[bytes | float] = (b"",),
) -> Answer:
    """Send one request; a number among the pieces is a pause, after the last one comes nothing."""
    path, _, query = target.partition("?")
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(key.lower().encode(), value.encode("latin-1")) for key, value in pairs],
        "server": ("127.0.0.1", 8642),
        "client": ("127.0.0.1", 50000),
    }
    coming: Iterator[bytes | float] = iter(pieces)
    following = next(coming)
    start: dict[str, Any] = {}
    body = bytearray()
    ended = asyncio.Event()
    pieces_read = 0

    async def receive() -> dict[str, Any]:
        nonlocal following, pieces_read
        while isinstance(following, float):
            await asyncio.sleep(following)
            following = next(coming)
        if following is None:
            await ended.wait()
            return {"type": "http.disconnect"}
        pieces_read += 1
        piece, following = following, next(coming, None)  # type: ignore[assignment]
        return {"type": "http.request", "body": piece, "more_body": following is not None}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                ended.set()

    try:
        await app(scope, receive, send)
    except Exception:
        # As a server does: what was answered until then stands.
        if not start:
            raise
    found = [(key.decode(), value.decode("latin-1")) for key, value in start["headers"]]
    return Answer(start["status"], found, bytes(body), pieces_read)


@pytest.fixture
def ask_async() -> Callable[..., Awaitable[Answer]]:
    """Send one request to an application, among others at the same time."""
    return _ask


@pytest.fixture
def ask() -> Callable[..., Answer]:
    """Send one request to an application, and give the answer."""

    def run(*arguments: Any, **named: Any) -> Answer:
        return asyncio.run(_ask(*arguments, **named))

    return run


@pytest.fixture
def mine() -> dict[str, str]:
    """Headers of a program that may use the server."""
    return {"host": "127.0.0.1:8642", "x-spermseg-token": TOKEN}


@pytest.fixture
def settings(tmp_path: Path, colour_model: Path) -> Any:
    """Settings of a server in an empty folder, which knows a model and has a token."""
    from spermseg.web.settings import Settings

    return Settings(
        tmp_path / "workspace", TOKEN, colour_model, threads=1, origins=frozenset({ORIGIN})
    )


@pytest.fixture
def make_app(settings: Any) -> Iterator[Callable[..., Any]]:
    """Make the application, with some settings changed; its queue does not run."""
    from spermseg.web.app import create_app

    made = []

    def make(**changes: Any) -> Any:
        made.append(create_app(replace(settings, **changes)))
        return made[-1]

    yield make
    for app in made:
        app.state.services.workspace.close()


@pytest.fixture
def png() -> bytes:
    """A small picture."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(stream, "PNG")
    return stream.getvalue()
