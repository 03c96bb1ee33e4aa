"""The two distributions that every parameter of a synthetic smear is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Normal:
    """Normal distribution, cut off at `spread` standard deviations on either side."""

    mean: float
    sd: float
    spread: float = 2.5

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        while True:
            deviation = float(rng.standard_normal())
            if abs(deviation) <= self.spread:
                return self.mean + self.sd * deviation


@dataclass(frozen=True)
class Uniform:
    """Uniform distribution between `low` and `high`."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(rng.uniform(self.low, self.high))


Distribution = Normal | Uniform


def choose(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """Draw one key with a probability proportional to its weight."""
    names = list(weights)
    shares = np.array([weights[name] for name in names], float)
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]
