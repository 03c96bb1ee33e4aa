"""What browsers look at, sperm and tiles: made once, and kept while there is room."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from pathlib import Path

from spermseg.web.answers import SpermTexts, compact
from spermseg.web.gate import Gate
from spermseg.web.records import PictureRecord
from spermseg.web.shown import ShownSperm
from spermseg.web.tiles import read_thumbnail, read_tile, write_tiles
from spermseg.web.workspace import Workspace

_KEPT_ANSWERS = 16
_WAITING = 10


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
        self._texts = SpermTexts()
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
        um_per_px = None if record.scale is None else record.scale["um_per_px"]
        sperm = ",".join(self._texts.text(one, um_per_px) for one in self._shown.of(record))
        return f'{compact(record.summary())[:-1]},"sperm":[{sperm}]}}'
