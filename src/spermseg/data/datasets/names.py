"""The names that annotators give to parts."""

from __future__ import annotations

import re

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


_SPERM_WORDS = frozenset({"sperm", "spermatozoon", "espermatozoide"})


def name_of(sperm: int, part: Part) -> str:
    """Name a part of a sperm where a program shows nothing but names: ``sperm 3 tail``."""
    return f"sperm {sperm} {part.name.lower()}"


def sperm_and_part(name: str) -> tuple[int | None, Part | None]:
    """Read what `name_of` gave, or what a person wrote in its place: ``tail``, ``3``, ``Tail 3``.

    A ``-1`` at the end, by which ImageJ tells equal names apart, is passed over.

    Returns
    -------
    tuple
        None for what the name does not say. A name with other words says neither.
    """
    words = re.split(r"[\s_:,;#.]+", re.sub(r"(?<=[^\W\d])-\d+$", "", name.strip().lower()))
    numbers = [word for word in words if word.isascii() and word.isdigit()]
    label = " ".join(word for word in words if word not in numbers and word not in _SPERM_WORDS)
    if len(numbers) > 1 or (label and label not in PART_NAMES):
        return None, None
    # A number with more digits is no count of sperm.
    sperm = int(numbers[0]) if numbers and len(numbers[0]) < 10 else None
    return sperm, PART_NAMES.get(label)
