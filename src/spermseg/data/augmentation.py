"""The augmentation of the 2021 report: 37 rotations of a picture and of its two mirror images.

Rotating a mirror image is the same as mirroring a rotation. With R(a) a counter-clockwise rotation
about the centre, F a horizontal flip and G a vertical one, ``G = R(180) F`` and hence
``R(a) F = G R(180 - a)`` and ``R(a) G = F R(180 - a)``. All 111 variants are therefore the same 37
rotations as they are and flipped twice, and only those 37 are interpolated here. It also shows that
the report's set holds two pairs of twins: the horizontal flip turned by 180 degrees is the vertical
flip, and the reverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spermseg.errors import UsageError
from spermseg.structures import IGNORE_ID

Flip = Literal["none", "horizontal", "vertical"]
Interpolation = Literal["nearest", "linear"]
Corners = Literal["ignore", "background"]

_OTHER_FLIP: dict[Flip, Flip] = {"horizontal": "vertical", "vertical": "horizontal"}
_TRANSPOSE = {
    "horizontal": Image.Transpose.FLIP_LEFT_RIGHT,
    "vertical": Image.Transpose.FLIP_TOP_BOTTOM,
}


@dataclass(frozen=True)
class Variant:
    """One way to see a picture: flipped first, then rotated about its centre.

    Parameters
    ----------
    flip : {"none", "horizontal", "vertical"}
        A horizontal flip exchanges left and right.
    angle : int
        Degrees, counter-clockwise.

    Raises
    ------
    UsageError
        When there is no such flip.
    """

    flip: Flip
    angle: int

    def __post_init__(self) -> None:
        if self.flip not in get_args(Flip):
            raise UsageError(f"flip must be one of {get_args(Flip)}, got {self.flip!r}")

    @property
    def name(self) -> str:
        """Name for files, in the order of the angles: ``horizontal-045``."""
        return f"{self.flip}-{self.angle:03d}"

    @property
    def rotate_then_flip(self) -> tuple[int, Flip]:
        """The same variant in the other order: rotate by this angle, then flip so."""
        if self.flip == "none":
            return self.angle, "none"
        return 180 - self.angle, _OTHER_FLIP[self.flip]


REPORT_2021: tuple[Variant, ...] = tuple(
    Variant(flip, angle) for flip in get_args(Flip) for angle in range(0, 181, 5)
)
"""The report's 111 variants, in its order: original, horizontal flip, vertical flip."""


def apply_variant(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    variant: Variant,
    *,
    interpolation: Interpolation = "nearest",
    corners: Corners = "ignore",
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Flip and rotate a picture and its labels on the same canvas.

    Parameters
    ----------
    image : (H, W, 3) uint8
        Interpolated bilinearly; what comes in from outside is 0.
    labels : (H, W) uint8
        Class indices or part ids, `IGNORE_ID` where unknown; see `turn_labels`.
    variant : Variant
    interpolation : {"nearest", "linear"}
        ``linear`` as published in 2021.
    corners : {"ignore", "background"}
        Label of what comes in from outside; ``background`` as published in 2021.

    Returns
    -------
    image : (H, W, 3) uint8
    labels : (H, W) uint8
    """
    return turn_image(image, variant), turn_labels(labels, variant, interpolation, corners)


def turn_image(image: NDArray[np.uint8], variant: Variant) -> NDArray[np.uint8]:
    """Flip and rotate a picture (H, W, 3) uint8; corners are 0.

    Grey values are within one level of scikit-image's `rotate`, except along the border of the
    turned picture, where scikit-image blends the outermost pixel with the 0 outside.
    """
    angle, flip = variant.rotate_then_flip
    return _flipped(_rotate_image(image, angle), flip)


def turn_labels(
    labels: NDArray[np.uint8],
    variant: Variant,
    interpolation: Interpolation = "nearest",
    corners: Corners = "ignore",
) -> NDArray[np.uint8]:
    """Flip and rotate labels.

    Parameters
    ----------
    labels : (H, W) uint8
        Class indices or part ids; `IGNORE_ID` where unknown.
    variant : Variant
    interpolation : {"nearest", "linear"}
        ``nearest`` invents no label. ``linear`` is what the report's notebook did: scikit-image's
        ``rotate(labels, angle, preserve_range=True)`` cut off to integers, which between a tail (3)
        and background (0) gives 1 "head" and 2 "midpiece". `IGNORE_ID` is never blended: a pixel to
        which an ignored one contributes is ignored.
    corners : {"ignore", "background"}
        Label of what comes in from outside the picture: `IGNORE_ID`, or 0 as the notebook had it.

    Returns
    -------
    (H, W) uint8
    """
    if interpolation == "linear":
        return _turn_linearly(labels, variant, corners)
    angle, flip = variant.rotate_then_flip
    return _flipped(_rotate_labels(labels, angle, corners), flip)


def apply_recipe(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    *,
    interpolation: Interpolation = "nearest",
    corners: Corners = "ignore",
) -> Iterator[tuple[Variant, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Make all 111 variants of one picture, interpolating each rotation once.

    Parameters are those of `apply_variant`, and so are the pixels.

    Yields
    ------
    variant : Variant
        All of `REPORT_2021`, those of one rotation together.
    image : (H, W, 3) uint8
    labels : (H, W) uint8
    """

    def rotation(variant: Variant) -> int:
        return variant.rotate_then_flip[0]

    for angle, variants in groupby(sorted(REPORT_2021, key=rotation), key=rotation):
        rotated = _rotate_image(image, angle)
        rotated_labels = _rotate_labels(labels, angle, corners)
        for variant in variants:
            flip = variant.rotate_then_flip[1]
            if interpolation == "linear":
                turned_labels = _turn_linearly(labels, variant, corners)
            else:
                turned_labels = _flipped(rotated_labels, flip)
            yield variant, _flipped(rotated, flip), turned_labels


def _rotate_image(image: NDArray[np.uint8], angle: int) -> Image.Image:
    return Image.fromarray(image).rotate(angle, Image.Resampling.BILINEAR)


def _rotate_labels(labels: NDArray[np.uint8], angle: int, corners: Corners) -> Image.Image:
    fill = IGNORE_ID if corners == "ignore" else 0
    return Image.fromarray(labels).rotate(angle, Image.Resampling.NEAREST, fillcolor=fill)


def _flipped(picture: Image.Image, flip: Flip) -> NDArray[np.uint8]:
    return np.array(picture if flip == "none" else picture.transpose(_TRANSPOSE[flip]))


def _turn_linearly(
    labels: NDArray[np.uint8], variant: Variant, corners: Corners
) -> NDArray[np.uint8]:
    # Imported here because only the published mode needs it, and it takes long to import.
    from skimage.transform import rotate

    # Flipped first, as in the notebook: what is cut off depends on the last bit of the sums.
    flipped = _flipped(Image.fromarray(labels), variant.flip)
    ignored = flipped == IGNORE_ID
    known = np.where(ignored, 0, flipped).astype(np.int64)
    rotated = rotate(known, variant.angle, preserve_range=True).astype(np.uint8)
    outside = 1.0 if corners == "ignore" else 0.0
    touched = rotate(ignored.astype(np.float64), variant.angle, cval=outside) > 1e-6
    turned: NDArray[np.uint8] = np.where(touched, np.uint8(IGNORE_ID), rotated)
    return turned
