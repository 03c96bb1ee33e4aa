from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from spermseg.evaluation import evaluate, write_evaluation_report
from spermseg.evaluation.parsing_scores import detections, parsing_table
from spermseg.metrics.parsing import HALF, compare_sperm
from spermseg.structures import SCHEMAS, Part, Scale, Segmentation, SpermInstance

SCHEMA = SCHEMAS["sperm-parsing"]
SIZE = (160, 320)


def draw(*rows):
    """Paint a sperm that lies along each of the rows given, its head 40 px long."""
    picture = Image.new("L", SIZE[::-1])
    pen = ImageDraw.Draw(picture)
    for row in rows:
        pen.rectangle((100, row - 2, 290, row + 2), fill=Part.TAIL)
        pen.rectangle((59, row - 3, 100, row + 3), fill=Part.MIDPIECE)
        pen.ellipse((20, row - 13, 60, row + 13), fill=Part.NUCLEUS)
        pen.chord((20, row - 13, 60, row + 13), 120, 240, fill=Part.ACROSOME)
    return np.array(picture)


def one_by_one(*rows):
    result = []
    for id, part_map in enumerate(map(draw, rows), start=1):
        parts = np.unique(part_map[part_map > 0]).tolist()
        masks = {part: part_map == part for part in parts}
        result.append(SpermInstance.from_full_masks(id, masks))
    return tuple(result)


@pytest.fixture
def evaluated(memory_dataset, colour_predictor):
    """Evaluate pictures given as (rows of the annotated sperm, rows of those seen)."""

    class Annotated(memory_dataset):
        sperm = None

        def load(self, sample_id):
            instances = self.sperm and self.sperm[sample_id]
            sample = super().load(sample_id)
            return dataclasses.replace(sample, instances=instances, head_length_px=40.0)

    def run(pictures, schema=SCHEMA, annotated=True, **options):
        maps = {
            id: (draw(*truth), schema.to_indices(draw(*seen)))
            for id, (truth, seen) in pictures.items()
        }
        dataset = Annotated(maps, schema)
        if annotated:
            dataset.sperm = {id: one_by_one(*truth) for id, (truth, _) in pictures.items()}
        return evaluate(colour_predictor(schema), dataset, list(pictures), **options)

    return run


def test_sperm_seen_as_annotated_are_all_found(evaluated):
    sperm = evaluated({"a": ((40, 110), (40, 110)), "b": ((80,), (80,))}).sperm
    assert (sperm["n_pictures"], sperm["n_annotated"], sperm["n_predicted"]) == (2, 3, 3)
    assert sperm["ap50"] == sperm["ap_volume"] == sperm["pcp50"] == 1
    assert sperm["miou"] == pytest.approx(1, abs=0.01)
    assert sperm["intervals"]["ap50"] == [1, 1]


def test_a_sperm_that_is_not_seen_costs_its_share(evaluated):
    sperm = evaluated({"a": ((40, 110), (40,)), "b": ((40, 110), (40, 110))}).sperm
    assert sperm["ap50"] == sperm["pcp50"] == 0.75
    # Every class of the painted picture has three of four sperm, up to its rims.
    parts = [sperm["iou"][part] for part in ("midpiece", "tail", "acrosome", "nucleus")]
    assert parts == pytest.approx([0.75] * 4, abs=0.01)
    low, high = sperm["intervals"]["ap50"]
    assert (low, high) == (0.5, 1)


def test_tails_without_head_and_rims_of_heads_are_no_detections():
    seen = draw(40, 110)
    seen[80:, :110] = 0  # Of the lower sperm, only the tail.
    seen[70:90, 310:] = Part.NUCLEUS  # And the rim of a head that the border cuts.
    scores = np.moveaxis(np.eye(SCHEMA.n_classes, dtype=np.float32)[SCHEMA.to_indices(seen)], 2, 0)
    scale = Scale("head length given", 40.0)
    found = detections(Segmentation(seen, scores, SCHEMA, scale))
    compared = compare_sperm(found, one_by_one(40), SIZE)
    assert compared.found[:, HALF].tolist() == [True]


def test_where_sperm_are_not_compared(evaluated):
    pictures = {"a": ((40,), (40,))}
    assert evaluated(pictures, annotated=False).sperm is None
    assert evaluated(pictures, thorough=False).sperm is None
    assert evaluated(pictures, at_working_size=True).sperm is None
    assert evaluated(pictures, SCHEMAS["report-2021"]).sperm is None
    assert parsing_table([]) is None


def test_without_annotated_sperm_there_is_no_figure():
    table = parsing_table([compare_sperm((), (), SIZE)])
    assert table["pcp50"] is table["ap50"] is table["intervals"]["ap50"] is None
    json.dumps(table, allow_nan=False)


def test_pages_show_the_figures_beside_what_people_reach(evaluated, tmp_path):
    result = evaluated({"a": ((40, 110), (40,)), "b": ((40, 110), (40, 110))})
    write_evaluation_report(result, tmp_path)
    lines = (tmp_path / "evaluation.md").read_text().splitlines()
    assert "| APp50 | 0.750 (0.500 – 1.000) | 0.979 – 0.991 |" in lines
    page = (tmp_path / "report.html").read_text()
    assert "3 sperm found, 4 annotated" in " ".join(page.split())
    assert "0.857 – 0.912" in page
    assert json.loads((tmp_path / "evaluation.json").read_text())["sperm"] == result.sperm
