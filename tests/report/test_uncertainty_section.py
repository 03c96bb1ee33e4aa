"""What the report says of several views, from a summary made by hand."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.sample_statistics import JudgedSperm, summarise
from spermseg.analysis.sample_uncertainty import summarise_uncertainty
from spermseg.analysis.uncertainty import Seen, ViewCounts, compare_views
from spermseg.analysis.verdicts import judge
from spermseg.report.html import render
from spermseg.report.sample_section import label_of, sample_views
from spermseg.report.uncertainty_section import doubt_of, uncertainty_view
from spermseg.structures import Morphometry, SpermInstance

CRITERIA = load_criteria()
RUN = {"pictures": [{"id": "a", "file": "a.png", "status": "done"}]}


def sperm(id, lengths, widths, um_per_px=0.1):
    """Give a sperm of which only the head is known, in several views; the first one is plain."""
    seen = []
    for length, width in zip(lengths, widths, strict=True):
        ratio = {"head_ellipticity": length / width}
        morphometry = Morphometry(id, {"head_length": length, "head_width": width} | ratio)
        seen.append(Seen(morphometry, judge(morphometry, HEAD_ONLY, um_per_px)))
    one = AnalysedSperm(SpermInstance(id, (0, 0, 1, 1), {}), *seen[0])
    return replace(one, uncertainty=compare_views(seen[0], seen[1:]))


HEAD_ONLY = CRITERIA.model_copy(
    update={
        "not_assessable": (),
        "least_tail_view": None,
        "criteria": tuple(c for c in CRITERIA.criteria if c.name in ("head_length", "head_width")),
    }
)


@pytest.fixture
def sample():
    """Three sperm in four views, at 0.1 um a pixel; the second is 5.5 um long in two of them."""
    found = [
        sperm(1, [44, 44, 44, 44], [28, 28, 28, 28]),
        sperm(2, [44, 44, 55, 55], [28, 28, 28, 28]),
        sperm(3, [60, 60, 60, 62], [28, 28, 28, 28]),
    ]
    judged = [JudgedSperm(one.morphometry, one.verdict, 0.1) for one in found]
    views = [
        ViewCounts(name, 3, 3, normal)
        for name, normal in (("as it is", 2), ("mirrored", 2), ("turned", 1), ("zoomed", 1))
    ]
    summary = summarise("man", judged, HEAD_ONLY).to_dict()
    summary["uncertainty"] = summarise_uncertainty([(one, 0.1) for one in found], [views]).to_dict()
    rows = [
        one.row(0.1)
        | {"image": "a", "sample": "man", "bbox_head": (0, 0, 1, 1)}
        | {"failed": [str(failure) for failure in one.verdict.failed]}
        for one in found
    ]
    return summary, rows


def page_of(tmp_path, summary, rows):
    samples = sample_views([summary], rows, tmp_path, RUN)
    colours = {"normal": "#000", "abnormal": "#111", "not assessable": "#222"}
    page = render("sample.html", samples=samples, verdict_colours=colours)
    return " ".join(re.sub("<.*?>", " ", page, flags=re.DOTALL).split())


def test_the_page_says_how_far_the_views_agree(sample, tmp_path):
    text = page_of(tmp_path, *sample)
    assert "looked at in 4 views, turned or slightly changed," in text
    assert "between 33.3 and 66.7 % , 66.7 % in the pictures as they are" in text
    assert "turned 3 3 1 33.3" in text
    assert "1 of 3 sperm (33.3 %) have an uncertain verdict" in text
    assert "1 is normal in some views and abnormal in others" in text
    assert "head length (1 sperm)" in text
    assert "2 of 4 views agree" in text
    # Standard deviations of head lengths: 0, 6.35 and 1 px; the median in um.
    assert "head length, µm 3 0.100" in text
    assert "True errors are larger" in text


def test_views_that_agree_on_the_share_of_normal_forms_are_said_to(sample, tmp_path):
    summary, rows = sample
    summary["uncertainty"]["normal_percent_lowest"] = 66.6666
    summary["uncertainty"]["normal_percent_highest"] = 66.6666
    assert "came out as 66.7 % in all of them" in page_of(tmp_path, summary, rows)


def test_without_other_views_there_is_one_line_on_how_to_get_them(sample, tmp_path):
    summary, rows = sample
    del summary["uncertainty"]
    plain = [
        {k: v for k, v in row.items() if not k.startswith(("verdict_", "views"))} for row in rows
    ]
    text = page_of(tmp_path, summary, plain)
    assert "--uncertainty shows" in text
    assert "How sure" not in text
    assert "views agree" not in text


def test_spread_is_relative_where_that_makes_sense(sample):
    summary, _ = sample
    quantities = [
        {"name": name, "label": name, "unit": unit, "counted": {"median": median}}
        for name, unit, median in (("head_length", "µm", 4.4), ("head_ellipticity", "", 1.6))
    ]
    shown = {one["name"]: one for one in uncertainty_view(summary, quantities, label_of)["spread"]}
    assert shown["head_length"]["percent"] == pytest.approx(100 * 0.1 / 4.4)
    assert shown["head_ellipticity"]["percent"] is None


@pytest.mark.parametrize(
    ("row", "doubt"),
    [
        ({}, ""),
        ({"verdict_uncertain": "", "views": ""}, ""),
        ({"verdict_uncertain": 0, "views": 9, "verdict_agreement": 0.7778}, ""),
        ({"verdict_uncertain": "1", "views": "9", "verdict_agreement": "0.5556"}, "5 of 9"),
    ],
)
def test_only_uncertain_verdicts_are_marked(row, doubt):
    assert doubt_of(row).startswith(doubt)
    assert bool(doubt_of(row)) == bool(doubt)
