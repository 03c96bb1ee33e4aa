"""What browsers look at, sperm and tiles: made once, and kept while there is room."""

from __future__ import annotations

import gzip
import json
import threading
from collections import OrderedDict
from pathlib import Path

from spermseg.web.answers import sperm_answer
from spermseg.web.gate import Gate
from spermseg.web.records import PictureRecord
from spermseg.web.shown import shown_sperm
from spermseg.web.tiles import read_thumbnail, read_tile, write_tiles
from spermseg.web.workspace import Workspace

_KEPT_ANSWERS = 16
_WAITING = 24


class Viewing:
    """Shows the pictures of a workspace.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace):
        self._workspace = workspace
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
            answer = gzip.compress(_picture_json(self._workspace, record), 1)
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


def _picture_json(workspace: Workspace, record: PictureRecord) -> bytes:
    um_per_px = (record.scale or {}).get("um_per_px")
    sperm = [sperm_answer(one, um_per_px) for one in shown_sperm(workspace, record)]
    answer = {**record.summary(), "sperm": sperm}
    return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()
