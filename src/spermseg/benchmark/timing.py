"""Seconds of pictures, end to end and by stage."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from spermseg.batch.inputs import Picture
from spermseg.batch.picture import PictureJob
from spermseg.batch.rows import Row
from spermseg.errors import ImageError
from spermseg.result import overlay_path, part_map_path, sperm_path
from spermseg.stages import STAGES, measured_stages

Spread = dict[str, float]


def spread(values: Sequence[float]) -> Spread:
    """Give the least value, which other work on the machine disturbs least, and the median."""
    return {"min": min(values), "median": statistics.median(values)}


def seconds_of(job: Callable[[], object]) -> float:
    """Run a job once and give its seconds."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


class PictureTimes:
    """The seconds of one picture, a value a repeat.

    Parameters
    ----------
    job : PictureJob
        Reads, analyses, describes and saves it, as in `spermseg analyze`.
    picture : Picture
    """

    def __init__(self, job: PictureJob, picture: Picture):
        self.picture = picture
        self._job = job
        self._totals: list[float] = []
        self._stages: dict[str, list[float]] = {name: [] for name in (*STAGES, "other")}

    def run(self) -> Row:
        """Do the job without counting it; give the picture's row.

        Raises
        ------
        ImageError
            When the picture cannot be analysed.
        """
        row = self._job(self.picture)
        if row["status"] == "failed":
            raise ImageError(row["reason"], where=self.picture.file)
        return row

    def measure(self) -> None:
        """Do the job and take its time, its files being new as in a new folder."""
        for path_of in (part_map_path, sperm_path, overlay_path):
            path_of(self._job.out, self.picture.id).unlink(missing_ok=True)
        start = time.perf_counter()
        with measured_stages() as stages:
            self.run()
        total = time.perf_counter() - start
        self._totals.append(total)
        self._stages["other"].append(total - sum(stages.values()))
        for name, seconds in stages.items():
            self._stages[name].append(seconds)

    def to_dict(self) -> dict[str, Any]:
        """Give ``seconds`` end to end and of the ``stages``; ``other`` is what lies in none."""
        return {
            "seconds": spread(self._totals),
            "stages": {name: spread(values) for name, values in self._stages.items()},
        }


def mean_times(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the means over pictures of what `PictureTimes.to_dict` gave of each."""
    return {
        "seconds": _mean(entry["seconds"] for entry in entries),
        "stages": {
            name: _mean(entry["stages"][name] for entry in entries) for name in entries[0]["stages"]
        },
    }


def _mean(spreads: Iterable[Spread]) -> Spread:
    listed = list(spreads)
    return {name: statistics.fmean(one[name] for one in listed) for name in listed[0]}
