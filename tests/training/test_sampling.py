"""Sampling against the pixels themselves, SciPy, and the resizing of inference."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from spermseg.data.preprocess import resize_image
from spermseg.structures import IGNORE_ID
from spermseg.training.sampling import sample_image, sample_labels, steps


def identity(size, offset=(0, 0), step=1.0):
    grid = np.mgrid[: size[0], : size[1]].astype(np.float32) * step
    return (grid + np.array(offset, np.float32)[:, None, None]).astype(np.float32)


def test_sampling_at_whole_pixels_gives_the_pixels():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (30, 41, 3), np.uint8)
    read = sample_image((image,), identity((8, 9), (11, 20)))
    expected = image[11:19, 20:29].transpose(2, 0, 1) / 255
    np.testing.assert_allclose(read.numpy(), expected, atol=1e-5)


def test_sampling_between_pixels_agrees_with_scipy():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (30, 41, 3), np.uint8)
    points = rng.uniform(-6, 45, (2, 12, 13)).astype(np.float32)
    # The step between neighbours must not choose another level.
    read = sample_image((image,), points)
    for channel in range(3):
        expected = ndimage.map_coordinates(
            image[..., channel].astype(float), points, order=1, mode="nearest"
        )
        np.testing.assert_allclose(read[channel].numpy() * 255, expected, atol=0.05)


def test_a_step_of_two_reads_the_halved_picture_as_inference_does():
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (40, 60, 3), np.uint8)
    half = np.array(resize_image(image, (20, 30)))
    read = sample_image((image, half), identity((20, 30), (0.5, 0.5), 2.0))
    np.testing.assert_allclose(read.permute(1, 2, 0).numpy() * 255, half, atol=0.02)


def test_labels_are_read_at_the_nearest_pixel_and_ignored_outside():
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    points = np.array([[[-0.51, -0.49, 1.4, 2.6]], [[0, 0, 2.6, 1]]], np.float32)
    assert sample_labels(labels, points).tolist() == [[IGNORE_ID, 0, 7, IGNORE_ID]]


def test_steps_are_those_of_the_grid():
    matrix = np.array([[0.4, -1.1], [0.9, 0.7]])
    grid = np.mgrid[:31, :17].astype(float)
    points = (np.tensordot(matrix, grid, 1) + np.array([700, 900])[:, None, None]).astype(
        np.float32
    )
    np.testing.assert_allclose(steps(points), matrix, atol=1e-4)
