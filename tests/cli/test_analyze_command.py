"""``spermseg analyze``: exit codes, what goes to stdout and stderr, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from spermseg.batch.record import PROGRESS_FILE
from spermseg.cli import main
from spermseg.data.images import write_image


@pytest.fixture
def smears(tmp_path):
    image = np.full((32, 32, 3), 255, np.uint8)
    image[4:16, 4:12] = (0, 0, 255)
    write_image(tmp_path / "smears/a.png", image)
    write_image(tmp_path / "smears/b.png", image)
    return tmp_path / "smears"


@pytest.fixture
def analyze(monkeypatch, capsys, colour_model):
    """Run the command in this process; give exit code, stdout and stderr."""

    def run(*arguments: object, model: object = colour_model) -> tuple[int, str, str]:
        words = ["spermseg", "analyze", *arguments, "--model", model, "--workers", 1]
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        with pytest.raises(SystemExit) as caught:
            main()
        said = capsys.readouterr()
        return int(caught.value.code or 0), said.out, said.err

    return run


def test_a_closing_line_says_how_many_and_where(smears, tmp_path, analyze):
    out = tmp_path / "out"
    assert analyze(smears, "-o", out) == (
        0,
        f"2 pictures done, 0 failed\nThe report: {out / 'report.html'}\n",
        "",
    )
    assert (out / "report.html").exists()
    code, stdout, _ = analyze(smears, "-o", out, "--resume")
    assert code == 0
    assert stdout.startswith("2 pictures done (2 of them before), 0 failed\n")


def test_uncertainty_is_asked_for_and_belongs_to_the_run(smears, tmp_path, analyze):
    out = tmp_path / "out"
    code, stdout, _ = analyze(smears, "-o", out, "--uncertainty", "--json")
    assert code == 0
    assert json.loads(stdout)["arguments"]["uncertainty"] is True
    assert "verdict_agreement" in (out / "sperm.csv").read_text("utf-8")
    code, _, stderr = analyze(smears, "-o", out, "--resume")
    assert code == 2
    assert "uncertainty true, not false" in stderr


def test_quiet_says_nothing_and_json_only_json(smears, tmp_path, analyze):
    assert analyze(smears, "-o", tmp_path / "one", "--quiet") == (0, "", "")
    code, stdout, stderr = analyze(smears, "-o", tmp_path / "two", "--json")
    assert (code, stderr) == (0, "")
    assert json.loads(stdout) == json.loads((tmp_path / "two/run.json").read_text("utf-8"))


def test_bad_files_end_in_exit_code_3(smears, tmp_path, colour_model):
    (smears / "0 bytes.jpg").touch()
    out = tmp_path / "out"
    arguments = [smears, "-o", out, "--model", colour_model, "--quiet", "--workers", "2"]
    command = [sys.executable, "-m", "spermseg", "analyze", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.splitlines() == [
        "0 bytes.jpg: the file is empty",
        f"spermseg: error: {out}: 1 picture failed, see above; the others are done",
    ]
    assert len(list((out / "parts").iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-folder"], "no-such-folder: no such file or folder"),
        (["."], "no picture in this folder"),
        (["smears", "--um-per-px", "0.1", "--head-length-px", "40"], "not both"),
        (["smears", "--head-length-px", "-3"], "must be positive, got -3"),
        (["smears", "--um-per-px", "0.1", "-o", "in-use"], "in-use: there is something here"),
        (["smears", "-o", "a-file"], "a-file: this is a file"),
        (["smears", "-o", "a-file/out"], "a-file: this is a file"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(
    smears, tmp_path, analyze, monkeypatch, arguments, says
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in-use").mkdir()
    (tmp_path / "in-use/thesis.tex").touch()
    (tmp_path / "a-file").touch()
    if arguments == ["."]:
        monkeypatch.chdir(tmp_path / "in-use")
    code, stdout, stderr = analyze(*arguments, *([] if "-o" in arguments else ["-o", "out"]))
    assert (code, stdout) == (2, "")
    assert stderr.count("\n") == 1
    assert says in stderr
    assert not Path("out").exists()


def test_a_wrong_model_is_one_line_and_exit_code_2(smears, tmp_path, analyze):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/card.json").write_text("{}")
    for model in ("no-such-model", tmp_path / "model", smears / "a.png"):
        code, stdout, stderr = analyze(smears, "-o", tmp_path / "out", model=model)
        assert (code, stdout, stderr.count("\n")) == (2, "", 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder nobody can write to")
def test_an_output_folder_that_cannot_be_made_is_one_line(smears, analyze):
    code, stdout, stderr = analyze(smears, "-o", "/proc/out")
    assert code in (2, 3)  # Without rights, or as root, whom /proc tells that it is not there.
    assert stdout == ""
    assert stderr.count("\n") == 1
    assert "/proc/out: " in stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_in_order_and_resume_goes_on(smears, tmp_path, colour_model, workers):
    for number in range(1000):
        (smears / f"{number}.png").symlink_to(smears / "a.png")
    out = tmp_path / "out"
    arguments = [smears, "-o", out, "--model", colour_model, "--workers", workers]
    code = (  # Also where SIGINT starts ignored, as in a background job.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from spermseg.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "analyze", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    progress = out / PROGRESS_FILE
    while not (progress.exists() and progress.stat().st_size):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # As a terminal does: to all processes at once.
    stdout, stderr = process.communicate()
    assert process.returncode == 130
    assert stdout == ""
    assert stderr == f"{out}: stopped; go on with the same command and --resume\n"
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert run["status"] == "interrupted"
    assert 0 < run["counts"]["done"] < 1002
    assert not [path for path in out.rglob(".*") if path.is_file()]
