"""Export to ONNX, read back by ONNX Runtime and by ONNX's own reference evaluator."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

from spermseg.data.preprocess import Preprocessing
from spermseg.data.synthetic import PRESETS
from spermseg.errors import CheckpointError, ModelError, UsageError
from spermseg.inference.backends import OnnxBackend
from spermseg.inference.card import ModelCard, file_sha256, read_card, write_card
from spermseg.structures import SCHEMAS
from spermseg.training import parity
from spermseg.training.average import AverageOfViews
from spermseg.training.checkpoint import load_network, load_predictor, write_weights
from spermseg.training.export import export_run, write_onnx
from spermseg.training.models import ARCHITECTURES, Architecture, create_model

SCHEMA = SCHEMAS["sperm-parsing"]


@pytest.fixture
def make_run(tmp_path, settings):
    """Write the folder of a finished training whose weights are random."""

    def make(architecture="tiny", auxiliary=0.0, **preprocessing):
        config = settings(
            model={"architecture": architecture, "auxiliary_loss": auxiliary},
            data={"schema": "sperm-parsing"},
        )
        torch.manual_seed(3)
        model = create_model(architecture, SCHEMA.n_classes, auxiliary=auxiliary > 0)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        folder = tmp_path / "run"
        card = ModelCard(
            id="quick",
            architecture=architecture,
            schema=SCHEMA,
            preprocessing=Preprocessing(**preprocessing),
            weights="model.safetensors",
            weights_sha256=write_weights(folder / "model.safetensors", model),
            seed=5,
            recipe=config.to_dict(),
            data="nothing",
            metrics={"validation": {"loss": 0.5}},
        )
        write_card(folder / "card.json", card)
        return folder

    return make


@pytest.fixture
def small_smear(monkeypatch):
    """Compare on smaller pictures, where nothing depends on their size."""
    monkeypatch.setattr(parity, "SMEAR", PRESETS["tiny"])


@pytest.mark.parametrize("architecture", ["unet_mobilenetv4_small", "lraspp_mobilenet_v3_large"])
def test_scores_of_odd_sizes_and_several_pictures_are_those_of_torch(
    make_run, tmp_path, architecture
):
    run = make_run(architecture)
    card = export_run(run, tmp_path / "out")
    network, _ = load_network(run)
    backend = OnnxBackend(tmp_path / "out" / "model.onnx")
    for shape in [(1, 3, 1, 1), (1, 3, 61, 203), (3, 3, 65, 32)]:
        images = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        with torch.inference_mode():
            expected = network.eval()(torch.from_numpy(images))["out"].numpy()
        np.testing.assert_allclose(backend(images), expected, atol=1e-4)
    found = card.metrics["parity"]
    assert found["max_probability_difference"] < 1e-4
    assert found["equal_labels"] > 0.9999
    assert [1, 3, 512, 640] in found["inputs"]
    assert [2, 3, 97, 131] in found["inputs"]


def test_the_card_is_the_trainings_with_other_weights(make_run, tmp_path, small_smear):
    run = make_run(auxiliary=0.4)
    before = read_card(run / "card.json")
    out = tmp_path / "out"
    card = export_run(run, out, id="named")
    assert {path.name for path in out.iterdir()} == {"model.onnx", "card.json"}
    assert read_card(out / "card.json") == card
    assert card.weights == "model.onnx"
    assert card.weights_sha256 == file_sha256(out / "model.onnx")
    assert card.metrics["validation"] == {"loss": 0.5}
    assert card.metrics["parity"]["torch_weights_sha256"] == before.weights_sha256
    unchanged = {"weights", "weights_sha256", "metrics", "id"}
    old, new = before.to_dict(), card.to_dict()
    assert {k: v for k, v in old.items() if k not in unchanged} == {
        k: v for k, v in new.items() if k not in unchanged
    }
    assert (before.id, card.id) == ("quick", "named")


def test_the_file_is_plain_onnx(make_run, tmp_path, small_smear):
    run = make_run(auxiliary=0.4)
    for name in ("one", "two"):
        export_run(run, tmp_path / name)
    path = tmp_path / "one" / "model.onnx"
    assert path.read_bytes() == (tmp_path / "two" / "model.onnx").read_bytes()
    model = onnx.load(path, load_external_data=False)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    for value, name, channels in [
        (model.graph.input, "image", 3),
        (model.graph.output, "logits", SCHEMA.n_classes),
    ]:
        assert [entry.name for entry in value] == [name]
        sizes = value[0].type.tensor_type.shape.dim
        assert [bool(size.dim_param) for size in sizes] == [True, False, True, True]
        assert sizes[1].dim_value == channels
    operators = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in operators
    assert str(tmp_path).encode() not in path.read_bytes()
    # No tensor of the auxiliary output, which is for training only.
    assert len(model.graph.initializer) == 6


def test_onnx_itself_reads_the_same(make_run, tmp_path, small_smear):
    export_run(make_run(), tmp_path / "out")
    path = tmp_path / "out" / "model.onnx"
    images = np.random.default_rng(2).normal(size=(2, 3, 12, 18)).astype(np.float32)
    (expected,) = ReferenceEvaluator(str(path)).run(None, {"image": images})
    np.testing.assert_allclose(OnnxBackend(path)(images), expected, atol=1e-4)


def test_offsets_are_added_to_the_logits_of_their_parts(make_run, tmp_path, small_smear):
    run = make_run()
    plain, offsets = tmp_path / "plain", {"tail": 0.75, "vacuole": -2.0}
    export_run(run, plain)
    card = export_run(run, tmp_path / "moved", logit_offsets=offsets)
    images = np.zeros((1, 3, 8, 8), np.float32)
    moved = OnnxBackend(tmp_path / "moved" / "model.onnx")(images)
    change = moved - OnnxBackend(plain / "model.onnx")(images)
    # background, midpiece, tail, acrosome, nucleus, vacuole
    np.testing.assert_allclose(change[0, :, 3, 3], [0, 0, 0.75, 0, 0, -2], atol=1e-6)
    assert card.recipe["logit_offsets"] == offsets
    assert "logit_offsets" not in read_card(plain / "card.json").recipe


@pytest.mark.parametrize(
    ("offsets", "words"),
    [({"tial": 1.0}, "no part 'tial'.*tail"), ({"tail": float("nan")}, "finite")],
)
def test_offsets_that_cannot_be(make_run, tmp_path, offsets, words):
    with pytest.raises(UsageError, match=words):
        export_run(make_run(), tmp_path / "out", logit_offsets=offsets)
    assert not (tmp_path / "out").exists()


class Frozen(nn.Module):
    """Has scores that depend on the picture's height, which tracing turns into a constant."""

    def __init__(self, n_classes, auxiliary):
        super().__init__()
        self.head = nn.Conv2d(3, n_classes, 1)

    def forward(self, x):
        logits = self.head(x)
        logits[:, 2] += 0.01 * int(x.shape[2])
        return {"out": logits}


def test_a_network_that_scores_otherwise_is_not_exported(
    make_run, tmp_path, monkeypatch, small_smear
):
    monkeypatch.setitem(ARCHITECTURES, "frozen", Architecture("for tests", Frozen))
    out = tmp_path / "out"
    with pytest.raises(ModelError, match=r"differs from torch.*by up to 0\.\d+ \(allowed 0.001\)"):
        export_run(make_run("frozen"), out)
    assert list(out.iterdir()) == []


def test_fewer_equal_labels_than_allowed_are_refused(make_run, tmp_path, small_smear, monkeypatch):
    monkeypatch.setattr(parity, "SMALLEST_AGREEMENT", 1.1)
    with pytest.raises(ModelError, match=r"equal on 100\.000 % of pixels"):
        export_run(make_run(), tmp_path / "out")


def test_the_size_of_the_training_is_compared_too(make_run, tmp_path, small_smear):
    card = export_run(make_run(size=(40, 50), crop=(30, 36)), tmp_path / "out")
    assert [1, 3, 30, 36] in card.metrics["parity"]["inputs"]


def test_an_operation_without_equivalent(tmp_path):
    with pytest.raises(ModelError, match=r"cannot be exported: .*adaptive_avg_pool2d") as caught:
        write_onnx(tmp_path / "model.onnx", nn.AdaptiveAvgPool2d(7), 3)
    assert "\n" not in str(caught.value)


def test_what_is_there_is_not_replaced(make_run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").touch()
    with pytest.raises(UsageError, match="something here already"):
        export_run(make_run(), tmp_path / "out")


def test_an_exported_model_is_no_training(make_run, tmp_path, small_smear):
    export_run(make_run(), tmp_path / "out", logit_offsets={"tail": 1.0})
    for read in (load_predictor, load_network):
        with pytest.raises(CheckpointError, match=r"model\.onnx.*folder of a training"):
            read(tmp_path / "out")


def test_several_trainings_and_views_are_one_model(make_run, tmp_path, small_smear):
    runs = []
    for name in ("first", "second"):
        runs.append(tmp_path / name)
        make_run("unet_mobilenetv4_small").rename(runs[-1])
    card = export_run(runs[0], tmp_path / "out", others=[runs[1]], views=2, id="both")
    assert card.recipe["views"] == 2
    assert card.recipe["others"][0]["torch_weights_sha256"] == (
        read_card(runs[1] / "card.json").weights_sha256
    )
    networks = [load_network(run)[0].eval() for run in runs]
    images = torch.randn(1, 3, 40, 70)
    with torch.inference_mode():
        expected = AverageOfViews(networks, 2)(images)["out"]
    found = OnnxBackend(tmp_path / "out" / "model.onnx")(images.numpy())
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)


def test_trainings_of_other_scales_do_not_go_together(make_run, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    make_run(head_length_px=45.0).rename(one)
    make_run(head_length_px=60.0).rename(other)
    with pytest.raises(UsageError, match="other parts or preprocessing than quick"):
        export_run(one, tmp_path / "out", others=[other])
    assert not (tmp_path / "out").exists()


def test_a_margin_of_one_s_own(make_run, tmp_path, small_smear):
    run = make_run(head_length_px=45.0, margin=32)
    assert export_run(run, tmp_path / "as trained").preprocessing.margin == 32
    assert export_run(run, tmp_path / "less", margin=16).preprocessing.margin == 16
    assert read_card(tmp_path / "less" / "card.json").preprocessing.margin == 16
