from __future__ import annotations

import json
import re

import pytest

from spermseg.errors import UsageError
from spermseg.experiments.comparison import compare_experiments
from spermseg.experiments.page import NO_PICTURES, write_comparison


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write_comparison(compare_experiments(finished), folder)
    return folder


def test_published_stands_beside_measured(page):
    content = json.loads((page / "comparison.json").read_text())
    three, four = content["experiments"]
    assert four["published"] == {"loss": 0.81401, "iou": 0.0, "dice_loss": 0.02474}
    assert set(four["report_2021"]["as-published"]) == {"loss", "iou", "dice_loss"}
    assert four["iou"]["tail"]["interval"][0] <= four["iou"]["tail"]["value"]
    assert (four["training"]["epochs"], four["training"]["images_per_epoch"]) == (1, 20)
    assert three["status"] == "not run"
    assert "report_2021" not in three
    text = (page / "comparison.md").read_text()
    assert "| experiment-4 | done | 0.81401 | 0.00000 | 0.02474 |" in text
    assert "not run: weights unavailable" in text


def test_the_page_says_what_may_be_compared(page):
    for name in ("comparison.html", "comparison.md"):
        text = (page / name).read_text()
        assert "Nothing may be compared" in text
        assert "14 training and 6 test pictures" in text
        assert "spermseg experiments run all --data DATA --scale quick --train 4" in text


def test_a_smoke_run_decides_nothing(page):
    content = json.loads((page / "comparison.json").read_text())
    assert {c["verdict"] for c in content["conclusions"]} == {"not tested"}


def test_the_page_is_self_contained(page):
    html = (page / "comparison.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html.replace('xlink:href="#', ""))


def test_panels_are_of_the_test_picture(page):
    html = (page / "comparison.html").read_text()
    assert html.count("data:image/jpeg") == 1
    assert NO_PICTURES not in html


def test_without_pictures_nothing_of_the_data_is_shown(finished, tmp_path):
    write_comparison(compare_experiments(finished), tmp_path, pictures=False)
    html = (tmp_path / "comparison.html").read_text()
    assert "data:image" not in html
    assert NO_PICTURES in html
    assert NO_PICTURES in (tmp_path / "comparison.md").read_text()


def test_a_substitute_is_named(substituted, tmp_path):
    write_comparison(compare_experiments(substituted), tmp_path)
    for name in ("comparison.html", "comparison.md"):
        text = (tmp_path / name).read_text()
        assert "Pretrained means here: a tiny substitute." in text
        assert "--pretrained-substitute RUN" in text


def test_no_absolute_paths(finished, page):
    for file in (*page.iterdir(), finished / "experiments.json"):
        assert str(finished) not in file.read_text()


def test_a_folder_without_experiments_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no experiments were run here"):
        compare_experiments(tmp_path)
