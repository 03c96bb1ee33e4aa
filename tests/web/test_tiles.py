"""Tiles: sizes of every level, values, and that the picture is decoded once."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from spermseg.web.refusals import RefusedError
from spermseg.web.tiles import TILE_PX, read_thumbnail, read_tile, write_tiles


def decode(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def make(tmp_path, image, name="picture.png"):
    if image.dtype == np.uint16:
        import tifffile

        tifffile.imwrite(tmp_path / "picture.tif", image, photometric="rgb")
        name = "picture.tif"
    else:
        Image.fromarray(image).save(tmp_path / name)
    write_tiles(tmp_path / name, tmp_path / "tiles.zip")
    (tmp_path / name).unlink()
    return tmp_path / "tiles.zip"


def test_every_level_is_half_as_large_until_one_tile_holds_all(tmp_path):
    tiles = make(tmp_path, np.zeros((701, 1301, 3), np.uint8))
    with zipfile.ZipFile(tiles) as file:
        names = [name for name in file.namelist() if name.startswith("tiles/")]
    places = [tuple(map(int, name[6:-4].split("/"))) for name in names]
    sizes = {place: decode(read_tile(tiles, *place)).shape[:2] for place in places}
    assert TILE_PX == 512
    assert sizes == {
        **{(0, x, 0): (512, width) for x, width in enumerate((512, 512, 277))},
        **{(0, x, 1): (189, width) for x, width in enumerate((512, 512, 277))},
        **{(1, x, 0): (351, width) for x, width in enumerate((512, 139))},
        (2, 0, 0): (176, 326),
    }
    assert decode(read_thumbnail(tiles)).shape[:2] == (138, 256)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_tiles_lie_where_they_belong(tmp_path, kind):
    image = np.zeros((600, 1100, 3), kind)
    full = np.iinfo(kind).max
    image[:512, 512:1024, 0] = full  # The second tile is red,
    image[512:, :512, 2] = full  # the first one below it blue.
    tiles = make(tmp_path, image)
    assert np.allclose(decode(read_tile(tiles, 0, 1, 0)), (255, 0, 0), atol=3)
    assert np.allclose(decode(read_tile(tiles, 0, 0, 1)), (0, 0, 255), atol=3)
    assert np.allclose(decode(read_tile(tiles, 0, 0, 0)), 0, atol=3)
    half = decode(read_tile(tiles, 1, 0, 0))
    assert np.allclose(half[100, 300], (255, 0, 0), atol=3)
    assert np.allclose(half[290, 100], (0, 0, 255), atol=3)


def test_one_pixel_is_one_tile(tmp_path):
    tiles = make(tmp_path, np.full((1, 1, 3), 200, np.uint8))
    assert decode(read_tile(tiles, 0, 0, 0)).shape == (1, 1, 3)
    for nowhere in ((1, 0, 0), (0, 1, 0), (0, -1, 0)):
        with pytest.raises(RefusedError) as refused:
            read_tile(tiles, *nowhere)
        assert refused.value.status == 404
