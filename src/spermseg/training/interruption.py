"""Stopping a training from outside without losing any of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingInterrupted(KeyboardInterrupt):
    """A training stopped on request; everything is saved.

    Parameters
    ----------
    run : Path
        Its folder, from which it can be resumed.
    step : int
        Optimiser steps done.
    """

    exit_code = 130

    def __init__(self, run: Path, step: int):
        self.run = run
        self.step = step
        super().__init__(f"{run}: stopped and saved after step {step}")


class StopRequest:
    """Whether somebody asked for the training to stop."""

    wanted = False


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request; a second signal acts as it would have before.

    Outside the main thread, where Python allows no signal handlers, nothing is caught.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: object) -> None:
        request.wanted = True
        restore()

    for number in SIGNALS:
        signal.signal(number, ask)
    try:
        yield request
    finally:
        restore()


def leave_interrupts_to_parent(worker: int) -> None:
    """Start a data loader's worker: Ctrl-C reaches all processes, but only the parent saves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
