"""Label TIFF: the number of the sperm at every pixel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from spermseg.data.datasets.label_tiff import LABELS, PART_LABELS, SPERM_LABELS
from spermseg.data.part_maps import paint_part_map
from spermseg.export.result_folder import ResultFolder, ResultPicture
from spermseg.files import atomic_path
from spermseg.structures import Part, SpermInstance

_MOST_IN_16_BITS = 65535


def write_label_tiff(result: ResultFolder, folder: Path, *, flat: bool = False) -> tuple[str, ...]:
    """Write ``labels/ID.tif``, which loses nothing, or two flat pictures, which most programs want.

    In the former every page is a part and its values are the sperm's numbers; where equal parts of
    two sperm overlap, the part has a further page (``tail 2``). Flat, ``sperm-labels/ID.tif`` holds
    the numbers and ``part-labels/ID.tif`` the part ids, and where sperm overlap the one with the
    higher number covers the other.

    Parameters
    ----------
    result : ResultFolder
    folder : Path
    flat : bool

    Returns
    -------
    tuple of str
        With `flat`, how many pixels were covered.
    """
    covered = shared = 0
    for picture in result:
        if flat:
            lost = _write_flat(picture, folder)
            covered, shared = covered + lost, shared + (lost > 0)
        else:
            _write_layers(picture, result.parts, folder / LABELS / f"{picture.id}.tif")
    if not covered:
        return ()
    return (
        f"{covered:,} pixels in {shared} of {len(result)} pictures belong to several sperm or "
        "parts; flat labels hold one of them",
    )


def _write_layers(picture: ResultPicture, parts: tuple[Part, ...], path: Path) -> None:
    layers = [(part, layer) for part in parts for layer in _layers(picture, part)]
    count = dict.fromkeys(parts, 0)
    names = []
    for part, _ in layers:
        count[part] += 1
        names.append(part.name.lower() + (f" {count[part]}" if count[part] > 1 else ""))
    dtype = _label_type(picture)
    pages = (_painted(layer, part, picture.size, dtype) for part, layer in layers)
    _write_tiff(path, pages, (len(layers), *picture.size), dtype, names)


def _layers(picture: ResultPicture, part: Part) -> list[list[SpermInstance]]:
    """Spread the sperm over as few pages as it takes so that none touches another's pixels."""
    layers: list[list[SpermInstance]] = [[]]
    for one in picture.sperm:
        if part not in one.instance.masks:
            continue
        for layer in layers:
            if not any(_overlap(one.instance, other, part) for other in layer):
                layer.append(one.instance)
                break
        else:
            layers.append([one.instance])
    return layers


def _overlap(one: SpermInstance, other: SpermInstance, part: Part) -> bool:
    row0, column0 = np.maximum(one.bbox[:2], other.bbox[:2])
    row1, column1 = np.minimum(one.bbox[2:], other.bbox[2:])
    if row0 >= row1 or column0 >= column1:
        return False
    windows = []
    for sperm in (one, other):
        top, left = sperm.bbox[:2]
        windows.append(sperm.masks[part][row0 - top : row1 - top, column0 - left : column1 - left])
    return bool((windows[0] & windows[1]).any())


def _painted(
    layer: list[SpermInstance], part: Part, size: tuple[int, int], dtype: type[np.integer[Any]]
) -> NDArray[Any]:
    page = np.zeros(size, dtype)
    for sperm in layer:
        row0, column0, row1, column1 = sperm.bbox
        page[row0:row1, column0:column1][sperm.masks[part]] = sperm.id
    return page


def _write_flat(picture: ResultPicture, folder: Path) -> int:
    """Write two pictures; give the number of pixels that belong to more than one thing."""
    dtype = _label_type(picture)
    sperm = [one.instance for one in sorted(picture.sperm, key=lambda one: one.instance.id)]
    labels, times = np.zeros(picture.size, dtype), np.zeros(picture.size, np.uint8)
    for one in sperm:
        row0, column0, row1, column1 = one.bbox
        for mask in one.masks.values():
            labels[row0:row1, column0:column1][mask] = one.id
            window = times[row0:row1, column0:column1]
            window[mask] = np.minimum(window[mask], 1) + 1
    parts = paint_part_map(sperm, picture.size)
    for name, page in ((SPERM_LABELS, labels), (PART_LABELS, parts)):
        _write_tiff(folder / name / f"{picture.id}.tif", iter([page]), page.shape, page.dtype.type)
    return int((times > 1).sum())


def _label_type(picture: ResultPicture) -> type[np.integer[Any]]:
    largest = max((one.instance.id for one in picture.sperm), default=0)
    return np.uint16 if largest <= _MOST_IN_16_BITS else np.uint32


def _write_tiff(
    path: Path,
    pages: Iterator[NDArray[Any]],
    shape: tuple[int, ...],
    dtype: type[np.integer[Any]],
    names: list[str] | None = None,
) -> None:
    metadata: dict[str, Any] = {"axes": "ZYX"[-len(shape) :]}
    if names is not None:
        metadata["Labels"] = names
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            pages,
            shape=shape,
            dtype=dtype,
            # ImageJ shows the names; it has no 32-bit integers.
            imagej=dtype is not np.uint32,
            photometric="minisblack",
            compression="zlib",
            metadata=metadata,
        )
