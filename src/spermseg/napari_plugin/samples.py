"""Sample data: synthetic smears, of which everything is known."""

from __future__ import annotations

from dataclasses import replace

from spermseg.data.synthetic import PRESETS, synthesize_sample
from spermseg.napari_plugin.layers import LayerData, image_layer, parts_layer

SIZE = (512, 640)
SEED = 7


def stained_smear() -> list[LayerData]:
    """Make a smear as those of the Sperm Parsing data set, and its parts."""
    return _smear("sperm-parsing")


def pale_smear() -> list[LayerData]:
    """Make a pale smear, and its parts."""
    return _smear("pale")


def _smear(preset: str) -> list[LayerData]:
    made = synthesize_sample(replace(PRESETS[preset], size=SIZE), SEED, 0).sample
    name = f"synthetic {preset} smear"
    return [
        image_layer(name, made.image, made.um_per_px),
        parts_layer(f"{name} true", made.part_map, made.um_per_px),
    ]
