"""The result of an analysis as it is after corrections, in a folder of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.criteria import Criteria
from spermseg.batch.inputs import RUN_FILE
from spermseg.batch.record import images_table, is_free
from spermseg.batch.rows import Row, findings
from spermseg.correction.ground import Ground, rescale
from spermseg.correction.part_map import current_part_map
from spermseg.correction.versions import ORIGINAL, VersionStore
from spermseg.data.images import read_sample
from spermseg.data.masks import read_mask
from spermseg.errors import UsageError
from spermseg.files import write_json, write_text
from spermseg.result import (
    AnalysisResult,
    overlay_path,
    part_map_path,
    read_sperm,
    sperm_path,
)
from spermseg.structures import LabelSchema, Sample, Scale, Segmentation

CORRECTED_BY_HAND = "sperm corrected by hand"
"""Among the warnings of a picture: its figures are not those of the model alone."""


def write_current_result(
    result: Path | str,
    run: Mapping[str, Any],
    versions: VersionStore,
    out: Path | str,
    criteria: Criteria,
    *,
    scales: Mapping[str, Scale] | None = None,
    pictures: Mapping[str, Path] | None = None,
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write the current versions of all pictures as an analysis would have.

    Writes ``parts/ID.png``, ``sperm/ID.json``, ``overlays/ID.jpg``, ``images.csv`` and
    ``run.json``; the tables and the report can be made of these. What was not corrected is the same
    file as in `result`, not another copy, where the file system can do that.

    Parameters
    ----------
    result : Path
        The folder of the analysis.
    run : mapping
        What its ``run.json`` holds. Of its pictures, those that are done or failed are taken.
    versions : VersionStore
    out : Path
        A new or empty folder.
    criteria : Criteria
        Those of the run.
    scales : mapping of str to Scale, optional
        By id of the picture, where it is not the one that the picture was analysed with.
    pictures : mapping of str to Path, optional
        By id: the files, of which the overlays of corrected pictures are drawn. Without its file
        a corrected picture has no overlay.
    names : mapping of str to str, optional
        By id: another id in `out`, of its files and its row.

    Returns
    -------
    dict
        The run as it is written.

    Raises
    ------
    UsageError
        When there is something at `out`, or a scale cannot be true.
    DataError
        Naming a file that is damaged.
    """
    result, out = Path(result), Path(out)
    if not is_free(out):
        raise UsageError("there is something here already", where=out, fix="Choose a new folder")
    writer = _Writer(
        result, run, versions, out, criteria, scales or {}, pictures or {}, names or {}
    )
    rows = [
        writer.write(row) if row["status"] == "done" else writer.renamed(row)
        for row in run["pictures"]
        if row["status"] in ("done", "failed")
    ]
    statuses = [row["status"] for row in rows]
    counts = {name: statuses.count(name) for name in ("done", "failed")}
    current = {**run, "status": "done", "counts": counts, "pictures": rows}
    write_text(out / "images.csv", images_table(rows))
    write_json(out / RUN_FILE, current)
    return current


@dataclass(frozen=True)
class _Writer:
    """Writes one picture after the other; parameters as of `write_current_result`."""

    result: Path
    run: Mapping[str, Any]
    versions: VersionStore
    out: Path
    criteria: Criteria
    scales: Mapping[str, Scale]
    pictures: Mapping[str, Path]
    names: Mapping[str, str]
    schema: LabelSchema = field(init=False)

    def __post_init__(self) -> None:
        schema = LabelSchema.from_dict(self.run["model"]["card"]["schema"])
        object.__setattr__(self, "schema", schema)

    def write(self, row: Row) -> Row:
        """Write the files of a picture and give its row."""
        id = row["id"]
        analysed = Scale(row["scale_source"], row["head_length_px"], row["um_per_px"])
        scale = self.scales.get(id, analysed)
        version = self.versions.current(id)
        if version == ORIGINAL and scale == analysed:
            for path in (part_map_path, sperm_path, overlay_path):
                _link(path(self.result, id), path(self.out, self._name(id)))
            return self.renamed(row)
        original = read_sperm(sperm_path(self.result, id))
        sperm, measured_by = tuple(original), analysed
        if version != ORIGINAL:
            stored = self.versions.read(id, version)
            sperm, measured_by = stored.sperm, stored.scale
        ground = Ground((row["height"], row["width"]), measured_by, self.criteria, self.schema)
        sperm = rescale(sperm, ground, scale)
        warnings = _warnings(row, corrected=version != ORIGINAL)
        found = self._result(row, original, sperm, scale, warnings)
        found.save(self.out, overlay=id in self.pictures)
        return self.renamed(row) | findings(found)

    def renamed(self, row: Row) -> Row:
        """Give a row with the id that its picture gets."""
        return row | {"id": self._name(row["id"])}

    def _name(self, id: str) -> str:
        return self.names.get(id, id)

    def _result(
        self,
        row: Row,
        original: Sequence[AnalysedSperm],
        sperm: tuple[AnalysedSperm, ...],
        scale: Scale,
        warnings: tuple[str, ...],
    ) -> AnalysisResult:
        id, size = row["id"], (row["height"], row["width"])
        part_map = read_mask(part_map_path(self.result, id)).astype(np.uint8)
        # What the file itself gives rise to is among the warnings of the row.
        name = self._name(id)
        sample = Sample(name, np.broadcast_to(np.uint8(0), (*size, 3)))
        if id in self.pictures:
            sample = replace(read_sample(self.pictures[id], id=name, page=row["page"]), warnings=())
        segmentation = Segmentation(
            current_part_map(part_map, original, sperm),
            np.zeros((self.schema.n_classes, 0, 0), np.float16),
            self.schema,
            scale,
            self.run["model"]["id"],
            warnings,
        )
        return AnalysisResult(sample, segmentation, {}, sperm)


def _warnings(row: Row, *, corrected: bool) -> tuple[str, ...]:
    # Whether there is a sperm is said anew.
    kept = tuple(one for one in row["warnings"] if one != "no sperm found")
    return (*kept, CORRECTED_BY_HAND) if corrected else kept


def _link(source: Path, target: Path) -> None:
    """Let a file be at another place too, as a copy where it has to be; nothing where it is not."""
    if not source.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
