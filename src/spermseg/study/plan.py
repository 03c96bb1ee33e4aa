"""What a study asks: experiments read from YAML files, each differing from another one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spermseg.config import TrainingConfig, merge, read_yaml, training_config
from spermseg.errors import ConfigError, UsageError

_NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Variant(_Entry):
    """Another way to use the weights of an experiment, which needs no training of its own.

    Attributes
    ----------
    name, title, question : str
        As those of an `Experiment`.
    views : int
        From how many sides the network looks: one of `spermseg.training.average.VIEWS`.
    logit_offsets : mapping of str to float
        Added to the logits of these parts.
    average : bool
        False takes the weights of the last step instead of their moving average.
    """

    name: str = Field(pattern=_NAME)
    title: str
    question: str
    views: Literal[1, 2, 4, 8] = 1
    logit_offsets: dict[str, float] = {}
    average: bool = True


class Experiment(_Entry):
    """One experiment.

    Attributes
    ----------
    name : str
        The file's name without suffix.
    title : str
        What is done, in a few words.
    question : str
        What is asked; experiments that ask the same stand together on the page.
    base : str, optional
        The experiment that it differs from and is compared with.
    settings : mapping
        What differs, nested as in a training's settings.
    after : str, optional
        The training begins with that experiment's weights of the same seed.
    teacher : str, optional
        That experiment's network of the same seed is the teacher.
    data : str
        ``synthetic`` trains on synthetic smears instead of the annotated pictures.
    evaluate : tuple of Variant
        Further rows of the page. Like the three before, not handed down to what differs from it.
    """

    name: str = Field(pattern=_NAME)
    title: str
    question: str
    base: str | None = None
    settings: dict[str, Any] = {}
    after: str | None = None
    teacher: str | None = None
    data: Literal["annotated", "synthetic"] = "annotated"
    evaluate: tuple[Variant, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Experiments whose weights it needs."""
        return tuple(name for name in (self.after, self.teacher) if name is not None)


@dataclass(frozen=True)
class Study:
    """Experiments by name, in the order of the page; see `read_study`."""

    experiments: Mapping[str, Experiment]

    def settings(self, name: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Give what an experiment and all those that it differs from set.

        `overrides` lie over the first of them, so that they undo none of the differences.
        """
        experiment = self.experiments[name]
        if experiment.base is None:
            return merge(experiment.settings, overrides or {})
        return merge(self.settings(experiment.base, overrides), experiment.settings)

    def in_order(self, names: Collection[str] = ()) -> tuple[str, ...]:
        """Give the experiments `names`, or all, and those they need, each after what it needs.

        Raises
        ------
        UsageError
            For a name that no experiment has.
        ConfigError
            When experiments need each other in a circle.
        """
        ordered: dict[str, None] = {}

        def add(name: str, path: tuple[str, ...]) -> None:
            if name in path:
                raise ConfigError(f"these need each other: {' > '.join((*path, name))}")
            for needed in self._needs(name):
                add(needed, (*path, name))
            ordered[name] = None

        for name in names or self.experiments:
            add(name, ())
        return tuple(ordered)

    def config(
        self, name: str, seed: int, out: Path, overrides: Mapping[str, Any] | None = None
    ) -> TrainingConfig:
        """Give the settings of one training.

        Parameters
        ----------
        name : str
        seed : int
        out : Path
            Folder of the study, where the weights of other experiments lie.
        overrides : mapping, optional
            See `settings`.
        """
        experiment = self.experiments[name]
        own: dict[str, Any] = {"name": run_name(name, seed), "training": {"seed": seed}}
        # Files, not folders: the last two parts of a path are kept as settings, and these shall not
        # depend on where the study lies.
        if experiment.after is not None:
            weights = run_folder(out, experiment.after, seed) / "model.safetensors"
            own["model"] = {"pretrained": str(weights), "fresh_classifier": False}
        if experiment.teacher is not None:
            teacher = self.config(experiment.teacher, seed, out, overrides)
            own["teacher"] = {
                "model": str(run_folder(out, experiment.teacher, seed) / "model.safetensors"),
                "architecture": teacher.model.architecture,
            }
        return training_config(merge(self.settings(name, overrides), own), where=name)

    def _needs(self, name: str) -> tuple[str, ...]:
        if name not in self.experiments:
            raise UsageError(
                f"no experiment {name!r}", fix=f"There are: {', '.join(self.experiments)}"
            )
        experiment = self.experiments[name]
        base = () if experiment.base is None else (experiment.base,)
        return (*base, *experiment.sources)


def run_name(name: str, seed: int) -> str:
    """Name one training of an experiment."""
    return f"{name}-{seed}"


def run_folder(out: Path, name: str, seed: int) -> Path:
    """Give the folder of one training of an experiment."""
    return out.resolve() / run_name(name, seed)


def read_study(paths: Sequence[Path]) -> Study:
    """Read experiments, and check that every one of them could be trained.

    Parameters
    ----------
    paths : sequence of Path
        YAML files, or folders of such files.

    Raises
    ------
    ConfigError
        When a file is wrong, two have one name, or one needs an experiment that is not there.
    """
    experiments: dict[str, Experiment] = {}
    for path in _files(paths):
        if path.stem in experiments:
            raise ConfigError(f"two experiments are called {path.stem}", where=path)
        experiments[path.stem] = read_experiment(path)
    study = Study(experiments)
    check_study(study)
    return study


def read_experiment(path: Path) -> Experiment:
    """Read one experiment; `read_study` checks whether it can be trained.

    Raises
    ------
    ConfigError
    """
    value = read_yaml(path)
    if "name" in value:
        raise ConfigError("an experiment is called as its file: leave out name", where=path)
    try:
        return Experiment(name=path.stem, **value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{key}: {first['msg']} (got {first['input']!r})", where=path) from None


def check_study(study: Study) -> None:
    """Check that every experiment has valid settings, and finds those that it needs.

    Raises
    ------
    ConfigError
        Naming the experiment.
    """
    for name, experiment in study.experiments.items():
        try:
            study.in_order([name])
        except UsageError as error:
            raise ConfigError(f"needs what is not there: {error}", where=name) from None
        study.config(name, 0, Path())
        names = [variant.name for variant in experiment.evaluate]
        if len(set(names)) < len(names):
            raise ConfigError(f"two variants under evaluate have one name: {names}", where=name)


def describe(changes: Mapping[str, Any]) -> str:
    """Write nested settings in one line, ``data.crops.size: 192, training.batch_size: 7``."""
    return ", ".join(f"{key}: {_text(value)}" for key, value in _leaves(changes))


def _files(paths: Iterable[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise UsageError("no experiments here", where=", ".join(map(str, paths)))
    return files


def _leaves(changes: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in changes.items():
        if isinstance(value, Mapping) and key != "terms":
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return " + ".join(f"{weight:g} {name}" for name, weight in value.items())
    if isinstance(value, list):
        return "–".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool | None) else str(value)
