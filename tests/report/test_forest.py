from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from spermseg.report.colours import SERIES_COLOURS
from spermseg.report.forest import Estimate, ForestRow, forest_svg

KINDS = ("helps", "hurts", "no matter", "unknown")
NAMESPACE = "{http://www.w3.org/2000/svg}"


def row(label, value, kind):
    return ForestRow(label, (Estimate(value, value - 0.1, value + 0.1, (value,)),), kind)


def draw(*rows, heading="Which one?"):
    return ElementTree.fromstring(forest_svg({heading: rows}, ["difference"], KINDS))


def texts(svg):
    return [element.text for element in svg.iter(f"{NAMESPACE}text")]


def test_headings_and_rows_are_named_from_top_to_bottom():
    found = texts(draw(row("one", 0.2, "helps"), row("two $", -0.2, "hurts")))
    assert [text for text in found if text in ("Which one?", "one", "two $")] == [
        "Which one?",
        "one",
        "two $",
    ]
    assert "difference" in found
    assert set(KINDS) <= set(found)


def test_the_first_kind_is_green_and_the_second_red():
    for kind, drawn, other in (("helps", 2, 1), ("hurts", 1, 2)):
        svg = ElementTree.tostring(draw(row("one", 0.2, kind)), encoding="unicode")
        # Once each in the legend; interval, point and tick besides.
        assert svg.count(SERIES_COLOURS[drawn]) > svg.count(SERIES_COLOURS[other])
