"""The folder of a server: whole after any kill, one server at a time, nothing left behind."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from spermseg.analysis.criteria import load_criteria
from spermseg.data.images import PictureHeader
from spermseg.errors import DataError, UsageError
from spermseg.web import workspace as module
from spermseg.web.refusals import RefusedError
from spermseg.web.workspace import Workspace

HEADER = PictureHeader(30, 40, 1, 0.1)


@pytest.fixture
def workspace(settings):
    opened = Workspace(settings)
    yield opened
    opened.close()


def add(workspace, name="../a b.png"):
    with workspace.temporary_path() as path:
        path.write_bytes(b"pixels")
        return workspace.add(path, name, ".png", HEADER)


def reopen(workspace, settings):
    workspace.close()
    return Workspace(settings)


def test_a_picture_is_kept_under_an_id_that_is_not_its_name(workspace, settings):
    record = add(workspace)
    assert len(record.id) == 12
    assert record.id.isalnum()
    assert workspace.original(record).read_bytes() == b"pixels"
    assert not list((settings.workspace / "temporary").iterdir())
    again = reopen(workspace, settings)
    (found,) = again.pictures()
    assert replace(found, revision=0) == replace(record, revision=0)
    assert found.revision >= record.revision
    again.close()


def test_what_a_kill_left_half_done_is_swept_away_or_queued_again(workspace, settings):
    running = workspace.change(add(workspace).id, status="running")
    done = workspace.change(add(workspace).id, status="done")
    half = settings.workspace / "pictures" / "0123456789ab"
    half.mkdir()
    (half / "original.png").write_bytes(b"pix")
    (settings.workspace / "temporary" / "upload").write_bytes(b"pix")
    again = reopen(workspace, settings)
    assert {one.id: one.status for one in again.pictures()} == {
        running.id: "queued",
        done.id: "done",
    }
    assert not half.exists()
    assert not list((settings.workspace / "temporary").iterdir())
    again.close()


def test_a_change_that_cannot_be_written_did_not_happen(workspace, monkeypatch):
    record = add(workspace)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        workspace.change(record.id, um_per_px=0.2)
    assert workspace.picture(record.id) == record
    # That it failed is said all the same.
    workspace.fail(record.id, "the disk is full")
    assert workspace.picture(record.id).reason == "the disk is full"


def test_nothing_is_left_of_a_removed_picture(workspace, settings):
    kept, gone = add(workspace), add(workspace)
    for name in (f"parts/{gone.id}.png", f"sperm/.{gone.id}.abc.json", f"overlays/{gone.id}.jpg"):
        path = workspace.result / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (workspace.versions / gone.id).mkdir(parents=True)
    revision = workspace.changes.revision
    workspace.remove(gone.id)
    assert workspace.changes.revision > revision
    left = [path for path in settings.workspace.rglob("*") if gone.id in path.name]
    assert left == []
    assert [one.id for one in workspace.pictures()] == [kept.id]
    for action in (workspace.picture, workspace.remove, workspace.change):
        with pytest.raises(RefusedError, match="no such picture"):
            action(gone.id)


def test_one_server_at_a_time(workspace, settings):
    with pytest.raises(UsageError, match="another server"):
        Workspace(settings)
    workspace.close()
    Workspace(settings).close()


def test_a_folder_of_something_else_is_left_alone(settings, tmp_path):
    for name in ("file", "folder/thesis.doc"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    for name in ("file", "file/below", "folder"):
        with pytest.raises(UsageError, match=r"file, not a folder|something else"):
            Workspace(replace(settings, workspace=tmp_path / name))
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["thesis.doc"]


def test_other_criteria_need_another_folder(workspace, settings):
    workspace.close()
    other = load_criteria("who-2021-without-acrosome")
    with pytest.raises(UsageError, match="begun with criteria"):
        Workspace(replace(settings, criteria=other))
    Workspace(settings).close()


def test_a_newer_version_goes_on(workspace, settings):
    path = settings.workspace / "workspace.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"spermseg_version": "0.0.1"}))
    reopen(workspace, settings).close()


@pytest.mark.parametrize("text", ["", "[]", '{"names": 1}'])
def test_a_damaged_record_is_named(workspace, settings, text):
    record = add(workspace)
    path = workspace.picture_folder(record.id) / "picture.json"
    path.write_text(text)
    with pytest.raises(DataError, match=f"{record.id}.*damaged"):
        reopen(workspace, settings)
