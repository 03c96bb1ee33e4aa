"""Annotated sperm of one picture pasted into crops of another.

In transmitted light whatever lies over something else multiplies the light that reaches the camera:
optical densities add up (Beer-Lambert). So a sperm is pasted as a density, its ground being 0, and
what is below it stays in sight, with its own grain and light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from spermseg.structures import HEAD_PARTS, IGNORE_ID, Part, SpermInstance
from spermseg.training.sampling import sample_image, sample_labels

CORE, REACH = 4, 14
"""Nearer than the first to a sperm, in pixels of its picture, all stain is taken along; beyond the
second none is."""

BRIDGED = 40
"""The widest gap, in pixels of the picture, that a crossing leaves between pieces of a tail."""

_DETOUR = 2
"""By so many pixels the way from piece to piece may be longer: with a gap of 30 px what joins them
is 11 px wide, about as the tail."""

FADED = 45
"""Over so many pixels of the picture a tail that its border cuts grows paler towards it."""

GAP = 3
"""Pixels of the crop between a pasted sperm and whatever is annotated, at least."""

PLACES = 30
"""So many places are tried for a sperm."""

_DARKEST = 1 / 255

Box = tuple[int, int, int, int]
"""Half-open: row0, col0, row1, col1."""


@dataclass(frozen=True)
class FreeSperm:
    """A sperm that others meet by their tails only.

    Parameters
    ----------
    levels : sequence of (H, W, 3) uint8
        Its picture, and halved again and again.
    corner : (row, col)
        Of `weight` in the picture.
    weight : (h, w) uint8
        Share of the stain that is taken along, full scale 255.
    labels : sequence of (h, w) uint8
        Class indices of the sperm alone, one map an annotation set.
    ground : (3,) float32
        Colour between it and its surroundings, 0 ... 1.
    """

    levels: Sequence[NDArray[np.uint8]]
    corner: tuple[int, int]
    weight: NDArray[np.uint8]
    labels: Sequence[NDArray[np.uint8]]
    ground: NDArray[np.float32]


def free_sperm(
    levels: Sequence[NDArray[np.uint8]],
    labels: Sequence[NDArray[np.uint8]],
    instances: Sequence[SpermInstance],
) -> tuple[FreeSperm, ...]:
    """Find the sperm of a picture that can be pasted into another.

    Parameters
    ----------
    levels : sequence of (H, W, 3) uint8
        The picture, and halved again and again.
    labels : sequence of (H, W) uint8
        Class indices, one map an annotation set.
    instances : sequence of SpermInstance
        Of the picture.

    Returns
    -------
    tuple of FreeSperm
        Those with head and tail, in one piece, of which only the tail meets the picture's border or
        other sperm, and these with their tails only.
    """
    found = (_cut_out(levels, labels, one, instances) for one in instances)
    return tuple(one for one in found if one is not None)


def _cut_out(
    levels: Sequence[NDArray[np.uint8]],
    labels: Sequence[NDArray[np.uint8]],
    sperm: SpermInstance,
    instances: Sequence[SpermInstance],
) -> FreeSperm | None:
    if Part.TAIL not in sperm.masks or set(sperm.masks).isdisjoint(HEAD_PARTS):
        return None
    size = levels[0].shape[:2]
    box = _grown(sperm.bbox, REACH, size)
    others = [one for one in instances if one is not sperm]
    tail, front = (_painted([sperm], box, are_tails) for are_tails in (True, False))
    their_tails, their_fronts = (_painted(others, box, are_tails) for are_tails in (True, False))
    distance = _distance(_bridged(tail | front))
    near_front = _distance(front) < REACH
    present = _faded(box, size)
    if (
        ndimage.label(distance == 0, np.ones((3, 3)))[1] > 1
        or (their_fronts & (distance < REACH)).any()
        or (their_tails & near_front).any()
        or (front & (present < 1)).any()
    ):
        return None
    # Where tails cross, the stain between them is of the nearer one.
    apart = _distance(their_tails & (distance > 0)) - distance
    own = np.where(distance > 0, np.clip(apart / CORE, 0, 1), 1)
    own *= np.clip((REACH - distance) / (REACH - CORE), 0, 1)
    rows, columns = slice(box[0], box[2]), slice(box[1], box[3])
    around = levels[0][rows, columns][(distance > CORE) & (distance < REACH)]
    ground = np.maximum(np.median(around, axis=0) / 255, _DARKEST)
    kept = (own == 1) & (present >= 0.5)
    return FreeSperm(
        levels,
        box[:2],
        np.round(255 * own * present).astype(np.uint8),
        [np.where(kept & (one != IGNORE_ID), one, 0) for one in (m[rows, columns] for m in labels)],
        ground.astype(np.float32),
    )


def _grown(box: Box, by: int, size: tuple[int, ...]) -> Box:
    low = np.maximum(np.subtract(box[:2], by), 0)
    high = np.minimum(np.add(box[2:], by), size)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Give the distance to a mask; where there is none, one that is larger than any."""
    if not mask.any():
        return np.full(mask.shape, float(sum(mask.shape)))
    distance: NDArray[np.float64] = ndimage.distance_transform_edt(~mask)
    return distance


def _bridged(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Join pieces by what lies about straight between them."""
    pieces, number = ndimage.label(mask, np.ones((3, 3)))
    distances = [_distance(pieces == n) for n in range(1, number + 1)]
    for one, other in combinations(distances, 2):
        between = one + other
        gap = between.min()
        if gap <= BRIDGED:
            mask = mask | (between <= gap + _DETOUR)
    return mask


def _faded(box: Box, size: tuple[int, ...]) -> NDArray[np.float64]:
    """Give 0 at the border of a picture of `size`, growing to 1 at `FADED` pixels, in a box."""
    spans = ((box[0], box[2], size[0]), (box[1], box[3], size[1]))
    near = [np.minimum(np.arange(a, b), n - 1 - np.arange(a, b)) for a, b, n in spans]
    return np.clip(np.minimum(near[0][:, None], near[1]) / FADED, 0, 1)


def _painted(instances: Sequence[SpermInstance], box: Box, are_tails: bool) -> NDArray[np.bool_]:
    """Give where in a box tails are, or all other parts."""
    painted = np.zeros((box[2] - box[0], box[3] - box[1]), bool)
    for one in instances:
        low = np.maximum(box[:2], one.bbox[:2])
        high = np.minimum(box[2:], one.bbox[2:])
        if (low < high).all():
            here, there = (
                tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
                for start in (np.array(box[:2]), np.array(one.bbox[:2]))
            )
            for part, mask in one.masks.items():
                if (part == Part.TAIL) == are_tails:
                    painted[here] |= mask[there]
    return painted


def paste(
    image: Tensor,
    targets: Sequence[Tensor],
    sperm: FreeSperm,
    sets: Sequence[int],
    matrix: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[Tensor, list[Tensor]]:
    """Paste a sperm in any direction into a crop, where nothing is annotated.

    Parameters
    ----------
    image : (3, h, w) float32
        Values 0 ... 1.
    targets : sequence of (h, w) int64
        Class indices, one map for each of `sets`.
    sperm : FreeSperm
    sets : sequence of int
        Which of the sperm's annotation sets, from 0.
    matrix : (2, 2)
        Steps in pixels of the sperm's picture (row and column) to one step down and to one step
        right in the crop.
    rng : numpy.random.Generator

    Returns
    -------
    image, targets
        As they were, where no free place was found. Of several places that were tried it is the
        brightest one.
    """
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    density, labels = _lift(sperm, sets, turn @ np.diag([1.0, rng.choice([-1.0, 1.0])]) @ matrix)
    corner = _free_place(image, targets, labels, rng)
    if corner is None:
        return image, list(targets)
    here, part = _windows(corner, density.shape[1:], image.shape[1:])
    image = image.clone()
    image[(slice(None), *here)] *= torch.exp(-density[(slice(None), *part)])
    written = []
    for target, label in zip(targets, labels, strict=True):
        target = target.clone()
        target[here] = torch.where(label[part] > 0, label[part], target[here])
        written.append(target)
    return image.clamp(max=1), written


def _lift(
    sperm: FreeSperm, sets: Sequence[int], matrix: NDArray[np.float64]
) -> tuple[Tensor, list[Tensor]]:
    """Give a sperm's density (3, h, w) and class indices (h, w), 0 beside it, at another scale."""
    size = np.array(sperm.weight.shape)
    half = np.ceil(np.abs(np.linalg.inv(matrix)) @ (size / 2)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in half), indexing="ij"))
    centre = (size - 1) / 2
    centred = np.tensordot(matrix, grid, 1)
    local = (centred + centre[:, None, None]).astype(np.float32)
    points = (centred + (centre + sperm.corner)[:, None, None]).astype(np.float32)
    weight = sample_image((sperm.weight[..., None],), local)
    light = sample_image(sperm.levels, points).clamp(min=_DARKEST)
    density = -weight * torch.log(light / torch.from_numpy(sperm.ground)[:, None, None])
    labels = [sample_labels(sperm.labels[n], local) for n in sets]
    return density, [one.masked_fill(one == IGNORE_ID, 0) for one in labels]


def _free_place(
    image: Tensor, targets: Sequence[Tensor], labels: Sequence[Tensor], rng: np.random.Generator
) -> tuple[int, int] | None:
    """Find the corner of the brightest place of a few on which nothing is annotated."""
    parts = torch.stack([one > 0 for one in labels]).any(0)
    taken = torch.stack([one != 0 for one in targets]).any(0)
    taken = F.max_pool2d(taken[None, None].float(), 2 * GAP + 1, 1, GAP)[0, 0] > 0
    brightness = image.mean(0)
    found: dict[float, tuple[int, int]] = {}
    for _ in range(PLACES):
        centre = rng.integers((0, 0), tuple(taken.shape))
        corner = (int(centre[0]) - parts.shape[0] // 2, int(centre[1]) - parts.shape[1] // 2)
        here, part = _windows(corner, parts.shape, taken.shape)
        own = parts[part]
        # Half of it, at least, is in the crop.
        if 2 * own.sum() > parts.sum() and not (taken[here] & own).any():
            found[float(brightness[here][own].mean())] = corner
    return found[max(found)] if found else None


def _windows(
    corner: tuple[int, int], size: Sequence[int], whole: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Give the rows and columns of a piece of `size` at `corner` of a whole: there, and in it."""
    low = [max(0, start) for start in corner]
    high = [min(start + n, most) for start, n, most in zip(corner, size, whole, strict=True)]
    spans = list(zip(low, high, corner, strict=True))
    here = tuple(slice(a, max(a, b)) for a, b, _ in spans)
    return here, tuple(slice(a - start, max(a, b) - start) for a, b, start in spans)
