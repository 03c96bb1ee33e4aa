"""The plugin as napari finds it: manifest, packaging, no windows."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path

import pytest

npe2 = pytest.importorskip("npe2", reason="needs pip install 'spermseg[napari]'")

MANIFEST = files("spermseg.napari_plugin").joinpath("napari.yaml")
QT = re.compile("pyqt|pyside", re.IGNORECASE)
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


@pytest.fixture
def manifest():
    return npe2.PluginManifest.from_file(str(MANIFEST))


def test_the_manifest_is_valid_and_all_its_commands_are_there(manifest):
    manifest.validate_imports()
    assert manifest.name == "spermseg"
    contributed = manifest.contributions
    assert {len(kind) for kind in (contributed.readers, contributed.widgets)} == {1}
    assert {len(kind) for kind in (contributed.writers, contributed.sample_data)} == {2}


def test_npe2_offers_reader_and_writers_for_what_they_take(manifest, tmp_path):
    manager = npe2.PluginManager()
    manager.register(manifest)
    manager.activate(manifest.name)

    def writers(*layers):
        return {one.command for one in manager.iter_compatible_writers(layers)}

    for path in (tmp_path, tmp_path / "part map.png"):
        (reader,) = manager.iter_compatible_readers(str(path))
        assert (
            reader.exec(kwargs={"path": [str(path)], "stack": False, "_registry": manager.commands})
            is None
        )
    assert writers("labels") == {"spermseg.write_part_map"}
    assert writers("image", "labels", "labels") == {"spermseg.write_annotations"}
    assert writers("image", "labels", "labels", "shapes") == {"spermseg.write_annotations"}
    assert not writers("image")


def test_napari_finds_the_manifest_by_its_entry_point():
    assert PROJECT["entry-points"]["napari.manifest"] == {
        "spermseg": "spermseg.napari_plugin:napari.yaml"
    }


def test_neither_spermseg_nor_its_extra_for_napari_asks_for_qt():
    required = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["napari"]]
    names = [re.split(r"[^\w.-]", entry)[0] for entry in required]
    assert "napari" in names
    assert not [name for name in names if QT.match(name)]
    # napari's bindings come with its own extras only, as in napari[pyqt6].
    assert not [entry for entry in required if "[" in entry]
    unconditional = [r for r in distribution("napari").requires or () if "extra ==" not in r]
    assert not [entry for entry in unconditional if QT.match(entry)]


def test_the_plugin_imports_no_window_and_no_napari():
    modules = ", ".join(
        f"spermseg.napari_plugin.{path.stem}"
        for path in Path(str(MANIFEST)).parent.glob("*.py")
        if path.stem != "__init__"
    )
    code = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    top = {name.split(".")[0] for name in loaded.stdout.split()}
    assert not top & {
        "napari",
        "qtpy",
        "PyQt5",
        "PyQt6",
        "PySide6",
        "vispy",
        "torch",
        "onnxruntime",
    }
