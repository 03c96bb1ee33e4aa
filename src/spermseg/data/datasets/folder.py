"""The plain layout, which spermseg writes itself: pictures and masks of the same names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.datasets.listing import list_files, read_mapping, unmatched
from spermseg.data.datasets.names import part_named
from spermseg.data.images import read_image
from spermseg.data.masks import read_mask
from spermseg.data.part_maps import ALL_PARTS, binary_part_map, part_map_of
from spermseg.errors import DatasetError, MaskError, SpermsegError
from spermseg.structures import IGNORE_ID, LabelledSample, LabelSchema, Part, schema_named

SETTINGS = "dataset.json"


class FolderDataset(LabelledDataset):
    """Pictures below ``images/``, label maps below ``masks/``, sub-folders alike.

    A mask holds part ids, 255 where nothing is known (a mask of nothing but 0 and 255 is refused
    unless the schema is stated: it may as well be a black and white one).
    An optional ``dataset.json`` may state

    - ``schema``: a name of `spermseg.structures.SCHEMAS` or ``{"parts", "ids", "ignore_id"}``;
    - ``part``: one part's name; the masks are then black and white, {0, 1} or {0, 255};
    - ``um_per_px``: a number, or one a picture id;
    - ``groups``: the group of each picture id; a picture that it leaves out is its own group.

    Raises
    ------
    DatasetError
        When a folder is missing or ``dataset.json`` states something that cannot be.
    MaskError
        When ``dataset.json`` is no JSON.
    """

    layout = "folder"

    def __init__(self, root: Path):
        settings = read_mapping(root / SETTINGS) if (root / SETTINGS).exists() else {}
        self._part = _part(settings, root)
        self._schema_stated = "schema" in settings
        pictures, twice = list_files(root / "images")
        self._masks, masks_twice = list_files(root / "masks")
        groups = _mapping(settings, "groups", root)
        self._um_per_px = settings.get("um_per_px")
        records = tuple(
            SampleRecord(name, path, group=str(groups.get(name, name)))
            for name, path in pictures.items()
            if name in self._masks
        )
        problems = twice + masks_twice + unmatched(pictures, self._masks, "mask")
        super().__init__(root, _schema(settings, self._part, root), records, problems=problems)

    def load(self, sample_id: str) -> LabelledSample:
        """Read one picture and its mask."""
        record = self.records[sample_id]
        image, path = read_image(record.image_path), self._masks[sample_id]
        values = read_mask(path)
        if values.shape != image.shape[:2]:
            raise MaskError(
                f"mask of {values.shape}, picture of {image.shape[:2]} (height, width)", where=path
            )
        return LabelledSample(
            sample_id,
            image,
            um_per_px=self._pixel_size(sample_id),
            group=record.group,
            part_map=self._part_map(values, path),
        )

    def _part_map(self, values: NDArray[Any], path: Path) -> NDArray[np.uint8]:
        if self._part is not None:
            return binary_part_map(values, self._part, path)
        part_map = part_map_of(values, self.schema, path)
        if not self._schema_stated and set(np.unique(part_map)) in ({0, IGNORE_ID}, {IGNORE_ID}):
            raise MaskError(
                f"only values 0 and {IGNORE_ID}: is it a black and white mask, or nothing known?",
                where=path,
                fix=f'State "part" or "schema" in {SETTINGS}',
            )
        return part_map

    def _pixel_size(self, sample_id: str) -> float | None:
        stated = self._um_per_px
        value = stated.get(sample_id) if isinstance(stated, Mapping) else stated
        if not (value is None or isinstance(value, int | float)):
            raise DatasetError(
                f"um_per_px must be a number, got {value!r}", where=self.root / SETTINGS
            )
        return value


def recognise(root: Path) -> bool:
    """Tell whether both folders are there."""
    return (root / "images").is_dir() and (root / "masks").is_dir()


def _part(settings: Mapping[str, Any], root: Path) -> Part | None:
    if "part" not in settings:
        return None
    if "schema" in settings:
        raise DatasetError("state schema or part, not both", where=root / SETTINGS)
    try:
        return part_named(settings["part"])
    except MaskError as error:
        raise DatasetError(error.what, where=root / SETTINGS, fix=error.fix) from None


def _schema(settings: Mapping[str, Any], part: Part | None, root: Path) -> LabelSchema:
    if part is not None:
        return LabelSchema(("background", part.name.lower()), (0, int(part)))
    stated = settings.get("schema")
    if stated is None:
        return ALL_PARTS
    try:
        return schema_named(stated) if isinstance(stated, str) else LabelSchema.from_dict(stated)
    except (SpermsegError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"schema cannot be used: {error}", where=root / SETTINGS) from None


def _mapping(settings: Mapping[str, Any], key: str, root: Path) -> Mapping[str, Any]:
    value = settings.get(key, {})
    if not isinstance(value, Mapping):
        raise DatasetError(f"{key} must be an object, got {value!r}", where=root / SETTINGS)
    return value
