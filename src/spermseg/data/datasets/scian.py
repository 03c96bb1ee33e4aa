"""SCIAN-SpermSegGS (Chang et al. 2017, University of Chile), as the 2021 report used it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spermseg.data.datasets.base import Finding, LabelledDataset, SampleRecord
from spermseg.data.datasets.listing import list_files
from spermseg.data.images import read_image
from spermseg.data.masks import read_mask
from spermseg.errors import MaskError
from spermseg.structures import SCHEMAS, LabelledSample, Part

MASK_FOLDERS = {
    Part.HEAD: "Head-Masks",
    Part.MIDPIECE: "Midpiece-Masks",
    Part.TAIL: "Tail-Masks",
}

THRESHOLD = 16
"""A mask's pixel must be brighter than this, of 255, to be foreground (the report's)."""


class ScianDataset(LabelledDataset):
    """``images/`` (``train/`` and ``test/`` below it, or none) and ``mask/{Head,...}-Masks/``.

    A mask has the picture's name, with or without the sub-folder. Masks are missing in the copies
    that exist: that part is taken as empty, and a picture without any mask is left out; both are
    noted.

    Every picture is its own group: all names begin with the one slide (``Placa1-imagen7``), so
    grouping by slide would leave nothing to split. A picture that lies in ``train`` and ``test``
    is one group.

    Raises
    ------
    DatasetError
        When a folder is missing.
    """

    layout = "scian"

    def __init__(self, root: Path):
        pictures, problems = list_files(root / "images")
        available = {
            part: list_files(root / "mask" / folder)[0] for part, folder in MASK_FOLDERS.items()
        }
        self._masks: dict[str, dict[Part, Path]] = {}
        notes: list[Finding] = []
        for name, path in pictures.items():
            stem = path.stem
            found = {part: masks.get(name, masks.get(stem)) for part, masks in available.items()}
            self._masks[name] = {part: mask for part, mask in found.items() if mask is not None}
            notes += _missing(path, self._masks[name])
        used = {mask for masks in self._masks.values() for mask in masks.values()}
        notes += [
            (mask, "no picture for this mask: left out")
            for masks in available.values()
            for mask in masks.values()
            if mask not in used
        ]
        records = tuple(
            SampleRecord(name, path, group=path.stem)
            for name, path in pictures.items()
            if self._masks[name]
        )
        super().__init__(
            root, SCHEMAS["report-2021"], records, problems=problems, notes=tuple(notes)
        )

    def load(self, sample_id: str) -> LabelledSample:
        """Read one picture and merge its masks as the report did; see `merge_report_2021`."""
        record = self.records[sample_id]
        image = read_image(record.image_path)
        masks = {}
        for part, path in self._masks[sample_id].items():
            masks[part] = _read_grey(path)
            if masks[part].shape != image.shape[:2]:
                raise MaskError(
                    f"mask of {masks[part].shape}, picture of {image.shape[:2]} (height, width)",
                    where=path,
                )
        return LabelledSample(
            sample_id, image, group=record.group, part_map=merge_report_2021(masks, image.shape[:2])
        )


def recognise(root: Path) -> bool:
    """Tell whether the pictures and all three mask folders are there."""
    return (root / "images").is_dir() and all(
        (root / "mask" / folder).is_dir() for folder in MASK_FOLDERS.values()
    )


def merge_report_2021(
    masks: dict[Part, NDArray[np.uint8]], shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Merge grey masks as the 2021 report did: argmax over (16, head, midpiece, tail).

    So a pixel above 16 in any mask is foreground, and the first of the largest wins.

    Parameters
    ----------
    masks : mapping of Part to (H, W) uint8
        A part that is missing is empty.
    shape : (H, W)

    Returns
    -------
    (H, W) uint8
        Part ids 0 to 3.
    """
    layers = np.zeros((4, *shape), np.uint8)
    layers[Part.BACKGROUND] = THRESHOLD
    for part, mask in masks.items():
        layers[part] = mask
    merged: NDArray[np.uint8] = layers.argmax(0).astype(np.uint8)
    return merged


def _missing(picture: Path, masks: dict[Part, Path]) -> list[Finding]:
    if not masks:
        return [(picture, "no mask at all: left out")]
    names = [folder for part, folder in MASK_FOLDERS.items() if part not in masks]
    return [(picture, f"no mask in {name}: taken as empty") for name in names]


def _read_grey(path: Path) -> NDArray[np.uint8]:
    values = read_mask(path)
    if values.dtype != np.uint8:
        raise MaskError(f"{values.dtype} values, expected 8-bit grey", where=path)
    return values
