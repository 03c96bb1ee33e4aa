import dataclasses
import hashlib
import json

import pytest

from spermseg import DISCLAIMER
from spermseg.data.preprocess import Preprocessing
from spermseg.errors import CheckpointError, ModelError
from spermseg.inference.card import ModelCard, file_sha256, read_card, verify_weights, write_card
from spermseg.structures import SCHEMAS


def a_card(**changes):
    fields = {
        "id": "tiny",
        "architecture": "lraspp_mobilenet_v3_large",
        "schema": SCHEMAS["report-2021"],
        "preprocessing": Preprocessing((58, 78), (40, 40), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
        "weights": "model.safetensors",
        "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
        "seed": 3,
        "recipe": {"optimiser": {"lr": 1e-3}, "sizes": [58, 78], "crop": None},
        "data": "12 synthetic smears",
    }
    return ModelCard(**(fields | changes))


def test_card_survives_the_disk(tmp_path):
    card = a_card(metrics={"iou": {"head": 0.9, "tail": None}})
    write_card(tmp_path / "card.json", card)
    assert read_card(tmp_path / "card.json") == card


def test_card_says_for_what_it_is_not():
    assert DISCLAIMER in a_card().intended_use
    with pytest.raises(ModelError, match="not for clinical diagnosis"):
        a_card(intended_use="Diagnosis")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ""}, "empty id"),
        ({"weights": "../model.safetensors"}, "without folders"),
        ({"weights": "c:\\model.safetensors"}, "without folders"),
        ({"weights": ""}, "without folders"),
        ({"weights_sha256": "12"}, "64"),
        ({"format_version": 9}, "format 9"),
    ],
)
def test_wrong_field_is_refused(change, message):
    with pytest.raises(ModelError, match=message):
        a_card(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": "many"}, r"seed: .*integer"),
        ({"colour": "red"}, "colour: Unexpected"),
        ({"id": ""}, "empty id"),
        ({"schema": {"parts": ["head"], "ids": [1], "ignore_id": 255}}, "background"),
        ({"preprocessing": {"size": [10]}}, "preprocessing.size"),
    ],
)
def test_wrong_file_is_named_with_its_field(tmp_path, change, message):
    path = tmp_path / "card.json"
    path.write_text(json.dumps(a_card().to_dict() | change))
    with pytest.raises(ModelError, match=message) as caught:
        read_card(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_field_is_named(tmp_path):
    content = a_card().to_dict()
    del content["architecture"]
    (tmp_path / "card.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="architecture: Field required"):
        read_card(tmp_path / "card.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"3"])
def test_file_that_is_no_card(tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"card\.json"):
        read_card(tmp_path / "card.json")


def test_missing_card(tmp_path):
    with pytest.raises(ModelError, match="no model card"):
        read_card(tmp_path / "card.json")


def test_weights_are_compared_with_the_card(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match="missing"):
        verify_weights(a_card(), tmp_path)
    path.write_bytes(b"weights")
    assert verify_weights(a_card(), tmp_path) == path
    path.write_bytes(b"weighty")
    with pytest.raises(CheckpointError, match="sha256"):
        verify_weights(a_card(), tmp_path)


def test_sha256_of_the_standard(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # The first example of FIPS 180-2.
    assert file_sha256(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_card_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        a_card().seed = 4
