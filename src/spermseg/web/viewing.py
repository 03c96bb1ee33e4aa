"""What browsers look at, sperm and tiles: made once, and kept while there is room."""

from __future__ import annotations

import gzip
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.web.answers import sperm_answer
from spermseg.web.gate import Gate
from spermseg.web.records import PictureRecord
from spermseg.web.shown import ShownSperm
from spermseg.web.tiles import read_thumbnail, read_tile, write_tiles
from spermseg.web.workspace import Workspace

_KEPT_ANSWERS = 16
_WAITING = 24


class Viewing:
    """Shows the pictures of a workspace.

    Parameters
    ----------
    workspace : Workspace
    shown : ShownSperm
    """

    def __init__(self, workspace: Workspace, shown: ShownSperm):
        self._workspace = workspace
        self._shown = shown
        self._told: dict[int, tuple[AnalysedSperm, float | None, str]] = {}
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._tiling = Gate(_WAITING)
        self._answering = Gate(_WAITING)

    def picture(self, record: PictureRecord) -> bytes:
        """Give a picture's summary and all its sperm: JSON, compressed by gzip."""
        key = (record.id, record.revision)
        if (answer := self._find(key)) is not None:
            return answer
        with self._answering.entered():
            if (answer := self._find(key)) is not None:
                return answer
            answer = gzip.compress(self._json(record).encode(), 1)
            with self._lock:
                self._kept[key] = answer
                while len(self._kept) > _KEPT_ANSWERS:
                    self._kept.popitem(last=False)
            return answer

    def tile(self, record: PictureRecord, level: int, x: int, y: int) -> bytes:
        """Give a tile as JPEG, see `read_tile`."""
        return read_tile(self._tiles(record), level, x, y)

    def thumbnail(self, record: PictureRecord) -> bytes:
        """Give the whole picture small, as JPEG."""
        return read_thumbnail(self._tiles(record))

    def _find(self, key: tuple[str, int]) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _tiles(self, record: PictureRecord) -> Path:
        path = self._workspace.picture_folder(record.id) / "tiles.zip"
        if not path.is_file():
            # One at a time: a large picture takes a gigabyte while it is cut.
            with self._tiling.entered():
                if not path.is_file():
                    write_tiles(self._workspace.original(record), path)
        return path

    def _json(self, record: PictureRecord) -> str:
        """Tell about a picture; of the one told about last, a sperm that is the same, as before."""
        um_per_px = None if record.scale is None else record.scale["um_per_px"]
        told = {}
        for one in self._shown.of(record):
            known = self._told.get(id(one))
            if known is None or known[1] != um_per_px:
                known = (one, um_per_px, _compact(sperm_answer(one, um_per_px)))
            told[id(one)] = known
        # Held here, they keep their identity.
        self._told = told
        sperm = ",".join(text for *_, text in told.values())
        return f'{_compact(record.summary())[:-1]},"sperm":[{sperm}]}}'


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
