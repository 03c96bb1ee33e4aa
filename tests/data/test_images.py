from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from spermseg.data.images import read_image, write_image
from spermseg.errors import DataError, ImageError, UsageError

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (24, 31, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]
GREY16 = GREY.astype(np.uint16) * 201


def grey_of(image: np.ndarray) -> np.ndarray:
    assert image.shape[2] == 3
    assert (image == image[..., :1]).all()
    return image[..., 0]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_colour_and_grey_survive_lossless_formats(tmp_path, suffix):
    Image.fromarray(COLOUR).save(tmp_path / f"colour{suffix}")
    Image.fromarray(GREY).save(tmp_path / f"grey{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"colour{suffix}"), COLOUR)
    np.testing.assert_array_equal(grey_of(read_image(tmp_path / f"grey{suffix}")), GREY)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_one_bit_becomes_black_and_white(tmp_path, suffix):
    bits = GREY > 127
    Image.fromarray(bits).save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}")
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(grey_of(image), np.where(bits, 255, 0))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_palette_is_resolved(tmp_path, suffix):
    picture = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}").astype(float)
    if suffix == ".tif":  # TIFF's palettes have 16 bits.
        image = np.floor(image / 256)
    np.testing.assert_array_equal(image, [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_laid_on_white(tmp_path, mode, suffix):
    picture = Image.new("RGBA", (3, 1))
    for column, alpha in enumerate((0, 128, 255)):
        picture.putpixel((column, 0), (100, 100, 100, alpha))
    picture.convert(mode).save(tmp_path / f"a{suffix}")
    half = 100 * 128 / 255 + 255 * 127 / 255
    values = grey_of(read_image(tmp_path / f"a{suffix}"))[0]
    np.testing.assert_allclose(values, [255, half, 100], atol=1)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_converted(tmp_path, suffix):
    ink = np.zeros((8, 8, 4), np.uint8)
    ink[..., 0] = 255  # cyan takes away red
    Image.fromarray(ink, "CMYK").save(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(read_image(tmp_path / f"a{suffix}")[4, 4], [0, 255, 255], atol=2)


def test_sixteen_bit_png_stays_sixteen_bit(tmp_path):
    Image.fromarray(GREY16).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(grey_of(image), GREY16)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_of_both_byte_orders_and_planar_configurations(tmp_path, byteorder, planar, dtype):
    image = COLOUR.astype(dtype) * dtype(1 if dtype == np.uint8 else 201)
    stored = image if planar == "contig" else image.transpose(2, 0, 1)
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, byteorder=byteorder
    )
    found = read_image(tmp_path / "a.tif")
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, image)


def test_tiff_white_is_zero_is_inverted(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="miniswhite")
    np.testing.assert_array_equal(grey_of(read_image(tmp_path / "a.tif")), 255 - GREY)


def test_float_tiff_between_0_and_1_becomes_16_bit(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[0, 0.5, 1]], np.float32))
    np.testing.assert_array_equal(grey_of(read_image(tmp_path / "a.tif")), [[0, 32768, 65535]])


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 200.0])
def test_other_floats_are_refused(tmp_path, value):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[0, 0.5, value]], np.float32))
    with pytest.raises(ImageError, match=r"a\.tif.*float values.*expected 0 to 1"):
        read_image(tmp_path / "a.tif")


def test_other_integers_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.int32))
    with pytest.raises(ImageError, match="int32 pixels, expected uint8 or uint16"):
        read_image(tmp_path / "a.tif")


def test_pages_of_tiff(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY, 255 - GREY]), photometric="minisblack")
    np.testing.assert_array_equal(grey_of(read_image(tmp_path / "a.tif")), GREY)
    np.testing.assert_array_equal(grey_of(read_image(tmp_path / "a.tif", 1)), 255 - GREY)
    with pytest.raises(ImageError, match="no page 2, pages are 0 to 1"):
        read_image(tmp_path / "a.tif", page=2)


def test_png_has_one_page(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match="no page 1"):
        read_image(tmp_path / "a.png", page=1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_as_pillow_does(tmp_path, orientation):
    picture = Image.fromarray(COLOUR)
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(tmp_path / "a.tif", COLOUR, photometric="rgb", extratags=[tag])
    with Image.open(tmp_path / "a.png") as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 10000), (10000, 1)])
def test_extreme_sizes(tmp_path, size):
    Image.new("RGB", size[::-1], "red").save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (*size, 3)


def test_content_counts_not_extension(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), COLOUR)


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [12000, 30000])
def test_decompression_bomb_is_refused_from_its_header(tmp_path, side, recwarn):
    (tmp_path / "a.png").write_bytes(png_header(side, side))
    with pytest.raises(ImageError, match=r"a\.png.*pixels"):
        read_image(tmp_path / "a.png")
    assert not recwarn.list


def test_tiff_bomb_is_refused_from_its_header(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, compression="deflate")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(30000)
        file.pages[0].tags["ImageLength"].overwrite(30000)
    with pytest.raises(ImageError, match="30000 x 30000 pixels are more than"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"GIF89a is not among them", "no picture of a known format"),
        (b"\0" * 128 + b"DICM", "DICOM is not read"),
        (b"II*\0\x08\0\0\0", "without a picture"),
    ],
)
def test_what_is_no_picture(tmp_path, content, reason):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=rf"a\.png.*{reason}"):
        read_image(tmp_path / "a.png")


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(ImageError, match="no such picture"):
            read_image(path)


@pytest.mark.parametrize("percent", [1, 10, 50, 90, 99])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif"])
def test_truncated_pictures_are_refused_in_one_line(tmp_path, suffix, percent):
    Image.fromarray(RNG.integers(0, 256, (90, 100, 3), dtype=np.uint8)).save(
        tmp_path / f"whole{suffix}"
    )
    content = (tmp_path / f"whole{suffix}").read_bytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(content[: len(content) * percent // 100])
    with pytest.raises(ImageError) as error:
        read_image(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> tuple[Path, list[bytes]]:
    folder = tmp_path_factory.mktemp("samples")
    for name in ("a.png", "a.jpg", "a.bmp", "a.webp", "a.tif"):
        Image.fromarray(COLOUR).save(folder / name)
    tifffile.imwrite(folder / "b.tif", COLOUR, photometric="rgb", compression="lzw")
    return folder / "damaged", [path.read_bytes() for path in sorted(folder.iterdir())]


@given(data=st.data())
def test_damaged_bytes_give_a_picture_or_an_image_error(samples, data):
    path, contents = samples
    content = bytearray(data.draw(st.sampled_from(contents)))
    # Not the sizes' own bytes of these formats: up to 134 million pixels are allowed, and slow.
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(40, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        image = read_image(path)
    except ImageError:
        return
    assert image.shape[2] == 3
    assert image.dtype in (np.uint8, np.uint16)


@pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
def test_written_png_is_read_back(tmp_path, image):
    write_image(tmp_path / "new" / "a.png", image)
    expected = image if image.ndim == 3 else np.dstack([image] * 3)
    np.testing.assert_array_equal(read_image(tmp_path / "new" / "a.png"), expected)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_written_jpeg_is_near(tmp_path):
    smooth = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (64, 1))
    write_image(tmp_path / "a.jpg", smooth)
    assert (tmp_path / "a.jpg").read_bytes()[:2] == b"\xff\xd8"
    np.testing.assert_allclose(grey_of(read_image(tmp_path / "a.jpg")), smooth, atol=4)


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(UsageError, match=r"\.gif"):
        write_image(tmp_path / "a.gif", GREY)
    with pytest.raises(DataError, match="uint16"):
        write_image(tmp_path / "a.png", GREY16)
    assert not list(tmp_path.iterdir())
