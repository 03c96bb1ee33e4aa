"""From amounts of dye to the picture that a camera on a bright-field microscope takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.data.synthetic.distributions import Normal, Uniform
from spermseg.data.synthetic.noise import smooth_field
from spermseg.data.synthetic.raster import Field, Pose, Window
from spermseg.data.synthetic.settings import CameraSettings, StainSettings

SHARPENING_PX = 2.5
"""Standard deviation of the camera's unsharp mask."""
CHROMATIC_BLUR = (1.0, 1.0, 1.4)
"""Blur of red, green and blue, relative to the preset's: objectives focus blue a little off."""
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


def take_picture(
    rng: np.random.Generator,
    amounts: Field,
    stain: StainSettings,
    camera: CameraSettings,
    um_per_px: float,
) -> NDArray[np.uint8]:
    """Light the slide from below and take its picture.

    Transmitted light follows Beer and Lambert: what each dye takes away is 10 to the power of
    minus its density times its amount. Blur acts on the light, not on the densities.

    Parameters
    ----------
    rng : numpy.random.Generator
    amounts : (2, H, W) float32
        Blue and violet dye.
    stain : StainSettings
        Of this picture.
    camera : CameraSettings
    um_per_px : float

    Returns
    -------
    (H, W, 3) uint8
    """
    blur_px = camera.blur.draw(rng) / um_per_px
    sharpening = camera.sharpening.draw(rng)
    light = _draw_light(rng, camera, amounts.shape[1:], um_per_px)
    brightness = camera.brightness.draw(rng)
    level = [brightness * channel.draw(rng) for channel in camera.light]
    picture = np.empty((*amounts.shape[1:], 3), np.float32)
    for channel in range(3):
        density = amounts[0] * np.float32(stain.blue[channel])
        density += amounts[1] * np.float32(stain.violet[channel])
        passed = ndimage.gaussian_filter(
            np.power(10, -density), blur_px * CHROMATIC_BLUR[channel], truncate=3
        )
        if sharpening > 0:
            passed += sharpening * (
                passed - ndimage.gaussian_filter(passed, SHARPENING_PX, truncate=2.5)
            )
        picture[..., channel] = passed * light * level[channel]
    grey = (picture @ LUMINANCE)[..., None]
    picture = grey + np.float32(camera.saturation.draw(rng)) * (picture - grey)
    picture += _draw_noise(rng, camera, picture.shape)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def _draw_light(
    rng: np.random.Generator, camera: CameraSettings, shape: tuple[int, ...], um_per_px: float
) -> Field:
    """Give the relative brightness of the empty field: falling off, tilted, with dust rings."""
    height, width = shape
    rows, cols = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    centre = rng.uniform(-0.3, 0.3, 2)
    fall = camera.light_fall.draw(rng) * ((rows - centre[0]) ** 2 + (cols - centre[1]) ** 2) / 2
    tilt = camera.light_tilt.draw(rng) * rows / 2 + camera.light_tilt.draw(rng) * cols / 2
    light: Field = (1 - fall + tilt).astype(np.float32)
    frame = Window(0, 0, height, width)
    for _ in range(rng.poisson(camera.dust)):
        row, col = rng.uniform((0, 0), (height, width))
        radius, strength = Uniform(3, 9).draw(rng), Uniform(0.004, 0.02).draw(rng)
        window = Window.around(np.array([[row, col]]), 2 * radius, frame)
        x, y = Pose(row, col, 0, 1.0).local(window)
        r = np.hypot(x, y) / radius
        # Out-of-focus dust: a dark ring with a lighter one around it.
        ring = np.exp(-(((r - 1) / 0.25) ** 2)) - 0.6 * np.exp(-(((r - 1.5) / 0.25) ** 2))
        light[window.slices(frame)] *= 1 - strength * ring.astype(np.float32)
    return light


def _draw_noise(rng: np.random.Generator, camera: CameraSettings, shape: tuple[int, ...]) -> Field:
    """Give pixel noise of each channel and grain that all channels share."""
    noise = camera.noise.draw(rng) * rng.standard_normal(shape, np.float32)
    grain = ndimage.gaussian_filter(rng.standard_normal(shape[:2], np.float32), 1.5)
    grain *= camera.grain.draw(rng) / grain.std()
    shade = smooth_field(rng, (shape[0], shape[1]), Normal(40, 5).draw(rng))
    result: Field = noise + (grain + 0.5 * shade)[..., None]
    return result
