"""The report's test set: all 111 variants of every test picture, made in memory."""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

from spermseg.config import DataSettings
from spermseg.data.augmentation import REPORT_2021, Variant, apply_variant
from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.preprocess import Preprocessing
from spermseg.structures import LabelledSample, schema_named


class AugmentedDataset(LabelledDataset):
    """The report's 111 variants of some pictures of another data set, at the working size.

    A picture is resized first and turned then, as in training; a centre crop is left to the
    predictor.

    Parameters
    ----------
    dataset : LabelledDataset
    ids : collection of str
        The pictures to take.
    settings : DataSettings
        Working size, label schema, interpolation of labels and filling of corners.
    """

    layout: ClassVar[str] = "augmented"

    def __init__(self, dataset: LabelledDataset, ids: Collection[str], settings: DataSettings):
        self._dataset = dataset
        self._settings = settings
        self._variants: dict[str, tuple[str, Variant]] = {
            f"{id}/{variant.name}": (id, variant) for id in ids for variant in REPORT_2021
        }
        records = [
            SampleRecord(name, dataset.records[id].image_path, dataset.records[id].group)
            for name, (id, _) in self._variants.items()
        ]
        super().__init__(dataset.root, schema_named(settings.schema_name), tuple(records))
        self._original: LabelledSample | None = None

    def load(self, sample_id: str) -> LabelledSample:
        """Make one variant."""
        id, variant = self._variants[sample_id]
        # Ids come picture by picture, so that one decoded picture serves all of its variants.
        if self._original is None or self._original.id != id:
            self._original = self._load_original(id)
        original = self._original
        image, part_map = apply_variant(
            original.image,
            original.part_map,
            variant,
            interpolation=self._settings.labels,
            corners=self._settings.corners,
        )
        return LabelledSample(sample_id, image, group=original.group, part_map=part_map)

    def _load_original(self, id: str) -> LabelledSample:
        sample = self._dataset.load(id)
        image, part_map = Preprocessing(size=self._settings.size).prepare(sample)
        # Interpolated labels mean something only in the ids of the schema itself.
        part_map = self.schema.to_ids(self.schema.to_indices(part_map))
        return LabelledSample(id, image, group=sample.group, part_map=part_map)
