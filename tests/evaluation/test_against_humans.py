"""benchmarks/against_humans.py: models and people by one code."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from spermseg.structures import LabelledSample, Part, SpermInstance

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "against_humans.py"
SIZE = (40, 60)


@pytest.fixture(scope="module")
def against_humans():
    spec = importlib.util.spec_from_file_location("against_humans", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def annotated(nucleus, tail):
    """One picture with one sperm, a nucleus and a tail of so many columns."""
    masks = {}
    for part, rows, start, columns in ((Part.NUCLEUS, 10, 0, nucleus), (Part.TAIL, 2, 30, tail)):
        mask = np.zeros(SIZE, bool)
        mask[:rows, start : start + columns] = True
        masks[int(part)] = mask
    image, part_map = np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8)
    sperm = (SpermInstance.from_full_masks(1, masks),)
    return LabelledSample("a", image, part_map=part_map, instances=sperm)


def values(row):
    return {name: cell["value"] for name, cell in row.items()}


def test_people_and_differences(against_humans):
    sets = [
        {1: annotated(10, 20), 2: annotated(20, 20), 3: annotated(10, 5)},
        {1: annotated(10, 20), 2: annotated(20, 20), 3: annotated(10, 5)},
    ]
    people, models = against_humans.compare(sets, [])
    assert not models
    found = against_humans.table(people, {"itself": dict.fromkeys((1, 2, 3), people[1, 2])})
    rows = {name: values(row) for name, row in found["rows"].items()}
    assert rows["people, sets 1 and 2"]["head"] == rows["people, sets 1 and 2"]["nucleus"] == 0.5
    assert rows["people, sets 1 and 2"]["tail"] == 1
    assert rows["people, sets 1 and 3"]["tail"] == 0.25
    assert rows["people, mean of the pairs"]["tail"] == pytest.approx((1 + 0.25 + 0.25) / 3)
    # Of set 2 and 3 the nucleus is no more than half alike: of two parts, none is right.
    assert rows["people, sets 2 and 3"]["pcp50"] == 0
    assert rows["people, sets 1 and 3"]["pcp50"] == 0.5
    difference = found["differences"]["itself, set 1, minus people"]
    assert difference["tail"]["value"] == pytest.approx(1 - 0.5)
    # Both pictures are the same: so is every draw.
    assert difference["tail"]["interval"] == pytest.approx([0.5, 0.5])


def test_pictures_are_drawn_for_both_at_once(against_humans):
    sets = [
        {1: annotated(10, 20), 2: annotated(20, 20), 3: annotated(10, 20)},
        {1: annotated(10, 20), 2: annotated(10, 20), 3: annotated(10, 20)},
    ]
    people, _ = against_humans.compare(sets, [])
    pair = [people[1, 2]]
    alone, paired = against_humans.row(pair), against_humans.row(pair, pair)
    assert alone["nucleus"]["interval"] == [0.5, 1]
    assert paired["nucleus"] == {"value": 0, "interval": [0, 0]}


def test_the_table_names_every_class(against_humans):
    people, _ = against_humans.compare([{n: annotated(10, 20) for n in (1, 2, 3)}], [])
    lines = against_humans.as_markdown(against_humans.table(people, {}))
    assert lines[0] == (
        "| | background | vacuole | acrosome | nucleus | midpiece | tail | head "
        "| mIoU | APp50 | APvol | PCP50 |"
    )
    assert lines[2].startswith("| people, sets 1 and 2 | 100.0 (100.0 to 100.0) | nan")
