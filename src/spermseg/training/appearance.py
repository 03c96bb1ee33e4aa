"""Stain, light, focus and noise of a crop, varied at random.

Stain is varied in optical density, where dyes add up (Beer-Lambert; Ruifrok & Johnston 2001), so
that a paler smear is paler everywhere by the same factor and its background stays what it is.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from spermseg.config import AppearanceSettings

_DARKEST = 1 / 255


def vary_appearance(
    image: Tensor, white: Tensor, settings: AppearanceSettings, rng: np.random.Generator
) -> Tensor:
    """Give a crop the look of another stain, lamp, camera and focus.

    Parameters
    ----------
    image : (3, h, w) float32
        Values 0 ... 1.
    white : (3,) float32
        The picture's colour where there is no stain; see `white_of`.
    settings : AppearanceSettings
    rng : numpy.random.Generator
        All that is drawn comes from it.

    Returns
    -------
    (3, h, w) float32
        Values 0 ... 1.
    """
    if rng.random() >= settings.share:
        return image
    density = -torch.log(image.clamp(min=_DARKEST) / white[:, None, None])
    density = _dyes(settings, rng) @ density.flatten(1)
    light = _light(white, settings, rng)[:, None, None]
    varied = light * torch.exp(-density).view_as(image)
    varied = varied * _uneven(image.shape[-2:], settings.uneven_light, rng)
    varied = varied.clamp(0, 1) ** _factor(settings.gamma, rng)
    if rng.random() < settings.blur:
        varied = blur(varied, rng.uniform(0.3, settings.blur_sigma))
    if settings.coarse and rng.random() < settings.coarse:
        pixels = _factor(settings.coarse_pixels, rng)
        shrunk = _resized(varied, [max(1, round(extent / pixels)) for extent in varied.shape[-2:]])
        return _resized(_recorded(shrunk, settings, rng), varied.shape[-2:])
    return _recorded(varied, settings, rng)


def _recorded(image: Tensor, settings: AppearanceSettings, rng: np.random.Generator) -> Tensor:
    """Add a camera's noise, and compress some."""
    if settings.noise:
        deviation = rng.uniform(0, settings.noise)
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        image = image + deviation * torch.from_numpy(noise)
    image = image.clamp(0, 1)
    if rng.random() < settings.jpeg:
        image = _compress(image, int(rng.integers(20, 81)))
    return image


def white_of(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Estimate the colour (3,) of unstained background, 0 ... 1, of a picture (H, W, 3).

    Notes
    -----
    The 95th centile of each channel: background is most of a bright-field picture, and glare is
    less than a twentieth of it.
    """
    values = np.percentile(image[::4, ::4].reshape(-1, 3), 95, axis=0) / 255
    return np.maximum(values, _DARKEST).astype(np.float32)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Blur (3, h, w) by a Gaussian of `sigma` pixels; the border is mirrored."""
    radius = max(1, round(2.5 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    padded = F.pad(image[None], (radius,) * 4, mode="reflect")
    rows = F.conv2d(padded, weights.view(1, 1, -1, 1).expand(3, 1, -1, 1), groups=3)
    return F.conv2d(rows, weights.view(1, 1, 1, -1).expand(3, 1, 1, -1), groups=3)[0]


def _dyes(settings: AppearanceSettings, rng: np.random.Generator) -> Tensor:
    """Draw the matrix (3, 3) that turns the picture's densities into those of other dyes."""
    matrix = np.eye(3)
    if rng.random() < settings.mixed_channels:
        # Rows sum to one: the density as a whole stays, its colour changes.
        matrix = rng.dirichlet((0.7, 0.7, 0.7), size=3)
    if rng.random() < settings.grey:
        matrix = np.tile(rng.dirichlet((2, 2, 2)), (3, 1))
    else:
        matrix = matrix * [[_factor(settings.stain_channels, rng)] for _ in range(3)]
    return torch.from_numpy((_factor(settings.stain, rng) * matrix).astype(np.float32))


def _light(white: Tensor, settings: AppearanceSettings, rng: np.random.Generator) -> Tensor:
    channels = [_factor(settings.light_channels, rng) for _ in range(3)]
    colour = white.numpy() * channels * _factor(settings.light, rng)
    if rng.random() < settings.grey:
        colour = np.full(3, colour.mean())
    return torch.from_numpy(np.clip(colour, 0.15, 1.0).astype(np.float32))


def _uneven(size: torch.Size, most: float, rng: np.random.Generator) -> Tensor:
    """Draw a plane (h, w) of factors around 1: light that falls off to one side."""
    rows, columns = (torch.linspace(-0.5, 0.5, n) for n in size)
    slope = rng.uniform(0, most)
    angle = rng.uniform(0, 2 * np.pi)
    return 1 + slope * (np.sin(angle) * rows[:, None] + np.cos(angle) * columns[None, :])


def _resized(image: Tensor, size: Sequence[int]) -> Tensor:
    """Resize (3, h, w) bilinearly; what is shrunk is averaged."""
    return F.interpolate(image[None], list(size), mode="bilinear", antialias=True)[0]


def _compress(image: Tensor, quality: int) -> Tensor:
    pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "jpeg", quality=quality)
    decoded = np.array(Image.open(stream))
    return torch.from_numpy(decoded).permute(2, 0, 1).float() / 255


def _factor(limits: tuple[float, float], rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))
