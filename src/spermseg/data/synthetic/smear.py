"""Compose one synthetic smear."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from spermseg.data.part_maps import paint_part_map
from spermseg.data.synthetic.anatomy import draw_anatomy
from spermseg.data.synthetic.camera import take_picture
from spermseg.data.synthetic.debris import scatter_debris
from spermseg.data.synthetic.distributions import Uniform
from spermseg.data.synthetic.presets import preset_named
from spermseg.data.synthetic.raster import Pose, Window
from spermseg.data.synthetic.settings import Preset
from spermseg.data.synthetic.shapes import Anatomy
from spermseg.data.synthetic.staining import SpermRaster, dye_amounts, part_masks, rasterise
from spermseg.data.synthetic.truth import SpermTruth, measure, outline_points
from spermseg.errors import UsageError
from spermseg.structures import LabelledSample, SpermInstance

SCHEMA_NAME = "sperm-parsing"
"""The label schema of synthetic smears."""

PLACING_TRIALS = 20
"""After so many trials a head may lie over another one."""

MARGIN_UM = 2.5
"""How far the dye of a sperm, its droplet and its blur reach beyond its outline."""

MIN_DEFOCUS_PX = 0.3
"""Less defocus than this is none."""


@dataclass(frozen=True)
class SyntheticSample:
    """A synthetic smear: the annotated picture and what is true of its sperm, in one order."""

    sample: LabelledSample
    truth: tuple[SpermTruth, ...]


def synthesize_sample(preset: str | Preset, seed: int, index: int) -> SyntheticSample:
    """Make one smear; the same arguments always give the same one.

    Parameters
    ----------
    preset : str or Preset
        A name in `PRESETS`, or settings of your own.
    seed : int
        Not negative.
    index : int
        Number of the picture in its data set, from 0.

    Returns
    -------
    SyntheticSample
        Sperm are numbered from 1; those of which no pixel lies in the picture are left out.

    Raises
    ------
    UsageError
        For an unknown preset or a negative seed.
    """
    if isinstance(preset, str):
        preset = preset_named(preset)
    if seed < 0:
        raise UsageError(f"the seed must not be negative, got {seed}")
    rng = np.random.default_rng([zlib.crc32(preset.name.encode()), seed, index])
    frame = Window(0, 0, *preset.size)
    placed = _place_sperm(rng, preset)
    amounts = np.zeros((2, *preset.size), np.float32)
    on_sperm = np.vstack([outline_points(anatomy, pose)[::20] for anatomy, pose in placed])
    scatter_debris(rng, amounts, preset.debris, preset.um_per_px, on_sperm)
    stain = preset.stain.for_picture(rng)
    instances: list[SpermInstance] = []
    truth: list[SpermTruth] = []
    for anatomy, pose in placed:
        points = outline_points(anatomy, pose)
        window = Window.around(points, MARGIN_UM / preset.um_per_px, frame)
        if window.empty:
            continue
        raster = rasterise(anatomy, pose, window)
        dye = dye_amounts(rng, raster, stain)
        defocus = preset.camera.defocus.draw(rng) / preset.um_per_px
        if defocus > MIN_DEFOCUS_PX:
            dye = ndimage.gaussian_filter(dye, (0, defocus, defocus), truncate=3)
        amounts[(slice(None), *window.slices(frame))] += dye
        true = measure(len(instances) + 1, anatomy, pose, frame)
        instance = _instance(raster, true)
        if instance is not None:
            instances.append(instance)
            truth.append(true)
    image = take_picture(rng, amounts, stain, preset.camera, preset.um_per_px)
    sample = LabelledSample(
        id=f"{index:06d}",
        image=image,
        um_per_px=preset.um_per_px,
        group=f"{index:06d}",
        part_map=paint_part_map(instances, preset.size),
        instances=tuple(instances),
    )
    return SyntheticSample(sample, tuple(truth))


def _place_sperm(rng: np.random.Generator, preset: Preset) -> list[tuple[Anatomy, Pose]]:
    """Draw sperm and where they lie: evenly, in the picture and around it, some heads touching."""
    reach = preset.reach_um / preset.um_per_px
    height, width = preset.size
    share = (height + 2 * reach) * (width + 2 * reach) / (height * width)
    n = max(1, round(preset.n_sperm.draw(rng) * share))
    placed: list[tuple[Anatomy, Pose]] = []
    for _ in range(n):
        anatomy = draw_anatomy(rng, preset.anatomy)
        touching = bool(placed) and rng.random() < preset.touching
        for _ in range(PLACING_TRIALS):
            if touching:
                pose = _beside(rng, placed[int(rng.integers(len(placed)))], anatomy)
            else:
                row, col = rng.uniform((-reach, -reach), (height + reach, width + reach))
                pose = Pose(row, col, rng.uniform(0, 2 * np.pi), preset.um_per_px)
            if all(_apart(anatomy, pose, *other) > 0.8 for other in placed):
                break
        placed.append((anatomy, pose))
    return placed


def _apart(anatomy: Anatomy, pose: Pose, other: Anatomy, other_pose: Pose) -> float:
    """Distance between two heads' middles by the sum of their half widths."""
    distance = float(np.hypot(pose.row - other_pose.row, pose.col - other_pose.col))
    return 2 * distance * pose.um_per_px / (anatomy.heads[0].width + other.heads[0].width)


def _beside(rng: np.random.Generator, neighbour: tuple[Anatomy, Pose], anatomy: Anatomy) -> Pose:
    """Give a pose in which a sperm's head lies against that of a neighbour."""
    other, pose = neighbour
    apart = (other.heads[0].width + anatomy.heads[0].width) / 2
    side = apart * float(rng.choice([-1, 1])) * Uniform(0.85, 1.15).draw(rng)
    turn = Uniform(-0.8, 0.8).draw(rng)
    return pose.shifted((Uniform(-1.5, 1.5).draw(rng), side), turn)


def _instance(raster: SpermRaster, true: SpermTruth) -> SpermInstance | None:
    """Give one sperm as an annotation; None when no pixel of it lies in the picture."""
    tail = raster.anatomy.flagellum.tail_points
    instance = SpermInstance.from_full_masks(
        true.sperm_id,
        part_masks(raster),
        centerline=raster.pose.place(tail) if len(tail) else None,
        flags=frozenset({"cut"} if true.cut else ()),
    )
    if instance is None:
        return None
    row0, col0, row1, col1 = instance.bbox
    top, left = raster.window.row0, raster.window.col0
    return replace(instance, bbox=(row0 + top, col0 + left, row1 + top, col1 + left))
