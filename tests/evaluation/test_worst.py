import base64
import dataclasses
import io
import json
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

from spermseg import DISCLAIMER
from spermseg.errors import UsageError
from spermseg.evaluation import evaluate
from spermseg.evaluation.worst import write_worst
from spermseg.report.colours import PART_COLOURS, rgb
from spermseg.report.worst_page import draw_sperm
from spermseg.structures import SCHEMAS, LabelledSample, Part, SpermInstance

SCHEMA = SCHEMAS["sperm-parsing"]
SIZE = (160, 320)


def draw(*rows):
    """Paint a sperm along each of the rows given; a negative row has no acrosome."""
    picture = Image.new("L", SIZE[::-1])
    pen = ImageDraw.Draw(picture)
    for row in rows:
        row, acrosome = abs(row), row > 0
        pen.rectangle((100, row - 2, 290, row + 2), fill=Part.TAIL)
        pen.rectangle((59, row - 3, 100, row + 3), fill=Part.MIDPIECE)
        pen.ellipse((20, row - 13, 60, row + 13), fill=Part.NUCLEUS)
        if acrosome:
            pen.chord((20, row - 13, 60, row + 13), 120, 240, fill=Part.ACROSOME)
    return np.array(picture)


def one_by_one(*rows):
    maps = [draw(row) for row in rows]
    return tuple(
        SpermInstance.from_full_masks(id, {part: m == part for part in np.unique(m[m > 0])})
        for id, m in enumerate(maps, start=1)
    )


@pytest.fixture
def evaluated(memory_dataset, colour_predictor):
    """Evaluate pictures given as (rows of the annotated sperm, rows of those seen)."""

    class Annotated(memory_dataset):
        def load(self, sample_id):
            return dataclasses.replace(
                super().load(sample_id), instances=self.sperm[sample_id], head_length_px=40.0
            )

    def run(pictures):
        maps = {id: (draw(*t), SCHEMA.to_indices(draw(*s))) for id, (t, s) in pictures.items()}
        dataset = Annotated(maps, SCHEMA)
        dataset.sperm = {id: one_by_one(*truth) for id, (truth, _) in pictures.items()}
        predictor = colour_predictor(SCHEMA)
        return evaluate(predictor, dataset, list(pictures)), predictor, dataset

    return run


PICTURES = {"good": ((40,), (40,)), "poor": ((40, 110), (-40,)), "extra": ((40,), (40, 110))}
REASONS = """
model: colours
reasons:
  - {picture: poor, sperm: 2, reason: blur, cause: network, sentence: Not <seen> at all.}
  - {picture: good, sperm: 7, reason: other, sentence: There is none such.}
"""


def pages(folder):
    content = json.loads((folder / "worst.json").read_text())
    return content, (folder / "worst.html").read_text()


def test_worst_first_with_what_is_missing(evaluated, tmp_path):
    write_worst(*evaluated(PICTURES), tmp_path, 2)
    content, page = pages(tmp_path)
    first, second = content["worst"]
    assert (first["picture"], first["sperm"], first["match"]) == ("poor", 2, None)
    assert first["missing"] == ["midpiece", "tail", "acrosome", "nucleus"]
    assert first["mean_part_iou"] == first["seen"]["tail"] == 0
    assert first["iou"]["vacuole"] is first["reason"] is None
    assert (second["picture"], second["sperm"]) == ("poor", 1)
    assert second["missing"] == ["acrosome"]
    assert second["iou"]["tail"] > 0.95
    assert second["match"]["score"] > 0.9
    assert (content["n_annotated"], content["n_false"]) == (4, 1)
    (false,) = content["false"]
    assert (false["picture"], false["found"]) == ("extra", 2)
    titles = re.findall(r"<h3>(.*?)</h3>", page)
    assert [title[:18] for title in titles] == [
        "1. poor, sperm 2: ",
        "2. poor, sperm 1: ",
        "1. extra, found 2:",
    ]
    assert page.count("No reason given yet.") == 3


def test_page_is_self_contained_and_says_what_it_is_for(evaluated, tmp_path):
    write_worst(*evaluated(PICTURES), tmp_path, 1)
    page = pages(tmp_path)[1]
    assert DISCLAIMER in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    # Whole and close up, for the annotated sperm and the false one: picture, annotation, found.
    assert page.count("<img ") == 12


def test_reasons_are_shown_escaped_counted_and_missed(evaluated, tmp_path):
    reasons = tmp_path / "reasons.yaml"
    reasons.write_text(REASONS)
    write_worst(*evaluated(PICTURES), tmp_path, 2, reasons)
    content, page = pages(tmp_path)
    first = content["worst"][0]
    assert (first["reason"], first["cause"]) == ("blur", "network")
    assert "Not &lt;seen&gt; at all." in page
    assert "Reasons: blur 1." in page
    assert content["warnings"][-1] == "Reasons are given for 1 sperm that are not shown here: good."
    assert content["warnings"][-1] in page


def test_where_sperm_were_not_compared_there_is_nothing_to_rank(evaluated, tmp_path):
    result, *others = evaluated(PICTURES)
    pictures = tuple(dataclasses.replace(one, sperm=None) for one in result.pictures)
    with pytest.raises(UsageError, match="no sperm to rank"):
        write_worst(dataclasses.replace(result, pictures=pictures), *others, tmp_path, 2)
    assert not (tmp_path / "worst.json").exists()


def has_colour(uri, colour):
    encoded = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")).astype(int)
    return bool((np.abs(pixels - colour).max(2) < 25).sum() > 50)


def test_panels_show_the_sperm_in_colour_and_others_in_grey():
    annotated = one_by_one(40, 110)
    image = np.full((*SIZE, 3), 255, np.uint8)
    sample = LabelledSample("a", image, part_map=draw(40, 110), instances=annotated)
    whole, close = draw_sperm(sample, annotated[1:], sperm=1, found_id=None)
    tail, acrosome = rgb(PART_COLOURS[Part.TAIL]), rgb(PART_COLOURS[Part.ACROSOME])
    assert (whole["name"], close["name"]) == ("whole", "close up")
    assert has_colour(whole["annotation"], tail)
    assert has_colour(close["annotation"], acrosome)
    assert not has_colour(whole["picture"], tail)
    # Sperm 2 begins 57 rows below: it is in the margin of neither, nor is it the one asked for.
    assert not has_colour(whole["found"], tail)
    both = draw_sperm(sample, annotated[1:], sperm=1, found_id=2)[0]
    assert has_colour(both["found"], tail)
    assert has_colour(both["annotation"], (96, 96, 96))
    assert not has_colour(both["picture"], (96, 96, 96))
