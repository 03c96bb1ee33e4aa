"""One page of a TIFF file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage

from spermseg.data import pixel_size
from spermseg.data.colour import full_range, on_white, rgb_of_cmyk
from spermseg.data.pixel_size import PixelSize
from spermseg.errors import ImageError

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION_TAG = 274
_X_RESOLUTION_TAG, _Y_RESOLUTION_TAG, _RESOLUTION_UNIT_TAG = 282, 283, 296
_INCH, _CM = 2, 3
_MAX_SAMPLES = 16
_MAX_TILE = 2**26
_MAX_PAGES = 2**15
_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA = 1, 2

# Without a handler tifffile's remarks on damaged files go to stderr, beside our own one line.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def is_tiff(head: bytes) -> bool:
    """Tell by the first four bytes of a file, classic or BigTIFF."""
    return head[:4] in _SIGNATURES


@contextmanager
def open_tiff(stream: IO[bytes], page: int) -> Iterator[TiffPicture]:
    """Open a page of a TIFF file; the smaller levels of a pyramid do not count as pages.

    Raises
    ------
    ImageError
        When there is no such page, its header would have us fill the memory, its data end beyond
        the file, or its pages have no end.
    """
    with TiffFile(stream) as file:
        every = _pages(file)
        pages = [page for page in every if not page.is_reduced] or every
        if not pages:
            raise ImageError("a TIFF file without a picture, perhaps cut off")
        if not 0 <= page < len(pages):
            raise ImageError(f"there is no page {page}, pages are 0 to {len(pages) - 1}")
        _check_layout(pages[page])
        yield TiffPicture(pages[page], len(pages))


def _pages(file: TiffFile) -> list[TiffPage]:
    """Give all pages; tifffile itself would follow a chain that leads back for ever."""
    pages: list[TiffPage] = []
    seen = set()
    for page in file.pages:
        if page.offset in seen:
            raise ImageError("its pages go round in a circle")
        if len(pages) == _MAX_PAGES:
            raise ImageError(f"more than {_MAX_PAGES} pages")
        seen.add(page.offset)
        pages.append(page.aspage())
    return pages


def _check_layout(page: TiffPage) -> None:
    if page.samplesperpixel > _MAX_SAMPLES:
        raise ImageError(f"{page.samplesperpixel} values a pixel, expected at most {_MAX_SAMPLES}")
    tile = page.tilewidth * page.tilelength * page.tiledepth
    if page.is_tiled and tile > _MAX_TILE:
        raise ImageError(f"tiles of {tile} pixels, expected at most {_MAX_TILE}")
    # Some decoders fill up in silence what a cut file lacks.
    segments = zip(page.dataoffsets, page.databytecounts, strict=False)
    end, size = max(map(sum, segments), default=0), page.parent.filehandle.size
    if end > size:
        raise ImageError(f"cut off: its data need {end} bytes, the file has {size}")


@dataclass(frozen=True)
class TiffPicture:
    """An open page.

    Parameters
    ----------
    page : tifffile.TiffPage
    pages : int
        Number of pages in its file.
    """

    page: TiffPage
    pages: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the stored raster, from the header; depth counts as height."""
        return int(self.page.imagelength * self.page.imagedepth), int(self.page.imagewidth)

    @property
    def orientation(self) -> int:
        """Tag 274, 1 where it is missing."""
        return int(self.page.tags.valueof(_ORIENTATION_TAG, default=1))

    def pixel_size(self) -> PixelSize:
        """Read OME-XML, else what ImageJ wrote, else the resolution in pixels per inch or cm."""
        first = self.page.parent.pages[0].aspage()
        stated = pixel_size.of_ome(first.description, self.page.index) or pixel_size.of_imagej(
            first.description, _pixels_per_unit(first)
        )
        if stated is not None:
            return stated
        unit = self.page.tags.valueof(_RESOLUTION_UNIT_TAG, default=_INCH)
        units_um = {_INCH: pixel_size.INCH_UM, _CM: pixel_size.CM_UM}
        if unit not in units_um:
            return PixelSize()
        return pixel_size.of_resolution(_pixels_per_unit(self.page), units_um[unit])

    def values(self) -> NDArray[Any]:
        """Decode the stored samples, (H, W) or (H, W, C), whatever their planar configuration."""
        page = self.page
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

    def rgb(self) -> NDArray[Any]:
        """Decode to (H, W, 3) uint8 or uint16.

        Raises
        ------
        ImageError
            For pixel types other than 1- to 16-bit unsigned integers and floats in 0 ... 1, and for
            colour spaces other than grey, palette, RGB, CMYK and what JPEG compression decodes to
            RGB.
        """
        page, values = self.page, self.values()
        photometric = PHOTOMETRIC(page.photometric)
        if photometric == PHOTOMETRIC.PALETTE:
            palette: NDArray[Any] = full_range(page.colormap.T)
            resolved: NDArray[Any] = palette[values]
            return resolved
        values = full_range(values, page.bitspersample)
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
            return rgb_of_cmyk(values)
        else:
            raise ImageError(f"colour space {photometric.name} is not read", fix="Save it as RGB")
        # Extra samples of another kind say nothing about colour.
        kind = int(page.extrasamples[0]) if extra.shape[2] and page.extrasamples else None
        if kind in (_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA):
            return on_white(colour, extra[..., 0], premultiplied=kind == _ASSOCIATED_ALPHA)
        return colour


def _pixels_per_unit(page: TiffPage) -> tuple[float, float]:
    """Read the resolution along x and y, 0 where there is no fraction to be read."""
    return _fraction(page, _X_RESOLUTION_TAG), _fraction(page, _Y_RESOLUTION_TAG)


def _fraction(page: TiffPage, tag: int) -> float:
    try:
        numerator, denominator = page.tags.valueof(tag, default=(0, 1))
        return float(numerator / denominator)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
