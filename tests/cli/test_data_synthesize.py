"""``spermseg data synthesize`` from the command line."""

from __future__ import annotations

from typer.testing import CliRunner

from spermseg.cli import app, data_synthesize
from spermseg.data.synthetic import PRESETS

runner = CliRunner()


def test_help_lists_every_preset():
    assert [preset.value for preset in data_synthesize._Preset] == list(PRESETS)
    shown = runner.invoke(app, ["data", "synthesize", "--help"]).output
    assert all(f"{name}:" in shown for name in PRESETS)


def test_writes_a_data_set(tmp_path):
    out = tmp_path / "smears"
    arguments = ["data", "synthesize", "-o", str(out), "--preset", "tiny", "-n", "2"]
    result = runner.invoke(app, [*arguments, "--seed", "7", "--workers", "1"])
    assert result.exit_code == 0
    n_sperm = len((out / "sperm.csv").read_text().splitlines()) - 1
    assert result.output == f"2 pictures with {n_sperm} sperm (tiny, seed 7) in {out}\n"


def test_unknown_preset_is_bad_usage(tmp_path):
    result = runner.invoke(app, ["data", "synthesize", "-o", str(tmp_path), "--preset", "nice"])
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())
