"""Decode and write one picture.

A file is read by its content, whatever its extension says: PNG, JPEG, BMP and WebP by Pillow, TIFF
by tifffile. Nothing global is changed in either library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spermseg.data.pillow_formats import open_pillow
from spermseg.data.pixel_size import PixelSize
from spermseg.data.tiff import is_tiff, open_tiff
from spermseg.errors import DataError, ImageError, PictureTooLargeError, UsageError
from spermseg.files import atomic_path
from spermseg.stages import stage
from spermseg.structures import Sample

PICTURE_EXTENSIONS = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""Extensions, lower case with the dot, of the files that count as pictures in a folder."""

MAX_PIXELS = 2**27
"""Larger pictures (more than 11,585 squared) are refused from their header."""

JPEG_QUALITY = 95

_TURNED = (5, 6, 7, 8)
"""EXIF orientations that exchange rows and columns."""


@stage("decode")
def read_sample(path: Path, *, id: str | None = None, page: int = 0, group: str = "") -> Sample:
    """Read a picture together with the pixel size that its file states.

    Nothing else of what a file says about itself is taken over.

    Parameters
    ----------
    path : Path
    id : str, optional
        The sample's id; the file's name without its extension by default.
    page : int
        Page of a TIFF file, from 0.
    group : str

    Returns
    -------
    Sample
        `um_per_px` is that of OME-XML, of ImageJ, or of the resolution in the header, where it lies
        in the range of `spermseg.data.pixel_size` and pixels are square, else None. `warnings` say
        what was not used and why.

    Raises
    ------
    ImageError
        As `read_image`.
    """
    path = Path(path)
    with _open_picture(path, page) as picture:
        image, stated = _oriented(picture.rgb(), picture.orientation), picture.pixel_size()
        unread = f"only page 0 of {picture.pages} was read" if picture.pages > 1 > page else None
    remarks = tuple(remark for remark in (unread, stated.warning) if remark is not None)
    name = path.stem if id is None else id
    return Sample(name, image, stated.um_per_px, group, warnings=remarks)


@dataclass(frozen=True)
class PictureHeader:
    """What a picture's file says before its pixels are decoded.

    Parameters
    ----------
    height, width : int
        As it shall be looked at.
    pages : int
        As `count_pages`.
    um_per_px : float, optional
        As of `read_sample`.
    """

    height: int
    width: int
    pages: int
    um_per_px: float | None


def read_header(path: Path) -> PictureHeader:
    """Read how large a picture is, without decoding it.

    Raises
    ------
    ImageError
        As `read_image`, for what a header can show.
    """
    with _open_picture(path) as picture:
        height, width = picture.size
        if picture.orientation in _TURNED:
            height, width = width, height
        return PictureHeader(height, width, picture.pages, picture.pixel_size().um_per_px)


def count_pages(path: Path) -> int:
    """Count the pages of a TIFF file, or the frames of an animation; other pictures have one.

    The smaller levels of a pyramid are no pages.

    Raises
    ------
    ImageError
        As `read_image`, for the first page.
    """
    with _open_picture(path) as picture:
        return picture.pages


def read_image(path: Path, page: int = 0) -> NDArray[Any]:
    """Read a picture as it shall be looked at.

    Grey becomes three equal channels, palettes are resolved, transparency is laid on white (the
    background of a bright-field picture), CMYK is converted, 1-bit pictures become 0 and 255, and
    the EXIF orientation is applied. 16 bits stay 16 bits, stretched where only 8, 10, 12 or 14 of
    them are used. TIFF of floats is accepted when all values lie in 0 ... 1, and scaled to 16 bits.

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
        When the file is missing, empty, damaged, cut off, larger than `MAX_PIXELS`, of an unknown
        format or pixel type, or has no such page.
    """
    with _open_picture(path, page) as picture:
        return _oriented(picture.rgb(), picture.orientation)


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
    with _open_picture(path) as picture:
        return _oriented(picture.values(), picture.orientation)


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


class _Picture(Protocol):
    """An open picture, as each decoder gives it."""

    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def pages(self) -> int: ...
    @property
    def orientation(self) -> int: ...
    def pixel_size(self) -> PixelSize: ...
    def values(self) -> NDArray[Any]: ...
    def rgb(self) -> NDArray[Any]: ...


@contextmanager
def _open_picture(path: Path, page: int = 0) -> Iterator[_Picture]:
    """Open a picture file, checked by its header; whatever goes wrong inside is an `ImageError`."""
    path = Path(path)
    if not path.is_file():
        raise ImageError("no such picture", where=path)
    with path.open("rb") as stream:
        head = stream.read(132)
        stream.seek(0)
        _check_signature(head, path)
        try:
            opener = open_tiff if is_tiff(head) else open_pillow
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


def _check_size(picture: _Picture) -> None:
    height, width = picture.size
    if width * height > MAX_PIXELS:
        raise PictureTooLargeError(
            f"{width} x {height} pixels are more than {MAX_PIXELS}",
            fix="Cut the picture into smaller ones",
        )
    if width * height == 0:
        raise ImageError(f"{width} x {height} pixels: nothing to see")


def _oriented(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply EXIF tag 274: 1 ... 8; other values mean nothing and change nothing."""
    if orientation in (2, 3):  # mirrored; turned by 180 degrees
        array = array[:, ::-1]
    if orientation in (3, 4):
        array = array[::-1]
    if orientation in _TURNED:
        array = array.swapaxes(0, 1)
    if orientation in (6, 7):
        array = array[:, ::-1]
    if orientation in (7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)
