"""What an analysis gives: the sperm of one picture, counted, drawn and saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.uncertainty import ViewCounts
from spermseg.errors import DataError
from spermseg.files import atomic_path
from spermseg.report.overlays import analysis_overlay, encode
from spermseg.stages import stage
from spermseg.structures import (
    HEAD_PARTS,
    LabelSchema,
    Part,
    Sample,
    Scale,
    Segmentation,
)

RESULT_FORMAT = 3

SMALLEST_HEAD_PX = 20
"""Smaller regions are no heads, in pixels, where the scale is not known."""
_SMALLEST_HEAD_SHARE = 0.05
"""The same as a share of the squared head length, of which a head of 3:2 covers half."""


@dataclass(frozen=True)
class AnalysisResult:
    """What was found in one picture: its parts, and its sperm one by one.

    Parameters
    ----------
    sample : Sample
        The picture.
    segmentation : Segmentation
    provenance : mapping
        What made it, JSON-ready: ``spermseg`` (version), ``model``, ``sha256``, ``criteria``.
    sperm : tuple of AnalysedSperm
        Ids from 1, tails without a head last. Not all count as sperm, see `AnalysedSperm.is_sperm`.
    views : tuple of ViewCounts
        What was counted in each view of the picture, where it was looked at in several.

    Raises
    ------
    DataError
        When the part map is not of the picture's size.
    """

    sample: Sample
    segmentation: Segmentation
    provenance: Mapping[str, Any] = field(default_factory=dict)
    sperm: tuple[AnalysedSperm, ...] = ()
    views: tuple[ViewCounts, ...] = ()

    def __post_init__(self) -> None:
        if self.part_map.shape != self.sample.size:
            raise DataError(
                f"part map is {self.part_map.shape}, the picture {self.sample.size}",
                where=self.sample.id,
            )

    @property
    def part_map(self) -> NDArray[np.uint8]:
        """Part ids (H, W) uint8 at the picture's own size, see `Part`."""
        return self.segmentation.part_map

    @property
    def scale(self) -> Scale:
        """How large sperm are in the picture, and how that is known."""
        return self.segmentation.scale

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader has to know, in words; an empty picture is a valid result."""
        found = () if self.part_map.any() else ("no sperm found",)
        return (*self.sample.warnings, *self.segmentation.warnings, *found)

    @property
    def sperm_count(self) -> int:
        """Number of sperm; heads that touch are told apart, loose ones do not count."""
        return sum(one.is_sperm for one in self.sperm)

    @property
    def head_count(self) -> int:
        """Number of separate head regions of the part map.

        Heads that touch count as one, unlike in `sperm_count`. Specks do not count: regions below
        a tenth of a typical head's area, or below `SMALLEST_HEAD_PX` where the scale is not known.
        """
        from scipy import ndimage

        length = self.scale.head_length_px
        smallest = SMALLEST_HEAD_PX if length is None else _SMALLEST_HEAD_SHARE * length**2
        heads = self.part_map == HEAD_PARTS[0]
        for part in HEAD_PARTS[1:]:
            heads |= self.part_map == part
        regions, _ = ndimage.label(heads, np.ones((3, 3)))
        # Over the heads' own pixels: counting all would need eight bytes a pixel of the picture.
        return int((np.bincount(regions[heads]) >= smallest).sum())

    def part_areas(self) -> dict[str, int]:
        """Give the pixels of every part by name; ``head`` is the union of its sub-parts."""
        schema = self.segmentation.schema
        areas = {
            name: int(np.count_nonzero(self.part_map == part))
            for name, part in zip(schema.parts, schema.ids, strict=True)
            if part != Part.BACKGROUND
        }
        in_head = [
            n for n, part in zip(schema.parts, schema.ids, strict=True) if part in HEAD_PARTS
        ]
        return {**areas, "head": sum(areas[name] for name in in_head)}

    def table(self) -> list[dict[str, Any]]:
        """Give one row a sperm, of the columns of ``sperm.csv`` that a picture has by itself.

        Lengths are there in pixels and, where the pixel size is known, in micrometres; None is not
        known. ``pandas.DataFrame(result.table())`` is a table.
        """
        return [one.row(self.scale.um_per_px) for one in self.sperm]

    @stage("overlay")
    def overlay(self) -> NDArray[np.uint8]:
        """Draw the picture with outlined parts, sperm numbered, legend below, (H + h, W, 3)."""
        return analysis_overlay(
            self.sample.image,
            self.part_map,
            self.segmentation.schema,
            head_length_px=self.scale.head_length_px,
            um_per_px=self.scale.um_per_px,
            labels=[
                (box[0], box[3], f"{one.instance.id}" if one.is_sperm else f"({one.instance.id})")
                for one in self.sperm
                if (box := one.head_box) is not None
            ],
        )

    @stage("files")
    def save(self, folder: Path | str, *, overlay: bool = True) -> None:
        """Write ``parts/ID.png`` (part ids), ``sperm/ID.json`` and ``overlays/ID.jpg``.

        What is there under these names is replaced; each file is whole or not there.

        Parameters
        ----------
        folder : Path or str
            Made if it is missing.
        overlay : bool
            False writes no overlay.
        """
        # All made before one is written: no half result where memory does not suffice.
        files = {}
        with ThreadPoolExecutor(1) as beside:
            sperm = beside.submit(lambda: _json(self._sperm_to_dict()))
            part_map = beside.submit(_png, self.part_map)
            if overlay:
                files[overlay_path(folder, self.sample.id)] = encode(self.overlay(), "jpeg")
            files[sperm_path(folder, self.sample.id)] = sperm.result()
            files[part_map_path(folder, self.sample.id)] = part_map.result()
        for path, content in files.items():
            with atomic_path(path) as temporary:
                temporary.write_bytes(content)

    def _sperm_to_dict(self) -> dict[str, Any]:
        return {
            "format_version": RESULT_FORMAT,
            "id": self.sample.id,
            "um_per_px": self.scale.um_per_px,
            "sperm": [one.to_dict(self.sample.size, self.scale.um_per_px) for one in self.sperm],
            **({"views": [asdict(view) for view in self.views]} if self.views else {}),
        }

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping, without the picture and the scores."""
        return {
            **self._sperm_to_dict(),
            "part_map": _run_lengths(self.part_map),
            "schema": self.segmentation.schema.to_dict(),
            "scale": asdict(self.scale),
            "model": self.segmentation.card_id,
            "warnings": list(self.segmentation.warnings),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], sample: Sample) -> AnalysisResult:
        """Read what `to_dict` gave of `sample`; its scores are (C, 0, 0).

        Raises
        ------
        DataError
            For another format, or a picture of another size.
        """
        if value.get("format_version") != RESULT_FORMAT:
            raise DataError(
                f"result has format {value.get('format_version')}, "
                f"this version reads {RESULT_FORMAT}",
                where=sample.id,
            )
        schema = LabelSchema.from_dict(value["schema"])
        segmentation = Segmentation(
            part_map=_from_run_lengths(value["part_map"]),
            scores=np.zeros((schema.n_classes, 0, 0), np.float16),
            schema=schema,
            scale=Scale(**value["scale"]),
            card_id=value["model"],
            warnings=tuple(value["warnings"]),
        )
        sperm = tuple(map(AnalysedSperm.from_dict, value["sperm"]))
        return cls(sample, segmentation, value["provenance"], sperm, _views(value))


def part_map_path(folder: Path | str, id: str) -> Path:
    """Give where `AnalysisResult.save` writes the part map of a picture."""
    return Path(folder) / "parts" / f"{id}.png"


def overlay_path(folder: Path | str, id: str) -> Path:
    """Give where `AnalysisResult.save` writes the overlay of a picture."""
    return Path(folder) / "overlays" / f"{id}.jpg"


def sperm_path(folder: Path | str, id: str) -> Path:
    """Give where `AnalysisResult.save` writes the sperm of a picture."""
    return Path(folder) / "sperm" / f"{id}.json"


def read_sperm(path: Path) -> list[AnalysedSperm]:
    """Read the sperm of one picture that `AnalysisResult.save` wrote.

    Raises
    ------
    DataError
        When it is of another format.
    """
    return [AnalysedSperm.from_dict(one) for one in _saved(path)["sperm"]]


def read_sperm_values(path: Path) -> list[dict[str, Any]]:
    """Read from the same file what `AnalysedSperm.to_dict` gave of each."""
    sperm: list[dict[str, Any]] = _saved(path)["sperm"]
    return sperm


def read_views(path: Path) -> tuple[ViewCounts, ...]:
    """Read what was counted in each view from the same file; empty where there was only one."""
    return _views(_saved(path))


def _views(value: Mapping[str, Any]) -> tuple[ViewCounts, ...]:
    return tuple(ViewCounts(**view) for view in value.get("views", ()))


def _saved(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if value["format_version"] != RESULT_FORMAT:
        raise DataError(
            f"sperm have format {value['format_version']}, this version reads {RESULT_FORMAT}",
            where=path,
        )
    return value


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _png(part_map: NDArray[np.uint8]) -> bytes:
    # By run lengths, which part maps are made of: a fifth of Pillow's time at half its size.
    strategy, filter = imagecodecs.PNG.STRATEGY.RLE, imagecodecs.PNG.FILTER.NONE
    return bytes(imagecodecs.png_encode(part_map, level=1, strategy=strategy, filter=filter))


def _run_lengths(part_map: NDArray[np.uint8]) -> dict[str, list[int]]:
    flat = part_map.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=~flat[:1]))
    lengths = np.diff(starts, append=flat.size)
    return {
        "size": list(part_map.shape),
        "values": flat[starts].tolist(),
        "lengths": lengths.tolist(),
    }


def _from_run_lengths(value: Mapping[str, list[int]]) -> NDArray[np.uint8]:
    return np.repeat(np.array(value["values"], np.uint8), value["lengths"]).reshape(value["size"])
