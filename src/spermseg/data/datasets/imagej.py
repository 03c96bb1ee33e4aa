"""Pictures with ImageJ's regions beside them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from spermseg.data.datasets.beside import BesideDataset, Regions, recognise_beside
from spermseg.data.datasets.names import name_of, sperm_and_part
from spermseg.data.masks import Region, rings_region
from spermseg.errors import MaskError
from spermseg.structures import Part

MOST_BYTES = 2**24
"""Of one region unpacked; one with a million corners has 12 MB."""

MOST_REGIONS = 100_000

_AREAS = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
_CURVE_STEPS = np.linspace(0, 1, 17)[1:, None]
_ELLIPSE_CORNERS = 128


class ImageJDataset(BesideDataset):
    """A folder of pictures, each with a ``.zip`` of the ROI Manager or a ``.roi`` beside it.

    `BesideDataset` says more. A region's name is its sperm and part (``sperm 3 tail``, ``tail``),
    by `spermseg.data.datasets.names`. Polygons, freehand and traced regions, rectangles, ovals and
    composite ones are read, filled by the centres of pixels; points, lines and text are refused.
    """

    layout = "imagej"
    extensions = frozenset({".zip", ".roi"})

    @staticmethod
    def is_annotation(path: Path) -> bool:
        """Tell whether a file is a region, or an archive with regions in it."""
        try:
            if path.suffix.lower() == ".roi":
                return True
            with _archive(path) as archive:
                return bool(_entries(archive, path))
        except MaskError:
            return False

    @staticmethod
    def read_regions(path: Path, size: tuple[int, int]) -> Regions:
        """Read the regions of a picture of `size` (height, width)."""
        regions: dict[int | None, list[tuple[Part, Region]]] = {}
        for name, content in _files(path):
            try:
                roi = _decode(content)
                sperm, part = sperm_and_part(roi.name or name)
                if part is None:
                    raise MaskError(
                        "its name is no part of a sperm",
                        fix=f"Rename it, as in {name_of(3, Part.TAIL)!r}",
                    )
                regions.setdefault(sperm, []).append((part, rings_region(_rings(roi), size)))
            except MaskError as error:
                what = f"region {name!r:.60}: {error.what}"
                raise MaskError(what, where=path, fix=error.fix) from None
        return regions


def recognise(root: Path) -> bool:
    """Tell whether some picture has regions beside it."""
    return recognise_beside(root, ImageJDataset)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.suffix.lower() == ".roi":
        with path.open("rb") as stream:
            yield path.stem, _limited(stream.read(MOST_BYTES + 1), path.name, path)
        return
    with _archive(path) as archive:
        for entry in _entries(archive, path):
            # What the archive says of its sizes need not be so.
            with archive.open(entry) as stream:
                content = stream.read(MOST_BYTES + 1)
            yield PurePosixPath(entry.filename).stem, _limited(content, entry.filename, path)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive, of which nothing is ever unpacked onto the disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (MaskError, MemoryError):
        raise
    # Damaged and hostile archives raise anything from RuntimeError to zlib.error.
    except Exception as error:
        raise MaskError(f"damaged archive: {error}", where=path) from None


def _entries(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """List the regions in an archive."""
    entries = archive.infolist()
    if len(entries) > MOST_REGIONS:
        raise MaskError(f"{len(entries):,} entries, expected at most {MOST_REGIONS:,}", where=path)
    for entry in entries:
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts:
            raise MaskError(
                f"an entry leads out of the archive: {entry.filename!r:.60}", where=path
            )
    return [entry for entry in entries if entry.filename.lower().endswith(".roi")]


def _limited(content: bytes, name: str, path: Path) -> bytes:
    if len(content) > MOST_BYTES:
        raise MaskError(f"{name!r:.60} is larger than {MOST_BYTES:,} bytes", where=path)
    return content


def _decode(content: bytes) -> ImagejRoi:
    try:
        return ImagejRoi.frombytes(content)
    # The decoder meets hostile bytes and raises anything from TypeError to struct.error.
    except Exception as error:
        raise MaskError(f"damaged: {error}") from None


def _rings(roi: ImagejRoi) -> list[NDArray[np.float64]]:
    """Give the corners (x, y) of a region, one array a closed line."""
    if roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE, ROI_SUBTYPE.ARROW):
        raise MaskError(f"a region of kind {roi.subtype.name} is not read", fix="Draw an area")
    if roi.roitype == ROI_TYPE.RECT and roi.multi_coordinates is not None:
        return _path_rings(roi.multi_coordinates.astype(float))
    if roi.roitype in (ROI_TYPE.RECT, ROI_TYPE.OVAL):
        return [_box_ring(roi)]
    if roi.roitype not in _AREAS:
        raise MaskError(f"a region of kind {roi.roitype.name} is not read", fix="Draw an area")
    return [np.asarray(roi.coordinates(), float)]


def _box_ring(roi: ImagejRoi) -> NDArray[np.float64]:
    left, top, right, bottom = map(float, (roi.left, roi.top, roi.right, roi.bottom))
    if roi.subpixelrect and roi.widthd > 0 and roi.heightd > 0:
        left, top, right, bottom = roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd
    if roi.roitype == ROI_TYPE.RECT:
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_CORNERS, endpoint=False)[:, None]
    circle = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    middle, half = (left + right, top + bottom), (right - left, bottom - top)
    ring: NDArray[np.float64] = (np.array(middle) + circle * half) / 2
    return ring


def _path_rings(path: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Follow the lines and curves of a composite region, as in java.awt.geom.PathIterator.

    ImageJ's brush leaves Bezier curves behind; they become `_CURVE_STEPS` lines each.
    """
    n_points = {0: 1, 1: 1, 2: 2, 3: 3, 4: 0}  # move, line, quadratic, cubic, close
    rings: list[list[NDArray[np.float64]]] = []
    place = 0
    while place < len(path):
        kind = path[place]
        if kind not in n_points or (kind != 0 and not rings):
            raise MaskError(f"damaged path: step {kind:g} at {place}")
        end = place + 1 + 2 * n_points[kind]
        points = path[place + 1 : end].reshape(-1, 2) if end <= len(path) else None
        if points is None:
            raise MaskError("damaged path: it is cut off")
        if kind == 0:
            rings.append([points])
        elif kind == 1:
            rings[-1].append(points)
        elif kind in (2, 3):
            rings[-1].append(_curve(np.concatenate([rings[-1][-1][-1:], points])))
        place = end
    # A point and a line enclose nothing.
    whole = (np.concatenate(ring) for ring in rings)
    return [ring for ring in whole if len(ring) > 2]


def _curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give places on a Bezier curve, without its start, by de Casteljau's construction."""
    levels = [np.broadcast_to(point, (len(_CURVE_STEPS), 2)) for point in points]
    while len(levels) > 1:
        levels = [
            (1 - _CURVE_STEPS) * one + _CURVE_STEPS * other for one, other in pairwise(levels)
        ]
    curve: NDArray[np.float64] = levels[0]
    return curve
