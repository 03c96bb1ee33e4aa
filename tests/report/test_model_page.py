import re
from dataclasses import replace

import pytest
import yaml

from spermseg import DISCLAIMER
from spermseg.data.preprocess import Preprocessing
from spermseg.inference.card import ModelCard
from spermseg.report.model_page import model_html, model_markdown, write_model_page
from spermseg.structures import SCHEMAS

SCORES = {"iou": 0.712, "dice": 0.832, "precision": 0.8, "recall": 0.9}
TEST = {
    "data": "benchmark",
    "annotation_set": 1,
    "pictures": 42,
    "groups": 8,
    "scores": {
        "background": {**SCORES, "iou": 0.981, "iou_interval": [0.979, 0.983]},
        "tail": {**SCORES, "iou": 0.512, "iou_interval": None},
    },
    "mean_iou": {"iou": 0.6931, "iou_interval": [0.67, 0.71]},
    "mean_iou_without_background": {"iou": 0.6, "iou_interval": [0.58, 0.62]},
    "warnings": ["few groups"],
}
CHANGE = {
    "change": "resized to 0.5",
    "description": "half the size",
    "head_dice": 0.912,
    "head_dice_interval": [0.9, 0.92],
    "loss_points": 5.4,
    "loss_points_interval": [5.0, 5.8],
    "allowed_points": 5,
    "head_iou": 0.84,
    "midpiece_iou": 0.5,
    "tail_iou": 0.4,
    "mean_iou": 0.6,
    "head_length_ratio": 1.01,
    "head_length_ratio_range": [0.9, 1.1],
    "unknown_scale": 3,
}
PARITY = {"max_probability_difference": 2e-6, "equal_labels": 0.99999, "inputs": [[1, 3, 8, 8]] * 2}
CARD = ModelCard(
    id="smear-1",
    architecture="unet",
    schema=SCHEMAS["sperm-parsing"],
    preprocessing=Preprocessing(head_length_px=45.0),
    weights="model.onnx",
    weights_sha256="0123456789abcdef" * 4,
    seed=7,
    recipe={"optimisation": {"epochs": 30}, "note": "<b>μm</b>"},
    data="180 pictures of a benchmark",
    data_licence="for research",
    limits="Other species.",
    metrics={"test": TEST, "robustness": [CHANGE], "parity": PARITY, "validation": {"loss": 0.25}},
)
BARE = replace(CARD, recipe={}, metrics={})
FACTS = [
    *("smear-1", "unet", "vacuole (6)", "a typical head is 45 px long", "seed", "7"),
    *("180 pictures of a benchmark", "for research", "Other species.", DISCLAIMER),
    *("model.onnx", CARD.weights_sha256, "0.712", "recall", "resized to 0.5", "5.4", "few groups"),
    *("42 pictures of 8 groups", "99.999 %", "loss: 0.25", "epochs: 30"),
]


@pytest.mark.parametrize("render", [model_html, model_markdown])
@pytest.mark.parametrize("fact", FACTS)
def test_page_holds_what_the_card_says(render, fact):
    scores = {**TEST["scores"], "nucleus": SCORES}
    metrics = {**CARD.metrics, "test": {**TEST, "scores": scores}}
    assert fact in render(replace(CARD, metrics=metrics))


@pytest.mark.parametrize("render", [model_html, model_markdown])
def test_figures_of_sperm_one_by_one_are_shown_with_the_version_that_told_them_apart(render):
    figures = {"miou": 0.7346, "ap50": 0.95, "ap_volume": 0.701, "pcp50": 0.8214}
    intervals = {name: [value - 0.02, value + 0.02] for name, value in figures.items()}
    sperm = {**figures, "intervals": intervals, "spermseg_version": "1.2.3"}
    page = render(replace(CARD, metrics={"test": {**TEST, "sperm": sperm}}))
    assert "told apart by spermseg 1.2.3: mIoU of the painted sperm 0.735 (0.715 – 0.755)" in page
    assert "PCP50 0.821 (0.801 – 0.841)" in page
    assert "APp50" not in render(CARD)


def test_markdown_tables_have_a_row_a_part_with_intervals():
    page = model_markdown(CARD).splitlines()
    assert "| part | IoU | Dice | precision | recall |" in page
    assert "| background | 0.981 (0.979 – 0.983) | 0.832 | 0.800 | 0.900 |" in page
    assert "| tail | 0.512 | 0.832 | 0.800 | 0.900 |" in page
    assert "| mean with background | 0.693 (0.670 – 0.710) | – | – | – |" in page
    tables = [line for line in page if line.startswith("|")]
    assert {line.count("|") for line in tables} == {6, 11}


def test_more_points_than_allowed_are_marked():
    assert "5.4 (5.0 – 5.8) !" in model_markdown(CARD)
    kept = replace(CARD, metrics={"robustness": [{**CHANGE, "allowed_points": 6}]})
    assert "!" not in model_markdown(kept)
    unknown = replace(CARD, metrics={"robustness": [{**CHANGE, "loss_points": None}]})
    assert "!" not in model_markdown(unknown)


def test_recipe_reads_back_from_the_page():
    block = re.search(r"## Recipe\n\n```yaml\n(.*?)```", model_markdown(CARD), re.DOTALL)[1]
    assert yaml.safe_load(block) == CARD.recipe


def test_a_card_without_figures_has_no_empty_sections(tmp_path):
    for page in (model_html(BARE), model_markdown(BARE)):
        assert "Quality" not in page
        assert "Recipe" not in page
        assert "exported" not in page
        assert "cost" not in page
    write_model_page(tmp_path / "model.html", BARE)
    assert (tmp_path / "model.html").read_text(encoding="utf-8") == model_html(BARE)


@pytest.mark.parametrize(
    ("preprocessing", "words"),
    [
        (Preprocessing(), "pictures keep their own size"),
        (Preprocessing(size=(600, 800)), "pictures are resized to 800 x 600 px"),
        (Preprocessing(size=(600, 800), crop=(400, 500)), "and cropped to the middle 500 x 400 px"),
    ],
)
def test_working_scale_in_words(preprocessing, words):
    assert words in model_markdown(replace(BARE, preprocessing=preprocessing))


def test_card_texts_cannot_become_part_of_the_page():
    page = model_html(replace(CARD, limits="<script>alert(1)</script>"))
    assert "<script" not in page
    assert "<b>" not in page
    assert re.findall(r'(?:href|src)="([^"]*)"', page) == []
