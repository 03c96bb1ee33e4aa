import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

from spermseg.training.export import write_onnx
from spermseg.training.merged import _doubled, merge
from spermseg.training.models import create_model

torch.set_num_threads(1)

NAMES = (
    "unet_mobilenetv4_small",
    "unet_mobilenetv4_small_context",
    "unet_efficientnet_lite2_context",
)


def trained(name, n_classes=3):
    """A network of which no normalisation is at its start, nor any block the identity."""
    torch.manual_seed(0)
    model = create_model(name, n_classes)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
        if isinstance(module, nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.05)
    return model.eval()


@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(0, 99)
)
@settings(max_examples=25, deadline=None)
def test_four_small_kernels_do_what_one_does_on_doubled_pixels(n_in, n_out, height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    small = torch.randn(2, n_in, height, width, generator=generator)
    weight = torch.randn(n_out, n_in, 3, 3, generator=generator)
    doubled = F.interpolate(small, scale_factor=2, mode="nearest")
    torch.testing.assert_close(
        _doubled(small, weight), F.conv2d(doubled, weight, padding=1), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_merged_network_is_the_same_function_for_less(name):
    model = trained(name)
    merged = merge(model)
    image = torch.randn(2, 3, 70, 90)
    with torch.inference_mode():
        expected, found = model(image)["out"], merged(image)["out"]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in merged.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules()), "was changed"
    again = merge(merged)
    assert again.state_dict().keys() == merged.state_dict().keys()


@pytest.mark.parametrize("name", NAMES)
def test_the_merged_architecture_takes_a_merged_network_s_weights(name):
    merged = merge(trained(name))
    model = create_model(f"{name}-merged", 3)
    assert model.training
    model.load_state_dict(merged.state_dict())
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model.eval()(image)["out"], merged(image)["out"])


def test_a_merged_network_learns():
    model = create_model("unet_mobilenetv4_small-merged", 3)
    model(torch.randn(1, 3, 64, 64))["out"].square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert model.network.decoder.blocks[0].conv1.weight.grad.abs().sum() > 0


def test_onnx_has_the_weights_under_their_names_and_no_doubled_map(tmp_path):
    merged = merge(trained(NAMES[0]))

    class Logits(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = merged

        def forward(self, image):
            return self.network(image)["out"]

    path = tmp_path / "model.onnx"
    write_onnx(path, Logits(), 3)
    graph = onnx.load(path).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name, tensor in merged.state_dict().items():
        assert (stored[f"network.{name}"] == tensor.numpy()).all()
    operators = [node.op_type for node in graph.node]
    assert "Resize" not in operators
    assert "BatchNormalization" not in operators
    # Four decoder blocks of four small kernels each, made of the stored ones on loading.
    assert operators.count("MatMul") == 16

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    image = torch.randn(1, 3, 70, 90)
    with torch.inference_mode():
        expected = merged(image)["out"]
    found = torch.from_numpy(session.run(None, {"image": image.numpy()})[0])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
