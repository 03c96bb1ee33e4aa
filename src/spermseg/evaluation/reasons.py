"""Why sperm went wrong, as somebody wrote down who looked at every one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spermseg.config import read_yaml
from spermseg.errors import ConfigError, UsageError

ReasonName = Literal[
    "label wrong",
    "part hidden",
    "crossing",
    "blur",
    "debris",
    "unstained/pale",
    "cut by the border",
    "other",
]
"""What was seen to be wrong with a sperm, or about it."""

Key = tuple[str, int | None, int | None]
"""Picture, number of the annotated sperm or None, number of the false sperm or None."""

Cause = Literal["annotation", "network", "separation"]
"""Where the error was made: by a person, in the part map, or in telling its sperm apart."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Reason(_Strict):
    """Why one sperm went wrong, as somebody saw who looked at it.

    Either `sperm`, the number of an annotated sperm, or `found`, that of a false one.
    """

    picture: str
    sperm: int | None = None
    found: int | None = None
    reason: ReasonName
    cause: Cause | None = None
    sentence: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_sperm(self) -> Reason:
        if (self.sperm is None) == (self.found is None):
            raise ValueError("name either sperm, an annotated one, or found, a false one")
        return self

    @property
    def key(self) -> Key:
        """Which sperm it is about."""
        return self.picture, self.sperm, self.found


class Reasons(_Strict):
    """The reasons of one model's worst sperm, as a YAML file holds them."""

    model: str
    reasons: list[Reason]


def read_reasons(path: Path, model: str) -> dict[Key, Reason]:
    """Read the reasons for one model's worst sperm.

    Parameters
    ----------
    path : Path
        YAML: `Reasons`.
    model : str
        Id of the model they must be about: another finds other sperm.

    Returns
    -------
    dict
        By `Reason.key`.

    Raises
    ------
    ConfigError
        Naming the file and the first thing wrong in it.
    UsageError
        When they are about another model.
    """
    try:
        content = Reasons.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{place}: {first['msg']}", where=path) from None
    if content.model != model:
        raise UsageError(
            f"reasons for sperm of {content.model}, the model is {model}",
            where=path,
            fix="Its sperm are others: look at them and write a file of their own",
        )
    reasons = {one.key: one for one in content.reasons}
    if len(reasons) < len(content.reasons):
        keys = [one.key for one in content.reasons]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ConfigError(f"two reasons for one sperm of {twice[0]}", where=path)
    return reasons
