"""Look through a whole data set: what is there, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spermseg.data.datasets.base import Finding, LabelledDataset
from spermseg.errors import DataError
from spermseg.structures import HEAD_PARTS, Part


@dataclass(frozen=True)
class DatasetCheck:
    """What a data set holds.

    Parameters
    ----------
    layout : str
    pictures : int
        With an annotation, readable or not.
    sizes : mapping of (height, width) to int
        Number of readable pictures of each size, most frequent first.
    groups : mapping of str to int
        Number of pictures in each group.
    sperm : int or None
        None when the annotation does not tell them apart.
    pixels : mapping of str to int
        Number of pixels of each part of the schema, in all readable pictures.
    ignored_pixels : int
    problems : tuple of (str, str)
        Files, relative to the folder, and why the data set cannot be used.
    notes : tuple of (str, str)
        Files that are left out or taken as empty.
    """

    layout: str
    pictures: int
    sizes: Mapping[tuple[int, int], int]
    groups: Mapping[str, int]
    sperm: int | None
    pixels: Mapping[str, int]
    ignored_pixels: int
    problems: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]

    @property
    def shares(self) -> dict[str, float]:
        """Share of each part in the pixels that are not ignored; 0 where there are none.

        Where several parts make up the head, ``whole head`` is their sum.
        """
        total = sum(self.pixels.values()) or 1
        shares = {part: count / total for part, count in self.pixels.items()}
        of_head = [part.name.lower() for part in HEAD_PARTS if part.name.lower() in shares]
        if len(of_head) > 1:
            shares["whole head"] = sum(shares[part] for part in of_head)
        return shares

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        return {
            "layout": self.layout,
            "pictures": self.pictures,
            "sizes": [
                {"height": height, "width": width, "pictures": count}
                for (height, width), count in self.sizes.items()
            ],
            "groups": dict(self.groups),
            "sperm": self.sperm,
            "pixels": dict(self.pixels),
            "ignored_pixels": self.ignored_pixels,
            "shares": self.shares,
            "problems": [{"file": file, "problem": what} for file, what in self.problems],
            "notes": [{"file": file, "note": what} for file, what in self.notes],
        }


def check_dataset(
    dataset: LabelledDataset, on_progress: Callable[[int, int], None] | None = None
) -> DatasetCheck:
    """Read every picture and annotation; a bad one is listed and the others are still read.

    Parameters
    ----------
    dataset : LabelledDataset
        Opened with ``strict=False``, so that its own problems are listed as well.
    on_progress : callable, optional
        Called with pictures done and pictures there are.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    counts = np.zeros(256, np.int64)
    sperm: int | None = None
    problems = list(dataset.problems)
    for done, record in enumerate(dataset.records.values(), start=1):
        try:
            sample = dataset.load(record.id)
        except DataError as error:
            problems.append((Path(error.where or record.image_path), error.what))
        else:
            sizes[sample.size] += 1
            counts += np.bincount(sample.part_map.ravel(), minlength=256)
            if sample.instances is not None:
                sperm = (sperm or 0) + len(sample.instances)
        if on_progress:
            on_progress(done, len(dataset))
    schema = dataset.schema
    return DatasetCheck(
        dataset.layout,
        len(dataset),
        dict(sizes.most_common()),
        dict(sorted(Counter(record.group for record in dataset.records.values()).items())),
        sperm,
        {Part(part).name.lower(): int(counts[part]) for part in schema.ids},
        int(counts[schema.ignore_id]),
        _relative(problems, dataset.root),
        _relative(dataset.notes, dataset.root),
    )


def _relative(
    findings: list[Finding] | tuple[Finding, ...], root: Path
) -> tuple[tuple[str, str], ...]:
    return tuple(
        ((path.relative_to(root) if path.is_relative_to(root) else path).as_posix(), what)
        for path, what in findings
    )
