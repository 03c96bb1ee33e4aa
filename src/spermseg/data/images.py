"""Decode and write one picture.

A file is read by its content, whatever its extension says: PNG, JPEG, BMP and WebP by Pillow, TIFF
by tifffile. Nothing global is changed in either library.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from spermseg.data import tiff
from spermseg.errors import DataError, ImageError, UsageError
from spermseg.files import atomic_path

PICTURE_EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Extensions, lower case with the dot, of the files that count as pictures in a folder."""

MAX_PIXELS = 2**27
"""Larger pictures (more than 11,585 squared) are refused from their header."""

JPEG_QUALITY = 95

_PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
_ORIENTATION_TAG = 0x0112


def read_image(path: Path, page: int = 0) -> NDArray[Any]:
    """Read a picture as it shall be looked at.

    Grey becomes three equal channels, palettes are resolved, transparency is laid on white (the
    background of a bright-field picture), CMYK is converted, 1-bit pictures become 0 and 255, and
    the EXIF orientation is applied. 16 bits stay 16 bits, except in colour PNG, of which Pillow
    reads the upper 8. TIFF of floats is accepted when all values lie in 0 ... 1, and scaled to
    16 bits.

    Parameters
    ----------
    path : Path
    page : int
        Page of a TIFF file, from 0.

    Returns
    -------
    (H, W, 3) uint8 or uint16

    Raises
    ------
    ImageError
        When the file is missing, empty, damaged, larger than `MAX_PIXELS`, of an unknown format or
        pixel type, or has no such page.
    """
    with open_picture(path, page) as picture:
        if isinstance(picture, Image.Image):
            image = _orient(_pillow_rgb(picture), picture.getexif().get(_ORIENTATION_TAG, 1))
        else:
            image = _orient(tiff.rgb_of(picture), tiff.orientation_of(picture))
    return np.ascontiguousarray(image)


def read_values(path: Path) -> NDArray[Any]:
    """Read the stored values without any conversion of colour, oriented as by `read_image`.

    Returns
    -------
    (H, W) or (H, W, C)
        Palette indices for a palette picture, 0 and 1 for a 1-bit one.

    Raises
    ------
    ImageError
        As `read_image`.
    """
    with open_picture(path) as picture:
        if isinstance(picture, Image.Image):
            picture.load()
            values = np.asarray(picture)
            return _orient(values, picture.getexif().get(_ORIENTATION_TAG, 1))
        return _orient(tiff.values_of(picture), tiff.orientation_of(picture))


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Write (H, W) or (H, W, 3) uint8 as PNG or JPEG by the suffix of `path`, whole or not at all.

    Raises
    ------
    UsageError
        For another suffix.
    DataError
        For an array of another shape or type.
    """
    path = Path(path)
    options: dict[str, dict[str, Any]] = {
        ".png": {"format": "PNG"},
        ".jpg": {"format": "JPEG", "quality": JPEG_QUALITY},
        ".jpeg": {"format": "JPEG", "quality": JPEG_QUALITY},
    }
    if path.suffix.lower() not in options:
        raise UsageError(f"cannot write {path.suffix!r} pictures", where=path, fix="Use .png, .jpg")
    if image.dtype != np.uint8 or not (image.ndim == 2 or image.shape[2:] == (3,)):
        raise DataError(
            f"expected (H, W) or (H, W, 3) uint8, got {image.shape} {image.dtype}", where=path
        )
    with atomic_path(path) as temporary:
        Image.fromarray(np.ascontiguousarray(image)).save(temporary, **options[path.suffix.lower()])


@contextmanager
def open_picture(path: Path, page: int = 0) -> Iterator[Image.Image | tiff.TiffPage]:
    """Open a picture file, checked by its header; whatever goes wrong inside is an `ImageError`."""
    path = Path(path)
    if not path.is_file():
        raise ImageError("no such picture", where=path)
    with path.open("rb") as stream:
        head = stream.read(132)
        stream.seek(0)
        _check_signature(head, path)
        try:
            opener = tiff.open_page if tiff.is_tiff(head) else _open_pillow
            with opener(stream, page) as picture:
                _check_size(picture)
                yield picture
        except (MemoryError, DataError) as error:
            if isinstance(error, DataError) and error.where is None:
                raise type(error)(error.what, where=path, fix=error.fix) from None
            raise
        # Decoders meet hostile bytes here and raise anything from SyntaxError to struct.error.
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ImageError(f"damaged, or no picture: {reason}", where=path) from error


def _check_signature(head: bytes, path: Path) -> None:
    if not head:
        raise ImageError("the file is empty", where=path)
    if head[128:132] == b"DICM":
        raise ImageError("DICOM is not read", where=path, fix="Export it as TIFF or PNG first")


def _check_size(picture: Image.Image | tiff.TiffPage) -> None:
    width, height = (
        picture.size if isinstance(picture, Image.Image) else tiff.size_of(picture)[::-1]
    )
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{width} x {height} pixels are more than {MAX_PIXELS}",
            fix="Cut the picture into smaller ones",
        )
    if width * height == 0:
        raise ImageError(f"{width} x {height} pixels: nothing to see")


@contextmanager
def _open_pillow(stream: IO[bytes], page: int) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        # `_check_size` draws that line; Pillow's own warning comes much earlier.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            picture = Image.open(stream, formats=_PILLOW_FORMATS)
        except Image.DecompressionBombError as error:
            raise ImageError(str(error), fix="Cut the picture into smaller ones") from None
        except UnidentifiedImageError:
            raise ImageError(
                "no picture of a known format", fix="PNG, JPEG, BMP, WebP and TIFF are read"
            ) from None
    with picture:
        pages = getattr(picture, "n_frames", 1)
        if not 0 <= page < pages:
            raise ImageError(f"there is no page {page}, pages are 0 to {pages - 1}")
        if page:
            picture.seek(page)
        yield picture


def _pillow_rgb(picture: Image.Image) -> NDArray[Any]:
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(
                f"values from {values.min()} to {values.max()} do not fit into 16 bits"
            )
        return np.repeat(values.astype(np.uint16)[..., None], 3, axis=2)
    if picture.has_transparency_data:
        opaque = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return np.asarray(Image.alpha_composite(white, opaque).convert("RGB"))
    return np.asarray(picture.convert("RGB"))


def _orient(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply EXIF tag 274: 1 ... 8; other values mean nothing and change nothing."""
    if orientation in (2, 3):  # mirrored; turned by 180 degrees
        array = array[:, ::-1]
    if orientation in (3, 4):
        array = array[::-1]
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (6, 7):
        array = array[:, ::-1]
    if orientation in (7, 8):
        array = array[::-1]
    return array
