"""The names that annotators give to parts."""

from __future__ import annotations

from spermseg.errors import MaskError
from spermseg.structures import Part

PART_NAMES: dict[str, Part] = {
    "head": Part.HEAD,
    "cabeza": Part.HEAD,
    "midpiece": Part.MIDPIECE,
    "mid-piece": Part.MIDPIECE,
    "middle piece": Part.MIDPIECE,
    "neck": Part.MIDPIECE,
    "body": Part.MIDPIECE,
    "pieza media": Part.MIDPIECE,
    "cuello": Part.MIDPIECE,
    "tail": Part.TAIL,
    "flagellum": Part.TAIL,
    "cola": Part.TAIL,
    "flagelo": Part.TAIL,
    "acrosome": Part.ACROSOME,
    "acrosoma": Part.ACROSOME,
    "nucleus": Part.NUCLEUS,
    "núcleo": Part.NUCLEUS,
    "nucleo": Part.NUCLEUS,
    "vacuole": Part.VACUOLE,
    "vacuola": Part.VACUOLE,
}
"""Part by label, lower case."""


def part_named(label: object) -> Part:
    """Look a label up, whatever its case.

    Raises
    ------
    MaskError
        Naming the label and the known ones.
    """
    part = PART_NAMES.get(label.strip().lower()) if isinstance(label, str) else None
    if part is None:
        raise MaskError(f"unknown label {label!r}", fix=f"Known are: {', '.join(PART_NAMES)}")
    return part
