"""Scale by what is in the picture: the length of sperm heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

HEAD_LENGTH_UM = 4.4
"""Median head length of stained sperm, 7,942 cells, Papanicolaou (Bellastella et al. 2010)."""

_LARGEST_RATIO = 3.0
"""Longer shapes are no single head: normal heads have length / width 1.3-1.8 (WHO 2021)."""

_LEAST_FILL = 0.85
"""Shapes that fill less of their ellipse are heads that touch, or rings."""


@dataclass(frozen=True)
class HeadRegion:
    """One connected region of what is taken for head.

    Parameters
    ----------
    window : (slice, slice)
        The rows and columns around it.
    inside : (h, w) bool
        Which pixels of the window are its own.
    length, width : float
        In pixels, of the ellipse with its second moments: 4 sqrt(eigenvalue).
    is_cut : bool
        Whether it touches the picture's border.
    """

    window: tuple[slice, slice]
    inside: NDArray[np.bool_]
    length: float
    width: float
    is_cut: bool

    @property
    def area(self) -> int:
        """Number of pixels."""
        return int(np.count_nonzero(self.inside))

    @property
    def is_whole_head(self) -> bool:
        """Whether it can be one whole head: an ellipse away from the border, not too long."""
        ellipse = np.pi / 4 * self.length * self.width
        is_ellipse = self.length <= _LARGEST_RATIO * self.width
        return not self.is_cut and is_ellipse and self.area >= _LEAST_FILL * ellipse


def head_regions(head: NDArray[np.bool_], *, smallest_area: int = 20) -> list[HeadRegion]:
    """Measure everything that is taken for head, for the picture's scale rather than morphology.

    Parameters
    ----------
    head : (H, W) bool
        Acrosome, nucleus and vacuoles together.
    smallest_area : int
        Smaller regions, in pixels, are left out.
    """
    labels, _ = ndimage.label(head)
    regions = []
    for index, window in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[window] == index
        rows, columns = np.nonzero(inside)
        if len(rows) < smallest_area:
            continue
        # A pixel is a square, not a point: 1/12 is its own second moment.
        covariance = np.cov(rows, columns, bias=True) + np.eye(2) / 12
        width, length = 4 * np.sqrt(np.linalg.eigvalsh(covariance))
        is_cut = any(
            part.start == 0 or part.stop == extent
            for part, extent in zip(window, head.shape, strict=True)
        )
        regions.append(HeadRegion(window, inside, float(length), float(width), is_cut))
    return regions


def head_lengths(head: NDArray[np.bool_], *, smallest_area: int = 20) -> NDArray[np.float64]:
    """Measure the separate heads of one picture.

    Parameters
    ----------
    head, smallest_area
        As `head_regions`.

    Returns
    -------
    (n,) float64
        Length in pixels of every region that can be one whole head, see `HeadRegion`.
    """
    regions = head_regions(head, smallest_area=smallest_area)
    return np.array([region.length for region in regions if region.is_whole_head])
