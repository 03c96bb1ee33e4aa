"""What lies on a slide besides sperm, as amounts of dye."""

from __future__ import annotations

import numpy as np
from PIL import Image

from spermseg.data.synthetic.distributions import Normal, Uniform
from spermseg.data.synthetic.presets import DebrisSettings
from spermseg.data.synthetic.raster import (
    Field,
    Points,
    Pose,
    Window,
    band_distance,
    coverage,
)


def scatter_debris(
    rng: np.random.Generator, amounts: Field, settings: DebrisSettings, um_per_px: float
) -> None:
    """Add debris to the amounts of blue and violet dye, (2, H, W) float32, in place."""
    canvas = Canvas(rng, amounts, um_per_px)
    area = amounts.shape[1] * amounts.shape[2] * um_per_px**2 / 1000
    canvas.add_smudges(settings.smudge.draw(rng))
    kinds = {
        canvas.add_speck: settings.specks,
        canvas.add_globule: settings.globules,
        canvas.add_bacteria: settings.bacteria,
        canvas.add_ring: settings.rings,
        canvas.add_crumb: settings.crumbs,
        canvas.add_leukocyte: settings.leukocytes,
    }
    for add, mean in kinds.items():
        for _ in range(rng.poisson(mean * area)):
            add()


class Canvas:
    """Amounts of dye, (2, H, W) float32, to which pieces of debris are added.

    Parameters
    ----------
    rng : numpy.random.Generator
    amounts : (2, H, W) float32
        Changed in place.
    um_per_px : float
    """

    def __init__(self, rng: np.random.Generator, amounts: Field, um_per_px: float):
        self.rng = rng
        self.amounts = amounts
        self.um_per_px = um_per_px
        self.frame = Window(0, 0, amounts.shape[1], amounts.shape[2])

    def add_smudges(self, strength: float) -> None:
        """Add dried plasma: soft clouds, bluish with rosy places."""
        for share, scale_um in ((1.0, 10.0), (0.6, 2.5)):
            cloud = smooth_field(self.rng, self.frame.shape, scale_um / self.um_per_px)
            self.amounts[0] += strength * share * np.clip(cloud - 0.6, 0, 2)
            rosy = smooth_field(self.rng, self.frame.shape, scale_um / self.um_per_px)
            self.amounts[1] += strength * share * 0.6 * np.clip(rosy - 1.1, 0, 2)

    def add_speck(self) -> None:
        """Add a soft grain of stain, 0.1 to 0.4 um across."""
        radius = float(np.exp(Normal(-2.1, 0.5).draw(self.rng)))
        strength = float(np.exp(Normal(-3.3, 0.6).draw(self.rng)))
        self._add_blob(self._anywhere(), radius, strength, Uniform(0, 0.5).draw(self.rng), 1.0)

    def add_globule(self) -> None:
        """Add a round, even, blue droplet."""
        radius = Uniform(0.25, 0.85).draw(self.rng)
        self._add_blob(self._anywhere(), radius, Uniform(0.06, 0.22).draw(self.rng), 0.1, 0.15)

    def add_crumb(self) -> None:
        """Add an irregular scrap made of a few blobs."""
        pose, violet = self._anywhere(), Uniform(0, 0.9).draw(self.rng) ** 3
        strength = Uniform(0.02, 0.09).draw(self.rng)
        for _ in range(self.rng.integers(2, 8)):
            offset = (Normal(0, 0.4).draw(self.rng), Normal(0, 0.25).draw(self.rng))
            radius = Uniform(0.1, 0.4).draw(self.rng)
            self._add_blob(pose.shifted(offset, 0), radius, strength, violet, 0.5)

    def add_bacteria(self) -> None:
        """Add one rod or a chain of them, each about 1.2 x 0.5 um, dark blue."""
        pose, strength = self._anywhere(), Uniform(0.15, 0.5).draw(self.rng)
        for _ in range(self.rng.choice([1, 1, 1, 2, 2, 3, 5])):
            length = Uniform(0.6, 1.6).draw(self.rng)
            line = np.column_stack([np.linspace(0, length, 60), np.zeros(60)])
            self._add_line(pose, line, Uniform(0.2, 0.3).draw(self.rng), strength, 0.3)
            pose = pose.shifted((length + 0.6, 0.0), Normal(0, 0.4).draw(self.rng))

    def add_ring(self) -> None:
        """Add the thin outline of a vesicle, not always closed."""
        radius, squeeze = Uniform(0.5, 2.5).draw(self.rng), Uniform(0.6, 1).draw(self.rng)
        t = np.linspace(0, Uniform(4, 6.3).draw(self.rng), 900)
        wobble = 1 + 0.1 * np.sin(2 * t + Uniform(0, 6).draw(self.rng))
        line = radius * np.column_stack([np.cos(t), squeeze * np.sin(t)]) * wobble[:, None]
        self._add_line(self._anywhere(), line, 0.12, Uniform(0.01, 0.04).draw(self.rng), 0.2)

    def add_leukocyte(self) -> None:
        """Add a white cell: pale rosy body of 9 to 12 um with a lobed, dark nucleus."""
        pose, radius = self._anywhere(), Uniform(4.5, 6).draw(self.rng)
        self._add_blob(pose, radius, Uniform(0.05, 0.12).draw(self.rng), 0.7, 0.1)
        for _ in range(self.rng.integers(2, 5)):
            offset = (Normal(0, 1.6).draw(self.rng), Normal(0, 1.6).draw(self.rng))
            lobe = Uniform(1.3, 2.2).draw(self.rng)
            self._add_blob(pose.shifted(offset, 0), lobe, 0.5, 0.85, 0.1)

    def _anywhere(self) -> Pose:
        row, col = self.rng.uniform((0, 0), self.frame.shape)
        return Pose(row, col, self.rng.uniform(0, 2 * np.pi), self.um_per_px)

    def _add_blob(
        self, pose: Pose, radius: float, strength: float, violet: float, softness: float
    ) -> None:
        """Add a lumpy disc; `softness` is the share of its radius over which it fades."""
        centre = np.array([[pose.row, pose.col]])
        window = Window.around(centre, 1.5 * radius / self.um_per_px + 2, self.frame)
        if window.empty:
            return
        x, y = pose.local(window)
        lumps = 1 + self.rng.uniform(0, 0.15) * np.cos(
            self.rng.integers(2, 5) * np.arctan2(y, x) + self.rng.uniform(0, 6.3)
        )
        fade = max(softness * radius, self.um_per_px)
        cover = np.clip((radius * lumps - np.hypot(x, y)) / fade + 0.5, 0, 1)
        self._add(window, strength * cover, violet)

    def _add_line(
        self, pose: Pose, line: Points, half_width: float, strength: float, violet: float
    ) -> None:
        points = pose.place(line)
        window = Window.around(points, half_width / self.um_per_px + 2, self.frame)
        if window.empty:
            return
        half_widths = np.full(len(points), half_width / self.um_per_px)
        distance, _ = band_distance(points, half_widths, window)
        self._add(window, strength * coverage(distance), violet)

    def _add(self, window: Window, amount: Field, violet: float) -> None:
        at = window.slices(self.frame)
        self.amounts[(0, *at)] += (1 - violet) * amount
        self.amounts[(1, *at)] += violet * amount


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> Field:
    """Give smooth noise (H, W) float32 of mean 0 and deviation about 1, `scale_px` wide."""
    rows, cols = (int(np.ceil(side / scale_px)) + 3 for side in shape)
    coarse = Image.fromarray(rng.standard_normal((rows, cols)).astype(np.float32))
    size = (round(cols * scale_px), round(rows * scale_px))
    fine = coarse.resize(size, Image.Resampling.BICUBIC)
    top, left = int(scale_px), int(scale_px)
    field: Field = np.asarray(fine, np.float32)[top : top + shape[0], left : left + shape[1]]
    return field / np.float32(0.75)
