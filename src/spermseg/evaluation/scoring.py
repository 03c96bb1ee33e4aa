"""Run a predictor over annotated pictures and count how far it agrees with them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spermseg.data.datasets.base import LabelledDataset
from spermseg.errors import DataError, UsageError
from spermseg.evaluation.parsing_scores import detections
from spermseg.evaluation.result import EvaluatedPicture, EvaluationResult, Report2021
from spermseg.evaluation.sperm_matches import PictureSperm, match_sperm
from spermseg.inference.card import ModelCard
from spermseg.inference.predictor import Predictor
from spermseg.metrics import intervals, parts, report_2021
from spermseg.metrics.parsing import PictureParsing, compare_sperm
from spermseg.metrics.sperm_iou import PARSING_SCHEMA
from spermseg.metrics.thin_structures import centerline_counts
from spermseg.report.overlays import Illustration
from spermseg.structures import HEAD_PARTS, IGNORE_ID, SCHEMAS, LabelSchema, Part

ILLUSTRATIONS = 8

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and of all."""


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
        Also boundary IoU, centre lines of tails, illustrations and, for a model of the Sperm
        Parsing classes on pictures whose sperm are annotated one by one, the published measure.
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
        if at_working_size:
            comparison = _compare_at_working_size(predictor, dataset, id)
        else:
            comparison = _compare(predictor, dataset, id, sperm=thorough)
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
        tuple(_what_to_know(predictor.card.schema, dataset, pictures)),
    )


@dataclass(frozen=True)
class _Comparison:
    """One picture at the size of comparison; class indices, and scores (C, H, W) if they count."""

    id: str
    group: str
    target: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    scores: NDArray[np.float32] | None = None
    parsing: PictureParsing | None = None
    sperm: PictureSperm | None = None


def _compare(
    predictor: Predictor, dataset: LabelledDataset, id: str, *, sperm: bool
) -> _Comparison:
    sample, schema = dataset.load(id), predictor.card.schema
    target = true_classes(schema, sample.part_map, f"{dataset.root.name}/{id}")
    target = np.where(
        predictor.card.preprocessing.visible(sample.size), target, np.uint8(IGNORE_ID)
    )
    if schema == SCHEMAS["report-2021"]:
        scores = predictor.predict(sample).scores
        prediction = scores.argmax(0).astype(np.uint8)
        return _Comparison(id, sample.group, target, prediction, scores)
    segmentation = predictor.segment(sample)
    prediction = schema.to_indices(segmentation.part_map)
    comparison = _Comparison(id, sample.group, target, prediction)
    if not sperm or schema != PARSING_SCHEMA or sample.instances is None:
        return comparison
    found = detections(segmentation)
    parsing = compare_sperm(found, sample.instances, sample.size, schema)
    matches = match_sperm(sample, segmentation, found, parsing)
    return replace(comparison, parsing=parsing, sperm=matches)


def _compare_at_working_size(
    predictor: Predictor, dataset: LabelledDataset, id: str
) -> _Comparison:
    sample = dataset.load(id)
    part_map = predictor.card.preprocessing.prepare(sample)[1]
    target = true_classes(predictor.card.schema, part_map, f"{dataset.root.name}/{id}")
    scores = predictor.working_scores(sample)
    return _Comparison(id, sample.group, target, scores.argmax(0).astype(np.uint8), scores)


def true_classes(schema: LabelSchema, part_map: NDArray[np.uint8], where: str) -> NDArray[np.uint8]:
    """Turn annotated part ids (H, W) into a model's class indices.

    Raises
    ------
    DataError
        When the annotation holds parts that the model does not tell apart.
    """
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
    if schema == SCHEMAS["report-2021"] and comparison.scores is not None:
        values = Report2021(
            report_2021.cross_entropy(comparison.scores, target),
            report_2021.iou(prediction, target),
            report_2021.dice_loss(comparison.scores, target),
        )
    confusion = parts.confusion_matrix(target, prediction, n)
    return EvaluatedPicture(
        comparison.id,
        comparison.group,
        confusion,
        boundary,
        centerline,
        values,
        comparison.parsing,
        comparison.sperm,
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


def _what_to_know(
    schema: LabelSchema, dataset: LabelledDataset, pictures: Sequence[EvaluatedPicture]
) -> Iterator[str]:
    annotated = set(dataset.schema.ids)
    if annotated & set(HEAD_PARTS):
        annotated.add(Part.HEAD)
    missing = [
        name for name, id in zip(schema.parts, schema.ids, strict=True) if id not in annotated
    ]
    if missing:
        yield (
            f"This data does not annotate {', '.join(missing)}: "
            f"the scores of {'it' if len(missing) == 1 else 'these'} and the means say nothing."
        )
    confusion = np.sum([picture.confusion for picture in pictures], axis=0)
    overlooked = (confusion.sum(1) > 0) & (confusion.sum(0) == 0)
    if overlooked.any():
        names = ", ".join(np.array(schema.parts)[overlooked])
        yield f"The model finds no {names} in any picture."
    n = len(pictures)
    if n < 10:
        yield f"Only {n} picture{'s' * (n != 1)}: the intervals are rough."
