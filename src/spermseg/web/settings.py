"""What a server is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from spermseg.analysis.criteria import Criteria, load_criteria
from spermseg.data.images import MAX_PIXELS
from spermseg.web.limits import Limits


@dataclass(frozen=True)
class Settings:
    """Where a server keeps its pictures, and what it accepts.

    Parameters
    ----------
    workspace : Path
        Folder of pictures, results and corrections; made if it is missing.
    token : str
        Whoever does not know it is refused.
    model : str or Path, optional
    criteria : Criteria
        As in `spermseg.analyze`.
    threads : int, optional
        Threads of the network; None takes all cores.
    max_bytes, max_pixels : int
        Of a picture.
    max_queue : int
        Pictures that wait or are being analysed.
    origins : frozenset of str
        Addresses under which the server is reached, as ``http://127.0.0.1:8000``; no other is
        served.
    limits : Limits
        What else is bounded.
    """

    workspace: Path
    token: str
    model: str | Path | None = None
    criteria: Criteria = field(default_factory=load_criteria)
    threads: int | None = None
    max_bytes: int = 512 * 2**20
    max_pixels: int = MAX_PIXELS
    max_queue: int = 1000
    origins: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
