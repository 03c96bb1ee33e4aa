"""What is true of every sperm of a synthetic smear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from spermseg.data.synthetic.raster import Points, Pose, Window
from spermseg.data.synthetic.shapes import Anatomy


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


def outline_points(anatomy: Anatomy, pose: Pose) -> Points:
    """Give all points of a sperm's outlines and centre line as row, col, (n, 2)."""
    heads = [pose.shifted(h.origin, h.angle).place(h.outline) for h in anatomy.heads]
    return np.vstack([*heads, pose.place(anatomy.flagellum.points)])


def _fraction_inside(points: Points, frame: Window) -> float:
    """Share of `points` (n, 2) within the picture, whose pixels reach half a pixel further."""
    low, high = frame.corner - 0.5, np.array([frame.row1, frame.col1]) - 0.5
    return float(((points >= low) & (points <= high)).all(1).mean()) if len(points) else np.nan


def measure(sperm_id: int, anatomy: Anatomy, pose: Pose, frame: Window) -> SpermTruth:
    """Measure a sperm that lies in, or reaches into, a picture of the size of `frame`."""
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
        sperm_id=sperm_id,
        head_row_px=pose.row,
        head_col_px=pose.col,
        direction_deg=float(np.rad2deg(-pose.direction) % 360),
        head_form=anatomy.head_form,
        midpiece_form=anatomy.midpiece_form,
        tail_form=anatomy.tail_form,
        cut=_fraction_inside(outline_points(anatomy, pose), frame) < 1,
        head_visible_fraction=_area_inside(union, picture),
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


def _area_inside(shape: shapely.Geometry, picture: shapely.Polygon) -> float:
    """Share of a shape's area within the picture, exactly 1 for a whole one."""
    return 1.0 if picture.covers(shape) else float(shape.intersection(picture).area / shape.area)
