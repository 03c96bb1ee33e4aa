"""Telling browsers that something has changed."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

HEARTBEAT_SECONDS = 15.0

Progress = Mapping[str, tuple[str, float | None]]
"""Status and progress of every picture by its id."""


class Changes:
    """Counts changes, made in any thread, and wakes those who wait in the event loop.

    Nothing is queued for anybody: a slow client learns of the latest change only.
    """

    def __init__(self) -> None:
        # By the clock: after a restart it is higher than anything a browser has seen.
        self._revision = time.time_ns() // 1_000_000
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self.closed = False

    @property
    def revision(self) -> int:
        """Number of the latest change."""
        return self._revision

    def note(self) -> int:
        """Count a change and give its number."""
        with self._lock:
            self._revision += 1
            revision = self._revision
        self.wake()
        return revision

    def wake(self) -> None:
        """Have everyone look again."""
        with self._lock:
            for event, loop in self._waiting.items():
                loop.call_soon_threadsafe(event.set)

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        self.wake()

    @contextmanager
    def waiting(self) -> Iterator[asyncio.Event]:
        """Give an event of the running loop that every change sets."""
        event = asyncio.Event()
        with self._lock:
            self._waiting[event] = asyncio.get_running_loop()
        try:
            yield event
        finally:
            with self._lock:
                del self._waiting[event]


async def event_stream(
    changes: Changes, progress: Callable[[], Progress], heartbeat: float = HEARTBEAT_SECONDS
) -> AsyncIterator[str]:
    """Give server-sent events: ``workspace`` with its revision, ``progress`` of one picture.

    Parameters
    ----------
    changes : Changes
    progress : callable
    heartbeat : float
        Seconds after which a comment shows that the server is there.

    Yields
    ------
    str
    """
    revision: int | None = None
    told = dict(progress())
    with changes.waiting() as woken:
        while not changes.closed:
            woken.clear()
            if revision != changes.revision:
                revision = changes.revision
                yield _event("workspace", {"revision": revision})
            now = dict(progress())
            for id, (status, share) in now.items():
                if told.get(id) != (status, share):
                    yield _event("progress", {"id": id, "status": status, "progress": share})
            told = now
            try:
                await asyncio.wait_for(woken.wait(), heartbeat)
            except TimeoutError:
                yield ": still here\n\n"


def _event(name: str, data: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
