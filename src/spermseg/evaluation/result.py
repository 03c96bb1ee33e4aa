"""What an evaluation found, as figures and as a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg import DISCLAIMER, __version__
from spermseg.evaluation.parsing_scores import parsing_table
from spermseg.evaluation.sperm_matches import PictureSperm
from spermseg.inference.card import ModelCard
from spermseg.metrics import intervals, parts, report_2021
from spermseg.metrics.parsing import PictureParsing
from spermseg.metrics.thin_structures import centerline_dice
from spermseg.report.evaluation_page import write_pages
from spermseg.report.overlays import Illustration
from spermseg.structures import HEAD_PARTS, LabelSchema, Part

FORMAT_VERSION = 1
WHOLE_HEAD = "head"
MEANS = ("mean", "mean_without_background")
THOROUGH_SCORES = ("boundary_iou", "centerline_dice")


@dataclass(frozen=True)
class Report2021:
    """The 2021 report's figures, of one picture or averaged; see `spermseg.metrics.report_2021`."""

    loss: float
    iou: float
    dice_loss: float

    def to_dict(self) -> dict[str, float | None]:
        """Give a JSON-ready mapping; NaN, of a picture without a pixel that counts, is None."""
        return {name: None if np.isnan(value) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class EvaluatedPicture:
    """What was counted in one picture.

    Parameters
    ----------
    id, group : str
    confusion : (C, C) int64
        As `spermseg.metrics.parts.confusion_matrix`.
    boundary : (C, 2) int64, optional
        As `spermseg.metrics.parts.boundary_counts`; None unless evaluated thoroughly.
    centerline : (4,) int64, optional
        As `spermseg.metrics.thin_structures.centerline_counts`, of tails.
    report_2021 : Report2021, optional
        None for a schema other than the report's.
    parsing : PictureParsing, optional
        Its sperm one by one; None where they are not annotated, or not compared.
    sperm : PictureSperm, optional
        The same sperm, part by part.
    """

    id: str
    group: str
    confusion: NDArray[np.int64]
    boundary: NDArray[np.int64] | None
    centerline: NDArray[np.int64] | None
    report_2021: Report2021 | None
    parsing: PictureParsing | None = None
    sperm: PictureSperm | None = None


@dataclass(frozen=True)
class EvaluationResult:
    """How well a model's part maps agree with an annotation.

    Parameters
    ----------
    card : ModelCard
    data : mapping
        The data set's name and layout, ``part`` and ``split_seed`` where a split was used, and the
        number of pictures and groups.
    settings : mapping
        How it was evaluated.
    pictures : tuple of EvaluatedPicture
    illustrations : tuple of Illustration
        Some of the pictures, from the worst to the best mean IoU.
    warnings : tuple of str
        What a reader must know before any figure.
    """

    card: ModelCard
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    pictures: tuple[EvaluatedPicture, ...]
    illustrations: tuple[Illustration, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def schema(self) -> LabelSchema:
        """The classes, in order."""
        return self.card.schema

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix (C, C) of all pictures together, rows the truth."""
        total: NDArray[np.int64] = np.stack([p.confusion for p in self.pictures]).sum(0)
        return total

    @property
    def scores(self) -> parts.PartScores:
        """IoU, Dice, precision and recall of all pictures together."""
        return parts.part_scores(self.confusion, self.schema)

    @property
    def score_names(self) -> tuple[str, ...]:
        """The scores there are, the thorough ones where they were asked for."""
        return parts.SCORES + (THOROUGH_SCORES if self.settings["thorough"] else ())

    @property
    def columns(self) -> tuple[str, ...]:
        """The parts, the whole head where it is told apart into parts, and the means over parts."""
        return self.schema.parts + (WHOLE_HEAD,) * bool(self._head_classes) + MEANS

    @cached_property
    def pooled(self) -> NDArray[np.float64]:
        """Scores (score_names, columns) of all pictures together; NaN where there is none."""
        return self.score(self.counts.sum(0))

    @cached_property
    def by_picture(self) -> NDArray[np.float64]:
        """Scores (pictures, score_names, columns) of each picture."""
        return self.score(self.counts)

    @cached_property
    def intervals(self) -> NDArray[np.float64]:
        """Limits (2, score_names, columns) of the bootstrap interval over pictures of `pooled`."""
        return intervals.bootstrap_interval(self.counts, self.score)

    @property
    def report_2021(self) -> Report2021 | None:
        """The 2021 report's averages, with its way of averaging; None for another schema."""
        values = [picture.report_2021 for picture in self.pictures if picture.report_2021]
        if not values:
            return None
        size = self.settings["report_2021_batch_size"]
        return Report2021(
            report_2021.average([value.loss for value in values], size),
            report_2021.average([value.iou for value in values], size),
            report_2021.average([value.dice_loss for value in values], size),
        )

    @cached_property
    def sperm(self) -> dict[str, Any] | None:
        """The published measure of sperm one by one, see `parsing_table`; None if not compared."""
        return parsing_table([p.parsing for p in self.pictures if p.parsing is not None])

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping; a score that does not exist is None."""
        averages = self.report_2021
        return {
            "format": "spermseg evaluation",
            "format_version": FORMAT_VERSION,
            "spermseg_version": __version__,
            "intended_use": DISCLAIMER,
            "warnings": list(self.warnings),
            "model": {
                "id": self.card.id,
                "architecture": self.card.architecture,
                "weights_sha256": self.card.weights_sha256,
                "seed": self.card.seed,
                "spermseg_version": self.card.spermseg_version,
                "data": self.card.data,
                "data_licence": self.card.data_licence,
                "limits": self.card.limits,
            },
            "data": dict(self.data),
            "settings": dict(self.settings),
            "schema": self.schema.to_dict(),
            "scores": self._named(self.pooled),
            "intervals": self._named(np.moveaxis(self.intervals, 0, -1)),
            "confusion": self.confusion.tolist(),
            "report_2021": averages and averages.to_dict(),
            "sperm": self.sperm,
            "pictures": [
                {
                    "id": picture.id,
                    "group": picture.group,
                    "confusion": picture.confusion.tolist(),
                    "scores": self._named(table),
                    "report_2021": picture.report_2021 and picture.report_2021.to_dict(),
                }
                for picture, table in zip(self.pictures, self.by_picture, strict=True)
            ],
        }

    @cached_property
    def _head_classes(self) -> tuple[int, ...]:
        """Indices of the parts that make up the head; empty where the head is a part itself."""
        if Part.HEAD in self.schema.ids:
            return ()
        return tuple(index for index, id in enumerate(self.schema.ids) if id in HEAD_PARTS)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """What was counted in each picture (pictures, k), for `score`; pictures are added up."""
        rows = []
        for picture in self.pictures:
            counts = [picture.confusion, picture.boundary, picture.centerline]
            rows.append(np.concatenate([part.ravel() for part in counts if part is not None]))
        return np.stack(rows)

    def score(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Turn counts (..., k) into scores (..., score_names, columns)."""
        n = self.schema.n_classes
        first, second = n * n, n * n + 2 * n
        confusion = counts[..., :first].reshape(*counts.shape[:-1], n, n)
        by_name = parts.class_scores(confusion)
        head = parts.class_scores(parts.merged(confusion, self._head_classes))
        if self.settings["thorough"]:
            boundary = counts[..., first:second].reshape(*counts.shape[:-1], n, 2)
            by_name["boundary_iou"] = parts.boundary_iou(boundary)
            by_name["centerline_dice"] = np.full((*counts.shape[:-1], n), np.nan)
            if Part.TAIL in self.schema.ids:
                tail = self.schema.ids.index(Part.TAIL)
                by_name["centerline_dice"][..., tail] = centerline_dice(counts[..., second:])
        rows = []
        for name in self.score_names:
            values = by_name[name]
            means = [parts.mean_score(values), parts.mean_score(values, background=False)]
            if name in THOROUGH_SCORES:  # The background has no contour of its own,
                means[0] = np.full_like(means[0], np.nan)
            if name == "centerline_dice":  # and one part is no mean.
                means[1] = np.full_like(means[1], np.nan)
            if self._head_classes:
                # Contours are counted by class, not for classes together.
                nothing = np.full_like(means[0], np.nan)
                means.insert(0, head[name][..., 1] if name in head else nothing)
            rows.append(np.concatenate([values, np.stack(means, axis=-1)], axis=-1))
        return np.stack(rows, axis=-2)

    def _named(self, table: NDArray[np.float64]) -> dict[str, dict[str, Any]]:
        """Give ``{column: {score: value}}`` of (score_names, columns, ...); NaN becomes None."""
        return {
            column: {
                name: None if np.isnan(table[row, index]).any() else table[row, index].tolist()
                for row, name in enumerate(self.score_names)
            }
            for index, column in enumerate(self.columns)
        }


def write_evaluation_report(
    result: EvaluationResult, out: Path, *, log: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write an evaluation as JSON, Markdown, HTML and pictures.

    Parameters
    ----------
    result : EvaluationResult
    out : Path
        Folder for ``evaluation.json``, ``evaluation.md``, ``report.html``, ``panels/<id>.png`` and
        ``overlays/<id>.jpg``; missing ones are made.
    log : sequence of mapping
        The training's log, for its curves.
    """
    write_pages(out, result.to_dict(), result.illustrations, log)
