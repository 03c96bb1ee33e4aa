"""From a picture to part scores, with any runtime that turns arrays into arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.data.field_of_view import without_surround
from spermseg.data.preprocess import Box, Size, resize_image, resize_scores
from spermseg.data.scale import HEAD_LENGTH_UM
from spermseg.errors import DataError, ModelError
from spermseg.inference.card import ModelCard
from spermseg.inference.part_map import paint_block, round_to_half
from spermseg.inference.scale import USUAL_RATIO, contradiction, estimate_head_length
from spermseg.inference.specks import clear_specks
from spermseg.inference.tiling import STRIDE, Block, Span, score_blocks
from spermseg.stages import stage
from spermseg.structures import Part, Prediction, Sample, Scale, Segmentation

Backend = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Takes pictures (1, 3, h, w), gives logits (1, C, h, w)."""

POSSIBLE_HEAD_LENGTHS_PX = (4.0, 2000.0)
"""A scale under which heads would be shorter or longer is a mistake."""

KEPT_PIXELS = 2**25
"""Of a larger working picture only every second (third, ...) row and column of scores is kept:
0.4 GB for six parts."""


class Predictor:
    """A network, ready to use.

    Parameters
    ----------
    backend : callable
        Takes (1, 3, h, w) float32, gives logits (1, C, h, w) float32.
    card : ModelCard
        Says what goes in and what comes out.
    """

    def __init__(self, backend: Backend, card: ModelCard):
        self.backend = backend
        self.card = card

    @stage("part map")
    def segment(self, sample: Sample, *, working_size: Size | None = None) -> Segmentation:
        """Find the parts in a picture of any size and scale.

        A model with a working scale (`Preprocessing.head_length_px`) sees the picture at it: by the
        head length given, by the pixel size, or by what is estimated from the picture itself. Large
        pictures are run in overlapping tiles; memory then hardly depends on the picture's size
        beyond the picture, its part map and the scores that are kept. Where the scale is known,
        regions too small to be anything of a sperm are background (`clear_specks`). The black
        surround of a round field of view is not shown to the network (`without_surround`).

        Parameters
        ----------
        sample : Sample
        working_size : (h, w), optional
            Show the picture at this size to a model with a working scale, whatever its scale is.

        Returns
        -------
        Segmentation
            Scores are float16; where the working picture is larger than `KEPT_PIXELS`, of every
            n-th row and column.

        Raises
        ------
        DataError
            When the scale given cannot be true.
        ModelError
            When the network gives another shape than the card says, or numbers that are not finite;
            when it has no working scale, but a working size is asked for.
        """
        sample = self._of_the_field(sample)
        view = self._view(sample, working_size)
        ids = np.array(self.card.schema.ids, np.uint8)
        part_map = np.empty(sample.size, np.uint8)
        kept = _KeptScores(self.card.schema.n_classes, view.size)
        for block in self._blocks(sample, view):
            paint_block(part_map, block, view.size, ids)
            kept.take(block)
        if view.scale.head_length_px is not None:
            background = self.card.schema.ids.index(Part.BACKGROUND)
            clear_specks(part_map, kept.scores, view.scale.head_length_px, background)
        doubt = self._doubt(view.scale, kept.scores, sample.size)
        return Segmentation(
            part_map,
            kept.scores,
            self.card.schema,
            view.scale,
            self.card.id,
            (*view.warnings, *doubt),
            working_size=view.size,
        )

    def predict(self, sample: Sample) -> Prediction:
        """Score every pixel of a picture.

        Parameters
        ----------
        sample : Sample

        Returns
        -------
        Prediction
            Scores (C, H, W) at the picture's own size; background with certainty where a centre
            crop hides the picture from the network, see `Preprocessing.visible`. Its part map is
            that of `segment`, up to rounding, with small regions left in.

        Raises
        ------
        DataError, ModelError
            As `segment`.
        """
        sample = self._of_the_field(sample)
        view = self._view(sample)
        scores = np.empty((self.card.schema.n_classes, *view.size), np.float32)
        for block in self._blocks(sample, view):
            (row0, row1), (column0, column1) = block.core
            scores[:, row0:row1, column0:column1] = block.core_scores
        return Prediction(resize_scores(scores, sample.size), self.card.schema, self.card.id)

    def working_scores(self, sample: Sample) -> NDArray[np.float32]:
        """Give probabilities (C, h, w) float32 of what `Preprocessing.prepare` makes of a picture.

        Without a head length the picture keeps its size: no scale is estimated.
        """
        return self._run(self.card.preprocessing.prepare_image(sample.image, sample.head_length_px))

    def _of_the_field(self, sample: Sample) -> Sample:
        """Paint the black surround of a round field like its background."""
        if self.card.preprocessing.head_length_px is None:
            # The 2021 report's models, for one, learnt on turned pictures with black corners.
            return sample
        image = without_surround(sample.image)
        return sample if image is sample.image else replace(sample, image=image)

    def _view(self, sample: Sample, working_size: Size | None = None) -> _View:
        preprocessing, scale = self.card.preprocessing, given_scale(sample)
        if working_size is not None:
            if preprocessing.head_length_px is None:
                raise ModelError("the model has no working scale", where=self.card.id)
            return _View(working_size, scale)
        if preprocessing.head_length_px is None:
            scores = preprocessing.uncrop(self.working_scores(sample), sample.size)
            return _View(_size_of(scores), scale, scores)
        if scale.source != "unknown":
            return _View(preprocessing.working_size(sample.size, scale.head_length_px), scale)
        return self._estimated_view(sample, preprocessing.head_length_px)

    @stage("scale")
    def _estimated_view(self, sample: Sample, working_length: float) -> _View:
        seen: dict[float, NDArray[np.float32]] = {}

        def look_for(box: Box, assumed: float) -> NDArray[np.float32]:
            extent = (round(box[2] - box[0]), round(box[3] - box[1]))
            size = self.card.preprocessing.working_size(extent, assumed)
            scores = self._score_part(sample.image, size, box)
            if extent == sample.size:
                seen[assumed] = scores
            return scores

        found = estimate_head_length(sample.image, look_for, self.card.schema, working_length)
        if found is None:
            assumed = USUAL_RATIO * working_length
            scale = Scale("unknown")
            warnings: tuple[str, ...] = (
                f"no scale given and none found: processed as if heads were {assumed:.0f} px long",
            )
        else:
            assumed, warnings = found.assumed_px, ()
            scale = Scale("estimated", found.measured_px)
        size = self.card.preprocessing.working_size(sample.size, assumed)
        return _View(size, scale, seen.get(assumed), warnings)

    @stage("scale")
    def _doubt(self, scale: Scale, scores: NDArray[np.float16], size: Size) -> tuple[str, ...]:
        if scale.head_length_px is None or scale.source == "estimated":
            return ()
        zoom = scores.shape[1] / size[0]
        warning = contradiction(scores, self.card.schema, scale.head_length_px, zoom)
        return () if warning is None else (warning,)

    def _blocks(self, sample: Sample, view: _View) -> Iterator[Block]:
        if view.scores is not None:
            whole = ((0, view.size[0]), (0, view.size[1]))
            yield Block(view.scores, (0, 0), whole)
            return
        step = (sample.size[0] / view.size[0], sample.size[1] / view.size[1])

        def score_tile(rows: Span, columns: Span) -> NDArray[np.float32]:
            box = (rows[0] * step[0], columns[0] * step[1], rows[1] * step[0], columns[1] * step[1])
            size = (rows[1] - rows[0], columns[1] - columns[0])
            return self._score_part(sample.image, size, box)

        yield from score_blocks(view.size, score_tile)

    def _score_part(self, image: NDArray[Any], size: Size, box: Box) -> NDArray[np.float32]:
        """Give the probabilities (C, *size) of one part of a picture."""
        preprocessing = self.card.preprocessing
        ends = (box[0] <= 0, box[1] <= 0, box[2] >= image.shape[0], box[3] >= image.shape[1])
        framed = preprocessing.framed(resize_image(image, size, box), ends)
        # Networks halve the picture several times; what they pad themselves costs more.
        beyond = ((0, -framed.shape[0] % STRIDE), (0, -framed.shape[1] % STRIDE), (0, 0))
        top, left = (preprocessing.margin * side for side in ends[:2])
        scores = self._run(np.pad(framed, beyond, mode="edge"))
        return scores[:, top : top + size[0], left : left + size[1]]

    def _run(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        with stage("scale"):
            planes = self.card.preprocessing.normalise(image)
        with stage("network"):
            logits = self.backend(planes[np.newaxis])
        expected = (1, self.card.schema.n_classes, *planes.shape[1:])
        if logits.shape != expected:
            raise ModelError(
                f"the network gave scores of shape {logits.shape}, its card says {expected}",
                where=self.card.id,
            )
        if not np.isfinite(logits).all():
            raise ModelError(
                "the network gave scores that are not finite",
                where=self.card.id,
                fix="Its weights are damaged or its training diverged",
            )
        return softmax(logits[0])


@dataclass(frozen=True)
class _View:
    """At which size (h, w) the network sees a picture; its scores where they are known already."""

    size: Size
    scale: Scale
    scores: NDArray[np.float32] | None = None
    warnings: tuple[str, ...] = ()


class _KeptScores:
    """Scores in float16, of every n-th row and column where the working picture is very large."""

    def __init__(self, n_classes: int, size: Size):
        self._step = math.ceil(math.sqrt(size[0] * size[1] / KEPT_PIXELS))
        height, width = (-(-extent // self._step) for extent in size)
        self.scores = np.empty((n_classes, height, width), np.float16)

    def take(self, block: Block) -> None:
        """Keep what `block` answers for."""
        (row0, row1), (column0, column1) = block.core
        step = self._step
        values = block.core_scores[:, -row0 % step :: step, -column0 % step :: step]
        kept = self.scores[:, -(-row0 // step) : -(-row1 // step)]
        kept = kept[..., -(-column0 // step) : -(-column1 // step)]
        for channel, target in zip(values, kept, strict=True):
            round_to_half(channel, target)


def given_scale(sample: Sample) -> Scale:
    """Give the scale that a sample states, ``unknown`` if none.

    Raises
    ------
    DataError
        When heads would be shorter or longer than `POSSIBLE_HEAD_LENGTHS_PX`.
    """
    if sample.head_length_px is not None:
        length = sample.head_length_px
        scale = Scale("head length given", length, sample.um_per_px)
        what = f"a head length of {length:g} px"
    elif sample.um_per_px is not None:
        length = HEAD_LENGTH_UM / sample.um_per_px
        scale = Scale("pixel size", length, sample.um_per_px)
        what = f"a pixel size of {sample.um_per_px:g} um, with heads {length:.3g} px long"
    else:
        return Scale("unknown")
    shortest, longest = POSSIBLE_HEAD_LENGTHS_PX
    if not shortest <= length <= longest:
        raise DataError(
            f"{what} cannot be true: heads are {shortest:g} to {longest:g} px long",
            where=sample.id,
            fix="Give the pixel size in micrometres or the length of heads in pixels",
        )
    return scale


@stage("part map")
def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn logits (C, ...) of any float type into probabilities of the same shape, in float32."""
    scores = logits.astype(np.float32)
    scores -= scores.max(0)
    np.exp(scores, out=scores)
    scores /= scores.sum(0)
    return scores


def _size_of(scores: NDArray[Any]) -> Size:
    return int(scores.shape[1]), int(scores.shape[2])
