"""From a picture to part scores, with any runtime that turns arrays into arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spermseg.errors import ModelError
from spermseg.inference.card import ModelCard
from spermseg.structures import Prediction, Sample

Backend = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Takes pictures (1, 3, h, w), gives logits (1, C, h, w)."""


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

    def predict(self, sample: Sample) -> Prediction:
        """Score every pixel of a picture.

        Returns
        -------
        Prediction
            Scores (C, H, W) at the picture's own size; background with certainty where a centre
            crop hides the picture from the network, see `Preprocessing.visible`.

        Raises
        ------
        ModelError
            When the network gives another shape than the card says, or numbers that are not finite.
        """
        scores = self.working_scores(sample)
        restored = self.card.preprocessing.restore_scores(scores, sample.size)
        return Prediction(restored, self.card.schema, self.card.id)

    def working_scores(self, sample: Sample) -> NDArray[np.float32]:
        """Give probabilities (C, h, w) float32 at the network's own size; see `predict`."""
        preprocessing = self.card.preprocessing
        image = preprocessing.normalise(preprocessing.prepare_image(sample.image))
        logits = self.backend(image[np.newaxis])
        expected = (1, self.card.schema.n_classes, *image.shape[1:])
        if logits.shape != expected:
            raise ModelError(
                f"the network gave scores of shape {logits.shape}, its card says {expected}",
                where=self.card.id,
            )
        if not np.isfinite(logits).all():
            raise ModelError(
                f"the network gave scores that are not finite for picture {sample.id!r}",
                where=self.card.id,
                fix="Its weights are damaged or its training diverged",
            )
        return softmax(logits[0])


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn logits (C, ...) of any float type into probabilities of the same shape, in float32."""
    scores = logits.astype(np.float32)
    scores -= scores.max(0)
    np.exp(scores, out=scores)
    scores /= scores.sum(0)
    return scores
