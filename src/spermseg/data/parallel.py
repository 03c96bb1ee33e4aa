"""Run one function over many items in several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from spermseg.errors import ResourceError, SpermsegError

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE_SECONDS = 10.0
"""How long a process that has nothing more to do may take to end before it is killed."""

_KILLED = -9
"""Exit code of a process that the system ended, which it does when memory runs out."""


def run_in_processes(
    job: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    *,
    when_lost: Callable[[Item, str], Result] | None = None,
) -> Generator[Result, None, None]:
    """Give the results of `job` on every item, in the order in which they are done.

    A process has one item at a time, so that memory does not grow with the number of items, and
    it is known which item a process was at when it died. Ctrl-C is left to the calling process.
    When it stops early, for whatever reason, the others finish what they are at, unless that takes
    longer than `PATIENCE_SECONDS`.

    Parameters
    ----------
    job : callable
        Can be pickled.
    items : sequence
    workers : int
        Processes; 1 stays in this one. They are spawned: a script that asks for several needs the
        usual ``if __name__ == "__main__"``.
    when_lost : callable, optional
        Gives the result of an item whose process died, from the item and what is known about it;
        another process takes the dead one's place. None ends the work instead.

    Yields
    ------
    result

    Raises
    ------
    ResourceError
        When a process could not start, or died and there is no `when_lost`.
    """
    if workers <= 1 or len(items) <= 1:
        yield from map(job, items)
        return
    queue = deque(items)
    everyone = [Worker[Item, Result](job) for _ in range(min(workers, len(queue)))]
    busy: dict[Any, Worker[Item, Result]] = {worker.connection: worker for worker in everyone}
    try:
        while busy:
            for connection in wait(list(busy)):
                worker = busy.pop(connection)
                try:
                    results = worker.receive()
                except WorkerDiedError:
                    results = [worker.loss(when_lost)]
                    if queue:  # Its successor asks for an item as soon as it is there.
                        worker = Worker(job)
                        everyone.append(worker)
                        busy[worker.connection] = worker
                else:
                    if queue:
                        worker.send(queue.popleft())
                        busy[connection] = worker
                yield from results
    finally:
        for worker in everyone:
            worker.connection.close()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for worker in everyone:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            worker.process.kill()
            worker.process.join()


class WorkerDiedError(Exception):
    """A process is gone before it answered."""


class Worker(Generic[Item, Result]):
    """A process, and the item that it is at: none while it starts.

    Parameters
    ----------
    job : callable
        Can be pickled.
    """

    def __init__(self, job: Callable[[Item], Result]):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.items: list[Item] = []
        self.process = context.Process(target=_serve, args=(job, theirs), daemon=True)
        with _interrupts_ignored():
            self.process.start()
        theirs.close()  # Held by the process alone, it closes with it: that is how death shows.

    def send(self, item: Item) -> None:
        """Give the next item."""
        self.items = [item]
        # Whether the process has just died shows where its answer is awaited.
        with contextlib.suppress(ConnectionError):
            self.connection.send(item)

    def receive(self) -> list[Result]:
        """Wait for a sign of life: no result from a process that has just started, then one each.

        What the job raised is raised here, and `WorkerDiedError` when the process is gone.
        """
        try:
            results, error = self.connection.recv()
        except (EOFError, OSError):
            raise WorkerDiedError("a worker process ended early") from None
        if error is not None:
            raise error
        answer: list[Result] = results
        return answer

    def loss(self, when_lost: Callable[[Item, str], Result] | None) -> Result:
        """Give the result of the item that the process died of, if that may be."""
        self.process.join(PATIENCE_SECONDS)
        code = self.process.exitcode
        if not self.items:
            raise ResourceError(f"a worker process could not start, exit code {code}")
        if code is not None and code < 0:
            cause = f"a worker process was killed by signal {-code}"
            cause += ", most likely for lack of memory" if code == _KILLED else ""
        else:
            cause = f"a worker process ended with exit code {code}"
        if when_lost is None:
            raise ResourceError(cause, fix="Use fewer workers")
        return when_lost(self.items[0], cause)


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Let what is started in this block be deaf to Ctrl-C from its first moment on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(job: Callable[[Any], Any], connection: Connection) -> None:
    """Do the job on whatever comes, until nothing comes any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, ConnectionError):
        connection.send(([], None))
        while True:
            connection.send(_answer(job, connection.recv()))


def _answer(job: Callable[[Any], Any], item: Any) -> tuple[list[Any], Exception | None]:
    try:
        return [job(item)], None
    except Exception as error:
        if not isinstance(error, SpermsegError):
            error.add_note(traceback.format_exc())
        return [], error
