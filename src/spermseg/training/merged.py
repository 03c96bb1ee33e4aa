"""The same network with fewer operations: what is exported, and what is trained on from there.

Two identities are used. Batch normalisation of a finished network is a factor and a sum a
channel, which the convolution before it can do. And a convolution of 3 x 3 on a map that was
doubled in size by repeating its pixels sees only 2 x 2 different ones: at every pixel it is one of
four convolutions of 2 x 2 of the small map, one for each place in a doubled pixel (the sub-pixel
view of Shi et al. 2016), with 4 products instead of 9.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoderBlock
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval

PLACES = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Of a pixel in the doubled pixel it belongs to, row and column."""

_FALLS_ON = np.array([[[1, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]], np.float32)
"""Which of two small pixels the three rows of a kernel fall on, at either place: (2, 2, 3). In the
upper half of a pixel the first row lies on the pixel before it, in the lower half the last row on
the next."""

_SMALLER = [np.kron(_FALLS_ON[row], _FALLS_ON[column]).T for row, column in PLACES]
"""For every place the matrix (9, 4) from a kernel of 3 x 3 to that of 2 x 2."""


def merge(network: nn.Module) -> nn.Module:
    """Give a copy of a network that is the same function, for less.

    Parameters
    ----------
    network : torch.nn.Module
        In which every batch normalisation follows the convolution that was defined before it, and
        every block of a U-Net's decoder takes a map of the encoder. Not changed; one that is merged
        already is only copied.

    Returns
    -------
    torch.nn.Module
        In evaluation mode, without batch normalisation, with `SubPixelBlock` in every U-Net.
    """
    merged = copy.deepcopy(network).eval()
    for parent in merged.modules():
        _merge_normalisations(parent)
    for unet in [module for module in merged.modules() if isinstance(module, smp.Unet)]:
        channels = unet.encoder.out_channels[-1]
        for index, block in enumerate(unet.decoder.blocks):
            if isinstance(block, UnetDecoderBlock):
                conv1, conv2 = block.conv1[0], block.conv2[0]
                unet.decoder.blocks[index] = SubPixelBlock(conv1, conv2, channels)
            channels = unet.decoder.blocks[index].conv2.out_channels
    # What took a normalisation's place was made as a constant.
    return merged.requires_grad_(True)


class SubPixelBlock(nn.Module):
    """A block of a U-Net's decoder that never makes the map of doubled pixels.

    Parameters
    ----------
    conv1, conv2 : torch.nn.Conv2d
        Those of the block, with the normalisations merged.
    in_channels : int
        Of the small map, which come first among those of `conv1`; the others are the encoder's.
    """

    def __init__(self, conv1: nn.Conv2d, conv2: nn.Conv2d, in_channels: int):
        super().__init__()
        self.conv1 = conv1
        self.conv2 = conv2
        self.channels = [in_channels, conv1.in_channels - in_channels]

    def forward(self, small: Tensor, height: int, width: int, skip_connection: Tensor) -> Tensor:
        """Turn (N, C, h, w) and the encoder's map of twice the size into one of that size."""
        of_small, of_skip = self.conv1.weight.split(self.channels, 1)
        double = _DoubledInOnnx.apply if torch.onnx.is_in_onnx_export() else _doubled
        doubled = double(small, of_small)
        beside = F.conv2d(skip_connection, of_skip, self.conv1.bias, padding=1)
        return F.relu(self.conv2(F.relu(beside + doubled)))


def _doubled(small: Tensor, weight: Tensor) -> Tensor:
    """Convolve a map (N, C, h, w), doubled in size, with kernels (O, C, 3, 3): (N, O, 2h, 2w)."""
    found = []
    for (row, column), matrix in zip(PLACES, _SMALLER, strict=True):
        kernel = weight.flatten(2) @ torch.from_numpy(matrix).to(weight)
        padded = F.pad(small, (1 - column, column, 1 - row, row))
        found.append(F.conv2d(padded, kernel.unflatten(2, (2, 2))))
    return F.pixel_shuffle(torch.stack(found, 2).flatten(1, 2), 2)


class _DoubledInOnnx(torch.autograd.Function):
    """The same in operators that ONNX Runtime need not copy between.

    The smaller kernels follow from the file's own weights, which stay as they were trained; a
    runtime works them out when it loads the file.
    """

    @staticmethod
    def forward(context: Any, small: Tensor, weight: Tensor) -> Tensor:
        return _doubled(small, weight)

    @staticmethod
    def symbolic(graph: Any, small: Any, weight: Any) -> Any:
        def constant(values: Any) -> Any:
            return graph.op("Constant", value_t=torch.tensor(values))

        n_out, n_in = weight.type().sizes()[:2]
        flat = graph.op("Reshape", weight, constant([n_out, n_in, 9]))
        found = []
        for (row, column), matrix in zip(PLACES, _SMALLER, strict=True):
            kernel = graph.op("MatMul", flat, constant(matrix))
            kernel = graph.op("Reshape", kernel, constant([n_out, n_in, 2, 2]))
            pads = [1 - row, 1 - column, row, column]
            found.append(graph.op("Conv", small, kernel, kernel_shape_i=[2, 2], pads_i=pads))
        together = graph.op("Concat", *found, axis_i=1)
        return graph.op("DepthToSpace", together, blocksize_i=2, mode_s="DCR")


def _merge_normalisations(parent: nn.Module) -> None:
    for (name, layer), (next_name, following) in pairwise(list(parent.named_children())):
        if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
            setattr(parent, name, fuse_conv_bn_eval(layer, following))
            # timm's normalisations have their activation inside.
            setattr(parent, next_name, getattr(following, "act", nn.Identity()))
