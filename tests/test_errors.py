"""Errors: one line with what, where and how to put it right."""

from __future__ import annotations

import errno
import inspect
import pickle
from pathlib import Path

import pytest

from spermseg import errors
from spermseg.errors import (
    ImageError,
    MissingExtraError,
    PartialFailureError,
    ResourceError,
    SpermsegError,
    UsageError,
    translate,
)


def test_message_names_file_fault_and_remedy():
    error = ImageError("0 bytes", where=Path("a/b.png"), fix="Copy it again")
    assert str(error) == "a/b.png: 0 bytes. Copy it again"


def test_every_error_stands_in_the_tree_at_the_top():
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c is not SpermsegError]
    ours = [c for c in classes if issubclass(c, SpermsegError)]
    assert len(ours) >= 13
    assert all(c.__name__ in (errors.__doc__ or "") for c in ours)


@pytest.mark.parametrize(
    "error",
    [ImageError("bad", where="x.png"), MissingExtraError("train", "torch"), UsageError("no")],
)
def test_survives_the_way_back_from_a_worker_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


def test_missing_extra_gives_the_pip_command():
    assert "pip install 'spermseg[train]'" in str(MissingExtraError("train", "torch"))


def test_exit_codes():
    assert UsageError("x").exit_code == ImageError("x").exit_code == 2
    assert ResourceError("x").exit_code == PartialFailureError("x").exit_code == 3


def test_full_disk_and_missing_rights_are_put_in_words():
    full = translate(OSError(errno.ENOSPC, "No space left on device", "out/a.png"))
    assert isinstance(full, ResourceError)
    assert "out/a.png: the disk is full" in str(full)
    assert isinstance(translate(PermissionError(errno.EACCES, "no", "out")), UsageError)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ..."),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"),
    ],
)
def test_out_of_memory_names_the_setting_to_lower(error):
    assert "training.batch_size" in str(translate(error))


@pytest.mark.parametrize("error", [ValueError("a defect"), RuntimeError("a defect")])
def test_a_defect_is_not_translated(error):
    assert translate(error) is None
