"""A picture in tiles at halving sizes, made once and kept in one file on the disk."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spermseg.data.images import read_image
from spermseg.data.preprocess import to_uint8
from spermseg.files import atomic_path
from spermseg.report.overlays import encode
from spermseg.web.refusals import RefusedError

TILE_PX = 512
THUMBNAIL_PX = 256
"""Longer side."""

_QUALITY = 90
_THUMBNAIL = "thumbnail.jpg"


def write_tiles(picture: Path, tiles: Path) -> None:
    """Decode a picture and write all its tiles, and its thumbnail, into one file.

    Parameters
    ----------
    picture : Path
    tiles : Path
        A zip file of JPEGs, so that thousands of tiles are one file and each is read by itself.

    Raises
    ------
    ImageError
        As `read_image`.
    """
    with (
        atomic_path(tiles) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as file,
    ):
        for level, image in enumerate(_levels(to_uint8(read_image(picture)))):
            for x, y, tile in _cut(image):
                file.writestr(_name(level, x, y), encode(tile, "jpeg", quality=_QUALITY))
        # The last and smallest level, which one tile holds.
        file.writestr(_THUMBNAIL, encode(_thumbnail(image), "jpeg", quality=_QUALITY))


def read_tile(tiles: Path, level: int, x: int, y: int) -> bytes:
    """Give one tile as JPEG.

    Parameters
    ----------
    tiles : Path
        What `write_tiles` wrote.
    level : int
        0 is full size, each further one half as large, up to where one tile holds all.
    x, y : int
        Column and row of the tile; those at the right and lower edge are smaller.

    Raises
    ------
    RefusedError
        When there is no such tile.
    """
    return _read(tiles, _name(level, x, y))


def read_thumbnail(tiles: Path) -> bytes:
    """Give the whole picture small, as JPEG."""
    return _read(tiles, _THUMBNAIL)


def _read(tiles: Path, name: str) -> bytes:
    with zipfile.ZipFile(tiles) as file:
        try:
            return file.read(name)
        except KeyError:
            raise RefusedError(f"there is no {name}", status=404) from None


def _name(level: int, x: int, y: int) -> str:
    return f"tiles/{level}/{x}/{y}.jpg"


def _levels(image: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    yield image
    while max(image.shape[:2]) > TILE_PX:
        # The mean of two by two pixels; an odd last row or column stands for itself.
        image = np.asarray(Image.fromarray(image).reduce(2))
        yield image


def _cut(image: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    height, width = image.shape[:2]
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            tile = image[top : top + TILE_PX, left : left + TILE_PX]
            yield left // TILE_PX, top // TILE_PX, np.ascontiguousarray(tile)


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    small = Image.fromarray(image)
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    return np.asarray(small)
