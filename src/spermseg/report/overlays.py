"""Pictures with outlined parts, and the parts' masks side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from spermseg.data.preprocess import Size, resize_image, resize_labels, to_uint8
from spermseg.report.colours import PART_COLOURS, rgb
from spermseg.structures import LabelSchema, Part

OVERLAY_WIDTH = 1100
"""Larger pictures are reduced to this for a page, in pixels."""
_MARGIN = 8
_PAPER, _INK, _FRAME = (255, 255, 255), (40, 44, 52), (120, 124, 132)


@dataclass(frozen=True)
class Illustration:
    """One evaluated picture, to be looked at.

    Parameters
    ----------
    id : str
    image : (H, W, 3) uint8 or uint16
    truth, prediction : (H, W) uint8
        Part ids.
    """

    id: str
    image: NDArray[Any]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]


def draw_outlines(
    image: NDArray[Any], part_map: NDArray[np.uint8], *, width: int | None = None
) -> NDArray[np.uint8]:
    """Draw a line around every part, just outside it, so that the cell stays to be seen.

    Parameters
    ----------
    image : (H, W, 3) uint8 or uint16
    part_map : (H, W) uint8
        Part ids; 255 is left alone.
    width : int, optional
        Of the line in pixels; None takes 1, and 2 from 1,000 pixels of width on.

    Returns
    -------
    (H, W, 3) uint8
    """
    width = width or (1 if image.shape[1] < 1000 else 2)
    drawn = to_uint8(image).copy()
    free = np.ones(part_map.shape, bool)  # Where two parts touch, one line is enough.
    for part, colour in PART_COLOURS.items():
        mask = part_map == part
        if part == Part.BACKGROUND or not mask.any():
            continue
        around = ndimage.maximum_filter(mask.view(np.uint8), footprint=_disk(width)) > 0
        free &= ~mask
        drawn[around & free] = rgb(colour)
    return drawn


def overlay(
    image: NDArray[Any],
    part_map: NDArray[np.uint8],
    schema: LabelSchema,
    *,
    caption: str = "",
    largest_width: int | None = OVERLAY_WIDTH,
) -> NDArray[np.uint8]:
    """Draw outlines and, on a strip below, what their colours mean.

    Parameters
    ----------
    image : (H, W, 3) uint8 or uint16
    part_map : (H, W) uint8
        Part ids.
    schema : LabelSchema
        The parts that the legend names.
    caption : str
        Put before the legend.
    largest_width : int, optional
        Wider pictures are reduced to it first, so that lines keep their width; None keeps all.

    Returns
    -------
    (h, w, 3) uint8
    """
    size = _reduced(image.shape[:2], largest_width)
    drawn = draw_outlines(resize_image(image, size), resize_labels(part_map, size))
    text = max(12, round(size[1] / 50))
    strip = Image.new("RGB", (size[1], 2 * text), _PAPER)
    pen = ImageDraw.Draw(strip)
    font = ImageFont.load_default(text)
    left, top = text / 2, text / 2
    if caption:
        pen.text((left, top), caption, _INK, font)
        left += pen.textlength(caption, font) + 2 * text
    for part, id in zip(schema.parts[1:], schema.ids[1:], strict=True):
        pen.rectangle((left, top, left + text, top + text), rgb(PART_COLOURS[id]))
        pen.text((left + 1.4 * text, top), part, _INK, font)
        left += 2.8 * text + pen.textlength(part, font)
    return np.concatenate([drawn, np.asarray(strip)])


def class_panels(
    illustration: Illustration, schema: LabelSchema, *, cell_width: int = 300
) -> NDArray[np.uint8]:
    """Put the picture and one mask a class side by side, as the 2021 report did.

    The predicted masks stand above the true ones; ignored pixels are grey.

    Parameters
    ----------
    illustration : Illustration
    schema : LabelSchema
        The classes, in order.
    cell_width : int
        Width of one mask in pixels; the picture is as high as two of them.

    Returns
    -------
    (h, w, 3) uint8
    """
    height, width = illustration.image.shape[:2]
    cell = (max(1, round(cell_width * height / width)), cell_width)
    text = max(10, cell_width // 14)
    line = text * 3 // 2
    step_down, step_right = cell[0] + line, cell[1] + _MARGIN
    high = cell[0] + step_down
    picture = resize_image(illustration.image, (high, max(1, round(high * width / height))))
    left = picture.shape[1] + 2 * _MARGIN
    page = Image.new("RGB", (left + schema.n_classes * step_right, line + high + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(text)
    pen.text((_MARGIN, 1), "picture", _INK, font)
    page.paste(Image.fromarray(picture), (_MARGIN, line))
    rows = (("prediction", illustration.prediction), ("annotation", illustration.truth))
    for row, (name, part_map) in enumerate(rows):
        for column, (part, id) in enumerate(zip(schema.parts, schema.ids, strict=True)):
            corner = (left + column * step_right, line + row * step_down)
            pen.text((corner[0], corner[1] - line + 1), f"{part}, {name}", _INK, font)
            page.paste(Image.fromarray(_mask_picture(part_map, id, schema, cell)), corner)
            box = (*corner, corner[0] + cell[1] - 1, corner[1] + cell[0] - 1)
            pen.rectangle(box, outline=_FRAME)
    return np.asarray(page)


def encode(image: NDArray[np.uint8], kind: str) -> bytes:
    """Encode a picture (H, W, 3) uint8 as ``jpeg`` or ``png``; nothing but pixels is kept."""
    stream = io.BytesIO()
    # Full colour resolution: thin coloured lines are what these pictures are for.
    options: dict[str, Any] = {"quality": 86, "subsampling": 0} if kind == "jpeg" else {}
    Image.fromarray(image).save(stream, kind, **options)
    return stream.getvalue()


def _mask_picture(
    part_map: NDArray[np.uint8], id: int, schema: LabelSchema, cell: Size
) -> NDArray[np.uint8]:
    grey = np.where(part_map == id, 255, 0).astype(np.uint8)
    grey[part_map == schema.ignore_id] = 128
    # Averaging keeps a tail that is thinner than a pixel of the panel, paler.
    small = Image.fromarray(grey).resize((cell[1], cell[0]), Image.Resampling.BOX)
    return np.asarray(small.convert("RGB"))


def _reduced(size: Sequence[int], largest_width: int | None) -> Size:
    height, width = size
    scale = min(1.0, (largest_width or width) / width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _disk(radius: int) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    inside: NDArray[np.bool_] = rows**2 + columns**2 <= radius**2
    return inside
