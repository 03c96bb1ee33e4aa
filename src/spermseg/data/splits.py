"""Training, validation and test pictures, drawn by whole groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.datasets.listing import read_mapping
from spermseg.errors import DataError, SplitError, UsageError
from spermseg.files import write_json

PARTS = ("train", "validation", "test")
FORMAT_VERSION = 1
_ATTEMPTS = 200

Amount = int | float


@dataclass(frozen=True)
class Split:
    """Which pictures are for what.

    Parameters
    ----------
    train, validation, test : tuple of str
        Picture ids; training must have some.
    seed : int
        Of the draw.
    unit : str
        What is never cut through.
    groups : mapping of str to str
        Group of each id, checked where it is given.
    layout : str
        Of the data set that it was drawn from, where known.

    Raises
    ------
    SplitError
        When training is empty, an id is there twice, or a group stands in two parts.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    seed: int = 0
    unit: Literal["group"] = "group"
    groups: Mapping[str, str] = field(default_factory=dict)
    layout: str = ""

    def __post_init__(self) -> None:
        if not self.train:
            raise SplitError("no training pictures")
        seen: dict[str, str] = {}
        for part, sample_id in self._placed():
            if sample_id in seen:
                raise SplitError(f"picture {sample_id} is in {seen[sample_id]} and in {part}")
            seen[sample_id] = part
        if self.groups:
            check_groups(self, self.groups)

    def part(self, name: str) -> tuple[str, ...]:
        """Give the ids of ``train``, ``validation`` or ``test``.

        Raises
        ------
        UsageError
            For another name.
        """
        if name not in PARTS:
            raise UsageError(f"no part {name!r} in a split", fix=f"There are: {', '.join(PARTS)}")
        ids: tuple[str, ...] = getattr(self, name)
        return ids

    def _placed(self) -> Iterator[tuple[str, str]]:
        return ((part, sample_id) for part in PARTS for sample_id in self.part(part))


def check_groups(split: Split, groups: Mapping[str, str]) -> None:
    """Check that no group stands in two parts.

    Raises
    ------
    SplitError
        Naming the group and a picture in each part, or a picture without group.
    """
    first: dict[str, tuple[str, str]] = {}
    for part, sample_id in split._placed():
        if sample_id not in groups:
            raise SplitError(f"picture {sample_id} has no group")
        group = groups[sample_id]
        other_part, other_id = first.setdefault(group, (part, sample_id))
        if other_part != part:
            raise SplitError(
                f"group {group!r} is in {other_part} (picture {other_id}) "
                f"and in {part} (picture {sample_id})",
                fix="Keep all pictures of a group together",
            )


def grouped_split(
    dataset: LabelledDataset,
    *,
    seed: int,
    train: Amount,
    validation: Amount = 0,
    test: Amount = 0,
) -> Split:
    """Draw a split whose parts share no group.

    Parameters
    ----------
    dataset : LabelledDataset
    seed : int
        The same seed and data set give the same split.
    train, validation, test : int or float
        All whole numbers: that many pictures. Groups are dealt out at random in proportion; of its
        groups each part then takes pictures in turn, at random within a group, so that they come
        from as many groups as possible. All shares between 0 and 1: whole groups with all their
        pictures, as near to the shares as the groups allow.

    Raises
    ------
    UsageError
        When the amounts are negative, mixed, or add up to more than there is.
    SplitError
        When the groups are too few or too large for what is asked.
    """
    amounts = dict(zip(PARTS, (train, validation, test), strict=True))
    pools: dict[str, list[str]] = {}
    for record in sorted(dataset.records.values(), key=lambda record: record.id):
        pools.setdefault(record.group, []).append(record.id)
    random = np.random.default_rng(seed)
    if _are_shares(amounts, len(dataset)):
        chosen = _draw_shares(pools, amounts, random)
    else:
        chosen = _draw_counts(pools, {part: int(n) for part, n in amounts.items()}, random)
    groups = {record.id: record.group for record in dataset.records.values()}
    parts = {part: tuple(sorted(ids)) for part, ids in chosen.items()}
    return Split(
        parts["train"],
        parts["validation"],
        parts["test"],
        seed=seed,
        groups={id: groups[id] for ids in parts.values() for id in ids},
        layout=dataset.layout,
    )


def _are_shares(amounts: Mapping[str, Amount], n_pictures: int) -> bool:
    given = ", ".join(f"{part} {amount}" for part, amount in amounts.items())
    kinds = {type(amount) for amount in amounts.values() if amount != 0}
    if len(kinds) > 1:
        raise UsageError(f"numbers of pictures and shares are mixed: {given}")
    if not all(amount >= 0 for amount in amounts.values()) or amounts["train"] == 0:
        raise UsageError(f"training must be above 0 and nothing below: {given}")
    shares = kinds == {float}
    limit = 1 if shares else n_pictures
    # Shares such as 0.7 + 0.2 + 0.1 are not exact in binary.
    if sum(amounts.values()) > limit + 1e-9:
        raise UsageError(f"more than there is ({limit}): {given}")
    return shares


def _draw_counts(
    pools: Mapping[str, list[str]], wanted: Mapping[str, int], random: np.random.Generator
) -> dict[str, list[str]]:
    for order in _orders(pools, random):
        dealt = _deal(order, pools, wanted)
        if all(_size(dealt[part], pools) >= wanted[part] for part in PARTS):
            return {
                part: _take_in_turn([pools[g] for g in dealt[part]], wanted[part], random)
                for part in PARTS
            }
    sizes = ", ".join(str(size) for size in sorted(map(len, pools.values()), reverse=True)[:8])
    asked = ", ".join(f"{part} {count}" for part, count in wanted.items())
    raise SplitError(
        f"{asked} pictures cannot be drawn from disjoint groups: {len(pools)} group(s) "
        f"of {sizes}{', ...' if len(pools) > 8 else ''} pictures",
        fix="Ask for fewer pictures or parts",
    )


def _draw_shares(
    pools: Mapping[str, list[str]], shares: Mapping[str, float], random: np.random.Generator
) -> dict[str, list[str]]:
    n_pictures = _size(list(pools), pools)
    wanted = {part: share * n_pictures for part, share in shares.items()}
    wanted["left out"] = max(0.0, n_pictures - sum(wanted.values()))

    def miss(dealt: Mapping[str, list[str]]) -> float:
        return sum(abs(_size(dealt[part], pools) - count) for part, count in wanted.items())

    dealt = min((_deal(order, pools, wanted) for order in _orders(pools, random)), key=miss)
    for part in PARTS:
        if shares[part] > 0 and not dealt[part]:
            raise SplitError(
                f"no group is left for {part}: {len(pools)} group(s) for "
                + ", ".join(f"{name} {share}" for name, share in shares.items()),
                fix="Ask for other shares or fewer parts",
            )
    return {part: [id for group in dealt[part] for id in pools[group]] for part in PARTS}


def _orders(pools: Mapping[str, list[str]], random: np.random.Generator) -> Iterator[list[str]]:
    """Give random orders of the groups, and at last the one that packs best: large ones first."""
    groups = list(pools)
    for _ in range(_ATTEMPTS):
        yield [groups[i] for i in random.permutation(len(groups))]
    yield sorted(groups, key=lambda group: -len(pools[group]))


def _size(groups: list[str], pools: Mapping[str, list[str]]) -> int:
    return sum(len(pools[group]) for group in groups)


def _deal(
    order: list[str], pools: Mapping[str, list[str]], wanted: Mapping[str, float]
) -> dict[str, list[str]]:
    """Give each group in turn to the part that lacks the largest share of what it wants."""
    dealt: dict[str, list[str]] = {part: [] for part in wanted}
    filled = dict.fromkeys(wanted, 0)
    for group in order:
        part = max(
            (part for part in wanted if wanted[part] > 0),
            key=lambda part: (1 - filled[part] / wanted[part], wanted[part]),
        )
        dealt[part].append(group)
        filled[part] += len(pools[group])
    return dealt


def _take_in_turn(pools: list[list[str]], count: int, random: np.random.Generator) -> list[str]:
    shuffled = [[pool[i] for i in random.permutation(len(pool))] for pool in pools]
    rounds = max((len(pool) for pool in shuffled), default=0)
    in_turn = [pool[turn] for turn in range(rounds) for pool in shuffled if turn < len(pool)]
    return in_turn[:count]


def write_split(path: Path, split: Split) -> None:
    """Write a split as JSON, whole or not at all."""
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "layout": split.layout,
        "unit": split.unit,
        "seed": split.seed,
        **{part: list(split.part(part)) for part in PARTS},
        "groups": dict(split.groups),
    }
    write_json(path, content)


def read_split(path: Path, dataset: LabelledDataset) -> Split:
    """Read a split and check it against the data set that it is to be used on.

    Raises
    ------
    SplitError
        When the file is no split, names pictures that are not there, or leaks by its own groups or
        by those of `dataset`.
    """
    try:
        split = _split_of(read_mapping(path))
        unknown = [id for _, id in split._placed() if id not in dataset.records]
        if unknown:
            raise SplitError(
                f"{len(unknown)} picture(s) are not in {dataset.root}, first {unknown[0]}",
                fix=f"The split was made for layout {split.layout or 'unknown'}, "
                f"this is {dataset.layout}",
            )
        check_groups(split, {id: record.group for id, record in dataset.records.items()})
    except DataError as error:
        raise SplitError(error.what, where=path, fix=error.fix) from None
    return split


def _split_of(content: Mapping[str, Any]) -> Split:
    version = content.get("format_version")
    if version != FORMAT_VERSION:
        raise SplitError(f"split of format {version!r}, expected {FORMAT_VERSION}")
    groups, seed = content.get("groups"), content.get("seed")
    if not isinstance(groups, dict) or not isinstance(seed, int):
        raise SplitError("groups must be an object and seed a whole number")
    if content.get("unit") != "group":
        raise SplitError(f"unit {content.get('unit')!r}, expected 'group'")
    train, validation, test = (_ids(content, part) for part in PARTS)
    layout = str(content.get("layout", ""))
    return Split(train, validation, test, seed=seed, groups=groups, layout=layout)


def _ids(content: Mapping[str, Any], part: str) -> tuple[str, ...]:
    ids = content.get(part)
    if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
        raise SplitError(f"{part} must be a list of picture ids")
    return tuple(ids)
