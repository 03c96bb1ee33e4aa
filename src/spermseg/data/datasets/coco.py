"""COCO annotations: one a sperm and part, as spermseg writes them, or one a thing, as others do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from spermseg.data.datasets.base import Finding, LabelledDataset, SampleRecord
from spermseg.data.datasets.listing import list_files, read_mapping
from spermseg.data.datasets.names import PART_NAMES, part_named
from spermseg.data.images import read_image
from spermseg.data.masks import Region, polygon_region, rle_region
from spermseg.data.part_maps import assemble
from spermseg.errors import DatasetError, MaskError
from spermseg.structures import IGNORE_ID, LabelledSample, LabelSchema, Part

KEYS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class _Entry:
    """One picture of an annotation file."""

    file: Path
    image: Mapping[str, Any]
    categories: Mapping[Any, str]
    annotations: list[Mapping[str, Any]] = field(default_factory=list)


class CocoDataset(LabelledDataset):
    """A folder with COCO annotations and the pictures they name.

    Annotations are read from ``annotations.json``, or else from every COCO file in
    ``annotations/``, or else from every one in the folder itself. Pictures are looked for below
    ``images/``, then below the folder. Categories are parts, by name
    (`spermseg.data.datasets.names`). ``sperm_id`` tells the sperm apart: they are painted in its
    ascending order; annotations without one are painted beneath and belong to no sperm; where a
    picture's annotations have none, its sperm are not told apart. ``iscrowd`` regions are ignored.
    ``images[].um_per_px`` and ``images[].group`` are optional.

    Raises
    ------
    DatasetError
        When there is no annotation file.
    MaskError
        When it is not what COCO describes.
    """

    layout = "coco"

    def __init__(self, root: Path):
        self._entries: dict[str, _Entry] = {}
        problems: list[Finding] = []
        records: list[SampleRecord] = []
        files = annotation_files(root)
        if not files:
            raise DatasetError("no COCO annotation file here", where=root)
        categories: set[str] = set()
        for file in files:
            entries = _read_entries(file)
            categories.update(name for entry in entries[:1] for name in entry.categories.values())
            for entry in entries:
                path = _find_picture(root, entry)
                if path is None:
                    problems.append((file, f"no picture {entry.image['file_name']!r}"))
                    continue
                name = _id_of(root, path)
                if name in self._entries:
                    problems.append((file, f"picture {name} is listed twice"))
                    continue
                self._entries[name] = entry
                records.append(SampleRecord(name, path, str(entry.image.get("group") or name)))
        pictures = list_files(root / "images")[0] if (root / "images").is_dir() else {}
        notes = tuple(
            (path, "not in the annotations: left out")
            for name, path in pictures.items()
            if name not in self._entries
        )
        super().__init__(
            root, _schema(categories), tuple(records), problems=tuple(problems), notes=notes
        )

    def load(self, sample_id: str) -> LabelledSample:
        """Read one picture and what is annotated on it."""
        record, entry = self.records[sample_id], self._entries[sample_id]
        image = read_image(record.image_path)
        size = (int(image.shape[0]), int(image.shape[1]))
        stated = (entry.image.get("height", size[0]), entry.image.get("width", size[1]))
        if stated != size:
            raise MaskError(
                f"made for a picture of {stated}, {record.image_path.name} is {size} "
                "(height, width)",
                where=entry.file,
            )
        by_sperm, ignored = _read_annotations(entry, size)
        part_map, instances = assemble(by_sperm, size)
        for region in ignored:
            part_map[region.full(size) & (part_map == Part.BACKGROUND)] = IGNORE_ID
        return LabelledSample(
            sample_id,
            image,
            um_per_px=entry.image.get("um_per_px"),
            group=record.group,
            part_map=part_map,
            instances=instances,
        )


def annotation_files(root: Path) -> list[Path]:
    """Find the COCO files of a folder."""
    if (root / "annotations.json").is_file():
        return [root / "annotations.json"]
    for folder in (root / "annotations", root):
        found = [path for path in sorted(folder.glob("*.json")) if _is_coco(path)]
        if found:
            return found
    return []


def recognise(root: Path) -> bool:
    """Tell whether there is a COCO file."""
    return bool(annotation_files(root))


def _is_coco(path: Path) -> bool:
    try:
        return all(key in read_mapping(path) for key in KEYS)
    except MaskError:
        return False


def _read_entries(file: Path) -> list[_Entry]:
    content = read_mapping(file)
    images = _items(content, "images", ("id", "file_name"), file)
    categories = {
        item["id"]: str(item["name"]).strip().lower()
        for item in _items(content, "categories", ("id", "name"), file)
    }
    entries = {item["id"]: _Entry(file, item, categories) for item in images}
    if len(entries) != len(images):
        raise MaskError("two images have one id", where=file)
    needed = ("image_id", "category_id", "segmentation")
    for annotation in _items(content, "annotations", needed, file):
        entry = entries.get(annotation["image_id"])
        if entry is None:
            raise MaskError(
                f"annotation {annotation.get('id')} is of image {annotation['image_id']}, "
                "which is not listed",
                where=file,
            )
        entry.annotations.append(annotation)
    return list(entries.values())


def _items(
    content: Mapping[str, Any], key: str, needed: tuple[str, ...], file: Path
) -> list[dict[str, Any]]:
    items = content.get(key)
    if not isinstance(items, list):
        raise MaskError(f"{key!r} must be a list", where=file)
    for index, item in enumerate(items):
        if not isinstance(item, dict) or not all(name in item for name in needed):
            raise MaskError(f"{key}[{index}] must have {', '.join(needed)}", where=file)
        for name in needed:
            if name.endswith("id") and not isinstance(item[name], int | str):
                raise MaskError(f"{key}[{index}]: {name} is {item[name]!r}", where=file)
    return items


def _find_picture(root: Path, entry: _Entry) -> Path | None:
    name = PurePosixPath(str(entry.image["file_name"]))
    # A file from elsewhere shall not make us read outside of its folder.
    if name.is_absolute() or ".." in name.parts:
        return None
    candidates = (root / "images" / name, root / name, entry.file.parent / name)
    return next((path for path in candidates if path.is_file()), None)


def _id_of(root: Path, path: Path) -> str:
    pictures = root / "images"
    base = pictures if path.is_relative_to(pictures) else root
    return path.relative_to(base).with_suffix("").as_posix()


def _schema(categories: Iterable[str]) -> LabelSchema:
    """Take the parts that categories name; a strange one is an error only where it is used."""
    known = {PART_NAMES[name] for name in categories if name in PART_NAMES}
    parts = [Part.BACKGROUND, *sorted(known)]
    return LabelSchema(tuple(part.name.lower() for part in parts), tuple(int(p) for p in parts))


def _read_annotations(
    entry: _Entry, size: tuple[int, int]
) -> tuple[dict[int | None, list[tuple[Part, Region]]], list[Region]]:
    """Give regions by sperm (None: no sperm), and the regions to ignore."""
    by_sperm: dict[int | None, list[tuple[Part, Region]]] = {}
    ignored: list[Region] = []
    for annotation in entry.annotations:
        try:
            regions = _regions(annotation["segmentation"], size)
            if annotation.get("iscrowd"):
                ignored += regions
                continue
            part = part_named(entry.categories.get(annotation["category_id"]))
            sperm = annotation.get("sperm_id")
            if not (sperm is None or type(sperm) is int):
                raise MaskError(f"sperm_id must be a whole number, got {sperm!r}")
            by_sperm.setdefault(sperm, []).extend((part, region) for region in regions)
        except MaskError as error:
            where = f"annotation {annotation.get('id')} of {entry.image['file_name']}"
            raise MaskError(f"{where}: {error.what}", where=entry.file, fix=error.fix) from None
    return by_sperm, ignored


def _regions(segmentation: Any, size: tuple[int, int]) -> list[Region]:
    if isinstance(segmentation, dict):
        return [rle_region(segmentation, size)]
    if not isinstance(segmentation, list):
        raise MaskError(f"segmentation must be polygons or run lengths, got {segmentation!r}")
    regions = []
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) % 2:
            raise MaskError(f"a polygon must be a list x, y, x, y, ..., got {polygon!r:.60}")
        regions.append(polygon_region(list(zip(polygon[::2], polygon[1::2], strict=True)), size))
    return regions
