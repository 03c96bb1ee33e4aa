"""Several networks, each looking at a picture from several sides, as one network.

Test-time augmentation and an ensemble inside the model's file: whoever runs it needs to know of
neither. Mirrored and turned pictures of a smear are pictures of a smear; what the answers do not
agree on, their mean tells better than any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from torch import Tensor, nn

from spermseg.errors import UsageError

VIEWS = {
    1: ((False, False, False),),
    2: ((False, False, False), (False, False, True)),
    4: tuple(product((False,), (False, True), (False, True))),
    8: tuple(product((False, True), repeat=3)),
}
"""By their number: rows and columns exchanged, then rows and then columns turned round. The eight
are all the ways to lay a square onto itself."""

_LEAST = 1e-9
"""Of a probability, so that its logarithm is finite."""


class AverageOfViews(nn.Module):
    """The mean of the probabilities of all networks in all views.

    Parameters
    ----------
    networks : sequence of torch.nn.Module
        From pictures (N, 3, H, W) to a mapping with ``out``, logits (N, C, H, W).
    views : int
        One of `VIEWS`.

    Raises
    ------
    UsageError
        For another number of views, or no network.
    """

    def __init__(self, networks: Sequence[nn.Module], views: int):
        super().__init__()
        if views not in VIEWS:
            raise UsageError(f"views are {', '.join(map(str, VIEWS))}, got {views}")
        if not networks:
            raise UsageError("no network to average")
        self.networks = nn.ModuleList(networks)
        self.views = VIEWS[views]

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Turn (N, 3, H, W) into ``{"out": (N, C, H, W)}``, logarithms of probabilities."""
        looks = list(product(self.networks, self.views))
        # Added up one by one: no more than one network's maps are in memory at a time.
        total = sum(self._scores(network, image, *view) for network, view in looks)
        return {"out": (total / len(looks)).clamp(min=_LEAST).log()}

    @staticmethod
    def _scores(
        network: nn.Module, image: Tensor, exchanged: bool, rows: bool, columns: bool
    ) -> Tensor:
        # An empty list of axes has no form in ONNX.
        turned = [axis for axis, wanted in ((2, rows), (3, columns)) if wanted]
        seen = image.transpose(2, 3) if exchanged else image
        seen = seen.flip(turned) if turned else seen
        scores = network(seen)["out"].softmax(1)
        scores = scores.flip(turned) if turned else scores
        return scores.transpose(2, 3) if exchanged else scores
