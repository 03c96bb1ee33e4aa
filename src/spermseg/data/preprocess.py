"""The one place where a picture is brought to a network's size and values, and scores back.

Training, inference and evaluation all come through here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spermseg.errors import DataError
from spermseg.structures import LabelledSample, Part

Size = tuple[int, int]


Box = tuple[float, float, float, float]
"""A part of a picture: top, left, bottom, right in its pixels, fractions allowed."""

BAND_PIXELS = 2**24
"""A larger picture is resized by bands of rows: Pillow needs a copy of what it resizes."""

_SHARED_PIXELS = 2**19
"""A picture, or band, of at least so many is resized by two threads, half its rows each."""


def resize_image(image: NDArray[Any], size: Size, box: Box | None = None) -> NDArray[np.uint8]:
    """Resize a picture, or a part of it, by antialiased bilinear interpolation.

    Parameters
    ----------
    image : (H, W, 3) uint8 or uint16
        16 bits are reduced to 8.
    size : (height, width)
    box : (top, left, bottom, right), optional
        Resize this part only. Pixels around it weigh in as they do when the whole picture is
        resized, so that neighbouring parts fit together.

    Returns
    -------
    (height, width, 3) uint8
    """
    if box is None:
        box = (0, 0, *_size_of(image))
    if box == (0, 0, *size) and size == _size_of(image):
        return to_uint8(image)
    (top, left, bottom, right), (height, width) = box, size
    step = (bottom - top) / height
    rows = max(1, min(height, int(BAND_PIXELS / (step * max(1, image.shape[1])))))
    read = step * height * image.shape[1]
    threads = 2 if read >= _SHARED_PIXELS and height > 1 else 1
    if rows == height and threads == 1:
        return _resize_band(image, size, box)
    rows = -(-rows // threads)
    result = np.empty((*size, 3), np.uint8)

    def resize(start: int) -> None:
        stop = min(start + rows, height)
        band = (top + start * step, left, top + stop * step, right)
        result[start:stop] = _resize_band(image, (stop - start, width), band)

    with ThreadPoolExecutor(threads) as pool:
        # Pillow lets other threads run meanwhile; the list raises what went wrong in one.
        list(pool.map(resize, range(0, height, rows)))
    return result


def _resize_band(image: NDArray[Any], size: Size, box: Box) -> NDArray[np.uint8]:
    rows, top, bottom = _within_reach(box[0], box[2], size[0], image.shape[0])
    columns, left, right = _within_reach(box[1], box[3], size[1], image.shape[1])
    cut = Image.fromarray(to_uint8(image[rows, columns]))
    resized = cut.resize((size[1], size[0]), Image.Resampling.BILINEAR, (left, top, right, bottom))
    return np.asarray(resized)


def _within_reach(start: float, stop: float, steps: int, extent: int) -> tuple[slice, float, float]:
    """Give the pixels that weigh in when start ... stop is resized, and start and stop in them."""
    reach = math.ceil(max(1.0, (stop - start) / steps)) + 1
    first = max(0, int(start) - reach)
    last = min(extent, math.ceil(stop) + reach)
    return slice(first, last), max(0.0, start - first), min(stop, extent) - first


def resize_labels(labels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Resize a map of ids (H, W) uint8 by nearest neighbour: no id appears that was not there."""
    if labels.shape == tuple(size):
        return labels
    resized = Image.fromarray(labels).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return np.asarray(resized)


def resize_scores(scores: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Resize scores (C, h, w) float32 channel by channel, by antialiased bilinear interpolation."""
    if scores.shape[1:] == tuple(size):
        return scores
    channels = [
        np.asarray(Image.fromarray(c).resize((size[1], size[0]), Image.Resampling.BILINEAR))
        for c in scores
    ]
    return np.stack(channels)


def to_uint8(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Reduce uint16 to uint8 (65535 becomes 255); uint8 is given back as it is."""
    if image.dtype == np.uint16:
        # round(x / 257) without a float copy four times as large; the limit keeps to 16 bits.
        reduced: NDArray[np.uint8] = ((np.minimum(image, 65407) + 128) // 257).astype(np.uint8)
        return reduced
    if image.dtype != np.uint8:
        raise DataError(f"picture must be uint8 or uint16, got {image.dtype}")
    return image


@dataclass(frozen=True)
class Preprocessing:
    """What happens to a picture before the network sees it.

    Parameters
    ----------
    size : (height, width), optional
        Resize to this; None keeps the picture's own size.
    crop : (height, width), optional
        Centre crop after resizing; a larger crop than the picture is refused.
    mean, std : tuple of 3 float
        Per channel, for values between 0 and 1.
    head_length_px : float, optional
        Working scale: a picture is resized until a typical head has this length. Excludes `size`
        and `crop`.
    margin : int
        Blank pixels around the resized picture, see `framed`.

    Raises
    ------
    DataError
        When a working scale and a fixed size are both given.
    """

    size: Size | None = None
    crop: Size | None = None
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    head_length_px: float | None = None
    margin: int = 0

    def __post_init__(self) -> None:
        if self.head_length_px is not None and (self.size is not None or self.crop is not None):
            raise DataError("a picture is brought to a working scale or to a size, not to both")

    def working_size(self, size: Size, head_length_px: float | None = None) -> Size:
        """Give the size (h, w) at which the network sees a picture, before any crop.

        Parameters
        ----------
        size : (height, width)
            The picture's own.
        head_length_px : float, optional
            Typical head length in the picture; None, or a network without a working scale, changes
            nothing.
        """
        if self.size is not None:
            return self.size
        if self.head_length_px is None or head_length_px is None:
            return size
        zoom = self.head_length_px / head_length_px
        return max(1, round(size[0] * zoom)), max(1, round(size[1] * zoom))

    def prepare_image(
        self, image: NDArray[Any], head_length_px: float | None = None
    ) -> NDArray[np.uint8]:
        """Resize and crop (H, W, 3); values stay 0 ... 255, uint8."""
        resized = resize_image(image, self.working_size(_size_of(image), head_length_px))
        return resized[self._window(_size_of(resized))]

    def prepare(self, sample: LabelledSample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Resize and crop picture (h, w, 3) and part map (h, w) alike."""
        size = self.working_size(sample.size, sample.head_length_px)
        labels = resize_labels(sample.part_map, size)
        image = self.prepare_image(sample.image, sample.head_length_px)
        return image, labels[self._window(_size_of(labels))]

    @property
    def blank(self) -> tuple[int, int, int]:
        """Colour of what lies outside a picture: `mean`, which becomes (nearly) 0."""
        red, green, blue = (round(255 * value) for value in self.mean)
        return red, green, blue

    def framed(
        self, image: NDArray[np.uint8], sides: tuple[bool, bool, bool, bool] = (True,) * 4
    ) -> NDArray[np.uint8]:
        """Put the blank margin around a picture (h, w, 3), so that a network sees where it ends.

        Parameters
        ----------
        image : (h, w, 3) uint8
        sides : tuple of bool
            Top, left, bottom, right: False for a side where the picture goes on.

        Returns
        -------
        (top + h + bottom, left + w + right, 3) uint8
        """
        top, left, bottom, right = (self.margin * side for side in sides)
        height, width = image.shape[:2]
        result = np.empty((top + height + bottom, left + width + right, 3), np.uint8)
        # Not the whole of it: numpy repeats three values slowly.
        outside = (np.s_[:top], np.s_[top + height :], np.s_[:, :left], np.s_[:, left + width :])
        for strip in outside:
            result[strip] = self.blank
        result[top : top + height, left : left + width] = image
        return result

    def normalise(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn (h, w, 3) uint8 into (3, h, w) float32, ``(value / 255 - mean) / std``."""
        scale = (1 / (255 * np.asarray(self.std))).astype(np.float32)
        shift = (np.asarray(self.mean) / np.asarray(self.std)).astype(np.float32)
        planes = np.empty((3, *image.shape[:2]), np.float32)
        # Plane by plane: six times as fast as on the interleaved picture.
        for channel, plane in enumerate(planes):
            np.multiply(image[..., channel], scale[channel], out=plane)
            plane -= shift[channel]
        return planes

    def restore_scores(self, scores: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
        """Bring scores (C, h, w) back to a picture's own size.

        Parameters
        ----------
        scores : (C, h, w) float32
            Probabilities as the network gave them.
        size : (H, W)
            Size of the original picture.

        Returns
        -------
        (C, H, W) float32
            Outside a centre crop: background with certainty; see `visible`.
        """
        return resize_scores(self.uncrop(scores, size), size)

    def uncrop(self, scores: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
        """Lay scores (C, h, w) of a centre crop back into the resized picture of `size` (H, W)."""
        if self.crop is None:
            return scores
        working = self.size or size
        full = np.zeros((scores.shape[0], *working), np.float32)
        full[Part.BACKGROUND] = 1.0
        full[(slice(None), *self._window(working))] = scores
        return full

    def visible(self, size: Size) -> NDArray[np.bool_]:
        """Mark the pixels of a picture of `size` (H, W) that the network gets to see."""
        working = self.size or size
        seen = np.zeros(working, np.uint8)
        seen[self._window(working)] = 1
        return resize_labels(seen, size).astype(bool)

    def _window(self, size: Size) -> tuple[slice, slice]:
        if self.crop is None:
            return np.s_[:, :]
        height, width = self.crop
        if height > size[0] or width > size[1]:
            raise DataError(f"crop {self.crop} is larger than the picture, {size}")
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        return np.s_[top : top + height, left : left + width]

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        return {
            "size": None if self.size is None else list(self.size),
            "crop": None if self.crop is None else list(self.crop),
            "mean": list(self.mean),
            "std": list(self.std),
            "head_length_px": self.head_length_px,
            "margin": self.margin,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Preprocessing:
        """Read what `to_dict` gave."""

        def size(entry: Any) -> Size | None:
            return None if entry is None else (int(entry[0]), int(entry[1]))

        return cls(
            size(value["size"]),
            size(value["crop"]),
            tuple(value["mean"]),
            tuple(value["std"]),
            value.get("head_length_px"),
            value.get("margin", 0),
        )


def _size_of(array: NDArray[Any]) -> Size:
    return int(array.shape[0]), int(array.shape[1])
