"""Heavy work one at a time, so that it takes no more memory and threads than it may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from spermseg.web.refusals import RefusedError


class Gate:
    """Lets one thread in at a time; others wait, and too many are sent away.

    Parameters
    ----------
    waiting : int
        As many may wait.
    """

    def __init__(self, waiting: int):
        self._places = threading.BoundedSemaphore(waiting + 1)
        self._lock = threading.Lock()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Wait until it is free.

        Raises
        ------
        RefusedError
            When too many wait already.
        """
        if not self._places.acquire(blocking=False):
            again = {"Retry-After": "2"}
            raise RefusedError("the server is busy", status=429, fix="Try again", headers=again)
        try:
            with self._lock:
                yield
        finally:
            self._places.release()
