"""Everything spermseg raises on purpose.

::

    SpermsegError                  exit code 2
    ├── UsageError                 an argument or a combination of arguments that cannot work
    │   ├── ConfigError            a settings file: unknown key, wrong value
    │   └── MissingExtraError      a part of spermseg that needs ``pip install 'spermseg[...]'``
    ├── DataError                  what was given to read
    │   ├── ImageError             one picture
    │   │   └── PictureTooLargeError  more pixels than are decoded
    │   ├── MaskError              one mask or annotation file
    │   ├── DatasetError           a folder: no layout fits, files missing
    │   └── SplitError             empty or leaking split
    ├── ModelError                 networks and their files
    │   ├── CheckpointError        damaged, or of another architecture
    │   └── WeightsUnavailableError  pretrained weights that are not on this machine
    ├── ResourceError              exit code 3: memory or disk ran out
    └── PartialFailureError        exit code 3: some inputs failed, the others are done

Every message says what is wrong, where, and how to put it right, in one line.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import ClassVar


class SpermsegError(Exception):
    """Base of all errors that a user can put right.

    Parameters
    ----------
    what : str
        What is wrong, with the values found.
    where : str or Path, optional
        The file, folder or setting concerned.
    fix : str, optional
        What to do about it.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, *, where: str | Path | None = None, fix: str | None = None):
        self.what = what
        self.where = None if where is None else str(where)
        self.fix = fix
        message = what if where is None else f"{where}: {what}"
        super().__init__(message if fix is None else f"{message}. {fix}")

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword-only arguments do not survive the trip back from a worker process.
        return (_rebuild, (type(self), self.what, self.where, self.fix))


def _rebuild(
    kind: type[SpermsegError], what: str, where: str | None, fix: str | None
) -> SpermsegError:
    return kind(what, where=where, fix=fix)


class UsageError(SpermsegError):
    """An argument, or a combination of arguments, that cannot work."""


class ConfigError(UsageError):
    """A settings file with an unknown key or a wrong value."""


class MissingExtraError(UsageError):
    """A part of spermseg whose optional dependencies are not installed.

    Parameters
    ----------
    extra : str
        Name of the extra in ``pyproject.toml``.
    module : str
        The module that could not be imported.
    """

    def __init__(self, extra: str, module: str):
        super().__init__(
            f"this command needs {module}, which is not installed",
            fix=f"Install it with: pip install 'spermseg[{extra}]'",
        )
        self._arguments = (extra, module)

    def __reduce__(self) -> tuple[object, ...]:
        return (MissingExtraError, self._arguments)


EXTRAS = {
    "accelerate": "train",
    "bioimageio": "bioimageio",
    "fastapi": "web",
    "onnx": "train",
    "pyarrow": "tables",
    "safetensors": "train",
    "segmentation_models_pytorch": "train",
    "tensorboard": "train",
    "torch": "train",
    "torchvision": "train",
    "uvicorn": "web",
}
"""The extra that brings a module."""


class DataError(SpermsegError):
    """Something that was given to read."""


class ImageError(DataError):
    """A picture that cannot be read."""


class PictureTooLargeError(ImageError):
    """A picture whose header states more pixels than are decoded."""


class MaskError(DataError):
    """A mask or annotation file that cannot be used."""


class DatasetError(DataError):
    """A folder that is no data set, or an incomplete one."""


class SplitError(DataError):
    """An empty split, or one that puts pictures of one group on both sides."""


class ModelError(SpermsegError):
    """A network that cannot be built or run."""


class CheckpointError(ModelError):
    """A weights file that is damaged or belongs to another architecture."""


class WeightsUnavailableError(ModelError):
    """Pretrained weights that are neither cached nor to be downloaded."""


class ResourceError(SpermsegError):
    """Memory or disk ran out."""

    exit_code = 3


class PartialFailureError(SpermsegError):
    """Some inputs failed; the others are done."""

    exit_code = 3


def translate(error: BaseException) -> SpermsegError | None:
    """Turn the failures of a machine into one line for its user.

    Parameters
    ----------
    error : BaseException
        What was caught at the outermost level of the program.

    Returns
    -------
    SpermsegError or None
        None when `error` is neither ours nor a failure of memory, disk or rights: a defect.
    """
    if isinstance(error, SpermsegError):
        return error
    memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    # torch's CPU allocator raises a plain RuntimeError.
    if memory or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error)):
        return ResourceError(
            "out of memory", fix="Lower training.batch_size or data.size, or the number of workers"
        )
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        return MissingExtraError(EXTRAS[error.name], error.name)
    if isinstance(error, OSError):
        where = error.filename
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return ResourceError(
                "the disk is full", where=where, fix="What was written before is whole"
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return UsageError("no right to read or write here", where=where)
    return None
