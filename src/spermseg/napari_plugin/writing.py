"""The writers: part maps, and pictures with corrected labels as annotations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from spermseg.data.datasets.label_tiff import PART_LABELS, SPERM_LABELS
from spermseg.data.images import write_image
from spermseg.data.preprocess import to_uint8
from spermseg.errors import DataError, MaskError, UsageError
from spermseg.files import added_to_folder, atomic_path
from spermseg.napari_plugin.layers import PARTS, SPERM, LayerData
from spermseg.report.overlays import encode
from spermseg.structures import IGNORE_ID, Part


def write_part_map(path: str, data: NDArray[Any], attributes: dict[str, Any]) -> list[str]:
    """Write a labels layer of part ids as PNG.

    Parameters
    ----------
    path : str
    data : (H, W) of whole numbers
        Of `Part`, or 255 for pixels that nothing is said about.
    attributes : dict
        Of the layer.

    Returns
    -------
    list of str
        `path`.

    Raises
    ------
    MaskError
        When the layer holds anything else.
    """
    part_map = _part_map(data, str(attributes.get("name", path)))
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode(part_map, "png"))
    return [path]


def write_annotations(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Write a picture with its labels as annotations that spermseg reads: layout ``label-tiff``.

    Several pictures, saved one after the other, make one data set.

    Parameters
    ----------
    path : str
        A folder; the files join what is there, none is replaced.
    layers : sequence of LayerData
        A picture, and two of labels whose names end in "parts" and "sperm". Tails are not written.

    Returns
    -------
    list of str
        The files.

    Raises
    ------
    UsageError
        When a layer is missing, or there are files of that name already.
    MaskError
        When labels are not of the picture's size, or hold what they cannot.
    """
    (image, attributes), *_ = [(data, told) for data, told, kind in layers if kind == "image"]
    labels = {
        word: (np.asarray(data), told["name"])
        for data, told, kind in layers
        for word in (PARTS, SPERM)
        if kind == "labels" and re.search(rf"\b{word}\b", str(told.get("name")))
    }
    if missing := {PARTS, SPERM} - labels.keys():
        raise UsageError(f"no labels layer with {sorted(missing)[0]!r} at the end of its name")
    pixels = rgb(image)
    for numbers, name in labels.values():
        if numbers.shape != pixels.shape[:2]:
            raise MaskError(
                f"labels are {numbers.shape}, the picture {pixels.shape[:2]}", where=name
            )
    name = re.sub(r"[^\w.-]+", "_", str(attributes["name"]))
    files = {
        PART_LABELS: _part_map(*labels[PARTS]),
        SPERM_LABELS: _numbers(*labels[SPERM]),
    }
    with added_to_folder(path) as hidden:
        write_image(hidden / "images" / f"{name}.png", to_uint8(pixels))
        for folder, content in files.items():
            with atomic_path(hidden / folder / f"{name}.tif") as temporary:
                tifffile.imwrite(temporary, content, compression="deflate")
    return [
        str(Path(path) / "images" / f"{name}.png"),
        *(str(Path(path) / folder / f"{name}.tif") for folder in files),
    ]


def rgb(data: Any) -> NDArray[Any]:
    """Give the pixels of an image layer as (H, W, 3), as they are; transparency is left out.

    Raises
    ------
    DataError
        When it is no picture of 8 or 16 bits, grey or in colour.
    """
    pixels = np.asarray(data)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., np.newaxis], 3, axis=2)
    fits = pixels.ndim == 3 and pixels.shape[2] in (3, 4) and pixels.dtype in (np.uint8, np.uint16)
    if not fits:
        raise DataError(
            f"the layer is {pixels.dtype} {pixels.shape}, not one picture of 8 or 16 bits",
            fix="Choose one picture of a stack and convert it first",
        )
    return np.ascontiguousarray(pixels[..., :3])


def _part_map(data: NDArray[Any], name: str) -> NDArray[np.uint8]:
    found = np.unique(data)
    unknown = sorted(set(found.tolist()) - {*map(int, Part), IGNORE_ID})
    if unknown or data.ndim != 2:
        parts = ", ".join(f"{int(part)} {part.name.lower()}" for part in Part)
        raise MaskError(
            f"found {unknown[:5]} in labels of shape {data.shape}, no part ids (H, W)",
            where=name,
            fix=f"Part ids are: {parts}",
        )
    return np.asarray(data, np.uint8)


def _numbers(data: NDArray[Any], name: str) -> NDArray[Any]:
    if data.min(initial=0) < 0 or data.max(initial=0) >= 2**32:
        raise MaskError("numbers of sperm are 0 to 4294967295", where=name)
    return data.astype(np.uint16 if data.max(initial=0) < 2**16 else np.uint32)
