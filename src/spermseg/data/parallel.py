"""Run one function over many items in several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from spermseg.errors import ResourceError

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_in_processes(
    job: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[Result]:
    """Give the results of `job` on every item, in the order in which they are done.

    Parameters
    ----------
    job : callable
        Can be pickled.
    items : sequence
    workers : int
        Processes; 1 stays in this one. They are spawned: a script that asks for several needs the
        usual ``if __name__ == "__main__"``.

    Yields
    ------
    result

    Raises
    ------
    ResourceError
        When a worker process was killed.
    """
    if workers <= 1 or len(items) <= 1:
        yield from map(job, items)
        return
    pool = ProcessPoolExecutor(min(workers, len(items)), multiprocessing.get_context("spawn"))
    try:
        for future in as_completed([pool.submit(job, item) for item in items]):
            yield future.result()
    except BrokenProcessPool:
        raise ResourceError(
            "a worker process was killed, most likely for lack of memory", fix="Use fewer workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
