from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from spermseg.cli import app
from spermseg.data.images import write_image
from spermseg.errors import DatasetError, UsageError

IMAGE = np.full((10, 12, 3), 200, np.uint8)


@pytest.fixture
def folder(tmp_path):
    mask = np.zeros((10, 12), np.uint8)
    mask[:3, :4] = 1
    for name in ("a", "b", "c"):
        write_image(tmp_path / "images" / f"{name}.png", IMAGE)
        write_image(tmp_path / "masks" / f"{name}.png", mask)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


def test_check_prints_what_is_there(folder):
    result = run("check", folder)
    assert result.exit_code == 0, result.output
    words = " ".join(result.stdout.split())
    for expected in ("layout folder", "pictures 3", "12 x 10: 3", "head 10.000%", "problems 0"):
        assert expected in words


def test_check_prints_json(folder):
    result = run("check", folder, "--json", "--layout", "folder")
    assert json.loads(result.stdout)["pixels"]["head"] == 36


def test_check_lists_all_problems_and_fails_with_the_first(folder):
    write_image(folder / "masks" / "a.png", np.full((10, 12), 9, np.uint8))
    write_image(folder / "masks" / "b.png", np.zeros((10, 11), np.uint8))
    result = run("check", folder)
    assert "problem: masks/a.png: unknown values 9" in result.stdout
    assert "problem: masks/b.png: mask of (10, 11), picture of (10, 12)" in result.stdout
    assert isinstance(result.exception, DatasetError)
    assert "masks/a.png: cannot be used: unknown values 9" in str(result.exception)


def test_an_unusable_folder_is_one_line_and_exit_code_2(folder):
    (folder / "masks" / "c.png").unlink()
    command = [sys.executable, "-m", "spermseg", "data", "check", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "images/c.png: cannot be used: no mask for this picture" in line


def test_split_is_drawn_and_written(folder, tmp_path):
    out = tmp_path / "split.json"
    result = run("split", folder, "-o", out, "--train", 1, "--validation", 1, "--test", "1")
    assert result.exit_code == 0, result.output
    assert "train: 1 pictures of 1 groups" in result.stdout
    content = json.loads(out.read_text())
    assert sorted(content["train"] + content["validation"] + content["test"]) == ["a", "b", "c"]


def test_split_takes_shares(folder, tmp_path):
    out = tmp_path / "split.json"
    assert run("split", folder, "-o", out, "--train", "0.67", "--test", "0.33").exit_code == 0
    assert len(json.loads(out.read_text())["train"]) == 2


def test_split_refuses_what_is_no_amount(folder, tmp_path):
    result = run("split", folder, "-o", tmp_path / "s.json", "--train", "most")
    assert isinstance(result.exception, UsageError)
    assert "--train must be a number of pictures or a share, got 'most'" in str(result.exception)
