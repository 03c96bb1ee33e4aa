"""Pictures with label TIFF: the number of the sperm at every pixel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from tifffile import TiffFile

from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.datasets.beside import Regions, load_beside, pair
from spermseg.data.datasets.listing import list_files, unmatched
from spermseg.data.datasets.names import part_named
from spermseg.data.masks import Region
from spermseg.data.part_maps import ALL_PARTS
from spermseg.data.tiff import open_tiff
from spermseg.errors import DataError, MaskError
from spermseg.structures import LabelledSample, Part

LABELS = "labels"
"""Folder of TIFF with a page a part, named in ImageJ's labels of slices."""

SPERM_LABELS, PART_LABELS = "sperm-labels", "part-labels"
"""Folders of flat TIFF: numbers of sperm, part ids."""

_EXTENSIONS = frozenset({".tif", ".tiff"})
_FOLDERS = (LABELS, SPERM_LABELS, PART_LABELS)


class LabelTiffDataset(LabelledDataset):
    """Pictures, and for each one ``labels/ID.tif``, or ``sperm-labels/`` and ``part-labels/``.

    The pictures lie below ``images/``, or else in the folder itself. In ``labels`` the pages are
    named by their parts (``tail``, ``tail 2``) and hold numbers of sperm; the flat ones hold the
    sperm's numbers and the part ids.

    Raises
    ------
    DatasetError
        When a folder is missing.
    """

    layout = "label-tiff"

    def __init__(self, root: Path):
        self._flat = not (root / LABELS).is_dir()
        base = root / "images" if (root / "images").is_dir() else root
        pictures, problems = list_files(base)
        if base == root:
            pictures = {n: path for n, path in pictures.items() if n.split("/")[0] not in _FOLDERS}
        found, twice = list_files(root / (SPERM_LABELS if self._flat else LABELS), _EXTENSIONS)
        self._labels = pair(pictures, found)
        self._parts: dict[str, Path] = {}
        if self._flat:
            self._parts = pair(pictures, list_files(root / PART_LABELS, _EXTENSIONS)[0])
        problems += twice
        if self._flat:
            problems += unmatched(self._labels, self._parts, "part label")
        notes = tuple(
            (path, "no labels: left out")
            for name, path in pictures.items()
            if name not in self._labels
        )
        records = tuple(
            SampleRecord(name, path, group=name)
            for name, path in pictures.items()
            if name in self._labels and (not self._flat or name in self._parts)
        )
        super().__init__(root, ALL_PARTS, records, problems=problems, notes=notes)

    def load(self, sample_id: str) -> LabelledSample:
        """Read one picture and its labels."""
        parts = self._parts.get(sample_id)

        def read(path: Path, size: tuple[int, int]) -> Regions:
            return _read_layers(path, size) if parts is None else _read_flat(path, parts, size)

        return load_beside(self.records[sample_id], self._labels[sample_id], read)


def recognise(root: Path) -> bool:
    """Tell whether there are folders of these names with TIFF files in them."""
    folders = [root / LABELS] if (root / LABELS).is_dir() else [root / SPERM_LABELS]
    if folders[0].name == SPERM_LABELS:
        folders.append(root / PART_LABELS)
    return all(folder.is_dir() and list_files(folder, _EXTENSIONS)[0] for folder in folders)


def _read_layers(path: Path, size: tuple[int, int]) -> Regions:
    regions: dict[int | None, list[tuple[Part, Region]]] = {}
    names = _page_names(path)
    for number, name in enumerate(names):
        try:
            part = part_named(re.sub(r"\s+\d+$", "", name))
        except MaskError as error:
            raise MaskError(f"page {number}: {error.what}", where=path, fix=error.fix) from None
        for sperm, region in _regions(_read_page(path, number, size)):
            regions.setdefault(sperm, []).append((part, region))
    return regions


def _read_flat(path: Path, parts_path: Path, size: tuple[int, int]) -> Regions:
    parts = _read_page(parts_path, 0, size)
    if unknown := set(np.unique(parts).tolist()) - set(Part):
        raise MaskError(
            f"unknown values {sorted(unknown)[:8]}, expected part ids", where=parts_path
        )
    regions: dict[int | None, list[tuple[Part, Region]]] = {}
    for sperm, region in _regions(_read_page(path, 0, size)):
        height, width = region.mask.shape
        window = parts[region.row0 : region.row0 + height, region.col0 : region.col0 + width]
        for part in np.unique(window[region.mask]).tolist():
            if part != Part.BACKGROUND:
                mask = region.mask & (window == part)
                one = (Part(part), Region(region.row0, region.col0, mask))
                regions.setdefault(sperm, []).append(one)
    return regions


def _regions(labels: NDArray[Any]) -> list[tuple[int, Region]]:
    """Cut the pixels of each number out."""
    # Numbered anew first: memory would grow with the largest number.
    numbers, compact = np.unique(labels, return_inverse=True)
    compact = compact.reshape(labels.shape) + (numbers[0] != 0)
    numbers = numbers[numbers != 0]
    found = []
    for index, window in enumerate(ndimage.find_objects(compact.astype(np.int32)), 1):
        rows, columns = window
        region = Region(rows.start, columns.start, compact[window] == index)
        found.append((int(numbers[index - 1]), region))
    return found


def _page_names(path: Path) -> list[str]:
    try:
        with TiffFile(path) as file:
            said: dict[str, Any] = file.imagej_metadata or (file.shaped_metadata or ({},))[0]
            names, pages = said.get("Labels"), len(file.pages)
    # Decoders meet hostile bytes here and raise anything from SyntaxError to struct.error.
    except Exception as error:
        raise MaskError(f"damaged, or no TIFF: {error}", where=path) from None
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list | tuple) or len(names) != pages:
        raise MaskError(
            f"{pages} pages without a part's name each",
            where=path,
            fix="Name the slices by their parts, in ImageJ with Image > Stacks > Set Label",
        )
    return [str(name) for name in names]


def _read_page(path: Path, number: int, size: tuple[int, int]) -> NDArray[Any]:
    try:
        with path.open("rb") as stream, open_tiff(stream, number) as picture:
            if picture.size != size:
                raise MaskError(f"labels of {picture.size}, picture of {size} (height, width)")
            values = picture.values()
    except DataError as error:
        raise MaskError(f"page {number}: {error.what}", where=path, fix=error.fix) from None
    except MemoryError:
        raise
    except Exception as error:
        raise MaskError(f"page {number}: damaged, or no TIFF: {error}", where=path) from None
    if values.ndim != 2 or values.dtype not in (np.uint8, np.uint16, np.uint32):
        raise MaskError(
            f"page {number}: {values.dtype} {values.shape}, expected one whole number a pixel",
            where=path,
        )
    return values
