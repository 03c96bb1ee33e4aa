"""Pictures that each have a file of annotations beside them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from spermseg.data.datasets.base import Finding, LabelledDataset, SampleRecord
from spermseg.data.datasets.listing import list_files
from spermseg.data.images import read_image
from spermseg.data.masks import Region
from spermseg.data.part_maps import ALL_PARTS, assemble
from spermseg.structures import LabelledSample, Part

Regions = Mapping[int | None, list[tuple[Part, Region]]]
"""The regions of each sperm, under None those that belong to none."""


class BesideDataset(LabelledDataset):
    """A folder of pictures, each with an annotation file of the same name beside it.

    The name may include the picture's extension or not (``smear.jpg.geojson``, ``smear.geojson``).
    A picture without annotation is left out, every picture is its own group.

    The sperm are painted in ascending order of their numbers, the parts of each as in
    `spermseg.data.part_maps.PAINT_ORDER`. What has no number is painted beneath and belongs to no
    sperm; when nothing has one, the sperm are not told apart.
    """

    extensions: ClassVar[frozenset[str]]

    def __init__(self, root: Path):
        pictures, problems = list_files(root)
        annotations, _ = list_files(root, self.extensions)
        self._annotations = pair(pictures, annotations)
        used = set(self._annotations.values())
        astray: tuple[Finding, ...] = tuple(
            (path, "no picture for this annotation")
            for path in annotations.values()
            if path not in used and self.is_annotation(path)
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

    @staticmethod
    @abstractmethod
    def is_annotation(path: Path) -> bool:
        """Tell whether a file of these extensions is what it seems."""

    @staticmethod
    @abstractmethod
    def read_regions(path: Path, size: tuple[int, int]) -> Regions:
        """Read the annotation of a picture of `size` (height, width).

        Raises
        ------
        MaskError
            Naming the file and the entry.
        """

    def load(self, sample_id: str) -> LabelledSample:
        """Read one picture and its annotation."""
        return load_beside(self.records[sample_id], self._annotations[sample_id], self.read_regions)


def load_beside(
    record: SampleRecord, annotation: Path, read: Callable[[Path, tuple[int, int]], Regions]
) -> LabelledSample:
    """Read one picture and, with `read`, its annotation.

    Raises
    ------
    ImageError, MaskError
        Naming the file.
    """
    image = read_image(record.image_path)
    size = (int(image.shape[0]), int(image.shape[1]))
    part_map, instances = assemble(read(annotation, size), size)
    return LabelledSample(
        record.id, image, group=record.group, part_map=part_map, instances=instances
    )


def pair(pictures: Mapping[str, Path], annotations: Mapping[str, Path]) -> dict[str, Path]:
    """Find the annotation of each picture, by its name with its extension or without."""
    paired = {}
    for name, picture in pictures.items():
        for candidate in (name + picture.suffix, name):
            if candidate in annotations:
                paired[name] = annotations[candidate]
                break
    return paired


def recognise_beside(root: Path, dataset: type[BesideDataset]) -> bool:
    """Tell whether some picture has such an annotation beside it."""
    pictures, _ = list_files(root)
    annotations, _ = list_files(root, dataset.extensions)
    return any(dataset.is_annotation(path) for path in pair(pictures, annotations).values())
