"""What one training of a study was found to do on the validation pictures, on disk and pooled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.errors import DataError
from spermseg.evaluation import EvaluationResult
from spermseg.files import write_json
from spermseg.metrics.parsing import THRESHOLDS, ParsingScore, PictureParsing
from spermseg.metrics.parts import class_scores, mean_score
from spermseg.metrics.sperm_iou import PARSING_SCHEMA

FORMAT, FORMAT_VERSION = "spermseg study result", 1

PARTS = PARSING_SCHEMA.parts
PAINTED, RAW = "painted_miou", "raw_miou"
TAIL_RECALL = "tail_recall"
FIGURES = (PAINTED, RAW, *PARTS, TAIL_RECALL, "ap50", "ap_volume", "pcp50")
"""Mean IoU of the map painted from the sperm found, and of the network's own map; IoU of the
classes and recall of tails, both in the network's own map; sperm one by one."""


@dataclass(frozen=True)
class CountedPicture:
    """What was counted in one validation picture.

    Parameters
    ----------
    id : str
    confusion : (C, C) int64
        Of the network's own map, rows the truth.
    parsing : PictureParsing
        Of the sperm separated in it.
    """

    id: str
    confusion: NDArray[np.int64]
    parsing: PictureParsing

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        parsing = {
            name: value.astype(int).tolist() if value.dtype == bool else value.tolist()
            for name, value in asdict(self.parsing).items()
        }
        return {"id": self.id, "confusion": self.confusion.tolist(), "parsing": parsing}


@dataclass(frozen=True)
class StudyResult:
    """One training, or one variant of using its weights, on the validation pictures.

    Parameters
    ----------
    facts : mapping
        ``experiment``, ``variant`` (empty for none), ``seed``, ``settings``, ``training``
        (``steps``, ``seconds``, ``cpu_seconds``, ``parameters``), ``evaluation`` (``seconds``,
        ``cpu_seconds``), ``machine`` and ``versions``.
    pictures : tuple of CountedPicture
    """

    facts: Mapping[str, Any]
    pictures: tuple[CountedPicture, ...]

    @property
    def seed(self) -> int:
        """Of the training."""
        return int(self.facts["seed"])

    @property
    def ids(self) -> list[str]:
        """The pictures' names."""
        return [picture.id for picture in self.pictures]

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Give `FIGURES` of all pictures together."""
        values: NDArray[np.float64] = self.figures(np.ones((1, len(self.pictures))))[0]
        return values

    def figures(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give `FIGURES` (R, k) of the pictures, drawn (R, n) times each; NaN for none."""
        confusion = np.stack([picture.confusion for picture in self.pictures])
        scores = class_scores(np.tensordot(draws, confusion, 1))
        sperm = ParsingScore()
        sperm.pictures.extend(picture.parsing for picture in self.pictures)
        painted, *one_by_one = sperm.figures(draws).T
        recall = scores["recall"][:, PARTS.index("tail")]
        raw = mean_score(scores["iou"])
        return np.stack([painted, raw, *scores["iou"].T, recall, *one_by_one], axis=1)

    def write(self, path: Path) -> None:
        """Write the result as JSON, whole or not at all."""
        figures = dict(zip(FIGURES, map(_without_nan, self.values.tolist()), strict=True))
        write_json(
            path,
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                **self.facts,
                "figures": figures,
                "pictures": [picture.to_dict() for picture in self.pictures],
            },
        )


def count_pictures(evaluation: EvaluationResult) -> tuple[CountedPicture, ...]:
    """Take what a study keeps from an evaluation.

    Raises
    ------
    DataError
        When the network tells apart other parts, or no sperm are annotated one by one.
    """
    pictures = []
    for picture in evaluation.pictures:
        if picture.parsing is None:
            raise DataError(
                "a study compares sperm one by one in the Sperm Parsing classes",
                where=picture.id,
                fix=f"Set data.schema to sperm-parsing ({', '.join(PARTS)}), and take pictures "
                "whose sperm are annotated one by one",
            )
        pictures.append(CountedPicture(picture.id, picture.confusion, picture.parsing))
    return tuple(pictures)


def read_result(path: Path) -> StudyResult:
    """Read what `StudyResult.write` wrote.

    Raises
    ------
    DataError
        When the file holds something else.
    """
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    found = content.get("format"), content.get("format_version")
    if found != (FORMAT, FORMAT_VERSION):
        raise DataError(f"expected {FORMAT} {FORMAT_VERSION}, found {found}", where=path)
    pictures = tuple(_picture(picture) for picture in content.pop("pictures"))
    return StudyResult(content, pictures)


def check_same_pictures(results: Sequence[StudyResult]) -> None:
    """Check that all results are of the same pictures in the same order.

    Raises
    ------
    DataError
        Naming the first result that differs.
    """
    for result in results:
        if result.ids != results[0].ids:
            facts = result.facts
            raise DataError(
                f"{facts['experiment']} of seed {facts['seed']} was evaluated on other pictures",
                fix="Remove its result, and run it again",
            )


def _picture(content: Mapping[str, Any]) -> CountedPicture:
    parsing = content["parsing"]
    return CountedPicture(
        content["id"],
        np.array(content["confusion"], np.int64),
        PictureParsing(
            np.array(parsing["confusion"], np.int64),
            np.array(parsing["scores"], np.float64),
            np.array(parsing["overlap"], np.float64),
            np.array(parsing["matched"], np.intp),
            # The list of a picture without a detection does not tell the number of thresholds.
            np.array(parsing["found"], bool).reshape(-1, len(THRESHOLDS)),
            np.array(parsing["part_shares"], np.float64),
        ),
    )


def _without_nan(value: float) -> float | None:
    return None if np.isnan(value) else value
