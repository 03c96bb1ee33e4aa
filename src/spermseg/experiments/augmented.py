"""The report's test set: all 111 variants of every test picture, made in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spermseg.config import DataSettings
from spermseg.data.augmentation import (
    REPORT_2021,
    Corners,
    Interpolation,
    Variant,
    turn_image,
    turn_labels,
)
from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.preprocess import Preprocessing
from spermseg.evaluation import EvaluationResult, evaluate
from spermseg.evaluation.scoring import Progress
from spermseg.inference.predictor import Backend, Predictor
from spermseg.structures import LabelledSample, schema_named


@dataclass(frozen=True)
class Labelling:
    """How the labels of a turned picture are made; see `spermseg.data.augmentation.turn_labels`."""

    interpolation: Interpolation
    corners: Corners


LABELLINGS: Mapping[str, Labelling] = {
    "corrected": Labelling("nearest", "ignore"),
    "as-published": Labelling("linear", "background"),
}
"""The two ways to label the report's test set."""


class AugmentedDataset(LabelledDataset):
    """The report's 111 variants of some pictures of another data set, at the working size.

    Every variant is there once for each of `LABELLINGS`, one after the other. A picture is resized
    first and turned then, as in training; a centre crop is left to the predictor.

    Parameters
    ----------
    dataset : LabelledDataset
    ids : collection of str
        The pictures to take.
    settings : DataSettings
        Working size and label schema.
    """

    layout: ClassVar[str] = "augmented"

    def __init__(self, dataset: LabelledDataset, ids: Collection[str], settings: DataSettings):
        self._dataset = dataset
        self._size = settings.size
        self._recipes: dict[str, tuple[str, Variant, Labelling]] = {
            f"{id}/{variant.name}/{name}": (id, variant, labelling)
            for id in ids
            for variant in REPORT_2021
            for name, labelling in LABELLINGS.items()
        }
        records = [
            SampleRecord(name, dataset.records[id].image_path, dataset.records[id].group)
            for name, (id, _, _) in self._recipes.items()
        ]
        super().__init__(dataset.root, schema_named(settings.schema_name), tuple(records))
        self._original: LabelledSample | None = None

    def load(self, sample_id: str) -> LabelledSample:
        """Make one variant."""
        id, variant, labelling = self._recipes[sample_id]
        # Ids come picture by picture, so that one decoded picture serves all of its variants.
        if self._original is None or self._original.id != id:
            self._original = self._load_original(id)
        image = turn_image(self._original.image, variant)
        part_map = turn_labels(
            self._original.part_map, variant, labelling.interpolation, labelling.corners
        )
        return LabelledSample(sample_id, image, group=self._original.group, part_map=part_map)

    def _load_original(self, id: str) -> LabelledSample:
        sample = self._dataset.load(id)
        image, part_map = Preprocessing(size=self._size).prepare(sample)
        # Interpolated labels mean something only in the ids of the schema itself.
        part_map = self.schema.to_ids(self.schema.to_indices(part_map))
        return LabelledSample(id, image, group=sample.group, part_map=part_map)


def evaluate_variants(
    predictor: Predictor,
    dataset: LabelledDataset,
    ids: Collection[str],
    settings: DataSettings,
    *,
    on_progress: Progress | None = None,
) -> dict[str, EvaluationResult]:
    """Evaluate a network on the report's variants, against both ways to label them.

    Parameters
    ----------
    predictor : Predictor
    dataset : LabelledDataset
    ids : collection of str
        The pictures to take all variants of.
    settings : DataSettings
        Working size and label schema of the training.
    on_progress : callable, optional

    Returns
    -------
    dict of str to EvaluationResult
        By the names of `LABELLINGS`, compared at the working size, as the report did.
    """
    variants = AugmentedDataset(dataset, ids, settings)
    result = evaluate(
        Predictor(_remember_last(predictor.backend), predictor.card),
        variants,
        variants.ids,
        thorough=False,
        at_working_size=True,
        on_progress=on_progress,
    )
    return {name: _labelled(result, name) for name in LABELLINGS}


def _labelled(result: EvaluationResult, name: str) -> EvaluationResult:
    pictures = tuple(p for p in result.pictures if p.id.endswith(f"/{name}"))
    return replace(result, pictures=pictures, data={**result.data, "pictures": len(pictures)})


def _remember_last(backend: Backend) -> Backend:
    """Answer for the same picture twice in a row without running the network again."""
    last: list[NDArray[np.float32]] = []

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        if not last or not np.array_equal(last[0], images):
            last[:] = images, backend(images)
        return last[1]

    return run
