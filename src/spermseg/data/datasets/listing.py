"""What lies in a folder."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from spermseg.data.datasets.base import Finding
from spermseg.data.images import PICTURE_EXTENSIONS
from spermseg.errors import DatasetError, MaskError


def list_files(
    folder: Path, extensions: Collection[str] = PICTURE_EXTENSIONS
) -> tuple[dict[str, Path], tuple[Finding, ...]]:
    """List the files below a folder; hidden ones, and other extensions, are passed over.

    Parameters
    ----------
    folder : Path
    extensions : collection of str
        Lower case, with the dot.

    Returns
    -------
    files : dict of str to Path
        By path below `folder`, without extension, ``/`` between folders; sorted.
    problems : tuple of Finding
        Files that share that path with another one, which is the one taken.

    Raises
    ------
    DatasetError
        When there is no such folder.
    """
    if not folder.is_dir():
        raise DatasetError("no such folder", where=folder)
    files: dict[str, Path] = {}
    problems: list[Finding] = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(name.startswith(".") for name in relative.parts)
        if hidden or path.suffix.lower() not in extensions or not path.is_file():
            continue
        name = relative.with_suffix("").as_posix()
        if name in files:
            problems.append((path, f"same name as {files[name].name}"))
        else:
            files[name] = path
    return files, tuple(problems)


def unmatched(
    pictures: dict[str, Path], annotations: dict[str, Path], kind: str
) -> tuple[Finding, ...]:
    """Name the pictures without annotation, and the reverse; `kind` is the word for the latter."""
    lonely = [
        (pictures[name], f"no {kind} for this picture") for name in pictures.keys() - annotations
    ]
    astray = [
        (annotations[name], f"no picture for this {kind}") for name in annotations.keys() - pictures
    ]
    return (*sorted(lonely), *sorted(astray))


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises
    ------
    MaskError
        When it is missing, no JSON, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MaskError("no such file", where=path) from None
    except (ValueError, RecursionError) as error:
        raise MaskError(f"not readable as JSON: {error}", where=path) from None
    if not isinstance(value, dict):
        raise MaskError(f"expected a JSON object, got {type(value).__name__}", where=path)
    return value
