"""Which model a name or path means, and what keeps it from being opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spermseg.errors import CheckpointError, ModelError
from spermseg.inference import catalog
from spermseg.inference.card import file_sha256, write_card
from spermseg.inference.catalog import DEFAULT_MODEL, list_models, load_model, model_folder
from spermseg.structures import Sample


@pytest.fixture
def bundle(monkeypatch, tmp_path, onnx_file, card_of):
    """Make a model, by default a bundled one; gives its folder."""
    monkeypatch.setattr(catalog, "WEIGHTS", tmp_path / "weights")

    def make(name=DEFAULT_MODEL, *, onnx=None, card=None, under="weights") -> Path:
        folder = tmp_path / under / name
        folder.mkdir(parents=True)
        content = (onnx or onnx_file()).read_bytes()
        (folder / "model.onnx").write_bytes(content)
        card = card or card_of(head_length_px=45.0)
        sha256 = file_sha256(folder / "model.onnx")
        write_card(folder / "card.json", replace(card, id=name, weights_sha256=sha256))
        return folder

    return make


@pytest.mark.parametrize(("purpose", "most"), [("fast", 15e6), ("accurate", 85e6)])
def test_for_every_purpose_a_model_is_bundled(purpose, most):
    folder = model_folder(purpose)
    assert folder == catalog.WEIGHTS / catalog.PURPOSES[purpose]
    assert (folder / "model.onnx").stat().st_size <= most


def test_models_by_name(bundle):
    folders = [bundle("b"), bundle("a")]
    (folders[0].parent / "no-model").mkdir()
    assert list_models() == [folders[1], folders[0]]
    assert model_folder("b") == folders[0]
    assert load_model("a").card.id == "a"


def test_the_default_model(bundle):
    folder = bundle()
    assert model_folder() == model_folder(DEFAULT_MODEL) == folder
    predictor = load_model(threads=1)
    image = np.zeros((40, 50, 3), np.uint8)
    image[..., 1] = 255
    segmentation = predictor.segment(Sample("green", image, head_length_px=45.0))
    # The sum of all channels, class 3, equals that of green alone, class 1; the first one wins.
    assert (segmentation.part_map == 1).all()
    assert segmentation.card_id == DEFAULT_MODEL


def test_a_folder_and_a_file_of_ones_own(bundle):
    folder = bundle("mine", under="elsewhere")
    assert model_folder(folder) == folder
    assert model_folder(str(folder / "model.onnx")) == folder
    assert load_model(folder / "model.onnx").card.id == "mine"
    assert list_models() == []


def test_no_bundled_model(bundle):
    assert list_models() == []
    with pytest.raises(ModelError, match=f"no model {DEFAULT_MODEL!r}.*Bundled are: none"):
        load_model()


def test_no_such_model(bundle, tmp_path):
    bundle()
    with pytest.raises(ModelError, match=f"no model 'sperm'. Bundled are: {DEFAULT_MODEL};"):
        load_model("sperm")
    with pytest.raises(ModelError, match=r"no card\.json here"):
        load_model(tmp_path)
    (tmp_path / "bare.onnx").write_bytes(b"1")
    with pytest.raises(ModelError, match=r"bare\.onnx: there is no card\.json here"):
        load_model(tmp_path / "bare.onnx")
    with pytest.raises(ModelError, match="no model"):
        load_model(tmp_path / "missing.onnx")
    # An empty name is a mistake, not the default.
    with pytest.raises(ModelError):
        load_model("")


def test_changed_weights(bundle):
    folder = bundle()
    (folder / "model.onnx").write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="sha256"):
        load_model()


def test_a_training_is_to_be_exported(bundle, card_of):
    folder = bundle("run", card=replace(card_of(), weights="model.safetensors"), under="runs")
    with pytest.raises(ModelError, match="spermseg export onnx") as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


def test_a_file_that_its_card_does_not_name(bundle):
    folder = bundle()
    other = folder / "other.onnx"
    other.write_bytes((folder / "model.onnx").read_bytes())
    with pytest.raises(ModelError, match=r"describes model\.onnx"):
        load_model(other)


def test_a_card_of_other_parts(bundle, card_of):
    bundle(card=card_of("sperm-parsing", head_length_px=45.0))
    with pytest.raises(ModelError, match="gives 4 classes, its card names 6: background"):
        load_model()


def test_a_network_of_one_size_only(bundle, onnx_file, card_of):
    one_size = onnx_file(takes=(1, 3, 8, 12), gives=(1, 4, 8, 12))
    bundle("any", onnx=one_size)
    with pytest.raises(ModelError, match=r"\(8, 12\) only, its card promises any"):
        load_model("any")
    bundle("fixed", onnx=one_size, card=card_of(size=(8, 12)))
    assert load_model("fixed").card.preprocessing.size == (8, 12)
    bundle("cropped", onnx=one_size, card=card_of(size=(20, 30), crop=(8, 12)))
    assert load_model("cropped").card.preprocessing.crop == (8, 12)
