"""The reader: results of ``spermseg analyze``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from spermseg.batch.inputs import RUN_FILE
from spermseg.data.images import read_image
from spermseg.data.masks import read_mask
from spermseg.errors import UsageError
from spermseg.export.result_folder import ResultFolder, ResultPicture
from spermseg.napari_plugin.layers import LayerData, image_layer, parts_layer, sperm_layers
from spermseg.result import part_map_path

MOST_PICTURES = 12
"""Of a folder that are opened at once, with four layers each."""

Reader = Callable[[str], list[LayerData]]


def get_reader(path: str | list[str]) -> Reader | None:
    """Give `read_result` for the folder of a result or one of its part maps, None for others."""
    if isinstance(path, list) or _locate(Path(path)) is None:
        return None
    return read_result


def read_result(path: str) -> list[LayerData]:
    """Read what ``spermseg analyze -o`` wrote.

    Parameters
    ----------
    path : str
        The folder, for all pictures; or ``parts/ID.png`` in it, for one.

    Returns
    -------
    list of LayerData
        Of each picture: the picture itself where it lies beside the result, labels of parts,
        labels of sperm with the table of measurements, tails as paths.

    Raises
    ------
    UsageError
        When it is no result, or one of too many pictures.
    DataError
        When a file of it is damaged.
    """
    located = _locate(Path(path))
    if located is None:
        raise UsageError("no result of `spermseg analyze` here", where=path)
    folder, id = located
    result = ResultFolder(folder)
    if id is None and len(result) > MOST_PICTURES:
        raise UsageError(
            f"{len(result)} pictures are too many to be opened at once (at most {MOST_PICTURES})",
            where=path,
            fix="Open one or several of the files in its folder parts",
        )
    pictures = result if id is None else [result.picture(id)]
    return [layer for picture in pictures for layer in _layers(folder, picture)]


def _layers(folder: Path, picture: ResultPicture) -> Iterator[LayerData]:
    id, um_per_px = picture.id, picture.um_per_px
    for path in _places(folder, picture.file):
        image = read_image(path)
        if image.shape[:2] == picture.size:
            yield image_layer(id, image, um_per_px)
            break
    yield parts_layer(id, read_mask(part_map_path(folder, id)), um_per_px)
    yield from sperm_layers(id, picture.sperm, picture.size, um_per_px)


def _places(folder: Path, file: str) -> Iterator[Path]:
    """Find the picture: a result does not say where on the disk it was."""
    beside = folder.absolute().parent
    others = sorted(path for path in beside.iterdir() if path.is_dir() and path.name != folder.name)
    return (place / file for place in (beside, *others) if (place / file).is_file())


def _locate(path: Path) -> tuple[Path, str | None] | None:
    """Give the folder of a result, and the picture in it that a part map is of."""
    if (path / RUN_FILE).is_file():
        return path, None
    for folder in path.parents if path.suffix == ".png" else ():
        if folder.name == "parts" and (folder.parent / RUN_FILE).is_file():
            return folder.parent, path.relative_to(folder).as_posix().removesuffix(".png")
    return None
