"""Run a predictor over annotated pictures and score what it gives."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg import DISCLAIMER, __version__
from spermseg.data.datasets.base import LabelledDataset
from spermseg.errors import DataError, UsageError
from spermseg.inference.card import ModelCard
from spermseg.inference.predictor import Predictor
from spermseg.metrics import intervals, parts, report_2021
from spermseg.metrics.thin_structures import centerline_counts, centerline_dice
from spermseg.report.evaluation_page import write_pages
from spermseg.report.overlays import Illustration
from spermseg.structures import HEAD_PARTS, IGNORE_ID, SCHEMAS, LabelSchema, Part

FORMAT_VERSION = 1
ILLUSTRATIONS = 12
MEANS = ("mean", "mean_without_background")
THOROUGH_SCORES = ("boundary_iou", "centerline_dice")

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and of all."""


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
    """

    id: str
    group: str
    confusion: NDArray[np.int64]
    boundary: NDArray[np.int64] | None
    centerline: NDArray[np.int64] | None
    report_2021: Report2021 | None


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
        """The parts, and the means over them."""
        return self.schema.parts + MEANS

    @cached_property
    def pooled(self) -> NDArray[np.float64]:
        """Scores (score_names, columns) of all pictures together; NaN where there is none."""
        return self._score(self._counts.sum(0))

    @cached_property
    def by_picture(self) -> NDArray[np.float64]:
        """Scores (pictures, score_names, columns) of each picture."""
        return self._score(self._counts)

    @cached_property
    def intervals(self) -> NDArray[np.float64]:
        """Limits (2, score_names, columns) of the bootstrap interval over pictures of `pooled`."""
        return intervals.bootstrap_interval(self._counts, self._score)

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
    def _counts(self) -> NDArray[np.int64]:
        rows = []
        for picture in self.pictures:
            counts = [picture.confusion, picture.boundary, picture.centerline]
            rows.append(np.concatenate([part.ravel() for part in counts if part is not None]))
        return np.stack(rows)

    def _score(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Turn counts (..., k) into scores (..., score_names, columns)."""
        n = self.schema.n_classes
        first, second = n * n, n * n + 2 * n
        confusion = counts[..., :first].reshape(*counts.shape[:-1], n, n)
        by_name = parts.class_scores(confusion)
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


def evaluate(
    predictor: Predictor,
    dataset: LabelledDataset,
    ids: Collection[str],
    *,
    on_progress: Progress | None = None,
    thorough: bool = True,
    at_working_size: bool = False,
    batch_size: int | None = None,
    illustrations: int = ILLUSTRATIONS,
) -> EvaluationResult:
    """Predict annotated pictures and compare.

    Parameters
    ----------
    predictor : Predictor
    dataset : LabelledDataset
    ids : collection of str
        The pictures to evaluate.
    on_progress : callable, optional
        Called with the number of pictures done and of all.
    thorough : bool
        Also boundary IoU, centre lines of tails and illustrations.
    at_working_size : bool
        Compare at the network's own size, labels resized, as the 2021 report did; else at each
        picture's size.
    batch_size : int, optional
        For the 2021 report's averages; None takes that of the training, 1 if unknown.
    illustrations : int
        How many pictures to keep for looking at, spread evenly from the worst to the best.

    Raises
    ------
    UsageError
        When there are no pictures.
    DataError
        When an annotation holds parts that the model's schema cannot express.
    """
    if not ids:
        raise UsageError("no pictures to evaluate", where=dataset.root.name)
    if batch_size is None:
        batch_size = int(predictor.card.recipe.get("training", {}).get("batch_size", 1))
    pictures, maps, widths = [], {}, set()
    for done, id in enumerate(ids, 1):
        comparison = _compare(predictor, dataset, id, at_working_size=at_working_size)
        widths.add(parts.boundary_width(comparison.target.shape))
        pictures.append(_count(comparison, predictor.card.schema, thorough=thorough))
        # Part maps compress a hundredfold: any of them can be illustrated once all are ranked.
        maps[id] = zlib.compress(comparison.prediction.tobytes(), 1) if thorough else b""
        if on_progress is not None:
            on_progress(done, len(ids))
    chosen = _from_worst_to_best(pictures, illustrations) if thorough else ()
    return EvaluationResult(
        predictor.card,
        {
            "name": dataset.root.name,
            "layout": dataset.layout,
            "part": None,
            "split_seed": None,
            "pictures": len(pictures),
            "groups": len({picture.group for picture in pictures}),
        },
        {
            "thorough": thorough,
            "at_working_size": at_working_size,
            "boundary_px": sorted(widths) if thorough else [],
            "bootstrap_resamples": intervals.RESAMPLES,
            "confidence": intervals.CONFIDENCE,
            "report_2021_batch_size": batch_size,
        },
        tuple(pictures),
        tuple(_illustrate(predictor.card, dataset, id, maps[id], at_working_size) for id in chosen),
        tuple(_what_to_know(predictor.card.schema, dataset, len(pictures))),
    )


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


@dataclass(frozen=True)
class _Comparison:
    """One picture at the size of comparison; class indices, and scores (C, H, W)."""

    id: str
    group: str
    target: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    scores: NDArray[np.float32]


def _compare(
    predictor: Predictor, dataset: LabelledDataset, id: str, *, at_working_size: bool
) -> _Comparison:
    sample = dataset.load(id)
    preprocessing, schema = predictor.card.preprocessing, predictor.card.schema
    part_map = preprocessing.prepare(sample)[1] if at_working_size else sample.part_map
    target = _indices(schema, part_map, f"{dataset.root.name}/{id}")
    if at_working_size:
        scores = predictor.working_scores(sample)
    else:
        scores = predictor.predict(sample).scores
        target = np.where(preprocessing.visible(sample.size), target, np.uint8(IGNORE_ID))
    return _Comparison(id, sample.group, target, scores.argmax(0).astype(np.uint8), scores)


def _indices(schema: LabelSchema, part_map: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    try:
        return schema.to_indices(part_map)
    except DataError as error:
        raise DataError(
            error.what,
            where=where,
            fix=f"The model tells apart {', '.join(schema.parts)}; evaluate it on data with these",
        ) from None


def _count(comparison: _Comparison, schema: LabelSchema, *, thorough: bool) -> EvaluatedPicture:
    target, prediction, n = comparison.target, comparison.prediction, schema.n_classes
    boundary = centerline = values = None
    if thorough:
        boundary = parts.boundary_counts(target, prediction, n)
        if Part.TAIL in schema.ids:
            tail = schema.ids.index(Part.TAIL)
            centerline = centerline_counts(target == tail, prediction == tail, target != IGNORE_ID)
    if schema == SCHEMAS["report-2021"]:
        values = Report2021(
            report_2021.cross_entropy(comparison.scores, target),
            report_2021.iou(prediction, target),
            report_2021.dice_loss(comparison.scores, target),
        )
    confusion = parts.confusion_matrix(target, prediction, n)
    return EvaluatedPicture(
        comparison.id, comparison.group, confusion, boundary, centerline, values
    )


def _from_worst_to_best(pictures: Sequence[EvaluatedPicture], number: int) -> list[str]:
    """Choose ids spread evenly over the ranking by mean IoU without background."""
    iou = parts.class_scores(np.stack([picture.confusion for picture in pictures]))["iou"]
    # Empty pictures (NaN) sort to the end, beside the best.
    ranking = np.argsort(parts.mean_score(iou, background=False), kind="stable")
    places = np.linspace(0, len(pictures) - 1, min(number, len(pictures))).round().astype(int)
    return [pictures[index].id for index in ranking[places]]


def _illustrate(
    card: ModelCard,
    dataset: LabelledDataset,
    id: str,
    compressed: bytes,
    at_working_size: bool,
) -> Illustration:
    sample = dataset.load(id)
    image, part_map = sample.image, sample.part_map
    if at_working_size:
        image, part_map = card.preprocessing.prepare(sample)
    truth = card.schema.to_ids(card.schema.to_indices(part_map))
    indices = np.frombuffer(zlib.decompress(compressed), np.uint8).reshape(truth.shape)
    return Illustration(id, image, truth, card.schema.to_ids(indices))


def _what_to_know(schema: LabelSchema, dataset: LabelledDataset, n: int) -> list[str]:
    warnings = []
    annotated = set(dataset.schema.ids)
    if annotated & set(HEAD_PARTS):
        annotated.add(Part.HEAD)
    missing = [
        part for part, id in zip(schema.parts, schema.ids, strict=True) if id not in annotated
    ]
    if missing:
        warnings.append(
            f"This data does not annotate {', '.join(missing)}: "
            f"the scores of {'it' if len(missing) == 1 else 'these'} and the means say nothing."
        )
    if n < 10:
        warnings.append(f"Only {n} picture{'s' * (n != 1)}: the intervals are rough.")
    return warnings
