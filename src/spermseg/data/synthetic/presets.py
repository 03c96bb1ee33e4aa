"""The presets: every parameter's distribution."""

from __future__ import annotations

from dataclasses import replace

from spermseg.data.synthetic.distributions import Normal, Uniform
from spermseg.data.synthetic.settings import (
    AnatomySettings,
    CameraSettings,
    DebrisSettings,
    Preset,
    StainSettings,
)
from spermseg.errors import UsageError

_ANATOMY = AnatomySettings(
    head_length=Normal(4.1, 0.22),
    head_elongation=Normal(1.56, 0.12),
    acrosome_fraction=Normal(0.52, 0.05),
    vacuoles=Uniform(-0.5, 2.5),
    midpiece_length=Normal(4.0, 0.45),
    midpiece_width=Normal(0.55, 0.06),
    midpiece_angle=Normal(0.0, 8.0),
    tail_length=Normal(44.0, 4.0),
    tail_width=Normal(0.42, 0.03),
    forms={
        "head": {
            "normal": 0.6,
            "tapered": 0.1,
            "pyriform": 0.09,
            "round": 0.05,
            "amorphous": 0.11,
            "pin": 0.02,
            "double": 0.03,
        },
        "midpiece": {"normal": 0.76, "bent": 0.09, "thick": 0.07, "droplet": 0.08},
        "tail": {
            "normal": 0.8,
            "looped": 0.05,
            "coiled": 0.04,
            "bent": 0.06,
            "short": 0.03,
            "absent": 0.02,
        },
    },
)

_STAIN = StainSettings(
    blue=(1.0, 0.9, 0.05),
    violet=(0.25, 1.0, 0.035),
    nucleus=(0.12, 1.95),
    acrosome=(0.075, 0.175),
    midpiece=(0.093, 0.0),
    tail=(0.048, 0.002),
    rim=Uniform(0.5, 1.6),
    picture_strength=Normal(1.0, 0.12),
    sperm_strength=Normal(1.0, 0.12),
    flagellum_strength=Uniform(0.5, 1.4),
    hue=Normal(1.0, 0.08),
)

_DEBRIS = DebrisSettings(
    abundance=Uniform(0.2, 2.0),
    specks=60.0,
    globules=1.5,
    bacteria=Normal(-1.5, 1.5),
    rings=0.3,
    crumbs=4.0,
    leukocytes=0.02,
    density=1.3,
    smudge=Uniform(0.004, 0.02),
)

_CAMERA = CameraSettings(
    light=(Normal(227, 3.0), Normal(228, 3.2), Normal(231, 2.2)),
    brightness=Uniform(0.99, 1.01),
    light_fall=Uniform(0.0, 0.03),
    light_tilt=Uniform(-0.02, 0.02),
    blur=Normal(0.086, 0.01),
    defocus=Normal(-0.05, 0.1),
    sharpening=Uniform(0.6, 1.4),
    saturation=Normal(1.0, 0.05),
    noise=Uniform(0.4, 0.9),
    grain=Uniform(0.6, 1.2),
    dust=7.0,
)

_SPERM_PARSING = Preset(
    name="sperm-parsing",
    size=(1024, 1280),
    um_per_px=0.0456,
    n_sperm=Normal(8.0, 2.2),
    reach_um=20.0,
    touching=0.07,
    anatomy=replace(
        _ANATOMY,
        head_length=Normal(3.95, 0.28),
        head_elongation=Normal(1.6, 0.13),
        tail_length=Normal(38.0, 4.0),
    ),
    stain=_STAIN,
    debris=_DEBRIS,
    camera=_CAMERA,
)

_PALE = replace(
    _SPERM_PARSING,
    name="pale",
    stain=replace(
        _STAIN,
        blue=(0.8, 1.0, 0.45),
        violet=(0.62, 1.0, 0.28),
        nucleus=(0.1, 0.52),
        acrosome=(0.04, 0.12),
        midpiece=(0.10, 0.02),
        tail=(0.055, 0.01),
        rim=Uniform(0.0, 0.1),
        picture_strength=Uniform(0.5, 1.3),
        sperm_strength=Normal(1.0, 0.18),
        hue=Normal(1.0, 0.15),
    ),
    debris=replace(
        _DEBRIS, specks=55, globules=1.0, bacteria=Normal(-0.8, 1.5), smudge=Uniform(0.0, 0.03)
    ),
    camera=replace(
        _CAMERA,
        light=(Normal(212, 8), Normal(206, 7), Normal(198, 10)),
        brightness=Uniform(0.85, 1.12),
        light_fall=Uniform(0.05, 0.2),
        light_tilt=Uniform(-0.08, 0.08),
        blur=Uniform(0.08, 0.18),
        defocus=Normal(0.0, 0.15),
        sharpening=Uniform(0.0, 0.2),
        saturation=Uniform(0.6, 1.1),
        noise=Uniform(1.0, 3.0),
        grain=Uniform(0.5, 1.5),
    ),
)

_SCIAN = Preset(
    name="scian",
    size=(580, 780),
    um_per_px=0.164,
    n_sperm=Normal(14, 4),
    reach_um=20.0,
    touching=0.2,
    anatomy=replace(
        _ANATOMY,
        head_elongation=Normal(1.75, 0.18),
        vacuoles=Uniform(-0.5, 1.5),
        midpiece_width=Normal(0.8, 0.08),
        tail_width=Normal(0.5, 0.05),
    ),
    stain=replace(
        _STAIN,
        blue=(1.0, 0.95, 0.75),
        violet=(0.85, 1.0, 0.72),
        nucleus=(0.08, 0.42),
        acrosome=(0.06, 0.16),
        midpiece=(0.17, 0.03),
        tail=(0.11, 0.02),
        rim=Uniform(0.0, 0.1),
        picture_strength=Uniform(0.7, 1.2),
        sperm_strength=Normal(1.0, 0.2),
        hue=Normal(1.0, 0.08),
    ),
    debris=replace(
        _DEBRIS,
        density=0.45,
        specks=14,
        globules=0.6,
        bacteria=Normal(-0.3, 0.5),
        rings=0.1,
        crumbs=4.0,
        smudge=Uniform(0.005, 0.04),
    ),
    camera=replace(
        _CAMERA,
        light=(Normal(186, 4), Normal(184, 4), Normal(186, 5)),
        brightness=Uniform(0.85, 1.15),
        light_fall=Uniform(0.03, 0.15),
        light_tilt=Uniform(-0.08, 0.08),
        blur=Uniform(0.11, 0.2),
        defocus=Normal(0.0, 0.15),
        sharpening=Uniform(0.0, 0.5),
        saturation=Uniform(0.5, 1.0),
        noise=Uniform(1.5, 3.5),
        grain=Uniform(1.0, 2.5),
        dust=3,
    ),
)

_TINY = replace(
    _SPERM_PARSING,
    name="tiny",
    size=(128, 160),
    um_per_px=0.2,
    n_sperm=Normal(4.5, 1.2),
    reach_um=8.0,
    anatomy=replace(_ANATOMY, tail_length=Normal(20.0, 3.0), midpiece_width=Normal(0.75, 0.06)),
    debris=replace(_DEBRIS, specks=12, globules=1.0, crumbs=2.0),
    camera=replace(_CAMERA, dust=1),
)

PRESETS: dict[str, Preset] = {
    preset.name: preset for preset in (_SPERM_PARSING, _PALE, _SCIAN, _TINY)
}


def preset_named(name: str) -> Preset:
    """Look a preset up by name.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}", fix=f"There are: {', '.join(PRESETS)}")
    return PRESETS[name]
