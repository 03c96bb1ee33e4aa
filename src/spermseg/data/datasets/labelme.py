"""Pictures with LabelMe's JSON beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.datasets.listing import list_files, read_mapping
from spermseg.data.datasets.names import part_named
from spermseg.data.images import read_image
from spermseg.data.masks import Region, polygon_region
from spermseg.data.part_maps import ALL_PARTS, assemble
from spermseg.errors import MaskError
from spermseg.structures import LabelledSample, Part

SHAPE_TYPES = ("polygon", "rectangle")


class LabelMeDataset(LabelledDataset):
    """A folder of pictures, each with a ``.json`` of the same name beside it.

    Labels are parts, by `spermseg.data.datasets.names`; ``group_id`` is the sperm. A picture
    without JSON is left out, every picture is its own group.
    """

    layout = "labelme"

    def __init__(self, root: Path):
        pictures, problems = list_files(root)
        self._annotations, _ = list_files(root, {".json"})
        astray = tuple(
            (path, "no picture for this annotation")
            for name, path in self._annotations.items()
            if name not in pictures and is_labelme(path)
        )
        notes = tuple(
            (path, "no annotation: left out")
            for name, path in pictures.items()
            if name not in self._annotations
        )
        records = tuple(
            SampleRecord(name, path, group=name)
            for name, path in pictures.items()
            if name in self._annotations
        )
        super().__init__(root, ALL_PARTS, records, problems=problems + astray, notes=notes)

    def load(self, sample_id: str) -> LabelledSample:
        """Read one picture and its shapes."""
        return load_labelme(self.records[sample_id], self._annotations[sample_id])


def recognise(root: Path) -> bool:
    """Tell whether some picture has LabelMe's JSON beside it."""
    pictures, _ = list_files(root)
    annotations, _ = list_files(root, {".json"})
    return any(is_labelme(annotations[name]) for name in pictures if name in annotations)


def is_labelme(path: Path) -> bool:
    """Tell whether a JSON file is LabelMe's."""
    try:
        return "shapes" in read_mapping(path)
    except MaskError:
        return False


@dataclass(frozen=True)
class Shape:
    """One outline; `sperm` is its ``group_id``."""

    part: Part
    region: Region
    sperm: int | None


def load_labelme(record: SampleRecord, annotation: Path) -> LabelledSample:
    """Read one picture and its LabelMe file.

    The sperm are painted in ascending order of ``group_id``, the parts of each as in
    `spermseg.data.part_maps.PAINT_ORDER`. Shapes without ``group_id`` are painted beneath them and
    belong to no sperm; when no shape has one, the sperm are not told apart.

    Raises
    ------
    ImageError, MaskError
        Naming the file, and the shape by its place in the file.
    """
    image = read_image(record.image_path)
    size = (int(image.shape[0]), int(image.shape[1]))
    regions: dict[int | None, list[tuple[Part, Region]]] = {}
    for shape in _read_shapes(annotation, size):
        regions.setdefault(shape.sperm, []).append((shape.part, shape.region))
    part_map, instances = assemble(regions, size)
    return LabelledSample(
        record.id, image, group=record.group, part_map=part_map, instances=instances
    )


def _read_shapes(path: Path, size: tuple[int, int]) -> list[Shape]:
    content = read_mapping(path)
    stated = (content.get("imageHeight"), content.get("imageWidth"))
    if None not in stated and stated != size:
        raise MaskError(f"made for a picture of {stated}, it is {size} (height, width)", where=path)
    entries = content.get("shapes")
    if not isinstance(entries, list):
        raise MaskError("no list of shapes", where=path)
    shapes = []
    for index, entry in enumerate(entries):
        try:
            shapes.append(_shape(entry, size))
        except MaskError as error:
            raise MaskError(f"shape {index}: {error.what}", where=path, fix=error.fix) from None
    return shapes


def _shape(entry: Any, size: tuple[int, int]) -> Shape:
    if not isinstance(entry, dict):
        raise MaskError(f"expected a JSON object, got {type(entry).__name__}")
    part = part_named(entry.get("label"))
    sperm = entry.get("group_id")
    if not (sperm is None or type(sperm) is int):
        raise MaskError(f"group_id must be a whole number or null, got {sperm!r}")
    kind = entry.get("shape_type", "polygon")
    if kind not in SHAPE_TYPES:
        raise MaskError(
            f"shape type {kind!r} is not read", fix=f"Draw one of {', '.join(SHAPE_TYPES)}"
        )
    points: Any = entry.get("points")
    if kind == "rectangle":
        points = _corners(points)
    return Shape(part, polygon_region(points, size, outline=True), sperm)


def _corners(points: Any) -> list[tuple[Any, Any]]:
    try:
        (x0, y0), (x1, y1) = points
    except (TypeError, ValueError):
        raise MaskError(f"a rectangle needs 2 points (x, y), got {points!r}") from None
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
