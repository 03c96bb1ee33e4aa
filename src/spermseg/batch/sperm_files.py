"""The files of a whole run that are made of each picture's sperm, one picture at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spermseg import DISCLAIMER
from spermseg.analysis import analysed_sperm
from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.criteria import Criteria
from spermseg.analysis.sample_statistics import JudgedSperm, summarise
from spermseg.analysis.sample_uncertainty import SampleUncertainty, summarise_uncertainty
from spermseg.analysis.uncertainty import UNCERTAINTY_COLUMNS
from spermseg.batch.rows import Row
from spermseg.data.masks import encode_region
from spermseg.files import atomic_path, write_json
from spermseg.result import read_sperm, read_views, sperm_path
from spermseg.structures import HEAD_PARTS, LabelSchema, Part

SPERM_COLUMNS = ("image", "sample", "slide", *analysed_sperm.COLUMNS)
"""Of sperm.csv; docs/analyze.md says what each holds. With --uncertainty, `UNCERTAINTY_COLUMNS`
follow."""

SUMMARY_FILE_FORMAT = 1


def write_annotations(out: Path, run: Mapping[str, Any]) -> None:
    """Write ``annotations.json``: COCO, one annotation a sperm and part.

    Parameters
    ----------
    out : Path
        Holds the sperm of every picture.
    run : mapping
        As in ``run.json``.
    """
    rows = _done(run)
    with atomic_path(out / "annotations.json") as path, path.open("w", encoding="utf-8") as stream:
        header = {
            "info": {"description": f"spermseg {run['spermseg_version']}. {DISCLAIMER}"},
            "images": [_image(number, row) for number, row in enumerate(rows, 1)],
            "categories": _categories(run),
        }
        # By hand, as it comes: all masks of a large folder do not fit into memory.
        stream.write(json.dumps(header, ensure_ascii=False)[:-1] + ', "annotations": [')
        n = 0
        for number, row in enumerate(rows, 1):
            for annotation in _annotations(row, _sperm(out, row)):
                stream.write(",\n" if n else "\n")
                n += 1
                stream.write(json.dumps({"id": n, "image_id": number, **annotation}))
        stream.write("\n]}\n")


def write_table(out: Path, run: Mapping[str, Any]) -> None:
    """Write ``sperm.csv``: one row a sperm, see `SPERM_COLUMNS`."""
    columns = SPERM_COLUMNS
    if run["arguments"]["uncertainty"]:
        columns += UNCERTAINTY_COLUMNS
    with (
        atomic_path(out / "sperm.csv") as path,
        path.open("w", encoding="utf-8", newline="") as stream,
    ):
        table = csv.DictWriter(stream, columns, lineterminator="\n")
        table.writeheader()
        for row in _done(run):
            table.writerows(_table_row(row, one) for one in _sperm(out, row))


def write_summary(out: Path, run: Mapping[str, Any], criteria: Criteria) -> list[dict[str, Any]]:
    """Sum every sample up, write ``summary.json`` and give what it says of each sample."""
    by_sample: dict[str, list[Row]] = {}
    for row in _done(run):
        by_sample.setdefault(row["sample"], []).append(row)
    summaries = [
        summarise(name, list(_judged(out, rows)), criteria).to_dict()
        for name, rows in sorted(by_sample.items())
    ]
    if run["arguments"]["uncertainty"]:
        for summary in summaries:
            of_sample = by_sample[summary["sample"]]
            summary["uncertainty"] = _uncertainty(out, of_sample).to_dict()
    write_json(
        out / "summary.json",
        {
            "format_version": SUMMARY_FILE_FORMAT,
            "disclaimer": DISCLAIMER,
            "samples": summaries,
        },
    )
    return summaries


def report_rows(out: Path, run: Mapping[str, Any]) -> Iterator[Row]:
    """Give the rows of ``sperm.csv`` with what a report needs to show a sperm.

    Yields
    ------
    dict
        Besides, ``bbox_head``: the half-open box (row0, col0, row1, col1) of head and midpiece in
        the picture; and ``failed`` as a list of sentences.
    """
    for row in _done(run):
        for one in _sperm(out, row):
            box = one.box_of(*HEAD_PARTS, Part.MIDPIECE) or one.instance.bbox
            failed = [str(failure) for failure in one.verdict.failed]
            yield _table_row(row, one) | {"bbox_head": box, "failed": failed}


def _done(run: Mapping[str, Any]) -> list[Row]:
    return [row for row in run["pictures"] if row["status"] == "done"]


def _sperm(out: Path, row: Row) -> list[AnalysedSperm]:
    return read_sperm(sperm_path(out, row["id"]))


def _judged(out: Path, rows: Iterable[Row]) -> Iterator[JudgedSperm]:
    for row in rows:
        for one in _sperm(out, row):
            yield JudgedSperm(one.morphometry, one.verdict, row["um_per_px"], row["slide"])


def _uncertainty(out: Path, rows: Sequence[Row]) -> SampleUncertainty:
    sperm = ((one, row["um_per_px"]) for row in rows for one in _sperm(out, row))
    views = (read_views(sperm_path(out, row["id"])) for row in rows)
    return summarise_uncertainty(sperm, views)


def _table_row(row: Row, one: AnalysedSperm) -> Row:
    place = {"image": row["id"], "sample": row["sample"], "slide": row["slide"]}
    return place | one.row(row["um_per_px"])


def _image(number: int, row: Row) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": row["file"],
        "height": row["height"],
        "width": row["width"],
        "um_per_px": row["um_per_px"],
    }


def _categories(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    schema = LabelSchema.from_dict(run["model"]["card"]["schema"])
    parts = sorted(Part(id) for id in schema.ids if id != Part.BACKGROUND)
    return [{"id": int(part), "name": part.name.lower()} for part in parts]


def _annotations(row: Row, sperm: Iterable[AnalysedSperm]) -> Iterator[dict[str, Any]]:
    size = (row["height"], row["width"])
    for one in sperm:
        top, left = one.instance.bbox[:2]
        for part, mask in sorted(one.instance.masks.items()):
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            yield {
                "category_id": int(part),
                "sperm_id": one.instance.id,
                "score": one.instance.score,
                "iscrowd": 0,
                "bbox": [
                    *(left + int(columns[0]), top + int(rows[0])),
                    *(int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1),
                ],
                "area": int(mask.sum()),
                "segmentation": encode_region(mask, (top, left), size),
            }
