"""Stopping a training from outside without losing any of it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ECHO_SECONDS = 1.0
"""Signals this soon after the first are the same one: torchrun repeats the terminal's Ctrl-C."""


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
    """Turn SIGINT and SIGTERM into a request; a later second one acts as it would have before.

    Outside the main thread, where Python allows no signal handlers, nothing is caught.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    first: float | None = None

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if first is None:
            request.wanted, first = True, now
        elif now - first > ECHO_SECONDS:
            restore()
            signal.raise_signal(number)

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

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
