"""What was found in a picture as layers of napari."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.report.colours import PART_COLOURS
from spermseg.structures import Part

LayerData = tuple[Any, dict[str, Any], str]
"""Data, settings and type of one layer."""

PARTS, SPERM, TAILS = "parts", "sperm", "tails"
"""Layers are named by these, after the picture's name."""

TAIL_COLOUR = "#f0e442"


def image_layer(id: str, image: NDArray[Any], um_per_px: float | None = None) -> LayerData:
    """Give a picture (H, W, 3) as a layer."""
    return image, {"name": id, "rgb": True} | placed(um_per_px), "image"


def parts_layer(id: str, part_map: NDArray[np.uint8], um_per_px: float | None = None) -> LayerData:
    """Give part ids (H, W) as labels, in the colours of the reports."""
    colours: dict[int | None, str] = {int(part): name for part, name in PART_COLOURS.items()}
    settings = {
        "name": f"{id} {PARTS}",
        "colormap": colours | {0: "transparent", None: "transparent"},
        "opacity": 0.4,
        "features": {"index": [*map(int, Part)], "part": [part.name.lower() for part in Part]},
    }
    return part_map, settings | placed(um_per_px), "labels"


def sperm_layers(
    id: str,
    sperm: Sequence[AnalysedSperm],
    size: tuple[int, int],
    um_per_px: float | None = None,
) -> list[LayerData]:
    """Give sperm as labels with the table of their measurements, and their tails as paths.

    Parameters
    ----------
    id : str
        Name of the picture.
    sperm : sequence of AnalysedSperm
        Where they overlap the one with the higher number covers the other.
    size : (height, width)
    um_per_px : float, optional

    Returns
    -------
    list of LayerData
        Without paths where no tail has a centre line.
    """
    numbers = np.zeros(size, np.int32)
    for one in sorted(sperm, key=lambda one: one.instance.id):
        row0, column0, row1, column1 = one.instance.bbox
        for mask in one.instance.masks.values():
            numbers[row0:row1, column0:column1][mask] = one.instance.id
    rows = [one.row(um_per_px) for one in sperm]
    columns = {name: [_known(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    ids = [one.instance.id for one in sperm]
    settings = {"name": f"{id} {SPERM}", "opacity": 0.4, "features": {"index": ids, **columns}}
    layers: list[LayerData] = [(numbers, settings | placed(um_per_px), "labels")]
    with_tail = [one.instance for one in sperm if _has_path(one)]
    if with_tail:
        settings = {
            "name": f"{id} {TAILS}",
            "shape_type": "path",
            "edge_color": TAIL_COLOUR,
            "edge_width": 1.5,
            "features": {"sperm_id": [one.id for one in with_tail]},
        }
        paths = [one.centerline for one in with_tail]
        layers.append((paths, settings | placed(um_per_px), "shapes"))
    return layers


def placed(um_per_px: float | None) -> dict[str, Any]:
    """Give the settings by which a layer is shown in micrometres; none where that is not known."""
    if um_per_px is None:
        return {}
    return {"scale": (um_per_px, um_per_px), "units": ("um", "um")}


def _has_path(one: AnalysedSperm) -> bool:
    return one.instance.centerline is not None and len(one.instance.centerline) > 1


def _known(value: Any) -> Any:
    # None would make a column of numbers one of anything.
    return np.nan if value is None else value
