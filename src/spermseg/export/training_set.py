"""Corrected pictures as a data set to train with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from spermseg.data.images import read_sample, write_image
from spermseg.errors import DataError, UsageError
from spermseg.export.labelme import write_labelme
from spermseg.export.result_folder import ResultFolder, ResultPicture
from spermseg.files import atomic_path, new_folder


def write_training_set(result: Path | str, pictures: Mapping[str, Path], out: Path | str) -> int:
    """Write pictures with all their sperm, as ``spermseg train --data`` reads them.

    They lie beside LabelMe's JSON, which gives the very same masks, overlaps of sperm included. A
    picture is written as it is read, as PNG or, of 16 bits a colour, as TIFF, without what its file
    says besides: names, places and dates.

    Parameters
    ----------
    result : Path
        An analysis, for example as `spermseg.batch.corrected.write_current_result` wrote it.
    pictures : mapping of str to Path
        The files of the pictures to take, by id in `result`.
    out : Path
        A new or empty folder.

    Returns
    -------
    int
        Number of pictures.

    Raises
    ------
    UsageError
        When there is something at `out`, or a picture that is not in the result, or none.
    DataError
        When the result or a picture cannot be read, or is not of the size that was analysed.
    """
    chosen = [one for one in ResultFolder(result) if one.id in pictures]
    if missing := pictures.keys() - {one.id for one in chosen}:
        raise UsageError(f"not analysed: {', '.join(sorted(missing))}", where=result)
    if not chosen:
        raise UsageError("no corrected pictures to write", fix="Correct or check some first")
    with new_folder(out) as hidden:
        named = [_write_picture(one, pictures[one.id], hidden) for one in chosen]
        write_labelme(named, hidden)
    return len(chosen)


def _write_picture(picture: ResultPicture, path: Path, folder: Path) -> ResultPicture:
    sample = read_sample(path, id=picture.id, page=picture.page)
    if sample.size != picture.size:
        raise DataError(f"is of {sample.size}, analysed was one of {picture.size}", where=path)
    if sample.image.dtype == np.uint8:
        target = folder / f"{picture.id}.png"
        write_image(target, sample.image)
    else:
        import tifffile

        target = folder / f"{picture.id}.tif"
        with atomic_path(target) as temporary:
            tifffile.imwrite(temporary, sample.image, photometric="rgb")
    return replace(picture, file=target.name)
