"""ImageJ's ROI Manager: one ``.zip`` a picture, one region a sperm and part."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
from roifile import ROI_OPTIONS, ROI_TYPE, ImagejRoi

from spermseg.data.datasets.names import name_of
from spermseg.errors import DataError
from spermseg.export.outlines import LOSSLESS, Polygon, Ring, outlines
from spermseg.export.result_folder import ResultFolder, ResultPicture
from spermseg.files import atomic_path
from spermseg.report.colours import PART_COLOURS, rgb

_LARGEST_SIDE = 32767
"""Boxes of regions are signed 16-bit integers."""

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""So that equal results are equal files."""

_MOVE, _LINE, _CLOSE = 0, 1, 4
"""Of java.awt.geom.PathIterator."""


def write_imagej(
    result: ResultFolder, folder: Path, *, simplify: float = LOSSLESS
) -> tuple[str, ...]:
    """Write ``ID.zip`` a picture.

    A part in one piece without holes is a polygon, any other a composite region.

    Parameters
    ----------
    result : ResultFolder
    folder : Path
    simplify : float
        As in `spermseg.export.outlines.outlines`.

    Raises
    ------
    DataError
        For a picture that is too large for ImageJ's files.
    """
    for picture in result:
        if max(picture.size) > _LARGEST_SIDE:
            height, width = picture.size
            raise DataError(
                f"{width} x {height} pixels; ImageJ's regions end at {_LARGEST_SIDE}",
                where=picture.file,
            )
        with (
            atomic_path(folder / f"{picture.id}.zip") as path,
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for roi in _rois(picture, simplify):
                entry = zipfile.ZipInfo(f"{roi.name}.roi", _LONG_AGO)
                archive.writestr(entry, roi.tobytes(), zipfile.ZIP_DEFLATED)
    return ()


def _rois(picture: ResultPicture, simplify: float) -> list[ImagejRoi]:
    rois = []
    for one, part, mask in picture.masks():
        polygons = outlines(mask, one.instance.bbox[:2], simplify=simplify)
        single = len(polygons) == 1 and not polygons[0].holes
        roi = _polygon(polygons[0].shell) if single else _composite(polygons)
        roi.name = name_of(one.instance.id, part)
        roi.stroke_color = bytes((255, *rgb(PART_COLOURS[part])))
        rois.append(roi)
    return rois


def _polygon(ring: Ring) -> ImagejRoi:
    roi = ImagejRoi()
    _set_box(roi, ring)
    whole = np.round(ring).astype(np.int32)
    roi.n_coordinates = len(ring)
    roi.integer_coordinates = whole - (roi.left, roi.top)
    if (whole == ring).all():
        # What ImageJ's wand draws: along the edges of pixels.
        roi.roitype = ROI_TYPE.TRACED
    else:
        roi.roitype = ROI_TYPE.POLYGON
        roi.options = ROI_OPTIONS.SUB_PIXEL_RESOLUTION
        roi.subpixel_coordinates = ring.astype(np.float32)
    return roi


def _composite(polygons: list[Polygon]) -> ImagejRoi:
    rings = [ring for polygon in polygons for ring in polygon.rings]
    path: list[float] = []
    for ring in rings:
        for index, corner in enumerate(ring.tolist()):
            path += [_LINE if index else _MOVE, *corner]
        path.append(_CLOSE)
    roi = ImagejRoi()
    _set_box(roi, np.concatenate(rings))
    roi.roitype = ROI_TYPE.RECT
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)
    return roi


def _set_box(roi: ImagejRoi, corners: Ring) -> None:
    roi.left, roi.top = map(math.floor, corners.min(0).tolist())
    roi.right, roi.bottom = map(math.ceil, corners.max(0).tolist())
