"""Analyse many pictures: nothing twice, nothing lost, no bad one stops the others."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spermseg import DISCLAIMER, __version__, errors
from spermseg.analysis.samples import Membership, group_pictures
from spermseg.batch.inputs import Picture, find_pictures
from spermseg.batch.picture import AnalysisOptions, PictureJob, file_state
from spermseg.batch.record import RunRecord, check_same_run, is_free, read_record
from spermseg.batch.rows import Row, failed_row
from spermseg.batch.sperm_files import report_rows, write_annotations, write_summary, write_table
from spermseg.data.parallel import run_in_processes
from spermseg.errors import ResourceError, UsageError
from spermseg.inference.card import ModelCard
from spermseg.pipeline import cached_model
from spermseg.report.analysis_page import write_analysis_report
from spermseg.result import overlay_path, part_map_path, sperm_path

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchSummary:
    """What became of the pictures of one call.

    Parameters
    ----------
    done : int
        Pictures whose results are there.
    failed : int
    skipped : int
        Those of `done` that an earlier call had done.
    run : mapping
        What run.json holds.
    """

    done: int
    failed: int
    skipped: int
    run: Mapping[str, Any]


def analyze_files(
    inputs: Sequence[Path | str],
    out: Path | str,
    options: AnalysisOptions | None = None,
    *,
    samples: Path | str | None = None,
    workers: int | None = None,
    resume: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> BatchSummary:
    """Find, measure and judge all sperm in pictures and folders of pictures, and sum samples up.

    Writes ``parts/ID.png``, ``sperm/ID.json``, ``overlays/ID.jpg``, ``annotations.json``,
    ``sperm.csv``, ``images.csv``, ``summary.json``, ``report.html`` and ``run.json`` into `out`,
    see docs/analyze.md. A picture that cannot be read or analysed is logged as a warning and noted
    with its reason; the others are done.

    Parameters
    ----------
    inputs : sequence of Path
        Pictures, and folders that are searched for pictures.
    out : Path
        A new or empty folder.
    options : AnalysisOptions, optional
    samples : Path, optional
        A table of which picture is of which sample, see `group_pictures`; else each folder is one.
    workers : int, optional
        Processes, see `run_in_processes`; None decides by `share_out`.
    resume : bool
        Go on in a folder where an analysis was begun: pictures that are done and have not changed
        since are skipped.
    on_progress : callable, optional
        Called with how many pictures are done and how many there were to do.

    Raises
    ------
    UsageError
        Before anything is done: when an input is missing, `out` is not empty, or was begun under
        other conditions.
    DataError
        Before anything is done: when `samples` is wrong.
    ModelError
        Before anything is done: when the model cannot be loaded.
    OSError, ResourceError
        When nothing can be written any more; what was done before is noted.
    """
    out, options = Path(out), options or AnalysisOptions()
    earlier = _earlier(out, resume)
    rows = {row["id"]: row for row in earlier["pictures"]} if earlier else {}
    pictures = find_pictures(inputs, out, {row["file"]: row["id"] for row in rows.values()})
    members = _members(pictures, samples)
    todo = [p for p in pictures if not _is_done(p, rows.get(p.id), out, options)]
    workers, threads = share_out(len(todo), workers)
    head = run_head(inputs, options, cached_model(options.model, threads).card)
    if earlier is not None:
        check_same_run(out, earlier, head)
        for row in rows.values():
            row |= members.get(row["id"], {})
    with _told_in_one_line(out):
        record = RunRecord(out, head, earlier)
        job = PictureJob(out, options, threads)
        failed = _work(job, todo, workers, record, members, on_progress)
        # Before the record is closed: what a kill leaves half done is found by --resume.
        done = record.to_dict("running")
        write_annotations(out, done)
        write_table(out, done)
        summaries = write_summary(out, done, options.criteria)
        run = record.close("done")
        write_analysis_report(out, run, summaries=summaries, sperm=report_rows(out, run))
    return BatchSummary(len(pictures) - failed, failed, len(pictures) - len(todo), run)


@contextmanager
def _told_in_one_line(out: Path) -> Iterator[None]:
    """Name the folder where its disk fails in one of the ways that have no words of their own."""
    try:
        yield
    except OSError as error:
        if errors.translate(error) is not None:
            raise
        raise ResourceError(
            f"cannot be written: {error.strerror or error}", where=error.filename or out
        ) from error


def share_out(n_pictures: int, workers: int | None = None) -> tuple[int, int]:
    """Give the number of processes, and of threads in each.

    One process a core where there are pictures enough for all, since pictures side by side use the
    cores better than threads within one; else one process with all cores.
    """
    cores = usable_cores()
    if workers is None:
        workers = cores if n_pictures >= cores else 1
    elif workers < 1:
        raise UsageError(f"the number of workers must be at least 1, got {workers}")
    workers = max(1, min(workers, n_pictures))
    return workers, max(1, cores // workers)


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _work(
    job: PictureJob,
    todo: Sequence[Picture],
    workers: int,
    record: RunRecord,
    members: Mapping[str, Row],
    on_progress: Callable[[int, int], None] | None,
) -> int:
    """Do what is to be done; give the number of pictures that failed."""
    failed = 0
    page = job.options.page
    rows = run_in_processes(
        job, todo, workers, when_lost=lambda picture, cause: failed_row(picture, page, cause)
    )
    with record.closed_early(), closing(rows):
        for done, row in enumerate(rows, 1):
            record.note(row | members[row["id"]])
            if row["status"] == "failed":
                failed += 1
                # Of a picture that has changed since, or a process that died half-way.
                for path in _outputs(job.out, row["id"]):
                    path.unlink(missing_ok=True)
                logger.warning("%s: %s", row["file"], row["reason"])
            if on_progress is not None:
                on_progress(done, len(todo))
    return failed


def _members(pictures: Sequence[Picture], samples: Path | str | None) -> dict[str, Row]:
    """Give sample and slide of every picture, by its id."""
    if samples is None:
        members = {picture.id: Membership(picture.folder) for picture in pictures}
    else:
        by_file = group_pictures(samples, [picture.file for picture in pictures])
        members = {picture.id: by_file[picture.file] for picture in pictures}
    return {id: asdict(member) for id, member in members.items()}


def _earlier(out: Path, resume: bool) -> dict[str, Any] | None:
    if resume:
        return read_record(out)
    if not is_free(out):
        raise UsageError(
            "there is something here already",
            where=out,
            fix="Choose a new folder, or go on with --resume",
        )
    return None


def _is_done(picture: Picture, row: Row | None, out: Path, options: AnalysisOptions) -> bool:
    """Tell whether a picture's row and files are there and the picture is still the same."""
    if row is None or row["file"] != picture.file:
        return False
    part_map, sperm, overlay = _outputs(out, picture.id)
    return (
        part_map.is_file()
        and sperm.is_file()
        and (overlay.is_file() or not options.overlays)
        and picture.path.exists()
        and file_state(picture.path).items() <= row.items()
    )


def _outputs(out: Path, id: str) -> tuple[Path, Path, Path]:
    return part_map_path(out, id), sperm_path(out, id), overlay_path(out, id)


def run_head(
    inputs: Iterable[Path | str], options: AnalysisOptions, card: ModelCard
) -> dict[str, Any]:
    """Give what run.json says of an analysis as a whole: all but status, times and pictures."""
    arguments = asdict(options)
    del arguments["model"]  # Perhaps a path; what it led to is known exactly.
    del arguments["criteria"]  # Kept as what they say.
    folders = [path.resolve().name for path in map(Path, inputs) if path.is_dir()]
    return {
        "disclaimer": DISCLAIMER,
        "spermseg_version": __version__,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "onnxruntime", "pillow")},
        },
        "model": {"id": card.id, "sha256": card.weights_sha256, "card": card.to_dict()},
        "criteria": options.criteria.to_dict(),
        "arguments": {"folders": folders, **arguments},
    }
