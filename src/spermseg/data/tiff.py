"""One page of a TIFF file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage

from spermseg.errors import ImageError

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION_TAG = 274
_MAX_SAMPLES = 16
_MAX_TILE = 2**26
_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA = 1, 2

# Without a handler tifffile's remarks on damaged files go to stderr, beside our own one line.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

__all__ = ["TiffPage", "is_tiff", "open_page", "orientation_of", "rgb_of", "size_of", "values_of"]


def is_tiff(head: bytes) -> bool:
    """Tell by the first four bytes of a file, classic or BigTIFF."""
    return head[:4] in _SIGNATURES


@contextmanager
def open_page(stream: IO[bytes], page: int) -> Iterator[TiffPage]:
    """Open a page of a TIFF file.

    Raises
    ------
    ImageError
        When there is no such page, or its header would have us fill the memory.
    """
    with TiffFile(stream) as file:
        pages = len(file.pages)
        if pages == 0:
            raise ImageError("a TIFF file without a picture, perhaps cut off")
        if not 0 <= page < pages:
            raise ImageError(f"there is no page {page}, pages are 0 to {pages - 1}")
        opened = file.pages[page].aspage()
        _check_layout(opened)
        yield opened


def _check_layout(page: TiffPage) -> None:
    if page.samplesperpixel > _MAX_SAMPLES:
        raise ImageError(f"{page.samplesperpixel} values a pixel, expected at most {_MAX_SAMPLES}")
    tile = page.tilewidth * page.tilelength * page.tiledepth
    if page.is_tiled and tile > _MAX_TILE:
        raise ImageError(f"tiles of {tile} pixels, expected at most {_MAX_TILE}")


def size_of(page: TiffPage) -> tuple[int, int]:
    """Give height and width of the stored raster, from the header; depth counts as height."""
    return int(page.imagelength * page.imagedepth), int(page.imagewidth)


def orientation_of(page: TiffPage) -> int:
    """Give tag 274, 1 where it is missing."""
    return int(page.tags.valueof(_ORIENTATION_TAG, default=1))


def values_of(page: TiffPage) -> NDArray[Any]:
    """Decode the stored samples, (H, W) or (H, W, C), whatever their planar configuration."""
    if page.imagedepth != 1:
        raise ImageError(f"a volume of {page.imagedepth} layers, expected one layer a page")
    values: NDArray[Any] = page.asarray()
    if page.axes == "SYX":
        values = np.moveaxis(values, 0, 2)
    if values.ndim not in (2, 3):
        raise ImageError(f"axes {page.axes} of size {page.shape}, expected one picture a page")
    if values.shape[2:] == (1,):
        values = values[..., 0]
    return values


def rgb_of(page: TiffPage) -> NDArray[Any]:
    """Decode a page to (H, W, 3) uint8 or uint16.

    Raises
    ------
    ImageError
        For pixel types other than 1- to 16-bit unsigned integers and floats in 0 ... 1, and for
        colour spaces other than grey, palette, RGB, CMYK and what JPEG compression decodes to RGB.
    """
    values = values_of(page)
    photometric = PHOTOMETRIC(page.photometric)
    if photometric == PHOTOMETRIC.PALETTE:
        palette: NDArray[Any] = page.colormap.T
        resolved: NDArray[Any] = palette[values]
        return resolved
    values = _full_range(values, page.bitspersample)
    # imagecodecs turns JPEG's YCbCr into RGB by itself.
    jpeg = page.compression in (COMPRESSION.JPEG, COMPRESSION.OJPEG)
    if photometric in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE):
        if photometric == PHOTOMETRIC.MINISWHITE:
            values = np.iinfo(values.dtype).max - values
        values = values[..., None] if values.ndim == 2 else values
        colour, extra = np.repeat(values[..., :1], 3, axis=2), values[..., 1:]
    elif photometric == PHOTOMETRIC.RGB or (photometric == PHOTOMETRIC.YCBCR and jpeg):
        colour, extra = values[..., :3], values[..., 3:]
    elif photometric == PHOTOMETRIC.SEPARATED and values.shape[2:] == (4,):
        return _rgb_of_cmyk(values)
    else:
        raise ImageError(f"colour space {photometric.name} is not read", fix="Save it as RGB")
    if extra.shape[2] and page.extrasamples:
        return _on_white(colour, extra[..., 0], int(page.extrasamples[0]))
    return colour


def _full_range(values: NDArray[Any], bits: int) -> NDArray[Any]:
    """Stretch odd bit depths to 8 or 16 bits, so that white stays white."""
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind == "f":
        low, high = values.min(), values.max()
        if not (np.isfinite(values).all() and low >= 0 and high <= 1):
            raise ImageError(f"float values from {low} to {high}, expected 0 to 1")
        scaled: NDArray[Any] = np.round(values * 65535).astype(np.uint16)
        return scaled
    if values.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{values.dtype} pixels, expected uint8 or uint16")
    if bits in (8, 16):
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    stretched = values.astype(np.uint32) * np.iinfo(values.dtype).max // (2**bits - 1)
    result: NDArray[Any] = stretched.astype(values.dtype.newbyteorder("="))
    return result


def _rgb_of_cmyk(ink: NDArray[Any]) -> NDArray[Any]:
    """Convert without a colour profile, as Pillow does: an ink's light times the light of black."""
    top = np.iinfo(ink.dtype).max
    light = (top - ink).astype(np.float64)
    return np.round(light[..., :3] * light[..., 3:] / top).astype(ink.dtype)


def _on_white(colour: NDArray[Any], alpha: NDArray[Any], kind: int) -> NDArray[Any]:
    """Lay transparency on white; extra samples of another kind say nothing about colour."""
    if kind not in (_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA):
        return colour
    top = np.iinfo(colour.dtype).max
    opacity = alpha[..., None] / top
    light = colour * (1.0 if kind == _ASSOCIATED_ALPHA else opacity)
    return np.clip(np.round(light + top * (1 - opacity)), 0, top).astype(colour.dtype)
