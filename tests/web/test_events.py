"""Server-sent events: what is told, and to whom, when nobody listens fast enough."""

from __future__ import annotations

import asyncio
import json
import threading

from spermseg.web.events import Changes, event_stream


def parse(text: str) -> tuple[str, dict]:
    name, data = text.strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def listen(changes, progress, heartbeat=60.0, steps=(), n=1):
    """Take `n` events, doing one of `steps` in another thread before each further one."""

    async def run():
        stream, events = event_stream(changes, progress, heartbeat), []
        todo = list(steps)
        async for text in stream:
            events.append(text)
            if len(events) == n:
                break
            if todo:
                thread = threading.Thread(target=todo.pop(0))
                thread.start()
        await stream.aclose()
        return events

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_a_new_page_learns_the_revision_and_then_every_change():
    changes = Changes()
    before = changes.revision
    events = listen(changes, dict, steps=[changes.note], n=2)
    assert [parse(event) for event in events] == [
        ("workspace", {"revision": before}),
        ("workspace", {"revision": before + 1}),
    ]


def test_changes_that_come_together_are_told_once():
    changes = Changes()

    def many():
        for _ in range(100):
            changes.note()

    last = listen(changes, dict, steps=[lambda: None, many], heartbeat=0.05, n=3)[-1]
    assert parse(last)[1]["revision"] > changes.revision - 100


def test_progress_of_a_picture():
    changes, now = Changes(), {"a": ("queued", None), "b": ("done", None)}

    def start():
        now["a"] = ("running", 0.5)
        changes.wake()

    events = listen(changes, lambda: now, steps=[start], n=2)
    progress = {"id": "a", "status": "running", "progress": 0.5}
    assert parse(events[1]) == ("progress", progress)


def test_silence_is_broken_by_comments():
    events = listen(Changes(), dict, heartbeat=0.01, n=3)
    assert events[1:] == [": still here\n\n"] * 2


def test_closing_ends_all_streams():
    changes = Changes()
    # The second event never comes: the stream ends instead.
    assert len(listen(changes, dict, steps=[changes.close], n=2)) == 1
