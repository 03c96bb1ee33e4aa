"""What a picture file can be like when it is none, or no longer one: refused by name."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from spermseg.data.images import count_pages, read_image, read_sample, read_values
from spermseg.errors import ImageError

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (180, 200, 3), dtype=np.uint8)
SMOOTH = np.add.outer(np.hypot(*np.mgrid[:180, :200]) / 2, [0, 10, 20]).astype(np.uint8)

PILLOW_FILES = {
    "a.png": {},
    "a.jpg": {},
    "progressive.jpg": {"progressive": True},
    "a.bmp": {},
    "a.webp": {},
    "a.tif": {},
}
TIFFFILE_FILES = {
    "strips.tif": {"rowsperstrip": 16},
    "tiles.tif": {"tile": (32, 32)},
    "lzw.tif": {"compression": "lzw", "rowsperstrip": 16},
    "deflate-tiles.tif": {"compression": "deflate", "tile": (32, 32)},
    "jpeg-strips.tif": {"compression": "jpeg", "rowsperstrip": 16},
    "a.ome.tif": {"metadata": {"axes": "YXS"}},
}


def write(path: Path, image: np.ndarray) -> bytes:
    if path.name in PILLOW_FILES:
        Image.fromarray(image).save(path, **PILLOW_FILES[path.name])
    else:
        tifffile.imwrite(path, image, photometric="rgb", **TIFFFILE_FILES[path.name])
    return path.read_bytes()


def assert_refused(path: Path, match: str = ".") -> None:
    for read in (read_image, read_sample, read_values):
        with pytest.raises(ImageError, match=match) as error:
            read(path)
        assert str(error.value).startswith(f"{path}: ")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("percent", [1, 10, 50, 90, 99])
@pytest.mark.parametrize("image", [NOISE, SMOOTH], ids=["noise", "smooth"])
@pytest.mark.parametrize("name", [*PILLOW_FILES, *TIFFFILE_FILES])
def test_truncated_pictures(tmp_path, name, image, percent):
    content = write(tmp_path / name, image)
    (tmp_path / name).write_bytes(content[: len(content) * percent // 100])
    assert_refused(tmp_path / name)


@pytest.mark.parametrize("percent", [10, 50, 90])
@pytest.mark.parametrize("image", [NOISE, SMOOTH], ids=["noise", "smooth"])
@pytest.mark.parametrize("name", ["a.jpg", "progressive.jpg", "a.png"])
def test_copies_that_broke_off_and_end_in_zeros(tmp_path, name, image, percent):
    content = write(tmp_path / name, image)
    kept = content[: len(content) * percent // 100]
    (tmp_path / name).write_bytes(kept.ljust(len(content), b"\0"))
    assert_refused(tmp_path / name)


def test_jpeg_with_more_after_its_end_is_read(tmp_path):
    content = write(tmp_path / "a.jpg", NOISE)
    expected = read_image(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(content + b"\xff\xda and a film" * 100)
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), expected)


def png_header(side: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def jpeg_header(side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "JPEG")
    content = bytearray(stream.getvalue())
    frame = content.index(b"\xff\xc0")  # marker, length, bits a sample, then the two sizes
    content[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    return bytes(content)


def bmp_header(side: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (2, 2)).save(stream, "BMP")
    content = bytearray(stream.getvalue()[:900])
    content[18:26] = struct.pack("<ii", side, side)
    return bytes(content)


def tiff_header(side: int) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, NOISE[:8, :8], compression="deflate", photometric="rgb")
    stream.seek(0)
    with tifffile.TiffFile(stream, mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(side)
        file.pages[0].tags["ImageLength"].overwrite(side)
        return stream.getvalue()


@pytest.mark.parametrize("side", [12000, 30000])
@pytest.mark.parametrize("make", [png_header, jpeg_header, bmp_header, tiff_header])
def test_decompression_bombs_are_refused_from_their_header(tmp_path, make, side, recwarn):
    content = make(side)
    assert len(content) <= 1024
    (tmp_path / "a.png").write_bytes(content)
    pixels = rf"{side} x {side} pixels are more|{side**2} pixels\) exceeds"
    assert_refused(tmp_path / "a.png", pixels)
    with pytest.raises(ImageError, match=pixels):
        count_pages(tmp_path / "a.png")
    assert not recwarn.list


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"GIF89a is not among them", "no picture of a known format. PNG, JPEG, BMP"),
        (b"<html>404 Not Found</html>", "no picture of a known format"),
        (b"\0" * 2000, "no picture of a known format"),
        (b"\0" * 128 + b"DICM", "DICOM is not read. Export it as TIFF or PNG first"),
        (b"II*\0\x08\0\0\0", "without a picture"),
        (b"\x89PNG\r\n\x1a\n", "no picture of a known format"),
    ],
)
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.dcm"])
def test_what_is_no_picture(tmp_path, content, reason, name):
    (tmp_path / name).write_bytes(content)
    assert_refused(tmp_path / name, reason)


def tiff_pages(following: list[int]) -> bytes:
    """A TIFF of pages 1 pixel large, each with the number of the one that follows it, or -1."""
    tags = {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 4, 277: 1, 278: 1, 279: 1}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    directory = struct.pack("<H", len(tags)) + entries
    places = [8 + page * (len(directory) + 4) for page in range(len(following))]
    chain = (struct.pack("<I", places[page] if page >= 0 else 0) for page in following)
    return struct.pack("<2sHI", b"II", 42, 8) + b"".join(directory + after for after in chain)


@pytest.mark.parametrize("following", [[0], [1, 0], [1, 2, 1], [*range(1, 500), 200]])
def test_tiff_pages_that_go_round_in_a_circle(tmp_path, following):
    (tmp_path / "a.tif").write_bytes(tiff_pages(following))
    assert_refused(tmp_path / "a.tif", "circle")


def test_tiff_pages_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("spermseg.data.tiff._MAX_PAGES", 10)
    for pages in (10, 11):
        (tmp_path / f"{pages}.tif").write_bytes(tiff_pages([*range(1, pages), -1]))
    assert count_pages(tmp_path / "10.tif") == 10
    assert_refused(tmp_path / "11.tif", "more than 10 pages")


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        assert_refused(path, "no such picture")


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> tuple[Path, list[bytes]]:
    folder = tmp_path_factory.mktemp("samples")
    contents = [write(folder / name, NOISE[:24, :31]) for name in (*PILLOW_FILES, "lzw.tif")]
    return folder / "damaged", contents


@settings(deadline=None)
@given(data=st.data())
def test_damaged_bytes_give_a_picture_or_an_image_error(samples, data):
    path, contents = samples
    content = bytearray(contents[data.draw(st.integers(0, len(contents) - 1))])
    # Not the sizes' own bytes of these formats: up to 134 million pixels are allowed, and slow.
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(40, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        image = read_sample(path).image
    except ImageError:
        return
    assert image.shape[2] == 3
    assert image.dtype in (np.uint8, np.uint16)
