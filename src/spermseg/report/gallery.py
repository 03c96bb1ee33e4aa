"""Sperm cut out of the pictures they were drawn in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spermseg.report.overlays import encode, open_overlay

CROP_PX = 160
"""Side of a crop, shown smaller: screens have more than one pixel a point."""
CROP_QUALITY = 75
_FIELD = (2.5, 3.5)
"""Least and largest side of what a crop shows, in head lengths: a head and its midpiece, in any
direction; more would make the head too small to be seen."""
_ROOM = 1.15
"""Between the two, this much more than the sperm's box."""

Row = Mapping[str, Any]
Box = tuple[float, float, float, float]


def evenly(rows: Sequence[Row], most: int) -> list[Row]:
    """Choose at most so many rows, spread over all of them: not the best ones, nor the first."""
    if len(rows) <= most:
        return list(rows)
    return [rows[index * len(rows) // most] for index in range(most)]


def cut_crops(overlay: Path, picture: Row, boxes: Sequence[Box]) -> list[bytes]:
    """Cut sperm out of an overlay.

    Parameters
    ----------
    overlay : Path
        Drawing of the picture, perhaps reduced, perhaps with a legend below.
    picture : mapping
        Its row of ``run.json``: height, width, head_length_px.
    boxes : sequence of (row0, column0, row1, column1)
        Head and midpiece of each sperm, in the picture's pixels.

    Returns
    -------
    list of bytes
        JPEG files of `CROP_PX` squared. All of one picture have the same magnification, save for
        sperm larger than usual. What lies beyond the border is grey.
    """
    with open_overlay(overlay) as drawing:
        zoom = drawing.width / picture["width"]
        fields = [_field(box, picture["head_length_px"], zoom) for box in boxes]
        smallest = min(side for _, _, side in fields)
        # The decoder itself reduces by 2, 4 or 8: much faster than reading all pixels.
        reduction = max(1.0, smallest / CROP_PX)
        full = drawing.size
        drawing.draft("RGB", (math.ceil(full[0] / reduction), math.ceil(full[1] / reduction)))
        reduced = drawing.width / full[0]
        # Without the legend. Of a large picture there must not be a second copy.
        height = min(drawing.height, round(picture["height"] * zoom * reduced))
        return [_cut(drawing, height, field, reduced) for field in fields]


def _field(box: Box, head_length: float | None, zoom: float) -> tuple[float, float, float]:
    """Give row and column of the middle, and the side, of what is shown, in drawn pixels."""
    row0, column0, row1, column1 = box
    side = _ROOM * max(row1 - row0, column1 - column0, 1)
    if head_length is not None:
        side = min(max(side, _FIELD[0] * head_length), _FIELD[1] * head_length)
    return zoom * (row0 + row1) / 2, zoom * (column0 + column1) / 2, zoom * side


def _cut(
    drawing: Image.Image, height: int, field: tuple[float, float, float], zoom: float
) -> bytes:
    row, column, half = field[0] * zoom, field[1] * zoom, field[2] * zoom / 2
    corners = [round(end) for end in (column - half, row - half, column + half, row + half)]
    inside = (
        *(max(0, corners[0]), max(0, corners[1])),
        *(min(drawing.width, corners[2]), min(height, corners[3])),
    )
    side = max(corners[2] - corners[0], 1)
    crop = Image.new("RGB", (side, side), (200, 200, 200))
    crop.paste(drawing.crop(inside), (inside[0] - corners[0], inside[1] - corners[1]))
    return encode(
        np.asarray(crop.resize((CROP_PX, CROP_PX), Image.Resampling.BICUBIC)),
        "jpeg",
        quality=CROP_QUALITY,
    )
