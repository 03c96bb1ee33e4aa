"""Pictures on which a network is held to what it knows, while it learns something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.synthetic import PRESETS, synthesize_sample
from spermseg.errors import ModelError
from spermseg.inference.predictor import Predictor
from spermseg.structures import LabelledSample

LOOKS = ("sperm-parsing", "pale", "scian")
"""Presets of synthetic smears, taken in turn."""

HEAD_LENGTH_UM = 4.1
"""About the mean of all presets."""

SIZE = (512, 640)
"""Height and width in pixels, of pictures at the working scale."""


class RehearsalDataset(LabelledDataset):
    """Synthetic smears, annotated by a model: as it sees them, not as they are.

    A network that is trained on a new stain alone forgets the others within a hundred steps. The
    pictures that it was first trained on cannot be given along; what it makes of others can be
    (learning without forgetting, Li and Hoiem 2016; pseudo-rehearsal, Robins 1995).

    Parameters
    ----------
    predictor : Predictor
        With a working scale: heads in the pictures are about that long.
    number : int
        Of pictures.
    seed : int

    Raises
    ------
    ModelError
        When the model has no working scale.
    """

    layout = "rehearsal"

    def __init__(self, predictor: Predictor, number: int, seed: int):
        records = (SampleRecord(f"{n:04}", Path(f"{n:04}"), f"{n:04}") for n in range(number))
        length = predictor.card.preprocessing.head_length_px
        if length is None:
            raise ModelError(
                "a model without a working scale cannot rehearse", where=predictor.card.id
            )
        super().__init__(Path("synthetic"), predictor.card.schema, tuple(records))
        self.predictor, self.head_length_px, self.seed = predictor, length, seed

    def load(self, sample_id: str) -> LabelledSample:
        """Draw one picture and let the model annotate it."""
        index = int(sample_id)
        preset = PRESETS[LOOKS[index % len(LOOKS)]]
        preset = replace(preset, size=SIZE, um_per_px=HEAD_LENGTH_UM / self.head_length_px)
        sample = synthesize_sample(preset, seed=self.seed, index=index).sample
        seen = replace(sample, um_per_px=None, head_length_px=self.head_length_px)
        part_map = self.predictor.segment(seen).part_map
        return replace(seen, id=sample_id, part_map=part_map, instances=None)
