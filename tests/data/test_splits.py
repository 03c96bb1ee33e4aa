from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spermseg.data.datasets import LabelledDataset, SampleRecord
from spermseg.data.splits import PARTS, Split, grouped_split, read_split, write_split
from spermseg.errors import SplitError, UsageError
from spermseg.structures import SCHEMAS


class Named(LabelledDataset):
    """Pictures that exist by name only: a split needs no more."""

    layout = "folder"

    def __init__(self, sizes: list[int]):
        records = [
            SampleRecord(f"g{group}/{index}", Path("none"), f"g{group}")
            for group, size in enumerate(sizes)
            for index in range(size)
        ]
        super().__init__(Path("somewhere"), SCHEMAS["report-2021"], tuple(records))

    def load(self, sample_id):
        raise NotImplementedError


def groups_of(split: Split, part: str) -> set[str]:
    return {id.split("/")[0] for id in split.part(part)}


group_sizes = st.lists(st.integers(1, 12), min_size=1, max_size=12)


@given(
    sizes=group_sizes,
    counts=st.tuples(st.integers(1, 20), st.integers(0, 8), st.integers(0, 8)),
    seed=st.integers(0, 99),
)
def test_counts_are_exact_and_groups_never_cross(sizes, counts, seed):
    if sum(counts) > sum(sizes):
        return
    amounts = dict(zip(PARTS, counts, strict=True))
    try:
        split = grouped_split(Named(sizes), seed=seed, **amounts)
    except SplitError:
        return
    assert tuple(len(split.part(part)) for part in PARTS) == counts
    assert not groups_of(split, "train") & groups_of(split, "validation")
    assert not groups_of(split, "train") & groups_of(split, "test")
    assert not groups_of(split, "validation") & groups_of(split, "test")


@given(
    sizes=st.lists(st.integers(1, 12), min_size=3, max_size=12),
    shares=st.tuples(st.floats(0.2, 0.5), st.floats(0, 0.25), st.floats(0, 0.25)),
    seed=st.integers(0, 99),
)
def test_shares_take_whole_groups(sizes, shares, seed):
    try:
        split = grouped_split(
            Named(sizes), seed=seed, train=shares[0], validation=shares[1], test=shares[2]
        )
    except SplitError:
        return
    taken = Counter(id.split("/")[0] for part in PARTS for id in split.part(part))
    assert all(sizes[int(group[1:])] == count for group, count in taken.items())
    parts = [groups_of(split, part) for part in PARTS]
    assert len(parts[0] | parts[1] | parts[2]) == sum(len(part) for part in parts)


def test_pictures_come_from_as_many_groups_as_possible():
    split = grouped_split(Named([20] * 10), seed=3, train=15, validation=0, test=4)
    assert len(groups_of(split, "train")) + len(groups_of(split, "test")) == 10
    counts = Counter(id.split("/")[0] for id in split.train)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_part_that_needs_the_one_large_group_gets_it():
    split = grouped_split(Named([1, 1, 1, 30]), seed=0, train=25, validation=1, test=1)
    assert "g3" in groups_of(split, "train")


def test_shares_are_met_as_near_as_groups_allow():
    split = grouped_split(Named([10] * 10), seed=5, train=0.6, validation=0.2, test=0.2)
    assert [len(split.part(part)) for part in PARTS] == [60, 20, 20]


def test_the_seed_decides():
    dataset = Named([5] * 8)
    draws = [grouped_split(dataset, seed=seed, train=6, test=3) for seed in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert draws[0].train != draws[2].train


@pytest.mark.parametrize(
    ("amounts", "reason"),
    [
        ({"train": 0}, "above 0"),
        ({"train": 3, "test": -1}, "above 0"),
        ({"train": 3, "test": 0.2}, "mixed"),
        ({"train": 20}, "more than there is"),
        ({"train": 0.8, "test": 0.3}, "more than there is"),
    ],
)
def test_amounts_that_cannot_be(amounts, reason):
    with pytest.raises(UsageError, match=reason):
        grouped_split(Named([4, 4]), seed=0, **amounts)


def test_too_few_groups():
    with pytest.raises(SplitError, match=r"train 2, validation 1, test 1.*2 group.* 5, 4 pictures"):
        grouped_split(Named([4, 5]), seed=0, train=2, validation=1, test=1)
    with pytest.raises(SplitError, match="no group is left for test"):
        grouped_split(Named([9]), seed=0, train=0.5, test=0.5)


def test_a_split_needs_training_pictures():
    with pytest.raises(SplitError, match="no training pictures"):
        Split((), test=("a",))


def test_no_picture_twice():
    with pytest.raises(SplitError, match="picture a is in train and in test"):
        Split(("a", "b"), test=("a",))
    with pytest.raises(SplitError, match="picture a is in train and in train"):
        Split(("a", "a"))


def test_no_group_on_two_sides():
    groups = {"a": "monday", "b": "tuesday", "c": "monday"}
    with pytest.raises(SplitError, match=r"'monday' is in train \(picture a\) and in test .* c"):
        Split(("a", "b"), test=("c",), groups=groups)
    with pytest.raises(SplitError, match="picture d has no group"):
        Split(("a", "d"), groups=groups)


def test_unknown_part():
    with pytest.raises(UsageError, match="no part 'all'"):
        Split(("a",)).part("all")


def test_a_written_split_is_read_back(tmp_path):
    dataset = Named([4, 5, 6])
    split = grouped_split(dataset, seed=7, train=3, validation=2, test=2)
    write_split(tmp_path / "split.json", split)
    assert read_split(tmp_path / "split.json", dataset) == split
    content = json.loads((tmp_path / "split.json").read_text())
    assert content["seed"] == 7
    assert content["layout"] == "folder"
    assert content["format_version"] == 1
    assert set(content["groups"]) == {*split.train, *split.validation, *split.test}


def test_a_split_of_other_pictures_is_refused(tmp_path):
    write_split(tmp_path / "s.json", grouped_split(Named([3, 3]), seed=0, train=6))
    with pytest.raises(SplitError, match=r"s\.json: 3 picture\(s\) are not in somewhere, first g1"):
        read_split(tmp_path / "s.json", Named([3]))


def test_a_split_that_leaks_by_the_data_sets_groups_is_refused(tmp_path):
    # Written without groups, by hand: the data set knows better.
    write_split(tmp_path / "s.json", Split(("g0/0",), test=("g0/1",)))
    with pytest.raises(SplitError, match=r"s\.json: group 'g0' is in train .* and in test"):
        read_split(tmp_path / "s.json", Named([3]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format_version": 2}, "format 2, expected 1"),
        ({"train": []}, "no training pictures"),
        ({"train": "g0/0"}, "train must be a list"),
        ({"test": [1]}, "test must be a list"),
        ({"seed": "x"}, "seed a whole number"),
        ({"groups": None}, "groups must be an object"),
        ({"unit": "picture"}, "unit 'picture'"),
    ],
)
def test_a_damaged_split_file_is_refused(tmp_path, change, reason):
    write_split(tmp_path / "s.json", Split(("g0/0",)))
    content = json.loads((tmp_path / "s.json").read_text())
    (tmp_path / "s.json").write_text(json.dumps(content | change))
    with pytest.raises(SplitError, match=rf"s\.json: .*{reason}"):
        read_split(tmp_path / "s.json", Named([3]))


def test_a_file_that_is_no_split(tmp_path):
    (tmp_path / "s.json").write_text("[")
    for name in ("s.json", "none.json"):
        with pytest.raises(SplitError, match=name):
            read_split(tmp_path / name, Named([3]))
