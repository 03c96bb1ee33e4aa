"""Networks of our own: how much they see, and what they are before they are trained."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from spermseg.config import ModelSettings
from spermseg.training.models import create_model, load_pretrained
from spermseg.training.networks import CONTEXT_BLOCKS, ContextBlock, PaddedNetwork

torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("name", "most", "far"),
    [("unet_mobilenetv4_small", 3.5e6, 512), ("unet_efficientnet_lite2_context", 8e6, 1536)],
)
def test_networks_are_small_and_see_their_surroundings_only(name, most, far):
    model = create_model(name, 6).eval()
    assert sum(p.numel() for p in model.parameters()) < most
    picture = torch.rand(1, 3, 32, 2 * far)
    changed = picture.clone()
    changed[..., :32] = 0
    with torch.inference_mode():
        one, other = (model(x)["out"] for x in (picture, changed))
    assert not torch.equal(one[..., :32], other[..., :32])
    # No pooling over the whole picture: so many pixels further on nothing has changed.
    torch.testing.assert_close(one[..., 32 + far :], other[..., 32 + far :], rtol=0, atol=1e-4)


def test_context_blocks_do_nothing_until_trained(tmp_path):
    small = create_model("unet_mobilenetv4_small", 6)
    save_file(small.state_dict(), tmp_path / "small.safetensors")
    name = "unet_mobilenetv4_small_context"
    grown = create_model(name, 6)
    source = str(tmp_path / "small.safetensors")
    report = load_pretrained(
        grown, ModelSettings(architecture=name, pretrained=source, fresh_classifier=False)
    )
    assert len(report.loaded) == len(small.state_dict())

    image = torch.rand(1, 3, 96, 128)
    with torch.inference_mode():
        before = grown.eval()(image)["out"]
        torch.testing.assert_close(before, small.eval()(image)["out"])
        blocks = [m for m in grown.modules() if isinstance(m, ContextBlock)]
        assert len(blocks) == sum(CONTEXT_BLOCKS.values())
        for block in blocks:
            nn.init.constant_(block.project.bias, 5.0)
            assert not torch.equal(grown(image)["out"], before), "not on the way of the scores"
            nn.init.zeros_(block.project.bias)
    # At most 15 MB of float32, as the bundled model has to be.
    assert sum(p.numel() for p in grown.parameters()) * 4 < 14.7e6


def test_padding_repeats_the_edge_and_is_cut_off():
    class Input(nn.Module):
        def forward(self, x):
            self.seen = x
            return x

    network = Input()
    picture = torch.rand(1, 3, 5, 33)
    output = PaddedNetwork(network)(picture)["out"]
    assert torch.equal(output, picture)
    assert network.seen.shape == (1, 3, 32, 64)
    assert torch.equal(network.seen[0, :, 31, 63], picture[0, :, 4, 32])
