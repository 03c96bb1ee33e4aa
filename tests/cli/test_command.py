"""The command as a whole: what it says, what it loads, how it ends."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import spermseg

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "matplotlib", "pandas", "onnxruntime", "scipy", "skimage", "numpy")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spermseg", *arguments], capture_output=True, text=True, check=False
    )


def test_help_says_what_it_is_not_for():
    result = run("--help")
    assert result.returncode == 0
    assert "For research use, not for clinical diagnosis." in " ".join(
        re.sub(r"[│\s]+", " ", result.stdout).split()
    )


def test_version_is_the_changelog_s_newest():
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == spermseg.__version__
    assert run("--version").stdout.strip() == f"spermseg {spermseg.__version__}"


@pytest.mark.parametrize("module", ["spermseg", "spermseg.cli"])
def test_start_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_an_error_is_one_line_on_stderr_and_exit_code_2():
    result = run("data", "check", "no/such/folder")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == ["spermseg: error: no/such/folder: no such folder"]
