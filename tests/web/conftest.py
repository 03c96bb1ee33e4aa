"""Fixtures of the server's tests: settings of a small server, and requests byte by byte."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
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


class InThread:
    """Stands for the process that analyses: the same work, in the thread of the queue."""

    def __init__(self, job: Callable[[Any], Any]):
        self.job = job
        self.items: list[Any] = []
        self.process = SimpleNamespace(kill=lambda: None, join=lambda *_: None)

    def send(self, item: Any) -> None:
        self.items = [item]

    def receive(self) -> list[Any]:
        return [self.job(item) for item in self.items]

    def loss(self, when_lost: Callable[[Any, str], Any]) -> Any:
        return when_lost(self.items[0], "a worker process was killed by signal 9")


@pytest.fixture
def in_thread(monkeypatch: pytest.MonkeyPatch) -> type[InThread]:
    """Analyse without another process, which takes seconds to start and sees no patches."""
    from spermseg.web import jobs

    monkeypatch.setattr(jobs, "Worker", InThread)
    return InThread


@pytest.fixture
def client(settings: Any, in_thread: type[InThread]) -> Iterator[Any]:
    """Talk to a server that runs, without the network."""
    with open_client(settings) as client:
        yield client


def open_client(settings: Any) -> Any:
    """Run a server of its own, to be talked to in a ``with`` block."""
    from fastapi.testclient import TestClient

    from spermseg.web.app import create_app

    return TestClient(
        create_app(settings),
        base_url=ORIGIN,
        headers={"X-Spermseg-Token": TOKEN},
        raise_server_exceptions=False,
    )


@pytest.fixture(name="open_client")
def _open_client() -> Callable[[Any], Any]:
    return open_client


def smear(sperm: int = 2) -> bytes:
    """Draw sperm on white, 120 x 200: heads of 16 x 10 in blue, then green, then red."""
    image = np.full((120, 200, 3), 255, np.uint8)
    for number in range(sperm):
        top = 10 + 35 * number
        image[top : top + 10, 20:36] = (0, 0, 255)
        image[top + 3 : top + 7, 36:50] = (0, 255, 0)
        image[top + 4 : top + 6, 50:140] = (255, 0, 0)
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def send(client: Any, name: str = "smear.png", content: bytes | None = None) -> str:
    """Upload a picture and give its id."""
    content = smear() if content is None else content
    answer = client.post("/api/pictures", params={"name": name}, content=content)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def wait(client: Any) -> list[dict[str, Any]]:
    """Wait until nothing is to be analysed any more, and give all pictures."""
    for _ in range(6000):
        pictures = client.get("/api/workspace").json()["pictures"]
        if all(picture["status"] in ("done", "failed") for picture in pictures):
            return pictures
        time.sleep(0.01)
    raise AssertionError(f"still not done: {pictures}")


@pytest.fixture(name="smear")
def _smear() -> Callable[..., bytes]:
    return smear


@pytest.fixture(name="send")
def _send() -> Callable[..., str]:
    return send


@pytest.fixture(name="wait")
def _wait() -> Callable[..., list[dict[str, Any]]]:
    return wait


@pytest.fixture
def picture(client: Any) -> dict[str, Any]:
    """A picture of two sperm, analysed."""
    id = send(client)
    wait(client)
    answer: dict[str, Any] = client.get(f"/api/pictures/{id}").json()
    return answer
