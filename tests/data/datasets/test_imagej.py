"""Regions as ImageJ writes them: bytes put together by the offsets in its RoiDecoder."""

from __future__ import annotations

import os
import struct
import zipfile
from contextlib import suppress

import numpy as np
import pytest

from spermseg.data.datasets import imagej, open_dataset
from spermseg.data.datasets.imagej import ImageJDataset
from spermseg.data.datasets.names import name_of, sperm_and_part
from spermseg.data.images import write_image
from spermseg.errors import MaskError
from spermseg.structures import Part

SHAPE = (40, 60)
POLYGON, RECT, OVAL, LINE, FREELINE, POLYLINE, FREEHAND, TRACED, ANGLE, POINT = (
    *(0, 1, 2, 3, 4, 5, 7, 8, 9, 10),
)
SUB_PIXEL = 128


def roi(kind, box, points=(), *, name="", floats=None, path=None, subtype=0, count=None):
    """Write a region: header of 64 bytes, coordinates, second header of 64, name."""
    left, top, right, bottom = box
    n = len(points) if count is None else count
    body = b"".join(struct.pack(">h", x - left) for x, _ in points)
    body += b"".join(struct.pack(">h", y - top) for _, y in points)
    if floats is not None:
        body += b"".join(struct.pack(">f", x) for x, _ in floats)
        body += b"".join(struct.pack(">f", y) for _, y in floats)
    if path is not None:
        body = struct.pack(f">{len(path)}f", *path)
    header = b"Iout" + struct.pack(">hBxhhhhH", 227, kind, top, left, bottom, right, n)
    header += bytes(16)  # x1, y1, x2, y2 of lines
    header += struct.pack(">hi", 0, len(path or ())) + bytes(8)  # stroke width, shape, colours
    header += struct.pack(">hh", subtype, SUB_PIXEL if floats is not None else 0)
    header += bytes(4) + struct.pack(">ii", 0, 64 + len(body))  # style, position, header 2
    second = bytearray(64)
    text = name.encode("utf-16-be")
    struct.pack_into(">ii", second, 16, 64 + len(body) + 64, len(name))
    return header + body + bytes(second) + text


def write(root, regions, name="a.zip"):
    write_image(root / "a.png", np.full((*SHAPE, 3), 220, np.uint8))
    if name.endswith(".roi"):
        (root / name).write_bytes(regions)
        return
    with zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in regions.items():
            archive.writestr(entry, content)


def read(root, regions, name="a.zip"):
    write(root, regions, name)
    return open_dataset(root, "imagej").load("a")


def box_mask(row0, col0, row1, col1):
    mask = np.zeros(SHAPE, bool)
    mask[row0:row1, col0:col1] = True
    return mask


CORNERS = [(5, 3), (25, 3), (25, 9), (5, 9)]
BOX = (5, 3, 25, 9)


@pytest.mark.parametrize(
    "content",
    [
        roi(POLYGON, BOX, CORNERS, name="sperm 4 tail"),
        roi(TRACED, BOX, CORNERS, name="sperm 4 tail"),
        roi(FREEHAND, BOX, CORNERS, floats=[(x, float(y)) for x, y in CORNERS], name="4 tail"),
        roi(RECT, BOX, name="Tail 4"),
    ],
    ids=["polygon", "traced", "freehand", "rectangle"],
)
def test_kinds_of_areas(tmp_path, content):
    (sperm,) = read(tmp_path, {"0006-0015.roi": content}).instances
    assert sperm.id == 4
    np.testing.assert_array_equal(sperm.full_mask(Part.TAIL, SHAPE), box_mask(3, 5, 9, 25))


def test_ovals_are_filled_by_centres(tmp_path):
    sample = read(tmp_path, {"head.roi": roi(OVAL, (10, 5, 40, 25))})
    rows, columns = np.indices(SHAPE) + 0.5
    inside = ((columns - 25) / 15) ** 2 + ((rows - 15) / 10) ** 2 <= 1
    assert (inside != (sample.part_map == Part.HEAD)).sum() <= 4
    assert sample.instances is None  # No number: not told apart.


def test_a_composite_region_has_holes_and_pieces(tmp_path):
    path = [0, 5, 3, 1, 25, 3, 1, 25, 15, 1, 5, 15, 4]
    path += [0, 8, 6, 1, 8, 9, 1, 12, 9, 1, 12, 6, 4]
    path += [0, 40, 20, 1, 45, 20, 1, 45, 30, 1, 40, 30, 4]
    content = roi(RECT, (5, 3, 45, 30), path=path, name="sperm 1 nucleus")
    (sperm,) = read(tmp_path, {"x.roi": content}).instances
    expected = box_mask(3, 5, 15, 25) & ~box_mask(6, 8, 9, 12) | box_mask(20, 40, 30, 45)
    np.testing.assert_array_equal(sperm.full_mask(Part.NUCLEUS, SHAPE), expected)


def test_the_curves_that_the_brush_leaves(tmp_path):
    """A circle of four cubic curves, as java.awt.geom.Ellipse2D draws it, and a parabola."""
    k = 10 * 0.5522847498
    path = [0, 40, 20, 3, 40, 20 + k, 30 + k, 30, 30, 30, 3, 30 - k, 30, 20, 20 + k, 20, 20]
    path += [3, 20, 20 - k, 30 - k, 10, 30, 10, 3, 30 + k, 10, 40, 20 - k, 40, 20, 4]
    parabola = [0, 44, 10, 2, 58, 20, 44, 30, 4]
    regions = {
        "head.roi": roi(RECT, (20, 10, 40, 30), path=path),
        "tail.roi": roi(RECT, (44, 10, 51, 30), path=parabola),
    }
    part_map = read(tmp_path, regions).part_map
    rows, columns = np.indices(SHAPE) + 0.5
    circle = (columns - 30) ** 2 + (rows - 20) ** 2 <= 100
    assert (circle != (part_map == Part.HEAD)).sum() <= 4
    # Two thirds of 20 x 7, the area under a parabola.
    assert abs((part_map == Part.TAIL).sum() - 2 / 3 * 20 * 7) < 4


def test_a_single_region_and_equal_names(tmp_path):
    sample = read(tmp_path, roi(RECT, BOX, name="sperm 2 tail"), "a.roi")
    assert [one.id for one in sample.instances] == [2]
    regions = {f"tail-{i}.roi": roi(RECT, (5 * i, 3, 5 * i + 4, 9)) for i in (1, 2)}
    (tmp_path / "a.roi").unlink()
    assert read(tmp_path, regions).part_map.astype(bool).sum() == 2 * 4 * 6


def test_other_entries_are_passed_over(tmp_path):
    regions = {"__MACOSX/._a": b"rest", "notes.txt": b"words", "tail.roi": roi(RECT, BOX)}
    assert read(tmp_path, regions).part_map.any()


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("sperm 3 tail", (3, Part.TAIL)),
        ("3", (3, None)),
        ("Tail_3", (3, Part.TAIL)),
        ("Pieza media 12", (12, Part.MIDPIECE)),
        ("mid-piece", (None, Part.MIDPIECE)),
        ("sperm 3 tail-1", (3, Part.TAIL)),
        ("tail-1", (None, Part.TAIL)),
        ("0012-0345", (None, None)),
        ("tail 3 of 4", (None, None)),
        ("sperm 99999999999 tail", (None, Part.TAIL)),
        ("", (None, None)),
        ("sperm ³ tail", (None, None)),
    ],
)
def test_what_names_say(name, meaning):
    assert sperm_and_part(name) == meaning


@pytest.mark.parametrize("part", [part for part in Part if part != Part.BACKGROUND])
def test_names_are_read_as_they_are_written(part):
    assert sperm_and_part(name_of(17, part)) == (17, part)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (roi(LINE, BOX, name="tail"), "LINE is not read. Draw an area"),
        (roi(POLYLINE, BOX, CORNERS, name="tail"), "POLYLINE is not read"),
        (roi(POINT, BOX, CORNERS, name="tail"), "POINT is not read"),
        (roi(RECT, BOX, name="tail", subtype=1), "TEXT is not read|damaged"),
        (roi(RECT, BOX, name="cell"), "no part of a sperm. Rename it, as in 'sperm 3 tail'"),
        (roi(POLYGON, BOX, CORNERS[:2], name="tail"), "at least 3 points"),
        (roi(POLYGON, BOX, CORNERS, name="tail", count=60_000), "damaged"),
        (roi(RECT, BOX, path=[7, 1, 2], name="tail"), "damaged path: step 7 at 0"),
        (roi(RECT, BOX, path=[1, 1, 2], name="tail"), "damaged path"),
        (roi(RECT, BOX, path=[0, 1], name="tail"), "cut off"),
        (roi(RECT, BOX, path=[0, 1, 1, 1, 2, 2, 1, float("nan"), 3], name="tail"), "no finite"),
        (roi(RECT, BOX, path=[0, 1, 1, 1, 2, 2, 1, 3e38, 3], name="tail"), "beyond 1,000,000,000"),
        (b"Iout", "damaged"),
        (b"\x89PNG" + bytes(100), "damaged: not an ImageJ ROI"),
        (b"", "damaged"),
    ],
)
def test_a_region_that_cannot_be_used_is_named(tmp_path, content, reason):
    regions = {"head.roi": roi(RECT, BOX), "x.roi": content}
    with pytest.raises(MaskError, match=rf"a\.zip: region 'x': .*({reason})") as error:
        read(tmp_path, regions)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["../tail.roi", "/tmp/tail.roi", "..\\tail.roi", "a/../../t.roi"])
def test_names_that_lead_out_of_the_archive(tmp_path, name):
    with pytest.raises(MaskError, match=r"a\.zip: an entry leads out of the archive"):
        read(tmp_path, {name: roi(RECT, BOX)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.zip"]


def test_a_bomb_is_refused_while_it_is_unpacked(tmp_path):
    with pytest.raises(MaskError, match=r"a\.zip: 'tail\.roi' is larger than 16,777,216 bytes"):
        read(tmp_path, {"tail.roi": bytes(2**24 + 1)})
    assert (tmp_path / "a.zip").stat().st_size < 100_000


def test_more_entries_than_anybody_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(imagej, "MOST_REGIONS", 3)
    with pytest.raises(MaskError, match="4 entries, expected at most 3"):
        read(tmp_path, {f"tail {i}.roi": roi(RECT, BOX) for i in range(4)})


def test_random_bytes_are_regions_or_mask_errors(tmp_path):
    generator = np.random.default_rng(0)
    good = roi(RECT, BOX, path=[0, 5, 3, 1, 25, 3, 1, 25, 15, 4], name="tail")
    for _ in range(200):
        damaged = bytearray(good)
        for place in generator.integers(0, len(good), 3):
            damaged[place] = generator.integers(0, 256)
        (tmp_path / "a.roi").write_bytes(damaged)
        with suppress(MaskError):
            ImageJDataset.read_regions(tmp_path / "a.roi", SHAPE)


@pytest.mark.parametrize("cut", [0, 10, 60, 100])
def test_a_damaged_archive(tmp_path, cut):
    write(tmp_path, {"tail.roi": roi(RECT, BOX)})
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content[:cut] + os.urandom(8))
    with pytest.raises(MaskError, match=r"a\.zip: damaged archive"):
        open_dataset(tmp_path, "imagej").load("a")
