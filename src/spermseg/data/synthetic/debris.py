"""What lies on a slide besides sperm, as amounts of dye."""

from __future__ import annotations

import numpy as np

from spermseg.data.synthetic.distributions import Normal, Uniform
from spermseg.data.synthetic.noise import smooth_field
from spermseg.data.synthetic.raster import (
    Field,
    Points,
    Pose,
    Window,
    band_distance,
    coverage,
)
from spermseg.data.synthetic.settings import DebrisSettings

STICKING = 0.15
"""Share of the smaller debris that sticks to sperm."""


def scatter_debris(
    rng: np.random.Generator,
    amounts: Field,
    settings: DebrisSettings,
    um_per_px: float,
    on_sperm: Points,
) -> None:
    """Add debris to the amounts of dye.

    Parameters
    ----------
    rng : numpy.random.Generator
    amounts : (2, H, W) float32
        Blue and violet dye; changed in place.
    settings : DebrisSettings
    um_per_px : float
    on_sperm : (n, 2) float
        Row, col of places on sperm, to which some of it sticks.
    """
    canvas = Canvas(rng, amounts, um_per_px, on_sperm, settings.density)
    area = amounts.shape[1] * amounts.shape[2] * um_per_px**2 / 1000
    area *= settings.abundance.draw(rng)
    canvas.add_smudges(settings.smudge.draw(rng))
    kinds = {
        canvas.add_speck: settings.specks,
        canvas.add_globule: settings.globules,
        canvas.add_bacteria: max(0.0, settings.bacteria.draw(rng)),
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
    on_sperm : (n, 2) float
        Row, col of places on sperm.
    density : float
        Units of dye in the densest debris.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        amounts: Field,
        um_per_px: float,
        on_sperm: Points,
        density: float,
    ):
        self.density = density
        self.on_sperm = on_sperm
        self.rng = rng
        self.amounts = amounts
        self.um_per_px = um_per_px
        self.frame = Window(0, 0, amounts.shape[1], amounts.shape[2])

    def add_smudges(self, strength: float) -> None:
        """Add dried plasma: soft clouds, bluish with rosy places."""
        for share, scale_um in ((0.5, 9.0), (0.35, 1.6), (0.9, 0.4)):
            cloud = smooth_field(self.rng, self.frame.shape, scale_um / self.um_per_px)
            self.amounts[0] += strength * share * np.clip(cloud - 0.3, 0, 3)
        rosy = smooth_field(self.rng, self.frame.shape, 6.0 / self.um_per_px)
        self.amounts[1] += strength * np.clip(rosy - 0.8, 0, 2)

    def add_speck(self) -> None:
        """Add a soft grain of stain, 0.1 to 0.4 um across."""
        radius = float(np.exp(Normal(-2.1, 0.5).draw(self.rng)))
        strength = float(np.exp(Normal(-3.3, 0.6).draw(self.rng)))
        self._add_blob(
            self._anywhere(STICKING), radius, strength, Uniform(0, 0.5).draw(self.rng), 1.0
        )

    def add_globule(self) -> None:
        """Add a roundish blue droplet, some denser in the middle."""
        radius = 0.25 + 0.7 * float(self.rng.beta(1.2, 2.5))
        pose, strength = self._anywhere(), Uniform(0.03, 0.2).draw(self.rng)
        violet, softness = Uniform(0, 0.25).draw(self.rng), Uniform(0.1, 0.6).draw(self.rng)
        self._add_blob(pose, radius, strength, violet, softness, 0.06)
        core = radius * Uniform(0.3, 0.7).draw(self.rng)
        self._add_blob(self._near(pose, 0.2 * radius), core, 0.4 * strength, violet, 1.0, 0.1)

    def add_crumb(self) -> None:
        """Add an irregular, granular scrap made of soft blobs."""
        pose, violet = self._anywhere(STICKING), Uniform(0, 0.9).draw(self.rng) ** 3
        strength = Uniform(0.01, 0.09).draw(self.rng)
        spread = Uniform(0.15, 0.6).draw(self.rng)
        for _ in range(self.rng.integers(3, 4 + int(25 * spread**1.5))):
            radius, own = Uniform(0.08, 0.35).draw(self.rng), Uniform(0.3, 1).draw(self.rng)
            self._add_blob(self._near(pose, spread), radius, strength * own, violet, 0.8)

    def add_bacteria(self) -> None:
        """Add one rod or a chain of them, each about 1.2 x 0.5 um, dark blue."""
        pose, strength = self._anywhere(), self.density * Uniform(0.3, 1).draw(self.rng)
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
        """Add a white cell: pale granular body of 9 to 12 um with a lobed, dark nucleus."""
        pose, radius = self._anywhere(), Uniform(4.5, 6).draw(self.rng)
        self._add_blob(pose, radius, Uniform(0.05, 0.12).draw(self.rng), 0.7, 0.15, 0.08)
        for _ in range(150):
            grain = Uniform(0.15, 0.5).draw(self.rng)
            self._add_blob(self._near(pose, 0.4 * radius), grain, 0.03, 0.6, 1.0)
        for _ in range(self.rng.integers(2, 5)):
            lobe = Uniform(1.3, 2.2).draw(self.rng)
            self._add_blob(self._near(pose, 1.6), lobe, 0.4 * self.density, 0.7, 0.4, 0.12)

    def _near(self, pose: Pose, deviation_um: float) -> Pose:
        x, y = self.rng.normal(0, deviation_um, 2)
        return pose.shifted((float(x), float(y)), 0.0)

    def _anywhere(self, sticking: float = 0.0) -> Pose:
        if self.rng.random() < sticking:
            place = self.on_sperm[self.rng.integers(len(self.on_sperm))]
            row, col = place + self.rng.normal(0, 0.25 / self.um_per_px, 2)
        else:
            row, col = self.rng.uniform((0, 0), self.frame.shape)
        return Pose(row, col, self.rng.uniform(0, 2 * np.pi), self.um_per_px)

    def _add_blob(
        self,
        pose: Pose,
        radius: float,
        strength: float,
        violet: float,
        softness: float,
        lumpiness: float = 0.04,
    ) -> None:
        """Add a lumpy disc; `softness` is the share of its radius over which it fades."""
        centre = np.array([[pose.row, pose.col]])
        window = Window.around(centre, 1.5 * radius / self.um_per_px + 2, self.frame)
        if window.empty:
            return
        x, y = pose.local(window)
        angle = np.arctan2(y, x)
        lumps = 1 + sum(
            self.rng.uniform(0, lumpiness) * np.cos(k * angle + self.rng.uniform(0, 6.3))
            for k in (2, 3, 5)
        )
        fade = max(softness * radius, self.um_per_px)
        cover = np.clip((radius * lumps - np.hypot(x, y)) / fade + 0.5, 0, 1)
        self._add(window, (strength * cover).astype(np.float32), violet)

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
