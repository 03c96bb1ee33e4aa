"""Drawn pictures in memory and predictors that read their colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.preprocess import Preprocessing
from spermseg.inference.card import ModelCard
from spermseg.inference.predictor import Predictor
from spermseg.structures import SCHEMAS, LabelledSample

SCHEMA = SCHEMAS["report-2021"]


class MemoryDataset(LabelledDataset):
    """Pictures whose red value is 60 times the part that the fake network shall see."""

    layout = "memory"

    def __init__(self, maps: Mapping[str, tuple], schema=SCHEMA, groups: Mapping[str, str] = {}):
        self.maps = dict(maps)
        records = [SampleRecord(id, Path(f"{id}.png"), groups.get(id, id)) for id in maps]
        super().__init__(Path("/somewhere/memory"), schema, tuple(records))

    def load(self, sample_id: str) -> LabelledSample:
        truth, seen = self.maps[sample_id]
        image = np.repeat((seen * 60)[..., np.newaxis], 3, axis=2).astype(np.uint8)
        group = self.records[sample_id].group
        return LabelledSample(sample_id, image, group=group, part_map=truth)


def read_colours(n_classes: int) -> Callable:
    def backend(batch):
        classes = np.rint(batch[:, 0] * 255 / 60).astype(int)
        return 12 * np.eye(n_classes, dtype=np.float32)[classes].transpose(0, 3, 1, 2)

    return backend


@pytest.fixture(scope="session")
def memory_dataset() -> type[MemoryDataset]:
    return MemoryDataset


@pytest.fixture(scope="session")
def colour_predictor() -> Callable[..., Predictor]:
    """Make a predictor; its preprocessing, schema and recipe can be given."""

    def make(schema=SCHEMA, recipe: Mapping = {}, **preprocessing) -> Predictor:
        card = ModelCard(
            id="colours",
            architecture="none",
            schema=schema,
            preprocessing=Preprocessing(**preprocessing),
            weights="model.safetensors",
            weights_sha256="0" * 64,
            seed=4,
            recipe=dict(recipe),
            data="nothing at all",
            data_licence="free",
        )
        return Predictor(read_colours(schema.n_classes), card)

    return make


@pytest.fixture(scope="session")
def drawn_sperm() -> tuple[np.ndarray, np.ndarray]:
    """Part map (40, 60) of one sperm and the same with its tail two pixels too low."""
    truth = np.zeros((40, 60), np.uint8)
    truth[10:20, 5:15] = 1
    truth[14:16, 15:20] = 2
    truth[13:17, 20:55] = 3
    seen = truth.copy()
    seen[seen == 3] = 0
    seen[15:19, 20:55] = 3
    return truth, seen
