"""Two models on the same pictures: which of them is better, as far as the pictures can tell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg import DISCLAIMER, __version__
from spermseg.data.datasets.base import LabelledDataset
from spermseg.errors import DataError
from spermseg.evaluation.result import MEANS, EvaluationResult
from spermseg.evaluation.scoring import Progress, evaluate
from spermseg.files import write_text
from spermseg.inference.card import read_card, write_card
from spermseg.inference.predictor import Predictor
from spermseg.metrics import intervals
from spermseg.metrics.parsing import FIGURES, ParsingScore
from spermseg.report.model_page import model_markdown

FEWEST = 5
"""Pictures below which nothing is called better or worse: that all of four pictures gain happens
once in sixteen times by chance, and a bootstrap of so few cannot show more."""

BETTER, WORSE, SAME, FEW = (
    "better",
    "worse",
    "no difference that can be told",
    "too few pictures to tell",
)


@dataclass(frozen=True)
class Difference:
    """One figure of both models, and the 95 % bootstrap interval of its change; NaN for none."""

    name: str
    before: float
    after: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping; what does not exist is None."""
        values = {"before": self.before, "after": self.after}
        limits = [self.low, self.high]
        return {
            **{name: None if np.isnan(value) else value for name, value in values.items()},
            "interval_of_difference": None if np.isnan(limits).any() else limits,
        }


@dataclass(frozen=True)
class ModelComparison:
    """Two evaluations of the same pictures.

    Parameters
    ----------
    before, after : EvaluationResult

    Raises
    ------
    DataError
        When pictures or classes differ.
    """

    before: EvaluationResult
    after: EvaluationResult

    def __post_init__(self) -> None:
        ids, other = ([one.id for one in result.pictures] for result in (self.before, self.after))
        if ids != other or self.before.columns != self.after.columns:
            raise DataError("two models can be compared on the same pictures and parts only")

    @cached_property
    def iou(self) -> tuple[Difference, ...]:
        """IoU of every part, the whole head and the mean over classes with the background."""
        return self._differences("iou")

    @cached_property
    def recall(self) -> tuple[Difference, ...]:
        """Recall of the same."""
        return self._differences("recall")

    @cached_property
    def sperm(self) -> tuple[Difference, ...]:
        """The published measure of sperm one by one; empty where sperm are not annotated."""
        scores = []
        for result in (self.before, self.after):
            scores.append(ParsingScore())
            scores[-1].pictures.extend(p.parsing for p in result.pictures if p.parsing is not None)
        before, after = scores
        if not before.pictures or len(before.pictures) != len(after.pictures):
            return ()
        limits = after.intervals(minus=before)
        old, new = before.result(), after.result()
        return tuple(
            Difference(name, getattr(old, name), getattr(new, name), *limits[name])
            for name in FIGURES
        )

    @property
    def verdict(self) -> str:
        """`BETTER`, `WORSE`, `SAME` or `FEW`, by the interval of the change of the mean IoU."""
        if len(self.before.pictures) < FEWEST:
            return FEW
        mean = self.iou[-1]
        return BETTER if mean.low > 0 else WORSE if mean.high < 0 else SAME

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        return {
            "format": "spermseg comparison",
            "spermseg_version": __version__,
            "intended_use": DISCLAIMER,
            "verdict": self.verdict,
            "data": dict(self.before.data),
            "pictures": [picture.id for picture in self.before.pictures],
            "models": {
                name: {"id": result.card.id, "weights_sha256": result.card.weights_sha256}
                for name, result in (("before", self.before), ("after", self.after))
            },
            "iou": {one.name: one.to_dict() for one in self.iou},
            "sperm": {one.name: one.to_dict() for one in self.sperm},
        }

    def _differences(self, score: str) -> tuple[Difference, ...]:
        row = self.before.score_names.index(score)
        names = [name for name in self.before.columns if name != MEANS[1]]
        kept = [self.before.columns.index(name) for name in names]

        def change(counts: NDArray[Any]) -> NDArray[np.float64]:
            old, new = (
                result.score(counts[..., index, :])[..., row, kept]
                for index, result in enumerate((self.before, self.after))
            )
            return new - old

        counts = np.stack([self.before.counts, self.after.counts], axis=1)
        low, high = intervals.bootstrap_interval(counts, change)
        old, new = (result.pooled[row, kept] for result in (self.before, self.after))
        return tuple(map(Difference, names, *(v.tolist() for v in (old, new, low, high))))


def compare_models(
    before: Predictor,
    after: Predictor,
    dataset: LabelledDataset,
    ids: Collection[str],
    *,
    on_progress: Progress | None = None,
) -> ModelComparison:
    """Evaluate two models on the same pictures; see `spermseg.evaluation.evaluate`.

    Parameters
    ----------
    before, after : Predictor
    dataset : LabelledDataset
    ids : collection of str
    on_progress : callable, optional
        Called with the number of evaluated pictures, of both models together, and of all.
    """
    results = []
    for start, predictor in ((0, before), (len(ids), after)):

        def progress(done: int, total: int, start: int = start) -> None:
            if on_progress is not None:
                on_progress(start + done, 2 * total)

        results.append(evaluate(predictor, dataset, ids, on_progress=progress, illustrations=0))
    return ModelComparison(*results)


def quote_comparison(folder: Path, comparison: ModelComparison) -> None:
    """Put a comparison into the card of the newer model, and write its README.md.

    Parameters
    ----------
    folder : Path
        Of the model.
    comparison : ModelComparison
    """
    card = read_card(folder / "card.json")
    found = comparison.to_dict()
    quoted = {"compared_with_parent": {key: found[key] for key in ("verdict", "iou", "sperm")}}
    quoted["compared_with_parent"]["pictures"] = len(found["pictures"])
    card = replace(card, metrics=card.metrics | quoted)
    write_card(folder / "card.json", card)
    write_text(folder / "README.md", model_markdown(card))
