"""The queue: bad pictures, processes that die, removal, and a server that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from spermseg.data.parallel import WorkerDiedError
from spermseg.web import jobs


def test_pictures_are_analysed_as_they_came(client, send, wait, smear):
    ids = [send(client, f"{n}.png", smear(n)) for n in (1, 3, 0)]
    pictures = wait(client)
    assert [one["id"] for one in pictures] == ids
    assert [one["status"] for one in pictures] == ["done"] * 3
    assert [one["counts"]["sperm"] for one in pictures] == [1, 3, 0]
    assert pictures[2]["warnings"] == ["no sperm found"]


def test_a_cut_picture_fails_with_a_reason_and_stops_no_other(client, send, wait, smear):
    cut = smear()[:-40]
    names = ["good.png", "cut.png", "also good.png"]
    for name in names:
        send(client, name, cut if "cut" in name else smear())
    pictures = wait(client)
    assert [one["status"] for one in pictures] == ["done", "failed", "done"]
    reason = pictures[1]["reason"]
    assert "damaged" in reason or "cut off" in reason
    assert "workspace" not in reason  # No path of this machine.
    assert pictures[1]["counts"] is None


def test_a_process_that_dies_costs_one_picture(client, send, wait, in_thread, monkeypatch):
    work = in_thread.receive

    def receive(worker):
        task = worker.items[0] if worker.items else None
        if task is not None and task.picture.file == "deadly.png":
            raise WorkerDiedError
        return work(worker)

    monkeypatch.setattr(in_thread, "receive", receive)
    for name in ("deadly.png", "good.png"):
        send(client, name)
    deadly, good = wait(client)
    assert (deadly["status"], good["status"]) == ("failed", "done")
    assert deadly["reason"] == "a worker process was killed by signal 9"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (ValueError("surprise"), "unexpected ValueError: surprise"),
    ],
)
def test_what_the_work_ends_in_is_the_reason(
    client, send, wait, in_thread, monkeypatch, error, reason
):
    work = in_thread.receive

    def receive(worker):
        if worker.items and worker.items[0] is not None:
            raise error
        return work(worker)

    monkeypatch.setattr(in_thread, "receive", receive)
    send(client)
    (picture,) = wait(client)
    assert (picture["status"], picture["reason"]) == ("failed", reason)


@pytest.fixture
def stuck(in_thread, monkeypatch):
    """Have the analysis of ``stuck.png`` go on until its process is killed."""
    work, killed, begun = in_thread.receive, threading.Event(), threading.Event()

    def receive(worker):
        worker.process = SimpleNamespace(kill=killed.set, join=lambda *_: None)
        task = worker.items[0] if worker.items else None
        if task is not None and task.picture.file == "stuck.png":
            begun.set()
            assert killed.wait(60)
            killed.clear()
            raise WorkerDiedError
        return work(worker)

    monkeypatch.setattr(in_thread, "receive", receive)
    return begun


def test_removal_ends_the_analysis(client, send, wait, stuck, settings):
    id = send(client, "stuck.png")
    kept = send(client, "kept.png")
    assert stuck.wait(60)
    assert client.delete(f"/api/pictures/{id}").status_code == 204
    (picture,) = wait(client)
    assert (picture["id"], picture["status"]) == (kept, "done")
    assert not [path for path in settings.workspace.rglob("*") if id in path.name]


def test_what_waits_can_be_removed(client, send, wait, stuck):
    stuck_id = send(client, "stuck.png")
    assert stuck.wait(60)
    waiting = send(client, "waiting.png")
    client.delete(f"/api/pictures/{waiting}")
    client.delete(f"/api/pictures/{stuck_id}")
    assert wait(client) == []


def test_a_head_length_begins_again(client, send, wait, stuck, monkeypatch):
    id = send(client, "stuck.png")
    assert stuck.wait(60)
    seen = []
    run = jobs.AnalysisJob.__call__
    monkeypatch.setattr(
        jobs.AnalysisJob, "__call__", lambda job, task: seen.append(task) or run(job, task)
    )
    monkeypatch.setattr(jobs, "_task", lambda *a, task=jobs._task: renamed(task(*a)), raising=True)
    answer = client.put(f"/api/pictures/{id}/scale", json={"head_length_px": 16})
    assert answer.json()["status"] in ("queued", "running", "done")
    (picture,) = wait(client)
    assert picture["scale"] == {
        "source": "head length given",
        "head_length_px": 16,
        "um_per_px": None,
        "given": True,
    }
    assert seen[-1].head_length_px == 16


def renamed(task):
    from dataclasses import replace

    return replace(task, picture=replace(task.picture, file="free.png"))


SERVER = """
import os, signal, sys, time
from pathlib import Path
from spermseg.data.images import read_header
from spermseg.web.services import Services
from spermseg.web.settings import Settings

if __name__ == "__main__":
    here = Services.of(Settings(Path(sys.argv[1]), "token", sys.argv[2], threads=1))
    for n in range(int(sys.argv[3])):
        with here.workspace.temporary_path() as path:
            path.write_bytes(sys.stdin.buffer.read() if n == 0 else content)
            content = path.read_bytes()
            here.add(path, f"{n}.png", ".png", read_header(path))
    here.queue.start()
    while not any(one.status == "done" for one in here.workspace.pictures()):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_server_goes_on_where_it_was(
    settings, smear, tmp_path, wait, open_client, request
):
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    ended = subprocess.run(
        [sys.executable, script, settings.workspace, str(settings.model), "4"],
        input=smear(),
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    request.getfixturevalue("in_thread")
    with open_client(settings) as client:
        pictures = wait(client)
    assert [one["name"] for one in pictures] == [f"{n}.png" for n in range(4)]
    assert [one["counts"]["sperm"] for one in pictures] == [2] * 4
    temporary = [path for path in settings.workspace.rglob(".*") if path.name != ".lock"]
    assert temporary == []
    assert not list(Path(settings.workspace / "temporary").iterdir())
