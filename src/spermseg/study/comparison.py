"""What each experiment of a study gave against the one that it differs from, and how surely."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spermseg.experiments.measured import Interval
from spermseg.metrics.intervals import bootstrap_interval
from spermseg.study.book import failure_file, planned, read_book, result_file
from spermseg.study.plan import Experiment, describe, run_folder
from spermseg.study.results import FIGURES, PAINTED, StudyResult, check_same_pictures, read_result

HELPS, HURTS, SAME, ONE_SEED = "helps", "hurts", "not told apart", "one seed"
NO_BASE, NOT_RUN = "", "not run"

FEWEST_SEEDS = 2
"""Trainings of each of two experiments below which nothing is said of their difference: that
between two trainings of the same settings is not known then."""

UNITS = {"cpu_seconds": "CPU s", "seconds": "s"}

RULE = (
    f"By the mean IoU of the map painted from the sperm found. `{HELPS}`: the 95 % interval of the "
    "mean difference to the base lies above 0, and so does the difference of every seed; "
    f"`{HURTS}`: both lie below 0; `{SAME}`: the interval holds 0, or the seeds disagree in sign; "
    f"`{ONE_SEED}`: fewer than {FEWEST_SEEDS} seeds of both were run, which decides nothing."
)


@dataclass(frozen=True)
class Difference:
    """A figure of an experiment less that of its base.

    Parameters
    ----------
    mean : Interval
        Over seeds, with its bootstrap interval over the validation pictures, which are drawn
        together for both experiments and all seeds.
    by_seed : mapping of int to float
    """

    mean: Interval
    by_seed: Mapping[int, float]

    @property
    def verdict(self) -> str:
        """`HELPS`, `HURTS`, `SAME` or `ONE_SEED`, by `RULE`."""
        if len(self.by_seed) < FEWEST_SEEDS:
            return ONE_SEED
        agree = {int(np.sign(value)) for value in self.by_seed.values()} == {self.mean.sign}
        return {1: HELPS, -1: HURTS}[self.mean.sign] if agree and self.mean.sign else SAME

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready mapping."""
        return {
            "value": _known(self.mean.value),
            "interval": [_known(self.mean.low), _known(self.mean.high)],
            "by_seed": {str(seed): _known(value) for seed, value in self.by_seed.items()},
        }


@dataclass(frozen=True)
class Row:
    """An experiment, or a variant of using its weights.

    Parameters
    ----------
    name, title, question, change : str
    base : str, optional
        Name of the row that it is compared with.
    results : mapping of int to StudyResult
        By seed.
    trained : bool
        Whether it has a training of its own.
    reason : str
        Why results are missing, where that is known.
    differences : mapping of str to Difference
        To the base, by figure; empty without common seeds.
    """

    name: str
    title: str
    question: str
    change: str
    base: str | None
    results: Mapping[int, StudyResult]
    trained: bool = True
    reason: str = ""
    differences: Mapping[str, Difference] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """By the rule of `Difference`; empty for a row without a base, or one not run."""
        if not self.results:
            return NOT_RUN
        return self.differences[PAINTED].verdict if self.differences else NO_BASE

    def figure(self, name: str) -> dict[int, float]:
        """Give one of `FIGURES` by seed."""
        place = FIGURES.index(name)
        return {seed: float(result.values[place]) for seed, result in self.results.items()}


@dataclass(frozen=True)
class StudyComparison:
    """A study as far as it was run.

    Parameters
    ----------
    book : mapping
        See `spermseg.study.book.read_book`.
    rows : tuple of Row
    """

    book: Mapping[str, Any]
    rows: tuple[Row, ...]

    def row(self, name: str | None) -> Row | None:
        """Give a row by its name."""
        return next((row for row in self.rows if row.name == name), None)

    @property
    def results(self) -> list[StudyResult]:
        """All results there are."""
        return [result for row in self.rows for result in row.results.values()]

    @property
    def questions(self) -> dict[str, list[Row]]:
        """The rows by their question."""
        by_question: dict[str, list[Row]] = {}
        for row in self.rows:
            by_question.setdefault(row.question, []).append(row)
        return by_question

    def cost(self, row: Row, what: str) -> dict[str, Any] | None:
        """Say what a row's ``training`` or ``evaluation`` took.

        Returns
        -------
        dict or None
            ``seconds``, the mean over seeds; ``unit``, ``CPU s``, or ``s`` by the clock where there
            was a GPU; ``times_base``, in times of the base's, None where the two ran on different
            machines. None for what was not run, or has no training of its own.
        """
        if not row.results or (what == "training" and not row.trained):
            return None
        spent = [_seconds(result, what) for result in row.results.values()]
        base = self.row(row.base)
        pairs = [(row.results[s], base.results[s]) for s in _common_seeds(row, base) if base]
        times = None
        if pairs and all(one.facts["machine"] == b.facts["machine"] for one, b in pairs):
            before = sum(_seconds(one, what) for _, one in pairs)
            times = sum(_seconds(one, what) for one, _ in pairs) / before if before else None
        unit = _unit(next(iter(row.results.values())))
        return {"seconds": float(np.mean(spent)), "unit": UNITS[unit], "times_base": times}


def compare_study(out: Path) -> StudyComparison:
    """Read what `spermseg.study.running.run_study` left in a folder, and compare it.

    Raises
    ------
    UsageError
        When no study was run there.
    DataError
        When results are of different pictures.
    """
    book = read_book(out)
    # What everything is compared with comes first.
    experiments = sorted(planned(book).experiments.items(), key=lambda e: e[1].base is not None)
    rows = [
        row
        for name, experiment in experiments
        for row in _rows(out, name, experiment, book["seeds"])
    ]
    check_same_pictures([result for row in rows for result in row.results.values()])
    return StudyComparison(book, tuple(_compared(rows)))


def _rows(out: Path, name: str, experiment: Experiment, seeds: Sequence[int]) -> Iterator[Row]:
    def results(variant: str = "") -> dict[int, StudyResult]:
        files = {seed: result_file(run_folder(out, name, seed), variant) for seed in seeds}
        return {seed: read_result(file) for seed, file in files.items() if file.is_file()}

    reasons = {_reason(failure_file(run_folder(out, name, seed))) for seed in seeds} - {""}
    reason = "; ".join(sorted(reasons))
    yield Row(
        name,
        experiment.title,
        experiment.question,
        _change(experiment),
        experiment.base,
        results(),
        reason=reason,
    )
    for variant in experiment.evaluate:
        own = variant.model_dump(exclude_defaults=True, exclude={"name", "title", "question"})
        yield Row(
            f"{name}+{variant.name}",
            variant.title,
            variant.question,
            f"{describe(own)}, without a training of its own",
            name,
            results(variant.name),
            trained=False,
            reason=reason,
        )


def _change(experiment: Experiment) -> str:
    parts = [describe(experiment.settings)] if experiment.settings else []
    if experiment.after:
        parts.append(f"begins with the weights of {experiment.after}")
    if experiment.teacher:
        parts.append(f"teacher: {experiment.teacher}")
    if experiment.data != "annotated":
        parts.append("trained on synthetic smears alone")
    return "; ".join(parts)


def _reason(file: Path) -> str:
    if not file.is_file():
        return ""
    failure = json.loads(file.read_text(encoding="utf-8"))
    return f"{failure['status']}: {failure['reason']}"


def _compared(rows: Sequence[Row]) -> Iterator[Row]:
    """Give the rows with their differences."""
    by_name = {row.name: row for row in rows}
    seeds = {row.name: _common_seeds(row, by_name.get(row.base or "")) for row in rows}
    pairs = [
        [(row.results[seed], by_name[row.base].results[seed]) for seed in seeds[row.name]]
        for row in rows
        if row.base and seeds[row.name]
    ]
    intervals = iter(_intervals(pairs))
    for row in rows:
        if not (row.base and seeds[row.name]):
            yield row
            continue
        base = by_name[row.base].results
        gains = {s: row.results[s].values - base[s].values for s in seeds[row.name]}
        low, high = next(intervals)
        mean = np.mean(list(gains.values()), axis=0)
        differences = {
            figure: Difference(
                Interval(float(mean[i]), float(low[i]), float(high[i])),
                {seed: float(values[i]) for seed, values in gains.items()},
            )
            for i, figure in enumerate(FIGURES)
        }
        yield Row(**{**vars(row), "differences": differences})


def _intervals(
    pairs: Sequence[Sequence[tuple[StudyResult, StudyResult]]],
) -> NDArray[np.float64]:
    """Give the limits (comparisons, 2, figures) of mean differences of pairs of results."""
    if not pairs:
        return np.empty((0, 2, len(FIGURES)))
    results = {id(one): one for comparison in pairs for pair in comparison for one in pair}

    def differences(draws: NDArray[np.float64]) -> NDArray[np.float64]:
        # The same draws for all: a result that many are compared with is scored once.
        figures = {key: result.figures(draws) for key, result in results.items()}
        return np.stack(
            [
                np.mean([figures[id(one)] - figures[id(other)] for one, other in comparison], 0)
                for comparison in pairs
            ],
            axis=1,
        )

    n_pictures = len(pairs[0][0][0].pictures)
    # Counts that only tell the pictures apart: pooled, they say how often each was drawn.
    return np.moveaxis(bootstrap_interval(np.eye(n_pictures), differences), 0, 1)


def _common_seeds(row: Row, base: Row | None) -> list[int]:
    return [] if base is None else sorted(row.results.keys() & base.results.keys())


def _unit(result: StudyResult) -> str:
    return "cpu_seconds" if result.facts["machine"]["accelerator"] == "none" else "seconds"


def _seconds(result: StudyResult, what: str) -> float:
    return float(result.facts[what][_unit(result)])


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
