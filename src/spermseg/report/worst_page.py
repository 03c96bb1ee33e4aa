"""Single sperm to be judged: the picture, the annotation and what was found, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from spermseg.data.part_maps import paint_part_map
from spermseg.data.preprocess import resize_image, resize_labels
from spermseg.report.html import data_uri, render
from spermseg.report.overlays import draw_outlines, encode
from spermseg.structures import LabelledSample, Part, SpermInstance

Box = tuple[int, int, int, int]

PANEL_PX = 720
"""Longer side of a panel: what is smaller is enlarged to it, at most `MOST_ENLARGED` times."""
MOST_ENLARGED = 6
_MARGIN = 30
"""Of the picture around the sperm, in its pixels: what it crosses has to be seen."""
_CLOSE_MARGIN = 12
_LINE = 2
_OTHERS = (96, 96, 96)
"""Colour of the outlines of other sperm."""


def draw_sperm(
    sample: LabelledSample,
    found: Sequence[SpermInstance],
    *,
    sperm: int | None,
    found_id: int | None,
) -> list[dict[str, str]]:
    """Draw one sperm, as a whole and close up without its tail.

    Parameters
    ----------
    sample : LabelledSample
        With its sperm one by one.
    found : sequence of SpermInstance
    sperm, found_id : int or None
        Number of the annotated and of the found sperm to show in colour; one of them at least. All
        others are outlined in grey.

    Returns
    -------
    list of dict
        For each view ``name`` and, as data URIs of one size, ``picture``, ``annotation`` and
        ``found``. The second is left out where all parts but the tail are missing.
    """
    sides = {
        "annotation": (sample.instances or (), sperm),
        "found": (found, found_id),
    }
    shown = [one for group, id in sides.values() for one in group if one.id == id]
    views = {"whole": _window([one.bbox for one in shown], _MARGIN, sample.size)}
    without_tail = [box for one in shown if (box := _box_without_tail(one)) is not None]
    if without_tail:
        # Where both have a head the annotated one says where to look.
        views["close up"] = _window(without_tail[:1], _CLOSE_MARGIN, sample.size)
    drawings = []
    for name, window in views.items():
        drawing = {"name": name, "picture": _panel(sample.image, (), None, window)}
        drawing |= {
            side: _panel(sample.image, group, id, window) for side, (group, id) in sides.items()
        }
        drawings.append(drawing)
    return drawings


def worst_html(content: Mapping[str, Any], drawings: Sequence[Sequence[Mapping[str, str]]]) -> str:
    """Render the page of a model's worst sperm.

    Parameters
    ----------
    content : mapping
        As ``worst.json`` holds it.
    drawings : sequence of sequence of mapping
        By `draw_sperm`, of the sperm under ``worst``, then of those under ``false``.
    """
    n = len(content["worst"])
    return render(
        "worst.html",
        **content,
        cards=list(zip(content["worst"], drawings[:n], strict=True)),
        false_cards=list(zip(content["false"], drawings[n:], strict=True)),
        counted=Counter(row["reason"] for row in content["worst"] if row["reason"]).most_common(),
    )


def _panel(
    image: NDArray[Any], sperm: Sequence[SpermInstance], shown: int | None, window: Box
) -> str:
    row0, col0, row1, col1 = window
    cut = np.s_[row0:row1, col0:col1]
    longer = max(row1 - row0, col1 - col0)
    zoom = min(max(1.0, PANEL_PX / longer), MOST_ENLARGED)
    size = round((row1 - row0) * zoom), round((col1 - col0) * zoom)
    drawn = resize_image(image[cut], size)
    parts = [
        resize_labels(paint_part_map([one], image.shape[:2])[cut], size)
        for one in sorted(sperm, key=lambda one: one.id == shown)
    ]
    own = np.zeros(size, np.uint8)
    if any(one.id == shown for one in sperm):
        own = parts.pop()
    for part_map in parts:
        inside = part_map > 0
        drawn = drawn.copy()
        drawn[ndimage.binary_dilation(inside) & ~inside] = _OTHERS
    return data_uri(encode(draw_outlines(drawn, own, width=_LINE), "jpeg"), "jpeg")


def _window(boxes: Sequence[Box], margin: int, size: tuple[int, int]) -> Box:
    (row0, col0), (row1, col1) = (
        pick([box[first : first + 2] for box in boxes], axis=0).tolist()
        for pick, first in ((np.min, 0), (np.max, 2))
    )
    return (
        max(0, row0 - margin),
        max(0, col0 - margin),
        min(size[0], row1 + margin),
        min(size[1], col1 + margin),
    )


def _box_without_tail(sperm: SpermInstance) -> Box | None:
    masks = [mask for part, mask in sperm.masks.items() if part != Part.TAIL]
    union = np.logical_or.reduce(masks) if masks else np.zeros((0, 0), bool)
    if not union.any():
        return None
    rows, columns = np.flatnonzero(union.any(1)), np.flatnonzero(union.any(0))
    top, left = sperm.bbox[:2]
    return (
        *(top + int(rows[0]), left + int(columns[0])),
        *(top + int(rows[-1]) + 1, left + int(columns[-1]) + 1),
    )
