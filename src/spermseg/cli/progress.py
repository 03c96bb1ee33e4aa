"""The progress bar of all commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a job is, with the time left, on stderr and on a terminal only.

    Yields
    ------
    callable
        To be called with what is done and what there is to do.
    """
    with staged_progress_bar() as advance_stage:
        yield lambda done, total: advance_stage(description, done, total)


@contextmanager
def staged_progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show how far a job of several stages is, with the time left of the stage at work.

    Yields
    ------
    callable
        To be called with the stage, what is done of it and what there is to do.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def advance(stage: str, done: int, total: int) -> None:
            if stage != progress.tasks[task].description:
                progress.reset(task, description=stage)
            progress.update(task, completed=done, total=total)

        yield advance
