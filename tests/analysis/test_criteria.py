"""Criteria as settings: what comes with spermseg, and what is refused in one's own."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
import yaml

from spermseg.analysis.criteria import FOLDER, criteria_from, load_criteria
from spermseg.errors import ConfigError, UsageError


@pytest.fixture
def settings() -> dict:
    return copy.deepcopy(load_criteria().to_dict())


def entry(settings: dict, name: str) -> dict:
    return next(one for one in settings["criteria"] if one["name"] == name)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("head_ellipticity", 1.5, 2.0),
        ("acrosome_fraction", 0.4, 0.7),
        ("vacuole_count", None, 2),
        ("vacuole_fraction", None, 0.2),
        ("vacuole_place", None, 0),
    ],
)
def test_limits_that_the_manual_states(name, low, high):
    criterion = load_criteria("who-2021").by_name[name]
    assert (criterion.min, criterion.max) == (low, high)
    assert not criterion.ours


def test_residual_cytoplasm_is_in_excess_above_a_third_of_the_head():
    criterion = load_criteria().by_name["residual_cytoplasm"]
    assert criterion.max == pytest.approx(1 / 3, abs=0.001)
    assert criterion.region == "cytoplasm"


def test_midpiece_limits_are_those_of_the_manual_s_ranges():
    criterion = load_criteria().by_name["midpiece_length"]
    assert criterion.min == pytest.approx(3.3 / 4.7, abs=0.005)
    assert criterion.max == pytest.approx(5.2 / 3.7, abs=0.01)


def test_what_stands_in_for_a_scale_is_the_same_limit_at_the_median_head():
    by_name = load_criteria().by_name
    assert by_name["tail_length_by_head"].min == by_name["tail_length"].min / 4.5
    assert by_name["midpiece_width_by_head"].max == pytest.approx(
        by_name["midpiece_width"].max / 2.8, abs=0.005
    )


def test_every_number_has_a_source_and_a_disclaimer_stands_at_the_top():
    assert all(criterion.source for criterion in load_criteria().criteria)
    text = (FOLDER / "who-2021.yaml").read_text(encoding="utf-8")
    assert "For research use, not for clinical diagnosis." in text.partition("criteria:")[0]


def test_only_lengths_need_the_pixel_size():
    needing = {one.name for one in load_criteria().criteria if one.needs_scale}
    assert needing == {"head_length", "head_width", "midpiece_width", "tail_length"}


def test_a_set_of_one_s_own_is_read_by_its_path(tmp_path, settings):
    settings["name"] = "mine"
    entry(settings, "head_length")["max"] = 6.0
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(settings))
    criteria = load_criteria(path)
    assert criteria.name == "mine"
    assert criteria.by_name["head_length"].max == 6.0


def test_settings_survive_writing(settings):
    assert criteria_from(settings) == load_criteria()


def test_an_unknown_set_is_named_with_those_there_are(tmp_path):
    with pytest.raises(UsageError, match=r"no criteria 'who2021'.*There are: who-2021"):
        load_criteria("who2021")
    with pytest.raises(ConfigError, match="no such settings file"):
        load_criteria(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"maxx": 5}, "criterion 'head_length': unknown key 'maxx', did you mean 'max'"),
        ({"quantity": "head_lenght"}, "'head_length'.*did you mean 'head_length'.*head_lenght"),
        ({"relative_to": "head_widht", "unit": ""}, "did you mean 'head_width'"),
        ({"min": 5.5}, "min 5.5 is above max 5"),
        ({"min": -1}, "never negative, got the limit -1"),
        ({"min": "3.7"}, "valid number"),
        ({"min": True}, "valid number"),
        ({"max": float("nan")}, "finite"),
        ({"max": float("inf")}, "finite"),
        ({"unit": "px"}, "the unit of head_length is 'um', got 'px'"),
        ({"unit": ""}, "the unit of head_length is 'um', got ''"),
        ({"relative_to": "head_width"}, "the unit of head_length / head_width is '', got 'um'"),
        ({"relative_to": "head_area", "unit": ""}, "cannot be compared"),
        ({"quantity": "acrosome_fraction", "unit": ""}, "at most 1, got the limit 3.7"),
        ({"quantity": "tail_largest_bend", "unit": "deg", "max": 200}, "at most 180"),
        ({"region": "neck"}, "region: Input should be 'head'"),
        ({"below": None}, "min and the text 'below' go together"),
        ({"min": None, "max": None, "below": None, "above": None}, "needs min, max or both"),
        ({"quantity": None}, "needs a quantity, or a flag"),
        ({"flag": "no_tail"}, "either a flag or a quantity"),
        ({"text": "wrong"}, "text goes with a flag"),
        ({"only_without_scale": True}, "needs the pixel size"),
        ({"if_unknown": "guess"}, "if_unknown"),
        ({"source": ""}, "source"),
        ({"name": "midpiece_width"}, "criteria of the same name: midpiece_width"),
    ],
)
def test_a_wrong_criterion_is_named(settings, changes, words):
    entry(settings, "head_length").update(changes)
    with pytest.raises(ConfigError, match=words) as caught:
        criteria_from(settings, where="mine.yaml")
    assert str(caught.value).startswith("mine.yaml: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"flag": "no_tale"}, "did you mean 'no_tail'"),
        ({"text": None}, "needs a text"),
        ({"max": 1}, "either a flag or a quantity"),
    ],
)
def test_a_wrong_criterion_of_a_missing_part_is_named(settings, changes, words):
    entry(settings, "tail_present").update(changes)
    with pytest.raises(ConfigError, match=words):
        criteria_from(settings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"critera": []}, "unknown key 'critera', did you mean 'criteria'"),
        ({"criteria": []}, "at least 1 item"),
        ({"criteria": 5}, "criteria"),
        ({"criteria": ["head_length"]}, "criterion number 1"),
        ({"not_assessable": ["cutt"]}, "did you mean 'cut'"),
        ({"format_version": 2}, "format_version"),
    ],
)
def test_a_wrong_set_is_named(settings, changes, words):
    with pytest.raises(ConfigError, match=words):
        criteria_from(settings | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lower_bound": "tail_seen_lenght"}, "did you mean 'tail_seen_length'"),
        ({"lower_bound": "head_area"}, "head_area cannot be compared with tail_length"),
        ({"max": 60, "above": "too long"}, "lower_bound goes with a min alone"),
    ],
)
def test_a_wrong_lower_bound_is_named(settings, changes, words):
    entry(settings, "tail_length").update(changes)
    with pytest.raises(ConfigError, match=words):
        criteria_from(settings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loose_heads": "appart"}, "objects: loose_heads.*'apart' or 'abnormal'"),
        ({"shortst": 0.5}, "objects: unknown key 'shortst', did you mean 'shortest'"),
        ({"bare_roundest": 0.9}, "bare_roundest.*greater than or equal to 1"),
        ({"bare_roughest": 1.5}, "bare_roughest.*less than or equal to 1"),
        ({"largest": -1}, "largest.*greater than 0"),
        ({"source": ""}, "source"),
    ],
)
def test_wrong_limits_of_what_is_no_sperm_are_named(settings, changes, words):
    settings["objects"].update(changes)
    with pytest.raises(ConfigError, match=words):
        criteria_from(settings)


def test_a_set_may_change_another(tmp_path):
    path = tmp_path / "mine.yaml"
    own = {"name": "head_length", "region": "head", "quantity": "head_length", "unit": "um"}
    own |= {"max": 6.0, "above": "long", "source": "our rule"}
    settings = {"based_on": "who-2021", "name": "mine", "leave_out": ["head_width"]}
    path.write_text(yaml.safe_dump({"format_version": 1, **settings, "criteria": [own]}))
    mine, who = load_criteria(path), load_criteria()
    assert mine.name == "mine"
    assert mine.title == who.title
    assert list(mine.by_name) == [name for name in who.by_name if name != "head_width"]
    assert (mine.by_name["head_length"].min, mine.by_name["head_length"].max) == (None, 6.0)
    assert mine.by_name["tail_bend"] == who.by_name["tail_bend"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"based_on": "who-2020"}, "based_on: did you mean 'who-2021'"),
        ({"based_on": ["who-2021"]}, "based_on"),
        ({"leave_out": ["head_lenght"]}, "leave_out: no criterion 'head_lenght'.*'head_length'"),
        ({"leave_out": 5}, "leave_out: no criterion 5"),
        ({"criteria": [5]}, "criterion number 1"),
        ({"critera": []}, "did you mean 'criteria'"),
    ],
)
def test_a_wrong_change_of_another_set_is_named(tmp_path, changes, words):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"based_on": "who-2021", **changes}))
    with pytest.raises(ConfigError, match=words) as caught:
        load_criteria(path)
    assert "mine.yaml" in str(caught.value)


def test_the_acrosome_can_be_left_alone():
    who, without = load_criteria(), load_criteria("who-2021-without-acrosome")
    assert set(who.by_name) - set(without.by_name) == {"acrosome_fraction"}
    assert set(who.not_judged) < set(without.not_judged)
    assert without.objects == who.objects


def test_a_misspelt_key_is_named_rather_than_the_missing_one(settings):
    criterion = entry(settings, "head_length")
    criterion["sorce"] = criterion.pop("source")
    with pytest.raises(ConfigError, match="'sorce', did you mean 'source'"):
        criteria_from(settings)


def test_the_documented_limits_are_those_of_the_file():
    page = (Path(__file__).parents[2] / "docs" / "criteria.md").read_text(encoding="utf-8")
    rows = {
        line.split("`")[1]: line.split("|")[2]
        for line in page.splitlines()
        if line.startswith("| `")
    }
    criteria = load_criteria()
    assert list(rows) == list(criteria.by_name)
    for name, criterion in criteria.by_name.items():
        limits = [limit for limit in (criterion.min, criterion.max) if limit is not None]
        assert [float(number) for number in re.findall(r"[\d.]+", rows[name])] == limits
