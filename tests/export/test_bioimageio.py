"""Packages of the BioImage Model Zoo, tested by the zoo's own program."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import onnx
import pytest
import yaml

from spermseg import DISCLAIMER
from spermseg.cli import app
from spermseg.data.preprocess import Preprocessing
from spermseg.errors import ModelError, UsageError
from spermseg.inference.card import read_card, write_card
from spermseg.inference.catalog import load_model

pytest.importorskip("bioimageio.core", reason="needs pip install 'spermseg[bioimageio]'")
if tuple(map(int, version("pydantic").split(".")[:2])) >= (2, 14):
    pytest.skip("bioimageio.spec 0.5.12 fails with pydantic 2.14", allow_module_level=True)

from spermseg.export import bioimageio
from spermseg.export.bioimageio import check_package, example_picture, export_bioimageio

FILES = {
    "LICENSE.md",
    "README.md",
    "card.json",
    "cover.jpg",
    "rdf.yaml",
    "test-input.npy",
    "test-output.npy",
    "weights.onnx",
}


def copy_with(source, folder, preprocessing):
    """Copy a model and give it another preprocessing and a licence."""
    shutil.copytree(source, folder)
    card = replace(
        read_card(folder / "card.json"),
        preprocessing=preprocessing,
        data="drawn colours, Sperm Parsing",
        data_licence="for looking at only",
    )
    write_card(folder / "card.json", card)
    return folder


@pytest.fixture(scope="module")
def scaled(colour_model, tmp_path_factory):
    """Give the model of colours with a working scale."""
    folder = tmp_path_factory.mktemp("scaled") / "colours"
    return copy_with(colour_model, folder, Preprocessing(head_length_px=44.0))


@pytest.fixture(scope="module")
def package(scaled, tmp_path_factory):
    """Give a package of it."""
    folder = tmp_path_factory.mktemp("packages") / "package"
    export_bioimageio(scaled, folder, authors=["A. Person", "B. Person"])
    return folder


def description(package):
    return yaml.safe_load((package / "rdf.yaml").read_text(encoding="utf-8"))


def test_a_package_holds_what_the_zoo_asks_for(package):
    assert {path.name for path in package.iterdir()} == FILES
    told = description(package)
    (given,), (found,) = told["inputs"], told["outputs"]
    y, x = given["axes"][2:]
    # Heads of 4.4 um are 44 px long at 0.1 um a pixel.
    assert y == {"id": "y", "size": {"min": 256, "step": 32}, "type": "space"} | {
        "unit": "micrometer",
        "scale": 0.1,
    }
    assert x["size"] == y["size"]
    assert [axis.get("halo") for axis in found["axes"]] == [None, None, 64, 64]
    assert found["axes"][1]["channel_names"][:3] == ["background", "midpiece", "tail"]
    assert told["authors"] == [{"name": "A. Person"}, {"name": "B. Person"}]
    assert [entry["doi"] for entry in told["cite"]] == ["10.1016/j.media.2024.103243"]
    assert "for looking at only" in (package / "LICENSE.md").read_text(encoding="utf-8")
    page = (package / "README.md").read_text(encoding="utf-8")
    assert DISCLAIMER in page
    assert "heads are about 44 px long, 0.100 um a pixel" in page
    assert str(package.parent) not in (package / "rdf.yaml").read_text(encoding="utf-8") + page


def test_test_tensors_are_raw_values_and_the_probabilities_spermseg_finds(scaled, package):
    raw, probabilities = (np.load(package / f"test-{n}.npy") for n in ("input", "output"))
    assert (raw.shape, raw.dtype, raw.max() > 200) == ((1, 3, 256, 256), np.float32, True)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    predictor = load_model(scaled)
    planes = predictor.card.preprocessing.normalise(raw[0].transpose(1, 2, 0).astype(np.uint8))
    logits = predictor.backend(planes[np.newaxis])
    np.testing.assert_array_equal(probabilities.argmax(1), logits.argmax(1))


def test_the_smear_of_the_test_shows_sperm_at_the_working_scale():
    picture = example_picture(Preprocessing(head_length_px=45.0))
    assert picture.shape == (512, 512, 3)
    dark = picture[128:384, 128:384].min(2) < 100
    assert 0.01 < dark.mean() < 0.2


def test_a_network_of_one_size_says_so(colour_model, tmp_path):
    model = copy_with(colour_model, tmp_path / "colours", Preprocessing(size=(96, 128)))
    export_bioimageio(model, tmp_path / "package")
    (given,), (found,) = (description(tmp_path / "package")[key] for key in ("inputs", "outputs"))
    assert [axis.get("size") for axis in given["axes"]] == [1, None, 96, 128]
    assert "halo" not in found["axes"][2]


def test_a_zip_is_whole_and_passes_the_test_again(scaled, tmp_path):
    export_bioimageio(scaled, tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        assert set(archive.namelist()) == FILES
    check_package(tmp_path / "model.zip")
    with pytest.raises(UsageError, match="something here already"):
        export_bioimageio(scaled, tmp_path / "model.zip")


def test_a_package_that_fails_the_test_is_not_kept(scaled, tmp_path, monkeypatch):
    describe = bioimageio.describe

    def wrong(folder, *rest):
        np.save(folder / "test-output.npy", np.load(folder / "test-output.npy") + 0.1)
        return describe(folder, *rest)

    monkeypatch.setattr(bioimageio, "describe", wrong)
    with pytest.raises(ModelError, match=r"bioimageio\.core's test failed"):
        export_bioimageio(scaled, tmp_path / "package")
    assert not list((tmp_path / "package").iterdir())


def test_weights_of_another_training_are_refused(scaled, tmp_path, monkeypatch):
    torchscript = pytest.importorskip("spermseg.training.torchscript")
    monkeypatch.setattr(torchscript, "write_torchscript", lambda path, weights, card: "2.0")
    monkeypatch.setattr(
        torchscript, "run_torchscript", lambda path, raw: np.full((1, 6, 256, 256), 1 / 6)
    )
    with pytest.raises(ModelError, match="not those of colours: probabilities differ by"):
        export_bioimageio(scaled, tmp_path / "package", training=tmp_path)


def test_the_command_says_that_the_test_was_passed(scaled, tmp_path, capsys):
    app(["export", "bioimageio", str(scaled), "-o", str(tmp_path / "p")], standalone_mode=False)
    assert "passed the test of bioimageio.core" in capsys.readouterr().out
    assert onnx.load(tmp_path / "p" / "weights.onnx").graph.output[0].name == "probabilities"
