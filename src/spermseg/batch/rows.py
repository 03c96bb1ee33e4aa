"""One row a picture: what run.json and images.csv say about it."""

from __future__ import annotations

from typing import Any

from spermseg.analysis.objects import ObjectClass
from spermseg.batch.inputs import Picture
from spermseg.result import AnalysisResult
from spermseg.stages import stage

PARTS = ("head", "acrosome", "nucleus", "vacuole", "midpiece", "tail")

COLUMNS = (
    *("id", "file", "page", "status", "reason", "warnings", "height", "width"),
    *("sample", "slide", "scale_source", "head_length_px", "um_per_px", "heads"),
    *("sperm", "normal", "abnormal", "not_assessable"),
    *("loose_heads", "headless_tails", "not_sperm"),
    *(f"{part}_{quantity}" for part in PARTS for quantity in ("area_px", "share")),
    "seconds",
)
"""Of images.csv; docs/analyze.md says what each holds. A row of run.json has `bytes` and
`modified_ns` of the file besides, by which --resume knows it again."""

_APART: dict[str, ObjectClass] = {
    "loose_heads": "loose head",
    "headless_tails": "headless tail",
    "not_sperm": "not a sperm",
}
"""What is found and not counted as sperm, by column."""

Row = dict[str, Any]


@stage("measurements")
def done_row(picture: Picture, page: int, result: AnalysisResult) -> Row:
    """Describe a picture that was analysed; a part that the model does not know is None."""
    return _row(picture, page, "done") | findings(result)


def findings(result: AnalysisResult) -> Row:
    """Give those cells of a picture's row that its result tells, without parts not known."""
    height, width = result.sample.size
    scale = result.scale
    row: Row = {
        "warnings": list(result.warnings),
        "height": height,
        "width": width,
        "scale_source": scale.source,
        "head_length_px": scale.head_length_px,
        "um_per_px": scale.um_per_px,
        "heads": result.head_count,
        "sperm": result.sperm_count,
    }
    objects = [one.verdict.object for one in result.sperm]
    row |= {column: objects.count(name) for column, name in _APART.items()}
    verdicts = [one.verdict.normal for one in result.sperm if one.is_sperm]
    for name, normal in (("normal", True), ("abnormal", False), ("not_assessable", None)):
        row[name] = verdicts.count(normal)
    areas = result.part_areas()
    for part in PARTS:
        if part in areas:
            row[f"{part}_area_px"] = areas[part]
            row[f"{part}_share"] = areas[part] / (height * width)
    return row


def failed_row(picture: Picture, page: int, reason: str) -> Row:
    """Describe a picture that could not be analysed."""
    return _row(picture, page, "failed") | {"reason": reason}


def _row(picture: Picture, page: int, status: str) -> Row:
    known = {"id": picture.id, "file": picture.file, "page": page, "status": status}
    return dict.fromkeys(COLUMNS) | known | {"warnings": []}
