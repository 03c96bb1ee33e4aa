"""Results with sperm that are drawn by hand or by hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.verdicts import Verdict
from spermseg.batch.record import RUN_FORMAT
from spermseg.data.images import write_image
from spermseg.export import ResultPicture
from spermseg.files import write_json
from spermseg.result import AnalysisResult
from spermseg.structures import (
    SCHEMAS,
    Morphometry,
    Part,
    Sample,
    Scale,
    Segmentation,
    SpermInstance,
)

SIZE = (40, 60)
SCHEMA = SCHEMAS["sperm-parsing"]


@dataclass
class Pictures:
    """What exporters need of a result, in memory."""

    pictures: tuple[ResultPicture, ...]
    parts: tuple[Part, ...] = tuple(sorted(Part(id) for id in SCHEMA.ids if id))
    version: str = "0"
    model: str = "drawn"

    def __iter__(self):
        return iter(self.pictures)

    def __len__(self):
        return len(self.pictures)


def analysed(instance, **values):
    reason = None if instance.id < 3 else "no head"
    return AnalysedSperm(
        instance, Morphometry(instance.id, values), Verdict(not_assessable_reason=reason)
    )


def picture_of(instances, size=SIZE, id="smear", um_per_px=None):
    return ResultPicture(id, f"{id}.png", size, um_per_px, tuple(map(analysed, instances)))


def crossing_sperm():
    """Give two sperm with tails that cross; the first nucleus has a hole, the second two pieces."""
    first = {part: np.zeros(SIZE, bool) for part in (Part.NUCLEUS, Part.MIDPIECE, Part.TAIL)}
    first[Part.NUCLEUS][10:20, 2:12] = True
    first[Part.NUCLEUS][13:16, 5:8] = False
    first[Part.MIDPIECE][14:17, 12:18] = True
    first[Part.TAIL][15, 18:55] = True
    second = {part: np.zeros(SIZE, bool) for part in (Part.NUCLEUS, Part.TAIL)}
    second[Part.NUCLEUS][0:6, 30:36] = True
    second[Part.NUCLEUS][6:8, 36:38] = True
    second[Part.TAIL][8:40, 34:36] = True
    sperm = (SpermInstance.from_full_masks(1, first), SpermInstance.from_full_masks(2, second))
    return tuple(one for one in sperm if one is not None)


def write_result(folder: Path, pictures: dict[str, tuple[SpermInstance, ...]], um_per_px=0.1):
    """Write what `spermseg analyze` would, of pictures that lie in `folder` / pictures."""
    rows = []
    for id, instances in pictures.items():
        sample = Sample(id, np.full((*SIZE, 3), 200, np.uint8), um_per_px=um_per_px)
        write_image(folder / "pictures" / f"{id}.png", sample.image)
        segmentation = Segmentation(
            np.zeros(SIZE, np.uint8),
            np.zeros((SCHEMA.n_classes, 0, 0), np.float16),
            SCHEMA,
            Scale("pixel size", 44.0, um_per_px),
        )
        sperm = tuple(
            analysed(one, head_length=40.0, tail_length=37.5, midpiece_width=2.0)
            for one in instances
        )
        AnalysisResult(sample, segmentation, sperm=sperm).save(folder / "result", overlay=False)
        row = {"id": id, "file": f"{id}.png", "status": "done", "um_per_px": um_per_px}
        rows.append(row | {"height": SIZE[0], "width": SIZE[1]})
    rows.append({"id": "bad", "file": "bad.png", "status": "failed", "reason": "no picture"})
    run = {
        "format_version": RUN_FORMAT,
        "status": "done",
        "spermseg_version": "0.1.0",
        "model": {"id": "drawn", "card": {"schema": SCHEMA.to_dict()}},
        "pictures": rows,
    }
    write_json(folder / "result" / "run.json", run)
    return folder / "result"


@pytest.fixture
def result(tmp_path):
    """Folder of a result of two pictures, one of them without sperm."""
    return write_result(tmp_path, {"smear": crossing_sperm(), "day 2/empty": ()})
