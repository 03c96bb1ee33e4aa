"""Networks with their normalisation and softmax inside."""

from __future__ import annotations

import numpy as np
import pytest

from spermseg.data.preprocess import Preprocessing
from spermseg.errors import ModelError
from spermseg.inference.backends import OnnxBackend

onnx = pytest.importorskip("onnx")
write_self_contained = pytest.importorskip("spermseg.export.onnx_graph").write_self_contained

MEAN, STD = (0.5, 0.25, 0.0), (0.5, 1.0, 0.25)


@pytest.fixture
def identity(tmp_path):
    """Write a network that gives its input as logits."""

    def make(opset=17, batch="n"):
        float32, helper = onnx.TensorProto.FLOAT, onnx.helper
        graph = helper.make_graph(
            [helper.make_node("Identity", ["picture"], ["logits"])],
            "identity",
            [helper.make_tensor_value_info("picture", float32, [batch, 3, "h", "w"])],
            [helper.make_tensor_value_info("logits", float32, [batch, 3, "h", "w"])],
        )
        opsets = [helper.make_opsetid("", opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.save(model, tmp_path / "identity.onnx")
        return tmp_path / "identity.onnx"

    return make


def test_raw_values_become_probabilities(identity, tmp_path):
    written = write_self_contained(
        tmp_path / "out.onnx", identity(), Preprocessing(None, None, MEAN, STD)
    )
    assert (written.opset, written.single) == (17, False)
    raw = np.array([255.0, 51.0, 51.0], np.float32).reshape(1, 3, 1, 1)
    # (1 - 0.5) / 0.5, (0.2 - 0.25) / 1 and 0.2 / 0.25 by hand.
    exponentials = np.exp([1.0, -0.05, 0.8])
    found = OnnxBackend(tmp_path / "out.onnx")(raw)
    np.testing.assert_allclose(found.ravel(), exponentials / exponentials.sum(), rtol=1e-6)


def test_logits_are_to_the_bit_those_of_the_prepared_picture(tmp_path, identity):
    preprocessing = Preprocessing(None, None, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    write_self_contained(tmp_path / "out.onnx", identity(), preprocessing)
    model = onnx.load(tmp_path / "out.onnx")
    model.graph.output[0].name = model.graph.node.pop().input[0]  # Without the softmax.
    onnx.save(model, tmp_path / "cut.onnx")
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    found = OnnxBackend(tmp_path / "cut.onnx")(image.transpose(2, 0, 1)[None].astype(np.float32))
    np.testing.assert_array_equal(found[0], preprocessing.normalise(image))


def test_a_network_for_one_picture_at_a_time_is_known(tmp_path, identity):
    assert write_self_contained(tmp_path / "out.onnx", identity(batch=1), Preprocessing()).single


def test_old_operators_are_refused(identity, tmp_path):
    with pytest.raises(ModelError, match="opset 11, at least 13"):
        write_self_contained(tmp_path / "out.onnx", identity(opset=11), Preprocessing())


def test_what_is_no_network_is_refused(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"\x08\x07nonsense")
    with pytest.raises(ModelError, match=r"no\.onnx: no network"):
        write_self_contained(tmp_path / "out.onnx", tmp_path / "no.onnx", Preprocessing())
