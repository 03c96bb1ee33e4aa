"""What comes in the bodies of requests."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ScaleBody(_Body):
    """The size of a pixel, None for what the file says; or the length of heads."""

    um_per_px: float | None = Field(None, gt=0, allow_inf_nan=False)
    head_length_px: float | None = Field(None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = self.model_fields_set
        if len(given) != 1 or (given == {"head_length_px"} and self.head_length_px is None):
            raise ValueError("give um_per_px or head_length_px, one of them")
        return self


class EditBody(_Body):
    """A correction of the version that is shown."""

    base_version: int = Field(ge=0)
    edit: dict[str, Any]


class VersionBody(_Body):
    """The version to be shown."""

    version: int = Field(ge=0)
