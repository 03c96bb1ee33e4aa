"""Annotated folders in the layouts that exist, read in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spermseg.data.datasets import (
    coco,
    folder,
    geojson,
    imagej,
    label_tiff,
    labelme,
    scian,
    sperm_parsing,
)
from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.errors import DatasetError, UsageError

__all__ = ["LAYOUTS", "LabelledDataset", "Layout", "SampleRecord", "open_dataset"]


@dataclass(frozen=True)
class Layout:
    """How one layout is told and read.

    Parameters
    ----------
    looked_for : str
        What `recognise` looks for, in words.
    recognise : callable
        Tells by what lies in a folder.
    read : callable
        Gives the data set.
    """

    looked_for: str
    recognise: Callable[[Path], bool]
    read: Callable[[Path], LabelledDataset]


LAYOUTS: dict[str, Layout] = {
    "scian": Layout(
        "images/ and mask/{Head,Midpiece,Tail}-Masks/", scian.recognise, scian.ScianDataset
    ),
    "sperm-parsing": Layout(
        "Training/JPEGImages/", sperm_parsing.recognise, sperm_parsing.SpermParsingDataset
    ),
    "labelme": Layout(
        "pictures with LabelMe's .json beside them", labelme.recognise, labelme.LabelMeDataset
    ),
    "geojson": Layout(
        "pictures with .geojson beside them", geojson.recognise, geojson.GeoJsonDataset
    ),
    "imagej": Layout(
        "pictures with ImageJ's .zip or .roi beside them", imagej.recognise, imagej.ImageJDataset
    ),
    "label-tiff": Layout(
        "labels/, or sperm-labels/ and part-labels/, with .tif",
        label_tiff.recognise,
        label_tiff.LabelTiffDataset,
    ),
    "coco": Layout("annotations.json", coco.recognise, coco.CocoDataset),
    "folder": Layout("images/ and masks/", folder.recognise, folder.FolderDataset),
}
"""The layouts, in the order in which they are tried."""


def open_dataset(
    path: Path | str,
    layout: str | None = None,
    *,
    annotation_set: int = 1,
    strict: bool = True,
) -> LabelledDataset:
    """Open an annotated folder.

    Parameters
    ----------
    path : Path or str
    layout : str, optional
        A name of `LAYOUTS`; by default the first one that fits.
    annotation_set : int
        Of the three of ``sperm-parsing``.
    strict : bool
        Refuse a folder with problems. `spermseg.data.datasets.check.check_dataset` wants to see
        them all and opens with False.

    Raises
    ------
    DatasetError
        When there is no such folder, no layout fits, or a file lacks its counterpart.
    UsageError
        For an unknown layout, or an annotation set where there is only one.
    """
    root = Path(path)
    if not root.is_dir():
        raise DatasetError(
            "a file, expected a folder" if root.exists() else "no such folder", where=root
        )
    name = layout or _recognise(root)
    if name not in LAYOUTS:
        raise UsageError(f"no layout {name!r}", fix=f"There are: {', '.join(LAYOUTS)}")
    if name == "sperm-parsing":
        dataset: LabelledDataset = sperm_parsing.SpermParsingDataset(root, annotation_set)
    elif annotation_set != 1:
        raise UsageError(f"layout {name} has one annotation set, {annotation_set} was asked for")
    else:
        dataset = LAYOUTS[name].read(root)
    if strict and dataset.problems:
        file, what = dataset.problems[0]
        more = f" (and {len(dataset.problems) - 1} more)" if len(dataset.problems) > 1 else ""
        raise DatasetError(what + more, where=file, fix="`spermseg data check` lists all problems")
    return dataset


def _recognise(root: Path) -> str:
    for name, layout in LAYOUTS.items():
        if layout.recognise(root):
            return name
    wanted = "; ".join(f"{layout.looked_for} ({name})" for name, layout in LAYOUTS.items())
    empty = "the folder is empty" if not any(root.iterdir()) else "no layout fits"
    raise DatasetError(f"{empty}; looked for {wanted}", where=root)
