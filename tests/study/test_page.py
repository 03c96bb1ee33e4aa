from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from spermseg.study.comparison import compare_study
from spermseg.study.page import write_study_page

EXPERIMENTS = {
    "base": {
        "title": "the base",
        "evaluate": [{"name": "views-8", "title": "8 views", "question": "Views?", "views": 8}],
    },
    "better": {
        "title": "more pixels",
        "question": "How large?",
        "base": "base",
        "settings": {"data": {"crops": {"size": 384}}},
    },
    "same": {"title": "fewer | pixels", "question": "How large?", "base": "base"},
    "worse": {"title": "no dollar $ at all", "question": "Which loss?", "base": "base"},
    "later": {"title": "another day", "question": "Which loss?", "base": "base", "after": "same"},
}
HITS = {
    ("base", 0): [5] * 6,
    ("base", 1): [5] * 6,
    ("base+views-8", 0): [6] * 6,
    ("better", 0): [8] * 6,
    ("better", 1): [6] * 6,
    ("same", 0): [9, 9, 4, 4, 4, 4],
    ("same", 1): [4, 4, 4, 4, 9, 9],
    ("worse", 0): [2] * 6,
    ("worse", 1): [4] * 6,
}


@pytest.fixture
def written(make_study, tmp_path):
    out = make_study(EXPERIMENTS, HITS, better={"cpu_seconds": 250.0})
    write_study_page(compare_study(out), tmp_path / "page")
    return tmp_path / "page"


@pytest.fixture
def page(written):
    return (written / "study.md").read_text()


def row_of(page, start):
    return next(line for line in page.splitlines() if line.startswith(f"| {start} |"))


def test_every_verdict_is_named(page):
    assert "- **helps** (1): more pixels (`better`)" in page
    assert "- **hurts** (1): no dollar $ at all (`worse`)" in page
    assert "- **not told apart** (1): fewer | pixels (`same`)" in page
    assert "- **one seed** (1): 8 views (`base+views-8`)" in page
    assert "- **not run** (1): another day (`later`)" in page
    assert "- another day (`later`): not run" in page


def test_a_row_shows_difference_interval_seeds_and_means(page):
    # 90 / 95 and 1 / 2 against 90 / 92 and 8 / 10, and 90 / 94 and 6 / 10.
    cells = [cell.strip() for cell in row_of(page, "more pixels").split("|")[1:-1]]
    assert cells[1:3] == ["base", "**helps**"]
    assert cells[3] == "+0.110 [+0.110, +0.110]"
    assert cells[4] == "+0.165, +0.055"
    assert cells[6] == "0.834 (0.889, 0.779)"
    assert row_of(page, "the base").split("|")[3].strip() == "–"


def test_parts_and_cost_stand_below(page):
    second = [line for line in page.splitlines() if line.startswith("| more pixels |")][1]
    cells = [cell.strip() for cell in second.split("|")[1:-1]]
    # nucleus, acrosome, vacuole and midpiece are nowhere; tail and its recall .7
    assert cells[1:7] == ["–", "–", "–", "–", "0.700", "0.700"]
    assert cells[-2:] == ["250 CPU s, × 2.50", "10 CPU s, × 1.00"]
    views = [line for line in page.splitlines() if line.startswith("| 8 views |")][1]
    assert "| none | 10 CPU s" in views


def test_what_was_changed_and_on_what_is_told(page):
    assert "| `better` | base | data.crops.size: 384 | 700 | 3.0 M |" in page
    assert "| `base+views-8` | base | views: 8, without a training of its own | 700" in page
    assert "| `later` | base | begins with the weights of same | – | – |" in page
    assert "1 training pictures (Monday) and 1 validation pictures (Tuesday)" in page
    assert "an abacus, 2 cores, 1 threads, accelerator: none" in page
    assert "--seed 0 --seed 1" in page
    assert "For research use, not for clinical diagnosis." in page


def test_the_same_stands_in_json(written):
    content = json.loads((written / "study.json").read_text())
    rows = {row["name"]: row for row in content["rows"]}
    assert rows["better"]["figures"]["tail"]["difference"]["value"] == pytest.approx(0.2)
    assert rows["better"]["figures"]["tail"]["difference"]["by_seed"]["1"] == pytest.approx(0.1)
    assert rows["later"]["verdict"] == "not run"
    assert "figures" not in rows["later"]
    assert content["seeds"] == [0, 1]


def test_the_plot_has_every_comparison_below_its_question(written):
    root = ElementTree.parse(written / "differences.svg").getroot()
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [t for t in texts if t in ("Views?", "8 views", "How large?", "more pixels")] == [
        "Views?",
        "8 views",
        "How large?",
        "more pixels",
    ]
    assert "no dollar $ at all" in texts
    assert "another day" not in texts


def test_without_comparisons_there_is_no_plot(make_study, tmp_path):
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "differences.svg").write_text("of an earlier page")
    write_study_page(compare_study(make_study({"base": {}}, {})), tmp_path / "page")
    page = (tmp_path / "page" / "study.md").read_text()
    assert "differences.svg" not in page
    assert not (tmp_path / "page" / "differences.svg").exists()
