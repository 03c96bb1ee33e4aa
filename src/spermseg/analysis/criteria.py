"""Criteria by which a sperm is normal, as settings in one YAML file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from spermseg.analysis.objects import ObjectLimits
from spermseg.analysis.quantities import QUANTITIES, Quantity, did_you_mean
from spermseg.config import read_yaml
from spermseg.errors import ConfigError, UsageError
from spermseg.structures import MORPHOMETRY_FLAGS

DEFAULT_CRITERIA = "who-2021"
FOLDER = Path(__file__).parent / "criteria"

Region = Literal["head", "midpiece", "tail", "cytoplasm"]
REGIONS: tuple[Region, ...] = get_args(Region)

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


class Criterion(BaseModel):
    """One criterion: limits of a quantity, or a part that has to be there.

    Attributes
    ----------
    name : str
        Unique in its file.
    region : str
        ``head``, ``midpiece``, ``tail`` or ``cytoplasm``: where failing it is a defect.
    quantity : str, optional
        What is limited, a name of `QUANTITIES`.
    relative_to : str, optional
        A second quantity of the same dimension: the limits are those of quantity / relative_to.
    unit : str
        Of the limits: ``um`` for lengths, ``um2`` for areas, ``deg`` for angles, else nothing.
    min, max : float, optional
        A value on the limit passes.
    below, above : str, optional
        What to tell people of a value below `min` or above `max`.
    lower_bound : str, optional
        A quantity that the limited one is at least, to be compared with `min` where that itself is
        not known: the criterion is passed where it is not below, and left out otherwise.
    flag : str, optional
        Instead of a quantity: the criterion fails where a sperm has this flag.
    text : str, optional
        What to tell people where the flag is set.
    only_without_scale : bool
        Whether it stands in for a criterion that needs the pixel size, where that is not known.
    if_unknown : str
        What follows from a quantity that could not be measured: the sperm is ``not assessable``, or
        the criterion is left out (``skip``).
    source : str
        Where the rule comes from.
    ours : str
        Why this number, where the source gives none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    region: Region
    quantity: str | None = None
    relative_to: str | None = None
    unit: str = ""
    min: Number | None = None
    max: Number | None = None
    below: Text | None = None
    above: Text | None = None
    lower_bound: str | None = None
    flag: str | None = None
    text: Text | None = None
    only_without_scale: bool = False
    if_unknown: Literal["not assessable", "skip"] = "not assessable"
    source: Text
    ours: str = ""

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What has to be measured to apply it."""
        names = (self.quantity, self.relative_to)
        return tuple(QUANTITIES[name] for name in names if name is not None)

    @property
    def needs_scale(self) -> bool:
        """Whether it can be applied only where the pixel size is known."""
        return self.relative_to is None and any(one.needs_scale for one in self.quantities)

    @property
    def measured(self) -> str:
        """Name of the value that is compared with the limits, or of the flag."""
        return " / ".join(one.name for one in self.quantities) or str(self.flag)

    @field_validator("quantity", "relative_to", "lower_bound")
    @classmethod
    def _quantity_exists(cls, name: str | None) -> str | None:
        if name is not None and name not in QUANTITIES:
            raise ValueError(f"no such quantity, {did_you_mean(name, QUANTITIES)}")
        return name

    @field_validator("flag")
    @classmethod
    def _flag_exists(cls, flag: str | None) -> str | None:
        return None if flag is None else _known_flag(flag)

    @model_validator(mode="after")
    def _check(self) -> Criterion:
        if self.flag is not None:
            self._check_flag()
        else:
            self._check_texts()
            self._check_unit()
            self._check_limits()
            self._check_lower_bound()
        if self.only_without_scale and self.needs_scale:
            raise ValueError(f"only_without_scale, but {self.measured} needs the pixel size")
        return self

    def _check_flag(self) -> None:
        limits = (self.quantity, self.relative_to, self.min, self.max, self.below, self.above)
        if any(entry is not None for entry in limits) or self.unit:
            raise ValueError("a criterion has either a flag or a quantity with limits")
        if self.text is None:
            raise ValueError("a criterion with a flag needs a text")

    def _check_texts(self) -> None:
        if self.quantity is None:
            raise ValueError("a criterion needs a quantity, or a flag")
        if self.text is not None:
            raise ValueError("text goes with a flag; limits have the texts below and above")
        if self.min is None and self.max is None:
            raise ValueError("a criterion needs min, max or both")
        for limit, text in (("min", "below"), ("max", "above")):
            if (getattr(self, limit) is None) != (getattr(self, text) is None):
                raise ValueError(f"{limit} and the text {text!r} go together")

    def _check_unit(self) -> None:
        quantity, *other = self.quantities
        if other and other[0].dimension != quantity.dimension:
            raise ValueError(
                f"{quantity.name} is a {quantity.dimension} and {other[0].name} "
                f"is a {other[0].dimension}: they cannot be compared"
            )
        unit = "" if other else quantity.unit(scale_known=True)
        if self.unit != unit:
            raise ValueError(f"the unit of {self.measured} is {unit!r}, got {self.unit!r}")

    def _check_limits(self) -> None:
        largest = self._largest_limit()
        for limit in (self.min, self.max):
            if limit is not None and limit < 0:
                raise ValueError(f"{self.measured} is never negative, got the limit {limit:g}")
            if limit is not None and limit > largest:
                raise ValueError(f"{self.measured} is at most {largest:g}, got the limit {limit:g}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")

    def _check_lower_bound(self) -> None:
        if self.lower_bound is None:
            return
        if self.min is None or self.max is not None:
            raise ValueError("lower_bound goes with a min alone")
        if QUANTITIES[self.lower_bound].dimension != self.quantities[0].dimension:
            raise ValueError(f"{self.lower_bound} cannot be compared with {self.quantity}")

    def _largest_limit(self) -> float:
        if self.relative_to is not None:
            return float("inf")
        return {"fraction": 1.0, "angle": 180.0}.get(self.quantities[0].dimension, float("inf"))


class Criteria(BaseModel):
    """A set of criteria.

    Attributes
    ----------
    format_version : int
        1.
    name, title : str
    not_assessable : tuple of str
        Flags with which a sperm is not judged at all, in the order in which reasons are given.
    least_tail_view : float, optional
        Length of tail, in typical head lengths, that has to be in view (`tail_view`) for a sperm to
        be judged, whatever tail it has.
    objects : ObjectLimits, optional
        What is no sperm; None takes all that has a head for one.
    not_judged : tuple of str
        What the criteria's source asks for and no criterion here covers, in words.
    criteria : tuple of Criterion
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1]
    name: Text
    title: Text
    not_assessable: tuple[str, ...] = ()
    least_tail_view: Annotated[Number, Field(gt=0)] | None = None
    objects: ObjectLimits | None = None
    not_judged: tuple[str, ...] = ()
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1)]

    @property
    def by_name(self) -> Mapping[str, Criterion]:
        """The criteria by name, in their order."""
        return {criterion.name: criterion for criterion in self.criteria}

    def to_dict(self) -> dict[str, Any]:
        """Give the settings as written in YAML."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @field_validator("not_assessable")
    @classmethod
    def _flags_exist(cls, flags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_known_flag(flag) for flag in flags)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Criteria:
        times = Counter(criterion.name for criterion in self.criteria)
        if twice := [name for name, n in times.items() if n > 1]:
            raise ValueError(f"criteria of the same name: {', '.join(twice)}")
        return self


def _known_flag(flag: str) -> str:
    if flag not in MORPHOMETRY_FLAGS:
        raise ValueError(f"no such flag, {did_you_mean(flag, sorted(MORPHOMETRY_FLAGS))}")
    return flag


def known_criteria() -> list[str]:
    """Name the sets that come with spermseg."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def load_criteria(source: Path | str = DEFAULT_CRITERIA) -> Criteria:
    """Read criteria.

    Parameters
    ----------
    source : Path or str
        Name of a set that comes with spermseg, or a YAML file: anything with a suffix or a folder.
        A file with ``based_on`` (the name of such a set) changes that: its keys take the place of
        the set's, its criteria that of those of the same name, and the criteria named under
        ``leave_out`` are left out.

    Raises
    ------
    UsageError
        When there is no set of that name.
    ConfigError
        When the file is missing or wrong; the first wrong key or value is named.
    """
    path = Path(source)
    if not path.suffix and path.parent == Path():
        if path.name not in known_criteria():
            raise UsageError(
                f"no criteria {path.name!r}",
                fix=f"There are: {', '.join(known_criteria())}; "
                "criteria of your own are given as a YAML file",
            )
        path = FOLDER / f"{path.name}.yaml"
    value = read_yaml(path)
    if "based_on" in value:
        value = _based_on(value, path)
    return criteria_from(value, where=path)


def _based_on(value: Mapping[str, Any], path: Path) -> dict[str, Any]:
    base = value["based_on"]
    if base not in known_criteria() or base == path.stem:
        names = [name for name in known_criteria() if name != path.stem]
        raise ConfigError(f"based_on: {did_you_mean(str(base), names)} (got {base!r})", where=path)
    settings = load_criteria(base).to_dict()
    criteria = {one["name"]: one for one in settings["criteria"]}
    left_out = value.get("leave_out") or []
    for name in left_out if isinstance(left_out, list) else [left_out]:
        if name not in criteria:
            hint = did_you_mean(str(name), criteria)
            raise ConfigError(f"leave_out: no criterion {name!r}, {hint}", where=path)
        del criteria[name]
    # What is no list of named criteria is left for the check of the whole to refuse.
    own = value.get("criteria", [])
    if not isinstance(own, list) or not all(isinstance(one, dict) and "name" in one for one in own):
        return {**settings, "criteria": own}
    criteria |= {one["name"]: one for one in own}
    changed = {key: one for key, one in value.items() if key not in ("based_on", "leave_out")}
    return {**settings, **changed, "criteria": list(criteria.values())}


def criteria_from(value: Mapping[str, Any], where: Path | str | None = None) -> Criteria:
    """Check criteria.

    Parameters
    ----------
    value : mapping
        As read from YAML, or from `Criteria.to_dict`.
    where : Path or str, optional
        Named in the error.

    Raises
    ------
    ConfigError
        Naming the first wrong key, with the closest existing one, or the wrong value.
    """
    try:
        return Criteria.model_validate(value)
    except ValidationError as error:
        raise ConfigError(_explain(error, value), where=where) from None


def _explain(error: ValidationError, value: Mapping[str, Any]) -> str:
    errors = error.errors(include_url=False)
    # A misspelt key is missing too, under its right name: the misspelling says more.
    first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
    place = list(first["loc"])
    model: type[BaseModel] = Criteria
    message = first["msg"].removeprefix("Value error, ")
    start = ""
    if len(place) > 1 and place[0] == "criteria":
        number = int(place[1])
        entry = value["criteria"][number]
        name = entry.get("name") if isinstance(entry, Mapping) else None
        start = f"criterion {name!r}: " if name else f"criterion number {number + 1}: "
        place, model = place[2:], Criterion
    if len(place) > 1 and place[0] == "objects":
        start, place, model = "objects: ", place[1:], ObjectLimits
    key = ".".join(str(part) for part in place)
    if first["type"] == "extra_forbidden":
        return f"{start}unknown key {key!r}, {did_you_mean(key, model.model_fields)}"
    if not key or first["type"] == "missing":
        return f"{start}{key}: {message}" if key else f"{start}{message}"
    return f"{start}{key}: {message} (got {first['input']!r})"
