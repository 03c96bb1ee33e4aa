"""One sperm of a picture with all that is known of it, and its row in a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from sys import intern
from typing import Any, TypeVar

import numpy as np

from spermseg.analysis.quantities import QUANTITIES, column
from spermseg.analysis.uncertainty import Seen, Uncertainty
from spermseg.analysis.verdicts import Failure, Skipped, Verdict
from spermseg.data.masks import encode_region, rle_region
from spermseg.data.preprocess import Size
from spermseg.structures import HEAD_PARTS, Morphometry, Part, SpermInstance

HEADLESS = "headless"
"""Flag of a tail that no head was found for; the measurements say ``no_head``."""

CORRECTED = "corrected"
"""Flag of a sperm that a person has drawn or changed."""

_SCALED = tuple(name for name, quantity in QUANTITIES.items() if quantity.needs_scale)

COLUMNS = (
    *("sperm_id", "object", "score", "flags", "verdict", "reason", "failed"),
    *("bbox_x_px", "bbox_y_px", "bbox_width_px", "bbox_height_px"),
    *("centroid_x_px", "centroid_y_px", "um_per_px"),
    *(
        column(name, scale_known)
        for name in QUANTITIES
        for scale_known in ((False, True) if name in _SCALED else (False,))
    ),
)
"""Of a row. What has a length is there in pixels and, where the pixel size is known, in um."""

_POINT_DECIMALS = 2

_Tuple = TypeVar("_Tuple", bound=tuple[Any, ...])


@dataclass(frozen=True)
class AnalysedSperm:
    """One sperm: where it is, how large its parts are, and what the criteria say.

    Parameters
    ----------
    instance : SpermInstance
    morphometry : Morphometry
    verdict : Verdict
    uncertainty : Uncertainty, optional
        Where the picture was looked at in several views.
    """

    instance: SpermInstance
    morphometry: Morphometry
    verdict: Verdict
    uncertainty: Uncertainty | None = None

    @property
    def seen(self) -> Seen:
        """What was measured and judged."""
        return Seen(self.morphometry, self.verdict)

    @property
    def is_sperm(self) -> bool:
        """False for a tail or head by itself and for what is no sperm: they are not counted."""
        return self.verdict.is_sperm

    @property
    def corrected(self) -> bool:
        """Whether a person has drawn or changed it."""
        return CORRECTED in self.instance.flags

    @property
    def verdict_name(self) -> str:
        """``normal``, ``abnormal`` or ``not assessable``; ``not counted`` for what is no sperm."""
        if not self.is_sperm:
            return "not counted"
        return {True: "normal", False: "abnormal", None: "not assessable"}[self.verdict.normal]

    @property
    def flags(self) -> frozenset[str]:
        """What separation and measurement say of it; ``no_head`` stands for ``headless``."""
        return (self.instance.flags - {HEADLESS}) | self.morphometry.flags

    def box_of(self, *parts: Part) -> tuple[int, int, int, int] | None:
        """Give the half-open box (row0, col0, row1, col1) of parts; None if all are missing."""
        boxes = [self._boxes[part] for part in parts if part in self._boxes]
        if not boxes:
            return None
        low, high = np.min(boxes, axis=0), np.max(boxes, axis=0)
        return int(low[0]), int(low[1]), int(high[2]), int(high[3])

    @cached_property
    def _boxes(self) -> dict[int, tuple[int, int, int, int]]:
        top, left = self.instance.bbox[:2]
        boxes = {}
        for part, mask in self.instance.masks.items():
            rows, columns = (np.flatnonzero(mask.any(axis)).tolist() for axis in (1, 0))
            if rows:
                boxes[part] = (
                    *(top + rows[0], left + columns[0]),
                    *(top + rows[-1] + 1, left + columns[-1] + 1),
                )
        return boxes

    @property
    def head_box(self) -> tuple[int, int, int, int] | None:
        """Box of the head; None without one."""
        return self.box_of(*HEAD_PARTS)

    def row(self, um_per_px: float | None = None) -> dict[str, Any]:
        """Give its row of `COLUMNS`; None where something is not known.

        Where its uncertainty is known, `UNCERTAINTY_COLUMNS` follow.

        Parameters
        ----------
        um_per_px : float, optional
            Pixel size of the picture.
        """
        top, left, bottom, right = self.box_of(*Part) or self.instance.bbox
        centre = _centroid(self.instance)
        row: dict[str, Any] = {
            "sperm_id": self.instance.id,
            "object": self.verdict.object,
            "score": round(self.instance.score, 4),
            "flags": "; ".join(sorted(self.flags)),
            "verdict": self.verdict_name,
            "reason": self.verdict.not_assessable_reason,
            "failed": "; ".join(failure.criterion for failure in self.verdict.failed),
            "bbox_x_px": left,
            "bbox_y_px": top,
            "bbox_width_px": right - left,
            "bbox_height_px": bottom - top,
            "centroid_x_px": round(centre[1], 1),
            "centroid_y_px": round(centre[0], 1),
            "um_per_px": um_per_px,
        }
        row = dict.fromkeys(COLUMNS) | row
        for name, quantity in QUANTITIES.items():
            value = self.morphometry.values.get(name, math.nan)
            if math.isnan(value):
                continue
            row[column(name, False)] = _rounded(value)
            if quantity.needs_scale and um_per_px is not None:
                row[column(name, True)] = _rounded(quantity.scaled(value, um_per_px))
        return row if self.uncertainty is None else row | self.uncertainty.row(um_per_px)

    def to_dict(self, size: Size, um_per_px: float | None = None) -> dict[str, Any]:
        """Give a JSON-ready mapping.

        Parameters
        ----------
        size : (height, width)
            Of the picture, on which COCO counts run lengths.
        um_per_px : float, optional
            Pixel size of the picture.

        Returns
        -------
        dict
            With its ``row``, of what is known, and the ``area`` and ``box`` of each mask: tables
            are made of them without decoding masks.
        """
        one, line = self.instance, self.instance.centerline
        known = {} if self.uncertainty is None else {"uncertainty": self.uncertainty.to_dict()}
        return {
            "id": one.id,
            "bbox": list(one.bbox),
            "masks": {str(int(part)): self._encoded(part, size) for part in sorted(self._boxes)},
            "centerline": None if line is None else np.round(line, _POINT_DECIMALS).tolist(),
            "score": one.score,
            "flags": sorted(one.flags),
            "values": {
                name: None if math.isnan(value) else value
                for name, value in self.morphometry.values.items()
            },
            "measurement_flags": sorted(self.morphometry.flags),
            "verdict": self.verdict.to_dict(),
            "row": {name: cell for name, cell in self.row(um_per_px).items() if cell is not None},
            **known,
        }

    def _encoded(self, part: int, size: Size) -> dict[str, Any]:
        row0, column0, row1, column1 = self._boxes[part]
        top, left = self.instance.bbox[:2]
        mask = self.instance.masks[part][row0 - top : row1 - top, column0 - left : column1 - left]
        return {
            **encode_region(mask, (row0, column0), size),
            "area": int(np.count_nonzero(mask)),
            "box": [row0, column0, row1, column1],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], *, masks: bool = True) -> AnalysedSperm:
        """Read what `to_dict` gave.

        Parameters
        ----------
        value : mapping
        masks : bool
            False leaves the masks out, which take nearly all time and memory.
        """
        row0, column0, row1, column1 = value["bbox"]
        decoded = {}
        for part, run_lengths in value["masks"].items() if masks else ():
            region = rle_region(run_lengths, tuple(run_lengths["size"]))
            mask = np.zeros((row1 - row0, column1 - column0), bool)
            top, left = region.row0 - row0, region.col0 - column0
            height, width = region.mask.shape
            mask[top : top + height, left : left + width] = region.mask
            decoded[int(part)] = mask
        line = value["centerline"]
        instance = SpermInstance(
            value["id"],
            (row0, column0, row1, column1),
            decoded,
            None if line is None else np.array(line, float).reshape(-1, 2),
            value["score"],
            frozenset(value["flags"]),
        )
        values = {
            intern(name): math.nan if number is None else number
            for name, number in value["values"].items()
        }
        morphometry = Morphometry(value["id"], values, frozenset(value["measurement_flags"]))
        uncertainty = value.get("uncertainty")
        return cls(
            instance,
            morphometry,
            _verdict(value["verdict"]),
            None if uncertainty is None else Uncertainty.from_dict(uncertainty),
        )


def _verdict(value: Mapping[str, Any]) -> Verdict:
    reason = value["not_assessable_reason"]
    return Verdict(
        tuple(Failure(**_shared_texts(failure)) for failure in value["failed"]),
        None if reason is None else intern(reason),
        _shared(tuple(Skipped(**skipped) for skipped in value["skipped"])),
        _shared(tuple(value["applied"])),
        value["object"],
    )


@lru_cache(maxsize=1024)
def _shared(value: _Tuple) -> _Tuple:
    """Give the first of all equal tuples: most sperm of a sample have the same."""
    return value


def _shared_texts(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: intern(cell) if isinstance(cell, str) else cell for name, cell in value.items()}


def _centroid(instance: SpermInstance) -> tuple[float, float]:
    """Give row and column of the centre of all its pixels; without any, of its box."""
    if not instance.masks:
        row0, column0, row1, column1 = instance.bbox
        return (row0 + row1 - 1) / 2, (column0 + column1 - 1) / 2
    union = np.logical_or.reduce(list(instance.masks.values()))
    rows, columns = np.divmod(np.flatnonzero(union), union.shape[1])
    return instance.bbox[0] + float(rows.mean()), instance.bbox[1] + float(columns.mean())


def _rounded(value: float) -> float:
    """Keep six digits: more than any measurement on pixels is worth."""
    return float(f"{value:.6g}")
