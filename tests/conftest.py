"""Fixtures that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no defect.
settings.register_profile("spermseg", deadline=None)
settings.load_profile("spermseg")

SPERM_PARSING = Path(__file__).parents[2] / "shared" / "data" / "spermparsing"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the tests that drive a browser take the pictures of the documentation."""
    parser.addoption("--screenshots", metavar="FOLDER", help="where to write docs/images/web-*")


@pytest.fixture(scope="session")
def spermparsing() -> Path:
    """Folder of the Sperm Parsing pictures, which are not part of this repository."""
    if not SPERM_PARSING.is_dir():
        pytest.skip("the Sperm Parsing data set is not beside the checkout")
    return SPERM_PARSING


@pytest.fixture(scope="session")
def colour_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model that takes blue for nucleus, red for tail, green for midpiece."""
    onnx = pytest.importorskip("onnx")
    from spermseg.data.preprocess import Preprocessing
    from spermseg.inference.card import ModelCard, file_sha256, write_card
    from spermseg.structures import schema_named

    folder = tmp_path_factory.mktemp("models") / "colours"
    folder.mkdir()
    #          background midpiece    tail        acrosome  nucleus     vacuole
    weights = [[1, 1, 1], [-1, 1, -1], [1, -1, -1], [0] * 3, [-1, -1, 1], [0] * 3]
    bias = [-2, 0, 0, -9, 0, -9]
    float32, helper = onnx.TensorProto.FLOAT, onnx.helper
    graph = helper.make_graph(
        [helper.make_node("Conv", ["picture", "weights", "bias"], ["logits"])],
        "colours",
        [helper.make_tensor_value_info("picture", float32, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("logits", float32, [1, 6, "h", "w"])],
        [
            helper.make_tensor(
                "weights", float32, [6, 3, 1, 1], [value for row in weights for value in row]
            ),
            helper.make_tensor("bias", float32, [6], bias),
        ],
    )
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    card = ModelCard(
        id="colours",
        architecture="one convolution",
        schema=schema_named("sperm-parsing"),
        preprocessing=Preprocessing(),
        weights="model.onnx",
        weights_sha256=file_sha256(folder / "model.onnx"),
        seed=0,
        recipe={},
        data="none",
    )
    write_card(folder / "card.json", card)
    return folder
