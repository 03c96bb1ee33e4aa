"""Compose one synthetic smear."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
import shapely
from scipy import ndimage

from spermseg.data.masks import paint_part_map
from spermseg.data.synthetic.anatomy import Anatomy, draw_anatomy
from spermseg.data.synthetic.camera import take_picture
from spermseg.data.synthetic.debris import scatter_debris
from spermseg.data.synthetic.distributions import Uniform
from spermseg.data.synthetic.presets import Preset, preset_named
from spermseg.data.synthetic.raster import Field, Points, Pose, Window
from spermseg.data.synthetic.staining import dye_amounts, part_masks, placed_points
from spermseg.errors import UsageError
from spermseg.structures import LabelledSample, SpermInstance

SCHEMA_NAME = "sperm-parsing"
"""The label schema of synthetic smears."""


@dataclass(frozen=True)
class SpermTruth:
    """What is true of one sperm, from its geometry; one row of ``sperm.csv``.

    Lengths are in micrometres. A measurement that a form does not have is NaN. The measurements are
    those of the whole sperm also where the picture's border cuts it: see `cut` and the visible
    fractions.

    Parameters
    ----------
    sperm_id : int
        As in the masks and the annotation.
    head_row_px, head_col_px, direction_deg : float
        Middle of the head; direction from its tip to its base, counter-clockwise from the
        picture's right.
    head_form, midpiece_form, tail_form : str
    cut : bool
        Whether a part lies outside the picture.
    head_visible_fraction, midpiece_visible_fraction, tail_visible_fraction : float
        Share of the head's area, of the midpiece's and the tail's centre line in the picture.
    head_length_um, head_width_um : float
        Extent of the outline along the head's axis and across it.
    head_area_um2, head_perimeter_um : float
    acrosome_fraction : float
        Acrosome (without vacuoles in it) / head, by area.
    vacuole_count : int
    vacuole_fraction : float
        All vacuoles / head, by area.
    midpiece_length_um, midpiece_width_um : float
        Arc length of its centre line; width half way.
    midpiece_insertion_angle_deg : float
        Between the head's axis and the straight line through the midpiece's ends, 0 ... 180.
    tail_length_um : float
        Arc length of its centre line, from the midpiece on.
    cytoplasm_area_um2 : float
        Cytoplasmic droplet; 0 without one.
    """

    sperm_id: int
    head_row_px: float
    head_col_px: float
    direction_deg: float
    head_form: str
    midpiece_form: str
    tail_form: str
    cut: bool
    head_visible_fraction: float
    midpiece_visible_fraction: float
    tail_visible_fraction: float
    head_length_um: float
    head_width_um: float
    head_area_um2: float
    head_perimeter_um: float
    acrosome_fraction: float
    vacuole_count: int
    vacuole_fraction: float
    midpiece_length_um: float
    midpiece_width_um: float
    midpiece_insertion_angle_deg: float
    tail_length_um: float
    cytoplasm_area_um2: float


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
    amounts = np.zeros((2, *preset.size), np.float32)
    scatter_debris(rng, amounts, preset.debris, preset.um_per_px)
    instances: list[SpermInstance] = []
    truth: list[SpermTruth] = []
    for anatomy, pose in _place_sperm(rng, preset):
        instance = _draw_sperm(rng, anatomy, pose, preset, len(instances) + 1, amounts)
        if instance is not None:
            instances.append(instance)
            truth.append(_measure(instance, anatomy, pose, frame))
    image = take_picture(rng, amounts, preset.stain, preset.camera, preset.um_per_px)
    name = f"{index:06d}"
    sample = LabelledSample(
        name,
        image,
        preset.um_per_px,
        group=name,
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
        row, col = rng.uniform((-reach, -reach), (height + reach, width + reach))
        direction = rng.uniform(0, 2 * np.pi)
        if placed and rng.random() < preset.touching:
            neighbour, pose = placed[int(rng.integers(len(placed)))]
            apart = (neighbour.heads[0].width + anatomy.heads[0].width) / 2
            side = apart * float(rng.choice([-1, 1])) * Uniform(0.85, 1.15).draw(rng)
            along = Uniform(-1.5, 1.5).draw(rng)
            row, col = pose.place(np.array([[along, side]]))[0]
            direction = pose.direction + Uniform(-0.8, 0.8).draw(rng)
        placed.append((anatomy, Pose(float(row), float(col), direction, preset.um_per_px)))
    return placed


def _draw_sperm(
    rng: np.random.Generator,
    anatomy: Anatomy,
    pose: Pose,
    preset: Preset,
    sperm_id: int,
    amounts: Field,
) -> SpermInstance | None:
    """Add one sperm's dye to `amounts`; None when nothing of it lies in the picture."""
    frame = Window(0, 0, *preset.size)
    points = placed_points(anatomy, pose)
    window = Window.around(points, 1.5 / pose.um_per_px, frame)
    if window.empty:
        return None
    dye = dye_amounts(rng, anatomy, pose, window, preset.stain)
    defocus = preset.camera.defocus.draw(rng) / pose.um_per_px
    if defocus > 0.3:
        dye = ndimage.gaussian_filter(dye, (0, defocus, defocus), truncate=3)
    amounts[(slice(None), *window.slices(frame))] += dye
    tail = anatomy.flagellum.tail_points
    instance = SpermInstance.from_full_masks(
        sperm_id,
        part_masks(anatomy, pose, window),
        centerline=pose.place(tail) if len(tail) else None,
        flags=frozenset({"cut"} if _fraction_inside(points, frame) < 1 else ()),
    )
    if instance is None:
        return None
    row0, col0, row1, col1 = instance.bbox
    top, left = window.row0, window.col0
    return replace(instance, bbox=(row0 + top, col0 + left, row1 + top, col1 + left))


def _fraction_inside(points: Points, frame: Window) -> float:
    """Share of `points` (n, 2) within the picture, whose pixels reach half a pixel further."""
    low, high = frame.corner - 0.5, np.array([frame.row1, frame.col1]) - 0.5
    return float(((points >= low) & (points <= high)).all(1).mean()) if len(points) else np.nan


def _measure(instance: SpermInstance, anatomy: Anatomy, pose: Pose, frame: Window) -> SpermTruth:
    flagellum = anatomy.flagellum
    head = anatomy.heads[0]
    single = len(anatomy.heads) == 1
    outlines = [
        shapely.Polygon(pose.shifted(h.origin, h.angle).place(h.outline)) for h in anatomy.heads
    ]
    union = shapely.union_all(outlines)
    picture = shapely.box(-0.5, -0.5, frame.row1 - 0.5, frame.col1 - 0.5)
    midpiece = pose.place(flagellum.points[: flagellum.n_midpiece])
    droplet = anatomy.droplet
    return SpermTruth(
        sperm_id=instance.id,
        head_row_px=pose.row,
        head_col_px=pose.col,
        direction_deg=float(np.rad2deg(-pose.direction) % 360),
        head_form=anatomy.head_form,
        midpiece_form=anatomy.midpiece_form,
        tail_form=anatomy.tail_form,
        cut="cut" in instance.flags,
        head_visible_fraction=float(union.intersection(picture).area / union.area),
        midpiece_visible_fraction=_fraction_inside(midpiece, frame),
        tail_visible_fraction=_fraction_inside(pose.place(flagellum.tail_points), frame),
        head_length_um=head.length if single else np.nan,
        head_width_um=head.width if single else np.nan,
        head_area_um2=float(union.area * pose.um_per_px**2),
        head_perimeter_um=float(union.length * pose.um_per_px),
        acrosome_fraction=head.acrosome_fraction if single else np.nan,
        vacuole_count=sum(len(h.vacuoles) for h in anatomy.heads),
        vacuole_fraction=head.vacuole_area / head.area if single else np.nan,
        midpiece_length_um=anatomy.midpiece_length,
        midpiece_width_um=anatomy.midpiece_width,
        midpiece_insertion_angle_deg=anatomy.midpiece_angle,
        tail_length_um=anatomy.tail_length,
        cytoplasm_area_um2=np.pi * droplet.along * droplet.across if droplet else 0.0,
    )
