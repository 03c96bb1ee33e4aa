"""Smooth noise: clouds, mottle, texture."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from spermseg.data.synthetic.raster import Field


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], scale_px: float) -> Field:
    """Give smooth noise (H, W) float32 of mean 0 and deviation about 1, `scale_px` wide."""
    cell = max(1.0, scale_px / 2)
    rows, cols = (int(np.ceil(side / cell)) + 2 for side in shape)
    sigma = scale_px / cell / 2
    coarse = ndimage.gaussian_filter(rng.standard_normal((rows, cols), np.float32), sigma)
    # Deviation of white noise after a Gaussian filter.
    coarse *= np.float32(2 * np.sqrt(np.pi) * sigma)
    size = (round(cols * cell), round(rows * cell))
    fine = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    field: Field = np.asarray(fine, np.float32)[: shape[0], : shape[1]]
    return field
