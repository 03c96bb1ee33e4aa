import math
import re

import numpy as np
import pytest

from spermseg import DISCLAIMER
from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.objects import SPERM, Found
from spermseg.analysis.quantities import QUANTITIES, column
from spermseg.analysis.sample_statistics import JudgedSperm, summarise
from spermseg.analysis.verdicts import judge
from spermseg.data.preprocess import Preprocessing
from spermseg.inference.card import ModelCard
from spermseg.report.analysis_page import write_analysis_report
from spermseg.report.overlays import encode
from spermseg.report.sample_section import CROPS, label_of, sample_notes, sample_views
from spermseg.structures import SCHEMAS, Morphometry

CRITERIA = load_criteria()
UM = 0.05
NORMAL = {
    "head_length": 4.5 / UM,
    "head_width": 2.8 / UM,
    "head_ellipticity": 4.5 / 2.8,
    "head_regularity": 1.0,
    "head_roughness": 0.88,
    "head_symmetry": 0.95,
    "acrosome_fraction": 0.5,
    "vacuole_count": 0,
    "vacuole_fraction": 0.0,
    "vacuole_largest_fraction": 0.0,
    "vacuole_behind_acrosome": 0,
    "midpiece_length": 4.0 / UM,
    "midpiece_width": 0.6 / UM,
    "midpiece_insertion_angle": 5.0,
    "midpiece_insertion_offset": 2.0,
    "tail_length": 45.0 / UM,
    "tail_seen_length": 45.0 / UM,
    "tail_view": 12.0,
    "tail_width": 9.0,
    "tail_largest_bend": 20.0,
    "tail_coiling": 0.1,
    "droplet_fraction": 0.0,
}
LONG_HEAD = {"head_length": 5.6 / UM, "head_ellipticity": 2.0}


def sperm(id=1, *, flags=(), found=SPERM, image="a", sample="man", slide="", um=UM, **values):
    """Give a judged sperm and its row as `spermseg.batch` makes it."""
    morphometry = Morphometry(id, NORMAL | values, frozenset(flags))
    verdict = judge(morphometry, CRITERIA, um, found)
    row = {"image": image, "sample": sample, "slide": slide, "sperm_id": id}
    row["object"] = verdict.object
    row["verdict"] = {True: "normal", False: "abnormal", None: "not assessable"}[verdict.normal]
    if not verdict.is_sperm:
        row["verdict"] = "not counted"
    row |= {"reason": verdict.not_assessable_reason, "bbox_head": (10, 20, 30, 60)}
    row["failed"] = [str(failure) for failure in verdict.failed]
    for name, value in morphometry.values.items():
        row[column(name, um is not None)] = QUANTITIES[name].scaled(value, um)
    return JudgedSperm(morphometry, verdict, um, slide), row


def summary_of(found, name="man"):
    return summarise(name, [judged for judged, _ in found], CRITERIA).to_dict()


def run_of(*ids, um=UM):
    card = ModelCard(
        id="model-1",
        architecture="unet",
        schema=SCHEMAS["sperm-parsing"],
        preprocessing=Preprocessing(head_length_px=45.0),
        weights="model.onnx",
        weights_sha256="0123456789abcdef" * 4,
        seed=0,
        recipe={},
        data="synthetic smears",
    )
    parts = ("head", "acrosome", "nucleus", "vacuole", "midpiece", "tail")
    row = {"page": 0, "status": "done", "reason": None, "warnings": [], "um_per_px": um}
    row |= {"height": 100, "width": 140, "scale_source": "pixel size", "head_length_px": 20.0}
    row |= {"heads": 4, "seconds": 0.1, "normal": 1, "abnormal": 2, "not_assessable": 3}
    row |= {f"{part}_{what}": 0.1 for part in parts for what in ("area_px", "share")}
    return {
        "model": {"id": card.id, "sha256": card.weights_sha256, "card": card.to_dict()},
        "spermseg_version": "0.1.0",
        "arguments": {},
        "started": "2026-11-22T10:00:00+00:00",
        "finished": "2026-11-22T10:01:00+00:00",
        "pictures": [{**row, "id": id, "file": f"{id}.png"} for id in ids],
    }


def page_of(tmp_path, found, *ids, overlays=True, **arguments):
    run = run_of(*(ids or ("a",)), **arguments)
    for row in run["pictures"] if overlays else ():
        path = tmp_path / "overlays" / f"{row['id']}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(np.full((100, 140, 3), 200, np.uint8), "jpeg"))
    samples = dict.fromkeys(row["sample"] for _, row in found)
    summaries = [
        summary_of([one for one in found if one[1]["sample"] == name], name) for name in samples
    ]
    write_analysis_report(tmp_path, run, summaries=summaries, sperm=[row for _, row in found])
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def text_of(page):
    return " ".join(re.sub("<style>.*?</style>|<.*?>", " ", page, flags=re.DOTALL).split())


def few():
    return [
        *(sperm(id) for id in (1, 2)),
        *(sperm(id, **LONG_HEAD) for id in (3, 4)),
        *(sperm(id, flags=("cut",), tail_view=3.0) for id in range(5, 10)),
        sperm(10, flags=("no_head",)),
    ]


def test_the_result_is_said_first_in_words_with_its_interval(tmp_path):
    text = text_of(page_of(tmp_path, few()))
    assert "9 sperm counted, 4 of them assessable, of which 2 (50.0 %) normal." in text
    # Newcombe 1998, method 3, 2 of 4: worked out by hand.
    assert "15.0 to 85.0 %" in text
    assert "sperm heads found" not in text  # Another number than that of the sperm counted.
    order = ["Before you read", "Normal forms", "Who was assessed", "Defects", "Criteria failed"]
    order += ["Measurements", "Sperm by verdict", "Model and scale", "Each picture", DISCLAIMER]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "tails without a head 1" in text
    assert "less than 5.2 head lengths of tail in view 5 55.6 %" in text
    assert "sperm 10" not in text


def test_what_is_no_sperm_is_told_and_shown_apart(tmp_path):
    loose = Found("loose head", "neither midpiece nor tail")
    round_cell = Found("not a sperm", "round, without midpiece and tail")
    found = [*few(), sperm(11, found=loose), *(sperm(id, found=round_cell) for id in (12, 13))]
    page = page_of(tmp_path, found)
    text = text_of(page)
    assert "9 sperm counted, 4 of them assessable" in text
    assert "loose heads neither midpiece nor tail 1" in text
    assert "round cells and debris round, without midpiece and tail 2" in text
    assert "not counted 3" in text
    assert "sperm 12 round, without midpiece and tail" in text
    # They have a head, but it is in no distribution.
    assert "head length, µm: median 4.50 of 9 sperm" in page


def test_what_rests_on_the_acrosome_alone_is_told():
    found = [sperm(1), *(sperm(id, acrosome_fraction=0.3) for id in (2, 3, 4))]
    found.append(sperm(5, acrosome_fraction=0.3, tail_largest_bend=120.0))
    (note,) = [one for one in sample_notes(summary_of(found)) if "acrosome" in one]
    assert note.startswith(
        "4 of 5 sperm fail by the area of the acrosome (median here 0.300, published 0.475), "
        "3 of them by nothing else."
    )
    # Newcombe 1998, method 3, 4 of 5.
    assert "4 of 5 (80.0 %, 95 % interval 37.6 to 96.4 %) would be normal" in note
    assert "--criteria who-2021-without-acrosome" in note


def test_what_weakens_the_result_is_told():
    notes = sample_notes(summary_of(few()))
    assert notes[0].startswith(
        "5 of 9 sperm could not be assessed, 5 of them for this reason: less"
    )
    assert notes[1].startswith("4 sperm were assessed; the WHO manual asks for at least 200")
    assert len(notes) == 2


def test_enough_good_sperm_need_no_notes():
    found = [sperm(id, **(LONG_HEAD if id % 10 else {})) for id in range(1, 1001)]
    (note,) = sample_notes(summary_of(found))
    # All abnormal ones have the same defect, which may be the method's.
    assert note.startswith(
        "900 of 1,000 sperm fail by head length (median here 5.60, published 4.1"
    )


def test_without_pixel_size_it_says_what_was_not_judged(tmp_path):
    found = [sperm(1, um=None)]
    note = sample_notes(summary_of(found))[0]
    assert note.startswith("Pixel size unknown: head length, head width, midpiece width, tail")
    page = page_of(tmp_path, found, um=None)
    assert "head length, px" in page
    assert "In pixels: no reference." in page
    assert 'aria-label="head length, px: median 90.0 of 1 sperm"' in page


def test_the_reference_range_is_in_the_histogram_where_the_scale_is_known(tmp_path):
    page = page_of(tmp_path, few())
    assert "head length, µm: median 4.50 of 9 sperm, reference range 3.7 to 4.7" in page


def test_every_sperm_is_shown_with_its_criterion_and_linked_to_its_picture(tmp_path):
    cut = sperm(3, flags=("cut",), head_width=math.nan)
    found = [sperm(1, image="b/x"), sperm(2, image="b/x", **LONG_HEAD), cut]
    page = page_of(tmp_path, found, "a", "b/x")
    gallery = page[page.index("Sperm by verdict") : page.index("Model and scale")]
    order = ["normal", "sperm 1", "abnormal", "sperm 2", "head too long (5.6 &gt; 5 um)"]
    order += ["not assessable", "sperm 3", "head cut by the border of the picture"]
    places = [gallery.index(words) for words in order]
    assert places == sorted(places)
    assert gallery.count("data:image/jpeg") == 3
    assert gallery.count('href="overlays/b/x.jpg"') == 2
    for link in set(re.findall(r'href="#(.*?)"', page)):
        assert f'id="{link}"' in page


def test_without_overlays_the_sperm_are_still_listed(tmp_path):
    page = page_of(tmp_path, few(), overlays=False)
    assert "data:image" not in page
    assert "no. 1</a>, sperm 3" in page


def test_a_gallery_is_bounded_and_says_so(tmp_path):
    found = [sperm(id, **LONG_HEAD) for id in range(1, 2 * CROPS + 1)]
    rows = [row for _, row in found]
    (view,) = sample_views([summary_of(found)], rows, tmp_path, run_of("a"))
    abnormal = next(group for group in view["gallery"] if group["verdict"] == "abnormal")
    assert (abnormal["total"], len(abnormal["cards"])) == (2 * CROPS, CROPS)
    assert "shown, evenly chosen" in page_of(tmp_path, found)


def test_slides_that_differ_too_much_are_told(tmp_path):
    found = [sperm(id, slide="1") for id in range(1, 11)]
    found += [sperm(id, slide="2", **LONG_HEAD) for id in range(11, 21)]
    text = text_of(page_of(tmp_path, found))
    assert "Slides 1 and 2 differ more than chance explains (100.0 points, acceptable 43.8)" in text
    assert "differ: count again" in text


def test_several_samples_have_a_table_and_each_its_own_page(tmp_path):
    found = [*few(), *(sperm(id, sample="other") for id in range(1, 4))]
    page = page_of(tmp_path, found)
    assert "2 samples</h2>" in page
    assert page.index("Sample man") < page.index("Sample other")
    assert page.count('<div class="sample"') == 2


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([sperm(1, flags=("no_head",))], "No sperm was found."),
        ([sperm(1, tail_view=2.0)], "1 sperm counted, none of which could be assessed."),
    ],
)
def test_nothing_to_judge_is_said_too(tmp_path, found, words):
    text = text_of(page_of(tmp_path, found))
    assert words in text
    assert "There is no share of normal forms" in text


def test_numbers_may_be_texts_as_in_the_file(tmp_path):
    judged, row = sperm(1)
    text = {name: str(value) if isinstance(value, float) else value for name, value in row.items()}
    (view,) = sample_views([summary_of([(judged, row)])], [text], tmp_path, run_of("a"))
    assert view["distributions"][0]["ends"][0]["value"] == pytest.approx(4.5)


def test_names_cannot_become_part_of_the_page(tmp_path):
    evil = "<script>alert(1)</script>"
    page = page_of(tmp_path, [sperm(1, sample=evil, slide=evil), sperm(2, sample="b")])
    assert evil not in page


def test_labels_are_words():
    assert label_of("head_ellipticity") == "head length / width"
    assert label_of("tail_length") == "tail length"
