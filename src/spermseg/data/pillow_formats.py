"""One picture of the formats that Pillow decodes: PNG, JPEG, BMP and WebP."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from spermseg.data import pixel_size
from spermseg.data.colour import full_range, on_white
from spermseg.data.pixel_size import PixelSize
from spermseg.errors import ImageError, PictureTooLargeError

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_ORIENTATION_TAG = 0x0112
_END_OF_JPEG = b"\xff\xd9"
_PNG_EXIF = (b"eXIf", b"Raw profile type exif")
"""Names of the chunks that hold EXIF, now and formerly."""
_BAND_PIXELS = 2**16


@contextmanager
def open_pillow(stream: IO[bytes], page: int) -> Iterator[PillowPicture]:
    """Open a picture, or one frame of an animation.

    Raises
    ------
    ImageError
        When the format is unknown, there is no such frame, or the header states far more pixels
        than could be meant.
    """
    with warnings.catch_warnings():
        # Of damaged EXIF, no reason to refuse a picture, and of a limit that is drawn elsewhere.
        warnings.simplefilter("ignore")
        try:
            picture = Image.open(stream, formats=_FORMATS)
        except Image.DecompressionBombError as error:
            reason = str(error).partition(",")[0]
            raise PictureTooLargeError(reason, fix="Cut the picture into smaller ones") from None
        except UnidentifiedImageError:
            raise ImageError(
                "no picture of a known format", fix="PNG, JPEG, BMP, WebP and TIFF are read"
            ) from None
    with picture:
        opened = PillowPicture(picture, stream)
        if not 0 <= page < opened.pages:
            raise ImageError(f"there is no page {page}, pages are 0 to {opened.pages - 1}")
        if page:
            picture.seek(page)
        yield opened


@dataclass(frozen=True)
class PillowPicture:
    """An open picture.

    Parameters
    ----------
    picture : PIL.ImageFile.ImageFile
    stream : binary file
        What it was opened from.
    """

    picture: ImageFile
    stream: IO[bytes]

    @property
    def pages(self) -> int:
        """Number of frames; one for JPEG, where a telephone's others are previews and the like."""
        return 1 if self.picture.format == "MPO" else getattr(self.picture, "n_frames", 1)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, from the header."""
        return self.picture.height, self.picture.width

    @property
    def orientation(self) -> int:
        """EXIF tag 274, 1 where it is missing."""
        # Pillow decodes a PNG to see whether EXIF comes after the picture.
        if self.picture.format == "PNG" and not any(name in self._content() for name in _PNG_EXIF):
            return 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            orientation: int = self.picture.getexif().get(_ORIENTATION_TAG, 1)
        return orientation

    def pixel_size(self) -> PixelSize:
        """Read the resolution in pixels per inch."""
        per_inch = self.picture.info.get("dpi", (0, 0))
        return pixel_size.of_resolution(per_inch, pixel_size.INCH_UM)

    def values(self) -> NDArray[Any]:
        """Decode the stored samples, (H, W) or (H, W, C); the upper 8 bits of 16-bit colours."""
        self._check_end()
        self.picture.load()
        return np.asarray(self.picture)

    def rgb(self) -> NDArray[Any]:
        """Decode to (H, W, 3) uint8, or uint16 for PNG of 16 bits."""
        self._check_end()
        if self._has_deep_colour():
            return self._deep_colour()
        if self._has_plain_colour():
            return self._png_values()
        if self.picture.mode.startswith("I;16"):
            return np.repeat(full_range(np.asarray(self.picture))[..., None], 3, axis=2)
        self.picture.load()
        height, width = self.size
        rgb = np.empty((height, width, 3), np.uint8)
        # By bands: Pillow copies what it hands to numpy twice, and once more to convert it.
        rows = max(1, _BAND_PIXELS // width)
        for top in range(0, height, rows):
            band = self.picture.crop((0, top, width, min(top + rows, height)))
            rgb[top : top + rows] = np.asarray(_rgb_on_white(band))
        return rgb

    def _check_end(self) -> None:
        """Refuse what Pillow decodes to half a picture: a copy that broke off and ends in zeros."""
        place = self.stream.tell()
        if self.picture.format == "JPEG" and _END_OF_JPEG not in self.stream.read():
            raise ImageError("cut off: the JPEG has no end")
        if self.picture.format == "PNG":
            self.stream.seek(0)
            Image.open(self.stream, formats=("PNG",)).verify()
        self.stream.seek(place)

    def _has_deep_colour(self) -> bool:
        """Tell 16-bit colours, or grey with alpha: Pillow itself would decode the upper 8 bits."""
        deep = self.picture.format == "PNG" and "16B" in str(self.picture.tile)
        return deep and not self.picture.mode.startswith("I;16")

    def _has_plain_colour(self) -> bool:
        """Tell PNG of 8-bit colours and nothing else: Pillow needs twice the time and memory."""
        picture = self.picture
        plain = picture.format == "PNG" and picture.mode == "RGB" and self.pages == 1
        return plain and not picture.has_transparency_data

    def _png_values(self) -> NDArray[Any]:
        import imagecodecs  # slow to import

        values: NDArray[Any] = imagecodecs.png_decode(self._content())
        return values

    def _content(self) -> bytes:
        place = self.stream.tell()
        self.stream.seek(0)
        content = self.stream.read()
        self.stream.seek(place)
        return content

    def _deep_colour(self) -> NDArray[Any]:
        values = self._png_values()
        colour, alpha = (values, None) if values.shape[2] == 3 else np.split(values, [-1], axis=2)
        colour = np.broadcast_to(full_range(colour), (*values.shape[:2], 3))
        return colour if alpha is None else on_white(colour, alpha[..., 0])


def _rgb_on_white(band: Image.Image) -> Image.Image:
    if band.has_transparency_data:
        colours = band.convert("RGBA")
        band = Image.alpha_composite(Image.new("RGBA", band.size, "white"), colours)
    return band if band.mode == "RGB" else band.convert("RGB")
