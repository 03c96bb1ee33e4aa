"""Random crops of annotated pictures at the working scale, in any direction and any light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.utils.data import Dataset

from spermseg.config import CropSettings, DataSettings
from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.preprocess import resize_image, to_uint8
from spermseg.data.scale import head_lengths
from spermseg.errors import DataError, SplitError
from spermseg.structures import HEAD_PARTS, LabelSchema, Part
from spermseg.training.annotation_sets import majority, shares
from spermseg.training.appearance import vary_appearance, white_of
from spermseg.training.copy_paste import FreeSperm, free_sperm, paste
from spermseg.training.dataset import preprocessing_of
from spermseg.training.sampling import inside, sample_image, sample_labels, steps

_FEW = 4000
"""So many pixels of a kind are kept of a picture, to lay crops on."""

MOST_PASTED = 3
"""So many sperm, at most, are pasted into a crop."""

_RIM = 6
"""Nearer than this to an annotated pixel, in pixels of the picture, nothing is unannotated."""


@dataclass(frozen=True)
class _Picture:
    """One picture at its own size and at half of it, and its annotations."""

    levels: tuple[NDArray[np.uint8], ...]
    labels: tuple[NDArray[np.uint8], ...]
    white: Tensor
    free: tuple[FreeSperm, ...]
    """To be pasted into other pictures; empty where `CropSettings.paste` asks for none."""
    sperm: NDArray[np.int32]
    """Some annotated pixels (n, 2), row and column."""
    unannotated: NDArray[np.int32]
    """Some pixels (n, 2) as dark as a part, of which none is annotated nearby; empty where
    `CropSettings.on_unannotated` asks for none."""


class CropDataset(Dataset[tuple[Tensor, Tensor]]):
    """Crops drawn anew in every epoch from pictures that are kept in memory as uint8.

    An item is one crop: any place, direction and mirroring, a zoom around the working scale, the
    annotation sets as asked for, sperm of other pictures in some, another appearance. Picture and
    labels are sampled once, straight from the original pixels: bilinearly, and by nearest
    neighbour. It follows from the seed, the epoch and its place in the epoch alone.

    Parameters
    ----------
    dataset : LabelledDataset
    ids : sequence of str
        The pictures to use.
    settings : DataSettings
        With ``crops`` and ``head_length_px``.
    schema : LabelSchema
        Part ids become class indices of this schema.
    seed : int
    rehearsal : LabelledDataset, optional
        Pictures at the working scale, of which `CropSettings.rehearsed` of the crops are.

    Attributes
    ----------
    head_length_px : float
        Typical length of the annotated heads, in pixels of the pictures.

    Raises
    ------
    SplitError
        When there are no pictures.
    DataError
        When a picture cannot be read, holds other parts than the schema, or when no annotated head
        tells the scale.
    """

    one_size = True

    def __init__(
        self,
        dataset: LabelledDataset,
        ids: Sequence[str],
        settings: DataSettings,
        schema: LabelSchema,
        seed: int,
        rehearsal: LabelledDataset | None = None,
    ):
        if not ids:
            raise SplitError("the split has no pictures to train on", where=dataset.root)
        if settings.crops is None or settings.head_length_px is None:
            raise DataError("crops need data.crops and data.head_length_px")
        self.settings, self.crops = settings, settings.crops
        self.schema, self.seed = schema, seed
        self.head_length_px = typical_head_length(dataset, ids)
        self.zoom = settings.head_length_px / self.head_length_px
        annotated = [dataset.with_annotation_set(n) for n in settings.annotation_sets]
        read = partial(_read, settings=settings, crops=self.crops, schema=schema, seed=seed)
        self._pictures = [read(annotated, one) for one in ids]
        if self.crops.paste and not any(picture.free for picture in self._pictures):
            raise DataError(
                "no sperm to paste: none is annotated by itself, whole, away from others",
                where=dataset.root,
                fix="Set data.crops.paste to 0",
            )
        self._rehearsed_share = self.crops.rehearsed or 0.0
        self._rehearsed: list[_Picture] = []
        if rehearsal is not None and self._rehearsed_share:
            for one in rehearsal.ids:
                self._rehearsed.append(read([rehearsal], one))
        normalisation = preprocessing_of(settings)
        self._blank = torch.tensor(normalisation.blank)[:, None, None] / 255
        self._mean = torch.tensor(normalisation.mean)[:, None, None]
        self._std = torch.tensor(normalisation.std)[:, None, None]
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the crops of an epoch, from 0."""
        rng = np.random.default_rng((self.seed, epoch))
        n, wanted = len(self._pictures), self.crops.per_epoch
        rounds = [rng.permutation(n) for _ in range(-(-wanted // n))]
        self._draws = np.concatenate(rounds)[:wanted]
        self._seeds = rng.integers(2**32, size=wanted)

    def __len__(self) -> int:
        return self.crops.per_epoch

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Give a crop (3, s, s) float32, normalised, and its class indices (s, s) int64.

        Of ``soft`` annotations the share of the sets that chose each class, (C, s, s) float32.
        """
        rng = np.random.default_rng(int(self._seeds[index]))
        picture, zoom = self._pictures[self._draws[index]], self.zoom
        if self._rehearsed and rng.random() < self._rehearsed_share:
            picture, zoom = self._rehearsed[rng.integers(len(self._rehearsed))], 1.0
        soft = self.settings.annotations == "soft"
        number = len(picture.labels)
        sets = range(number) if soft else (int(rng.integers(number)),)
        near = picture.sperm
        if self.crops.on_unannotated and rng.random() < self.crops.on_unannotated:
            near = picture.unannotated
        size = picture.labels[0].shape
        points = crop_points(size, near, zoom, self.crops, rng, self.settings.margin)
        image = sample_image(picture.levels, points)
        targets = [sample_labels(picture.labels[n], points) for n in sets]
        if self.crops.paste and rng.random() < self.crops.paste:
            matrix = zoom / self.zoom * steps(points)
            for sperm in self._elsewhere(picture, rng):
                image, targets = paste(image, targets, sperm, sets, matrix, rng)
        image = vary_appearance(image, picture.white, self.crops.appearance, rng)
        if self.settings.margin:
            outside = torch.from_numpy(~inside(points, size))
            image = torch.where(outside, self._blank, image)
        target = shares(targets, self.schema.n_classes) if soft else targets[0]
        return (image - self._mean) / self._std, target

    def _elsewhere(self, picture: _Picture, rng: np.random.Generator) -> list[FreeSperm]:
        """Draw a few sperm of other pictures."""
        others = [one.free for one in self._pictures if one.free and one is not picture]
        number = int(rng.integers(1, MOST_PASTED + 1)) if others else 0
        chosen = [others[rng.integers(len(others))] for _ in range(number)]
        return [free[rng.integers(len(free))] for free in chosen]

    def class_pixels(self, n_classes: int) -> NDArray[np.int64]:
        """Count the pixels of every class (n_classes,) in the first annotation of the pictures."""
        counts = sum(np.bincount(p.labels[0].ravel(), minlength=256) for p in self._pictures)
        return np.asarray(counts, np.int64)[:n_classes]


def typical_head_length(dataset: LabelledDataset, ids: Sequence[str]) -> float:
    """Give the median length in pixels of the annotated heads of some pictures.

    Raises
    ------
    DataError
        When there is no head.
    """
    lengths = [
        head_lengths(np.isin(dataset.load(sample_id).part_map, HEAD_PARTS)) for sample_id in ids
    ]
    if not sum(map(len, lengths)):
        raise DataError(
            "no annotated head tells the scale",
            where=dataset.root,
            fix="Set data.size in place of data.head_length_px",
        )
    return float(np.median(np.concatenate(lengths)))


def crop_points(
    size: tuple[int, ...],
    near: NDArray[np.int32],
    zoom: float,
    settings: CropSettings,
    rng: np.random.Generator,
    margin: int = 0,
) -> NDArray[np.float32]:
    """Draw where the pixels of a crop lie in a picture.

    Parameters
    ----------
    size : (H, W)
        Of the picture.
    near : (n, 2) int
        Pixels, row and column, one of which `settings.on_sperm` of the crops lie near; may be
        empty.
    zoom : float
        Pixels of the working scale to a pixel of the picture.
    settings : CropSettings
    rng : numpy.random.Generator
    margin : int
        So far, in pixels of the crop, a crop may reach beyond the picture.

    Returns
    -------
    (2, s, s) float32
        Row and column of every pixel of the crop, pixel centres at whole numbers.
    """
    limits = settings.wide_zoom if rng.random() < settings.wide_share else settings.zoom
    scale = zoom * np.exp(rng.uniform(*np.log(limits)))
    stretch = np.exp(rng.uniform(-1, 1) * np.log1p(settings.stretch) / 2)
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    mirror = np.diag([1.0, rng.choice([-1.0, 1.0])])
    matrix = turn @ mirror @ np.diag([stretch / scale, 1 / (stretch * scale)])

    half = settings.size / (2 * scale)
    if len(near) and rng.random() < settings.on_sperm:
        centre = near[rng.integers(len(near))] + rng.uniform(-0.7, 0.7, 2) * half
    else:
        centre = rng.uniform((0, 0), size)
    # What lies outside the picture teaches nothing: stay inside as far as the crop fits.
    extent = np.asarray(size, float)
    nearest = np.minimum(half - margin / scale, extent / 2)
    centre = np.clip(centre, nearest, extent - nearest) - 0.5

    offsets = np.arange(settings.size) - (settings.size - 1) / 2
    grid = np.stack(np.meshgrid(offsets, offsets, indexing="ij"))
    points = np.tensordot(matrix, grid, 1) + centre[:, None, None]
    return points.astype(np.float32)


def unannotated_pixels(
    image: NDArray[np.uint8], part_map: NDArray[np.uint8], white: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Find what is stained like a sperm's part and annotated as none.

    Parameters
    ----------
    image : (H, W, 3) uint8
    part_map : (H, W) uint8
        Part ids.
    white : (3,) float32
        Colour where there is no stain; see `white_of`.

    Returns
    -------
    (n, 2) int
        Row and column. Half of them are as dark as at least half the pixels of heads, the other
        half as those of tails: head-like things are fewer than what looks like a tail. Pixels
        within a few of an annotated one are its rim and left out.
    """
    density = -np.log(np.maximum(image, 1) / (255 * white)).mean(-1)
    free = ndimage.distance_transform_cdt(part_map == 0) > _RIM
    found = []
    for parts in (HEAD_PARTS, (Part.TAIL,)):
        inside = np.isin(part_map, parts)
        if inside.any():
            found.append(np.argwhere(free & (density >= np.median(density[inside]))))
    few = min((len(pixels) for pixels in found if len(pixels)), default=0)
    rng = np.random.default_rng(0)
    return np.concatenate(
        [np.zeros((0, 2), np.int64), *(rng.permutation(pixels)[:few] for pixels in found)]
    )


def _read(
    annotated: Sequence[LabelledDataset],
    sample_id: str,
    settings: DataSettings,
    crops: CropSettings,
    schema: LabelSchema,
    seed: int,
) -> _Picture:
    """Read a picture, and what the settings ask for beside it."""
    samples = [dataset.load(sample_id) for dataset in annotated]
    try:
        labels = tuple(schema.to_indices(sample.part_map) for sample in samples)
    except DataError as error:
        raise DataError(error.what, where=sample_id, fix="Set data.schema") from None
    if settings.annotations == "majority":
        labels = (majority(labels),)
    image = np.array(to_uint8(samples[0].image))
    levels = [image]
    while len(levels) < 4 and min(levels[-1].shape[:2]) >= 8:
        height, width = levels[-1].shape[:2]
        levels.append(np.array(resize_image(levels[-1], (height // 2, width // 2))))
    known = np.argwhere((labels[0] != 0) & (labels[0] != schema.ignore_id))
    white = white_of(image)
    stained = np.zeros((0, 2), np.int64)
    if crops.on_unannotated:
        stained = unannotated_pixels(image, samples[0].part_map, white)
    few = [
        np.random.default_rng(seed).permutation(pixels)[:_FEW].astype(np.int32)
        for pixels in (known, stained)
    ]
    free = free_sperm(levels, labels, samples[0].instances or ()) if crops.paste else ()
    return _Picture(tuple(levels), labels, torch.from_numpy(white), free, *few)
