"""The same picture looked at in several ways: what differs is the network's doing, not the sperm's.

Test-time augmentation, to say how sure a segmentation is rather than to better it. Mirrored and
turned pictures map back pixel by pixel. A view at another zoom is the picture brought to another
working scale, of which the predictor gives the part map at the picture's own size as always.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.data.preprocess import Preprocessing, Size
from spermseg.errors import UsageError
from spermseg.inference.predictor import Predictor
from spermseg.structures import Sample, Segmentation


@dataclass(frozen=True)
class View:
    """One way to look at a picture.

    Parameters
    ----------
    name : str
    mirrored : bool
        Left and right exchanged, before it is turned.
    quarter_turns : int
        Counter-clockwise.
    zoom : float
        Of the working picture.
    density : float
        Optical density, ``-log(value / white)``, of the picture times this: above 1 is a darker
        stain, or less light.

    Raises
    ------
    UsageError
        When `zoom` or `density` is not positive.
    """

    name: str
    mirrored: bool = False
    quarter_turns: int = 0
    zoom: float = 1.0
    density: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.zoom < np.inf and 0 < self.density < np.inf):
            raise UsageError(
                f"zoom and density of a view must be positive, got {self.zoom}, {self.density}"
            )

    def suits(self, preprocessing: Preprocessing) -> bool:
        """Tell whether a model sees the same sperm in this view, and something new."""
        if preprocessing.head_length_px is not None:
            return True
        squeezed = preprocessing.size is not None or preprocessing.crop is not None
        return self.zoom == 1.0 and not (squeezed and self.quarter_turns % 2)

    def show(self, image: NDArray[Any]) -> NDArray[Any]:
        """Give a picture (H, W, 3), uint8 or uint16, as it is seen; the zoom is not applied."""
        if self.density != 1.0:
            image = _denser(image, self.density)
        if self.mirrored:
            image = image[:, ::-1]
        return np.rot90(image, self.quarter_turns)

    def restore(self, array: NDArray[Any]) -> NDArray[Any]:
        """Turn what was found in a view, (..., h, w), back into the picture's directions."""
        array = np.rot90(array, -self.quarter_turns, axes=(-2, -1))
        return np.ascontiguousarray(array[..., ::-1] if self.mirrored else array)

    def working_size(self, size: Size) -> Size:
        """Give the size (h, w) of the view where the picture's own working size is `size`."""
        height, width = (max(1, round(extent * self.zoom)) for extent in size)
        return (width, height) if self.quarter_turns % 2 else (height, width)


VIEWS = (
    View("mirrored", mirrored=True),
    View("turned by 90 degrees", quarter_turns=1),
    View("turned by 180 degrees", quarter_turns=2),
    View("turned by 270 degrees", quarter_turns=3),
    View("reduced to 93 %", zoom=0.93),
    View("enlarged to 107 %", zoom=1.07),
    View("stain 10 % paler", density=0.9),
    View("stain 10 % darker", density=1.1),
)
"""Changes that no person's judgement would depend on, within what the bundled model is trained for.
"""


def segment_views(
    predictor: Predictor, sample: Sample, plain: Segmentation, views: Sequence[View] = VIEWS
) -> Iterator[tuple[View, Segmentation]]:
    """Segment a picture in several views, each at the scale found without them.

    Parameters
    ----------
    predictor : Predictor
    sample : Sample
    plain : Segmentation
        What `predictor` gave of the picture as it is.
    views : sequence of View
        Those that do not suit the model are left out: zoomed ones where it has no working scale,
        quarter turns where it sees every picture at one size or cropped.

    Yields
    ------
    View
    Segmentation
        In the picture's own directions and of `plain`'s scale.
    """
    preprocessing = predictor.card.preprocessing
    scaled = preprocessing.head_length_px is not None
    for view in views:
        if not view.suits(preprocessing):
            continue
        size = view.working_size(plain.working_size) if scaled else None
        seen = predictor.segment(replace(sample, image=view.show(sample.image)), working_size=size)
        yield (
            view,
            replace(
                seen,
                part_map=view.restore(seen.part_map),
                scores=view.restore(seen.scores),
                working_size=plain.working_size,
                scale=plain.scale,
                warnings=plain.warnings,
            ),
        )


def _denser(image: NDArray[Any], density: float) -> NDArray[Any]:
    white = np.iinfo(image.dtype).max
    shades = np.linspace(0, 1, white + 1) ** density
    table: NDArray[Any] = np.rint(white * shades).astype(image.dtype)
    darker: NDArray[Any] = table[image]
    return darker
