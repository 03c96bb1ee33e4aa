"""What decides how a synthetic smear looks; lengths are in micrometres where not said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from spermseg.data.synthetic.distributions import Distribution

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class AnatomySettings:
    """Sizes and forms of sperm.

    Parameters
    ----------
    head_length, head_elongation : Distribution
        Length of a normal head and its length / width.
    acrosome_fraction : Distribution
        Share of the head's area.
    vacuoles : Distribution
        Number in a head, rounded.
    midpiece_length, midpiece_width : Distribution
    midpiece_angle : Distribution
        Degrees between the axes of midpiece and head, of a normal midpiece.
    tail_length, tail_width : Distribution
        Width where the tail leaves the midpiece.
    forms : mapping of str to mapping of str to float
        Weights of the forms of ``"head"``, ``"midpiece"`` and ``"tail"``.
    """

    head_length: Distribution
    head_elongation: Distribution
    acrosome_fraction: Distribution
    vacuoles: Distribution
    midpiece_length: Distribution
    midpiece_width: Distribution
    midpiece_angle: Distribution
    tail_length: Distribution
    tail_width: Distribution
    forms: Mapping[str, dict[str, float]]


@dataclass(frozen=True)
class StainSettings:
    """Optical densities (log10, as the camera's red, green and blue show them).

    Two dyes: a blue one that takes everywhere and a violet one that the head binds.

    Parameters
    ----------
    blue, violet : tuple of 3 float
        Density of one unit of dye.
    nucleus, acrosome, midpiece, tail : tuple of 2 float
        Units of blue and of violet dye in each part.
    rim : Distribution
        Further units of blue dye along the edge of the nucleus.
    picture_strength, sperm_strength, flagellum_strength : Distribution
        Factors on all dye of a picture, of a sperm, and of all midpieces and tails of a picture.
    hue : Distribution
        Factor on the red density of violet and the green density of blue, one a picture.
    """

    blue: RGB
    violet: RGB
    nucleus: tuple[float, float]
    acrosome: tuple[float, float]
    midpiece: tuple[float, float]
    tail: tuple[float, float]
    rim: Distribution
    picture_strength: Distribution
    sperm_strength: Distribution
    flagellum_strength: Distribution
    hue: Distribution

    def for_picture(self, rng: np.random.Generator) -> StainSettings:
        """Draw the stain of one picture; only `rim` and `sperm_strength` go on varying."""
        strength = self.picture_strength.draw(rng)
        thin = self.flagellum_strength.draw(rng)
        blue = np.array(self.blue) * (1, self.hue.draw(rng), 1) * strength
        violet = np.array(self.violet) * (self.hue.draw(rng), 1, 1) * strength
        return replace(
            self,
            blue=tuple(blue),
            violet=tuple(violet),
            midpiece=(self.midpiece[0] * thin, self.midpiece[1] * thin),
            tail=(self.tail[0] * thin, self.tail[1] * thin),
        )


@dataclass(frozen=True)
class DebrisSettings:
    """What lies on the slide besides sperm: mean numbers for 1000 um2 of slide.

    Parameters
    ----------
    abundance : Distribution
        Factor on all these numbers, one a picture.
    specks, globules, rings, crumbs : float
        Grains of stain; round droplets; thin circles; irregular scraps.
    bacteria : Distribution
        Rods, single or in chains; negative means none.
    leukocytes : float
        White cells.
    density : float
        Units of dye in the densest of it, bacteria and the nuclei of white cells.
    smudge : Distribution
        Units of dye in the densest places of the smeared background, one value a picture.
    """

    abundance: Distribution
    specks: float
    globules: float
    bacteria: Distribution
    rings: float
    crumbs: float
    leukocytes: float
    density: float
    smudge: Distribution


@dataclass(frozen=True)
class CameraSettings:
    """Light, optics and sensor.

    Parameters
    ----------
    light : tuple of 3 Distribution
        Red, green and blue of the empty field, 0 ... 255.
    brightness : Distribution
        Factor on all three.
    light_fall : Distribution
        Relative loss of light towards the corners.
    light_tilt : Distribution
        Relative change of light across the picture.
    blur : Distribution
        Standard deviation of the picture's blur.
    defocus : Distribution
        Further blur of single sperm; negative means none.
    sharpening : Distribution
        Strength of the camera's unsharp mask.
    saturation : Distribution
        1 keeps the colours, 0 is grey.
    noise, grain : Distribution
        Standard deviation, in grey values, of pixel noise and of noise a few pixels wide.
    dust : float
        Mean number of dust rings of the optics in a picture.
    """

    light: tuple[Distribution, Distribution, Distribution]
    brightness: Distribution
    light_fall: Distribution
    light_tilt: Distribution
    blur: Distribution
    defocus: Distribution
    sharpening: Distribution
    saturation: Distribution
    noise: Distribution
    grain: Distribution
    dust: float


@dataclass(frozen=True)
class Preset:
    """All that decides what a synthetic smear looks like.

    Parameters
    ----------
    name : str
    size : (height, width)
    um_per_px : float
    n_sperm : Distribution
        Sperm whose heads lie in the picture, on average.
    reach_um : float
        How far around the picture sperm lie as densely as in it.
    touching : float
        Probability that a sperm's head lies against another one's.
    anatomy, stain, debris, camera
        What the sperm, the dyes, the slide and the microscope are like.
    """

    name: str
    size: tuple[int, int]
    um_per_px: float
    n_sperm: Distribution
    reach_um: float
    touching: float
    anatomy: AnatomySettings
    stain: StainSettings
    debris: DebrisSettings
    camera: CameraSettings
