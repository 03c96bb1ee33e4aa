from __future__ import annotations

import errno
import stat
import threading
import time
from pathlib import Path

import pytest

from spermseg.errors import DataError, UsageError
from spermseg.files import (
    added_to_folder,
    atomic_folder,
    atomic_path,
    claimed,
    locked,
    read_log,
    write_json,
    write_text,
)


def test_a_file_appears_whole_and_readable_for_others(tmp_path):
    write_text(tmp_path / "new" / "note.txt", "müde\n")
    assert (tmp_path / "new" / "note.txt").read_text(encoding="utf-8") == "müde\n"
    assert (tmp_path / "new" / "note.txt").stat().st_mode & stat.S_IRUSR
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["note.txt"]


def test_after_an_exception_the_file_before_stands(tmp_path):
    write_text(tmp_path / "note.txt", "before")

    def fail():
        with atomic_path(tmp_path / "note.txt") as path:
            path.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]


def test_numbers_that_json_lacks_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_folder_replaces_the_one_before(tmp_path):
    for content in ("one", "two"):
        with atomic_folder(tmp_path / "step") as folder:
            (folder / content).write_text(content)
    assert [path.name for path in tmp_path.iterdir()] == ["step"]
    assert [path.name for path in (tmp_path / "step").iterdir()] == ["two"]


def test_after_an_exception_the_folder_before_stands_and_a_full_disk_is_located(tmp_path):
    with atomic_folder(tmp_path / "step") as folder:
        (folder / "one").write_text("one")

    def fail():
        with atomic_folder(tmp_path / "step") as folder:
            (folder / "two").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        fail()
    assert caught.value.filename == str(tmp_path / "step")
    assert [path.name for path in tmp_path.iterdir()] == ["step"]
    assert [path.name for path in (tmp_path / "step").iterdir()] == ["one"]


def test_unfinished_last_line_is_not_read(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"kind": "step"}\n{"kind": "st')
    assert read_log(path) == [{"kind": "step"}]
    path.write_text('{"kind": "st\n{"kind": "step"}\n')
    with pytest.raises(DataError, match=r"log\.jsonl: line 1 "):
        read_log(path)


def test_missing_log(tmp_path):
    with pytest.raises(DataError, match="no such training log"):
        read_log(tmp_path / "log.jsonl")


def join(folder, *names):
    with added_to_folder(folder) as hidden:
        for name in names:
            (hidden / name).parent.mkdir(exist_ok=True)
            (hidden / name).write_text("new")
        if "fail" in names:
            raise ZeroDivisionError


def test_files_join_a_folder_and_replace_nothing(tmp_path):
    (tmp_path / "a").write_text("mine")
    join(tmp_path, "sub/b")
    assert (tmp_path / "sub" / "b").read_text() == "new"
    with pytest.raises(UsageError, match="a: there is something here"):
        join(tmp_path, "a", "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "sub"]
    assert (tmp_path / "a").read_text() == "mine"


def test_a_folder_is_as_before_after_an_exception(tmp_path):
    with pytest.raises(ZeroDivisionError):
        join(tmp_path / "new", "a", "fail")
    assert not list((tmp_path / "new").iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="this is a file"):
        join(tmp_path / "file", "a")


def test_one_after_the_other_may_into_a_locked_block(tmp_path):
    inside, most = 0, 0

    def enter():
        nonlocal inside, most
        with locked(tmp_path / "deep" / ".lock"):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (inside, most) == (0, 1)


def test_one_at_a_time_claims_a_block_and_nobody_waits(tmp_path):
    path = tmp_path / "deep" / ".lock"
    with claimed(path) as first:
        with claimed(path) as second:
            assert (first, second) == (True, False)
        with claimed(tmp_path / "other") as other:
            assert other
    with claimed(path) as again:
        assert again


def test_an_interruption_just_after_the_temporary_file_is_made_leaves_nothing(
    tmp_path, monkeypatch
):
    touch = Path.touch

    def made_and_interrupted(path, **options):
        touch(path, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "touch", made_and_interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a.jpg"):
        pass
    assert not list(tmp_path.iterdir())
