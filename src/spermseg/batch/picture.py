"""The work on one picture: analyse, save, describe; a picture that fails is described too."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from spermseg import errors
from spermseg.analysis.criteria import Criteria, load_criteria
from spermseg.batch.inputs import Picture
from spermseg.batch.rows import Row, done_row, failed_row
from spermseg.data.images import read_sample
from spermseg.errors import SpermsegError, UsageError
from spermseg.pipeline import analyze, check_scale
from spermseg.result import AnalysisResult


@dataclass(frozen=True)
class AnalysisOptions:
    """What is the same for all pictures of a run.

    Parameters
    ----------
    model : str or Path, optional
    um_per_px, head_length_px : float, optional
    page : int
        As in `spermseg.analyze`.
    overlays : bool
        False writes no overlays.
    criteria : Criteria
        By which sperm are judged, see `load_criteria`.
    uncertainty : bool
        Look at every picture in several views.

    Raises
    ------
    UsageError
        When both scales are given, or a number is out of range.
    """

    model: str | Path | None = None
    um_per_px: float | None = None
    head_length_px: float | None = None
    page: int = 0
    overlays: bool = True
    criteria: Criteria = field(default_factory=load_criteria)
    uncertainty: bool = False

    def __post_init__(self) -> None:
        check_scale(self.um_per_px, self.head_length_px)
        if self.page < 0:
            raise UsageError(f"the page must be 0 or more, got {self.page}")


@dataclass(frozen=True)
class PictureJob:
    """Analyses one picture after the other; travels to other processes.

    Parameters
    ----------
    out : Path
        Output folder.
    options : AnalysisOptions
    threads : int
        Of the network.
    """

    out: Path
    options: AnalysisOptions
    threads: int

    def __call__(self, picture: Picture) -> Row:
        """Write a picture's part map, sperm and overlay, and describe it.

        Raises
        ------
        OSError
            When nothing can be written any more: a full disk, missing rights.
        """
        start = time.perf_counter()
        # Pictures are strangers: whatever one of them brings to light must not stop the others.
        try:
            state = file_state(picture.path)
            result = self._analyze(picture)
            row = done_row(picture, self.options.page, result) | state
        except Exception as error:
            return self._failed(picture, error, start)
        try:
            result.save(self.out, overlay=self.options.overlays)
        except Exception as error:
            # What fails here by its own fault fails for all: no space, no rights.
            if isinstance(error, OSError) and errors.translate(error) is not None:
                raise
            return self._failed(picture, error, start)
        return row | {"seconds": _seconds_since(start)}

    def _analyze(self, picture: Picture) -> AnalysisResult:
        return analyze(
            read_sample(picture.path, id=picture.id, page=self.options.page),
            model=self.options.model,
            um_per_px=self.options.um_per_px,
            head_length_px=self.options.head_length_px,
            criteria=self.options.criteria,
            uncertainty=self.options.uncertainty,
            threads=self.threads,
        )

    def _failed(self, picture: Picture, error: Exception, start: float) -> Row:
        row = failed_row(picture, self.options.page, reason_of(error, picture))
        return row | {"seconds": _seconds_since(start)}


def reason_of(error: Exception, picture: Picture) -> str:
    """Say in one line, without the picture's place on this machine, why it failed."""
    if isinstance(error, MemoryError):
        reason = "out of memory"
    elif isinstance(error, SpermsegError):
        reason = error.what if error.fix is None else f"{error.what}. {error.fix}"
    elif isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
    else:
        reason = f"unexpected {type(error).__name__}: {error}"
    return " ".join(reason.replace(str(picture.path), picture.file).split())


def file_state(path: Path) -> dict[str, int]:
    """Give what changes when a file does, at no cost: ``bytes`` and ``modified_ns``."""
    state = path.stat()
    return {"bytes": state.st_size, "modified_ns": state.st_mtime_ns}


def _seconds_since(start: float) -> float:
    return round(time.perf_counter() - start, 3)
