"""Drawn pictures and quick settings for the tests of training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spermseg.config import TrainingConfig, merge, training_config
from spermseg.data.datasets.base import LabelledDataset, SampleRecord
from spermseg.data.splits import Split
from spermseg.structures import SCHEMAS, LabelledSample
from spermseg.training.models import ARCHITECTURES, Architecture

SIZE = (32, 48)


class TinyNetwork(nn.Module):
    """Learns colours at once; has what a resumed training could get wrong."""

    def __init__(self, n_classes: int, auxiliary: bool = False):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Dropout(0.2),
        )
        self.classifier = nn.Conv2d(16, n_classes, 1)
        self.aux_classifier = nn.Conv2d(16, n_classes, 1) if auxiliary else None

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.backbone(x)

        def enlarged(logits: Tensor) -> Tensor:
            return F.interpolate(logits, x.shape[-2:], mode="bilinear")

        result = {"out": enlarged(self.classifier(features))}
        if self.aux_classifier is not None:
            result["aux"] = enlarged(self.aux_classifier(features))
        return result


class DrawnDataset(LabelledDataset):
    """Grey pictures with a red square (head), a green bar (midpiece) and a blue line (tail)."""

    layout = "drawn"

    def __init__(self, n: int = 6, sizes: tuple[tuple[int, int], ...] = (SIZE,)):
        self.sizes = sizes
        records = tuple(SampleRecord(f"p{i}", Path(f"p{i}.png"), f"g{i}") for i in range(n))
        super().__init__(Path("drawn"), SCHEMAS["report-2021"], records)

    def load(self, sample_id: str) -> LabelledSample:
        number = int(sample_id[1:])
        height, width = self.sizes[number % len(self.sizes)]
        labels = np.zeros((height, width), np.uint8)
        top = 4 + 2 * number
        labels[top : top + 12, 4:16] = 1
        labels[top + 4 : top + 8, 16:26] = 2
        labels[top + 5 : top + 8, 26:44] = 3
        colours = np.array([[200, 200, 200], [220, 30, 30], [30, 220, 30], [30, 30, 220]], np.uint8)
        return LabelledSample(sample_id, colours[labels], group=f"g{number}", part_map=labels)


class TwoAnnotators(DrawnDataset):
    """Drawn pictures, of which the second annotator calls every midpiece a tail."""

    annotation_set = 1

    def with_annotation_set(self, number: int) -> TwoAnnotators:
        other = TwoAnnotators()
        other.annotation_set = number
        return other

    def load(self, sample_id: str) -> LabelledSample:
        sample = super().load(sample_id)
        if self.annotation_set == 1:
            return sample
        part_map = np.where(sample.part_map == 2, np.uint8(3), sample.part_map)
        return dataclasses.replace(sample, part_map=part_map)


@pytest.fixture
def drawn() -> DrawnDataset:
    return DrawnDataset()


@pytest.fixture
def annotators() -> TwoAnnotators:
    return TwoAnnotators()


@pytest.fixture
def drawn_split() -> Split:
    return Split(("p0", "p1", "p2", "p3"), ("p4",), ("p5",), seed=0, unit="group")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrainingConfig]:
    """Settings that train in a second, changed by nested keywords."""
    monkeypatch.setitem(ARCHITECTURES, "tiny", Architecture("for tests", TinyNetwork))

    def make(**changes: Any) -> TrainingConfig:
        quick = {
            "name": "quick",
            "data": {"size": SIZE, "variants_per_epoch": 9},
            "model": {"architecture": "tiny", "pretrained": "none"},
            "training": {"epochs": 2, "batch_size": 3, "seed": 5},
        }
        return training_config(merge(quick, changes))

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
