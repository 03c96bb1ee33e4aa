"""The files of a whole run that are made of each picture's sperm, one picture at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spermseg import DISCLAIMER
from spermseg.analysis import analysed_sperm
from spermseg.analysis.analysed_sperm import CORRECTED, AnalysedSperm
from spermseg.analysis.criteria import Criteria
from spermseg.analysis.sample_statistics import JudgedSperm, summarise
from spermseg.analysis.sample_uncertainty import SampleUncertainty, summarise_uncertainty
from spermseg.analysis.uncertainty import UNCERTAINTY_COLUMNS
from spermseg.analysis.verdicts import Failure
from spermseg.batch.rows import Row
from spermseg.files import atomic_path, write_json
from spermseg.result import read_sperm_values, read_views, sperm_path
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
            for annotation in _annotations(_values(out, row)):
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
            table.writerows(_table_row(row, one) for one in _values(out, row))


def write_summary(out: Path, run: Mapping[str, Any], criteria: Criteria) -> list[dict[str, Any]]:
    """Sum every sample up, write ``summary.json`` and give what it says of each sample."""
    by_sample: dict[str, list[Row]] = {}
    for row in _done(run):
        by_sample.setdefault(row["sample"], []).append(row)
    summaries = [
        summarise(name, _judged(out, rows), criteria).to_dict()
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
        for one in _values(out, row):
            cells = dict.fromkeys(analysed_sperm.COLUMNS) | _table_row(row, one)
            failed = [str(Failure(**failure)) for failure in one["verdict"]["failed"]]
            yield cells | {"bbox_head": _front_box(one), "failed": failed}


def _done(run: Mapping[str, Any]) -> list[Row]:
    return [row for row in run["pictures"] if row["status"] == "done"]


def _values(out: Path, row: Row) -> list[dict[str, Any]]:
    return read_sperm_values(sperm_path(out, row["id"]))


def _sperm(out: Path, rows: Iterable[Row]) -> Iterator[tuple[AnalysedSperm, Row]]:
    """Give all sperm, without their masks, with the row of their picture."""
    for row in rows:
        for value in _values(out, row):
            yield AnalysedSperm.from_dict(value, masks=False), row


def _front_box(value: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """Give the box of head and midpiece; without both, of all."""
    boxes = [
        value["masks"][str(int(part))]["box"]
        for part in (*HEAD_PARTS, Part.MIDPIECE)
        if str(int(part)) in value["masks"]
    ]
    row0, column0, row1, column1 = zip(*(boxes or [value["bbox"]]), strict=True)
    return min(row0), min(column0), max(row1), max(column1)


def _judged(out: Path, rows: Iterable[Row]) -> Iterator[JudgedSperm]:
    for one, row in _sperm(out, rows):
        yield JudgedSperm(one.morphometry, one.verdict, row["um_per_px"], row["slide"])


def _uncertainty(out: Path, rows: Sequence[Row]) -> SampleUncertainty:
    sperm = ((one, row["um_per_px"]) for one, row in _sperm(out, rows))
    views = (read_views(sperm_path(out, row["id"])) for row in rows)
    return summarise_uncertainty(sperm, views)


def _table_row(row: Row, value: Mapping[str, Any]) -> Row:
    place = {"image": row["id"], "sample": row["sample"], "slide": row["slide"]}
    return {**place, **value["row"]}


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


def _annotations(sperm: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in sperm:
        for part, mask in one["masks"].items():
            row0, column0, row1, column1 = mask["box"]
            yield {
                "category_id": int(part),
                "sperm_id": one["id"],
                "score": one["score"],
                "corrected": CORRECTED in one["flags"],
                "iscrowd": 0,
                "bbox": [column0, row0, column1 - column0, row1 - row0],
                "area": mask["area"],
                "segmentation": {"size": mask["size"], "counts": mask["counts"]},
            }
