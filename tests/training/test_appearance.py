from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spermseg.config import AppearanceSettings
from spermseg.training.appearance import blur, vary_appearance, white_of

ONLY = {
    "share": 1,
    "stain": (1, 1),
    "stain_channels": (1, 1),
    "mixed_channels": 0,
    "grey": 0,
    "light": (1, 1),
    "light_channels": (1, 1),
    "uneven_light": 0,
    "gamma": (1, 1),
    "blur": 0,
    "noise": 0,
    "jpeg": 0,
}
WHITE = torch.tensor([0.9, 0.8, 0.7])


def crop(seed=0, size=(20, 24)):
    density = np.random.default_rng(seed).uniform(0, 1.2, (3, *size)).astype(np.float32)
    return WHITE[:, None, None] * torch.exp(-torch.from_numpy(density))


def vary(image, seed=0, **changes):
    chosen = AppearanceSettings(**{**ONLY, **changes})
    return vary_appearance(image, WHITE, chosen, np.random.default_rng(seed))


def test_nothing_changes_when_nothing_is_asked_for():
    image = crop()
    torch.testing.assert_close(vary(image), image)
    assert vary(image, share=0, stain=(2, 2)) is image


def test_half_the_stain_is_the_square_root_of_the_transmission():
    # Beer-Lambert: I / I0 = exp(-density).
    image = crop()
    expected = WHITE[:, None, None] * torch.sqrt(image / WHITE[:, None, None])
    torch.testing.assert_close(vary(image, stain=(0.5, 0.5)), expected)


def test_unstained_background_keeps_its_colour_in_any_stain():
    background = WHITE[:, None, None].expand(3, 8, 8)
    changed = vary(background, stain=(0.3, 2), stain_channels=(0.5, 2), mixed_channels=1, grey=0)
    torch.testing.assert_close(changed, background.contiguous())


def test_mixing_keeps_equal_densities_equal():
    grey = WHITE[:, None, None] * torch.full((3, 4, 4), 0.5)
    torch.testing.assert_close(vary(grey, mixed_channels=1), grey)


def test_grey_has_no_colour():
    grey = vary(crop(), grey=1)
    torch.testing.assert_close(grey[0], grey[1])
    torch.testing.assert_close(grey[0], grey[2])


def test_light_and_gamma_by_their_formulas():
    image = crop()
    torch.testing.assert_close(vary(image, light=(0.7, 0.7)), 0.7 * image)
    torch.testing.assert_close(vary(image, gamma=(2, 2)), image**2)


def test_uneven_light_is_a_plane_of_the_asked_slope():
    flat = torch.full((3, 21, 21), 0.5)
    uneven = vary(flat, uneven_light=0.2)[0]
    assert 0 < float(uneven.max() - uneven.min()) <= 0.5 * 0.2 * 2**0.5 + 1e-6
    second = torch.diff(uneven, n=2, dim=0)
    assert float(second.abs().max()) < 1e-6


def test_blur_agrees_with_scipy():
    image = crop()
    expected = ndimage.gaussian_filter(
        image.numpy(), (0, 1.2, 1.2), mode="mirror", radius=(0, 3, 3)
    )
    np.testing.assert_allclose(blur(image, 1.2).numpy(), expected, atol=1e-5)


def test_noise_and_jpeg_change_little():
    image = blur(crop(size=(48, 48)), 3)
    noisy = vary(image, noise=0.02)
    assert 0 < float((noisy - image).abs().mean()) < 0.03
    packed = vary(image, jpeg=1)
    assert 0 < float((packed - image).abs().mean()) < 0.05


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_draw_is_finite_repeatable_and_in_range(seed):
    image = crop()
    chosen = AppearanceSettings(share=1, jpeg=0.5, grey=0.5)
    one, other = (
        vary_appearance(image, WHITE, chosen, np.random.default_rng(seed)) for _ in range(2)
    )
    assert torch.equal(one, other)
    assert one.shape == image.shape
    assert one.dtype == torch.float32
    assert float(one.min()) >= 0
    assert float(one.max()) <= 1


def test_a_coarse_camera_has_coarse_grain_and_keeps_the_mean():
    flat = torch.full((3, 90, 90), 0.5)
    fine = vary(flat, noise=0.2) - 0.5
    coarse = vary(flat, noise=0.2, coarse=1, coarse_pixels=(3, 3)) - 0.5

    def correlation(noise):
        return float((noise[..., 1:] * noise[..., :-1]).mean() / noise.var())

    assert abs(correlation(fine)) < 0.05
    # A triangle of three pixels either side, as bilinear enlarging has: 0.8 at one pixel.
    assert correlation(coarse) > 0.7
    assert abs(float(coarse.mean())) < 0.01


def test_a_coarse_camera_loses_detail_without_noise():
    stripes = torch.full((3, 64, 64), 0.4)
    stripes[..., ::2] = 0.6
    seen = vary(stripes, coarse=1, coarse_pixels=(2, 2))
    torch.testing.assert_close(seen[..., 4:-4], torch.full((3, 64, 56), 0.5), atol=0.02, rtol=0)


def test_white_is_the_background_s_colour():
    image = np.full((100, 100, 3), (220, 200, 180), np.uint8)
    image[40:60, 40:60] = 30
    image[0, 0] = 255
    assert white_of(image) == pytest.approx(np.array([220, 200, 180]) / 255)
