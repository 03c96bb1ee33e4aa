"""One picture through the whole flow, with a network whose answer is known."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import spermseg
from spermseg import pipeline
from spermseg.analysis.analysed_sperm import COLUMNS
from spermseg.analysis.criteria import criteria_from, load_criteria
from spermseg.analysis.uncertainty import UNCERTAINTY_COLUMNS
from spermseg.data.images import write_image
from spermseg.errors import DataError, ImageError, ModelError, UsageError
from spermseg.inference.catalog import load_model
from spermseg.inference.predictor import Predictor
from spermseg.pipeline import analyze
from spermseg.result import AnalysisResult
from spermseg.structures import Part, Sample

WHITE, BLUE, RED, GREEN = (255, 255, 255), (0, 0, 255), (255, 0, 0), (0, 255, 0)


@pytest.fixture
def smear():
    """A sperm in plain colours: head 6 x 8 px, midpiece 2 x 5, tail 2 x 20, on 40 x 60."""
    image = np.full((40, 60, 3), WHITE, np.uint8)
    image[10:16, 5:13] = BLUE
    image[12:14, 13:18] = GREEN
    image[12:14, 18:38] = RED
    return image


@pytest.mark.parametrize("kind", ["array", "16 bit", "file", "text", "sample"])
def test_every_kind_of_source_gives_the_same_parts(smear, colour_model, tmp_path, kind):
    write_image(tmp_path / "a.png", smear)
    sources = {
        "array": smear,
        "16 bit": smear.astype(np.uint16) * 257,
        "file": tmp_path / "a.png",
        "text": str(tmp_path / "a.png"),
        "sample": Sample("a", smear),
    }
    result = analyze(sources[kind], model=colour_model)
    assert result.part_areas() == {
        "head": 48,
        "acrosome": 0,
        "nucleus": 48,
        "vacuole": 0,
        "midpiece": 10,
        "tail": 40,
    }
    assert (result.part_map[10:16, 5:13] == Part.NUCLEUS).all()
    assert result.head_count == 1
    assert result.sample.id == ("picture" if kind in ("array", "16 bit") else "a")


def test_what_made_a_result_is_said(smear, colour_model):
    result = analyze(smear, model=colour_model)
    assert result.provenance["model"] == "colours"
    assert result.provenance["spermseg"] == spermseg.__version__
    assert len(result.provenance["sha256"]) == 64


def test_every_sperm_comes_measured_and_judged(smear, colour_model):
    result = analyze(smear, model=colour_model, um_per_px=0.5)
    (one,) = result.sperm
    assert result.sperm_count == 1
    assert one.morphometry.values["head_area"] == pytest.approx(48, rel=0.05)
    assert one.verdict.normal is not None or one.verdict.not_assessable_reason
    (row,) = result.table()
    assert [row[f"bbox_{name}_px"] for name in ("x", "y", "width", "height")] == [5, 10, 33, 6]
    assert row["head_area_um2"] == pytest.approx(row["head_area_px2"] / 4)
    assert result.provenance["criteria"] == "who-2021"


@pytest.mark.parametrize("um_per_px", [0.1, 2.0])
def test_a_scale_that_the_heads_contradict_is_refused(smear, colour_model, um_per_px):
    # Heads of 8 px, 0.8 and 16 um long: the model is shown them at their true size all the same.
    with pytest.raises(UsageError, match=r"heads of human sperm are about 4\.4 um"):
        analyze(Sample("a", smear, um_per_px, head_length_px=8.0), model=colour_model)


def test_criteria_are_read_before_the_work_starts(smear, colour_model):
    with pytest.raises(UsageError, match=r"no criteria .who-2012.*who-2021"):
        analyze(smear, model="no such model", criteria="who-2012")


def test_grey_pictures_are_taken_as_three_equal_channels(colour_model):
    result = analyze(np.full((9, 7), 255, np.uint8), model=colour_model)
    assert result.sample.image.shape == (9, 7, 3)
    assert not result.part_map.any()


def test_the_user_s_scale_goes_before_the_file_s(smear, colour_model):
    sample = Sample("a", smear, um_per_px=0.4)
    assert analyze(sample, model=colour_model).scale.um_per_px == 0.4
    assert analyze(sample, model=colour_model, um_per_px=0.5).scale.um_per_px == 0.5
    by_head = analyze(sample, model=colour_model, head_length_px=8).scale
    assert (by_head.source, by_head.head_length_px) == ("head length given", 8)


@pytest.mark.parametrize(
    ("source", "options", "error", "says"),
    [
        (np.zeros((4, 4, 3)), {}, DataError, "float64.*255"),
        (np.zeros((4, 4), bool), {}, DataError, "bool"),
        (np.zeros((4, 4, 4), np.uint8), {}, DataError, r"\(4, 4, 4\)"),
        (np.zeros(4, np.uint8), {}, DataError, r"\(4,\)"),
        ([[1, 2], [3, 4]], {}, UsageError, "list"),
        (np.zeros((4, 4), np.uint8), {"page": 1}, UsageError, "page 1"),
        (np.zeros((4, 4), np.uint8), {"um_per_px": 0.0}, UsageError, "positive, got 0"),
        (np.zeros((4, 4), np.uint8), {"head_length_px": float("nan")}, UsageError, "nan"),
        (
            np.zeros((4, 4), np.uint8),
            {"um_per_px": 0.1, "head_length_px": 40.0},
            UsageError,
            "not both",
        ),
        ("no/such.png", {}, ImageError, "no such picture"),
        (np.zeros((4, 4), np.uint8), {"model": "no such model"}, ModelError, "no such model"),
    ],
)
def test_what_cannot_be_analysed_is_refused_with_its_reason(source, options, error, says):
    with pytest.raises(error, match=says):
        analyze(source, **options)


def test_what_looks_the_same_in_every_view_is_certain(smear, colour_model):
    plain = analyze(smear, model=colour_model, um_per_px=0.5)
    result = analyze(smear, model=colour_model, um_per_px=0.5, uncertainty=True)
    np.testing.assert_array_equal(result.part_map, plain.part_map)
    (before,), (row,) = plain.table(), result.table()
    # The result itself stays: what is new comes after it.
    assert tuple(row) == (*COLUMNS, *UNCERTAINTY_COLUMNS)
    assert {name: row[name] for name in COLUMNS} == before
    # The model has no working scale: six views besides the plain one.
    assert (row["views"], row["views_found"], row["verdict_agreement"]) == (7, 7, 1.0)
    spread = {name: row[name] for name in UNCERTAINTY_COLUMNS if name.endswith("_sd")}
    assert {name for name, value in spread.items() if value is not None} == {
        f"{name}_sd" for name in COLUMNS if f"{name}_sd" in spread and before[name] is not None
    }
    assert set(spread.values()) <= {None, 0.0}
    assert [view.view for view in result.views][:2] == ["as it is", "mirrored"]
    assert len({(view.counted, view.assessable, view.normal) for view in result.views}) == 1
    again = AnalysisResult.from_dict(json.loads(json.dumps(result.to_dict())), result.sample)
    assert again.views == result.views
    assert again.table() == result.table()
    assert plain.views == ()
    assert "uncertainty" not in plain.to_dict()["sperm"][0]


class LosesTailsUpright:
    """Takes blue for nucleus and green for midpiece; red for tail only in wide pictures."""

    def __call__(self, batch):
        red, green, blue = batch[0] > 0.5
        tail = red & ~green & (batch.shape[3] > batch.shape[2])
        nucleus, midpiece = blue & ~green, green & ~blue
        # background, midpiece, tail, acrosome, nucleus, vacuole
        parts = [~(tail | nucleus | midpiece), midpiece, tail, 0 * tail, nucleus, 0 * tail]
        return 9 * np.stack(parts).astype(np.float32)[np.newaxis]


def test_a_verdict_that_depends_on_the_view_is_said_to(smear, colour_model):
    predictor = Predictor(LosesTailsUpright(), load_model(colour_model).card)
    criteria = criteria_from(
        {
            "format_version": 1,
            "name": "tail",
            "title": "Whether there is a tail",
            "criteria": [
                one
                for one in load_criteria().to_dict()["criteria"]
                if one["name"] == "tail_present"
            ],
        }
    )
    (one,) = analyze(smear, predictor=predictor, criteria=criteria, uncertainty=True).sperm
    (upright,) = analyze(np.rot90(smear), predictor=predictor, criteria=criteria).sperm
    assert {one.verdict.normal, upright.verdict.normal} == {True, False}
    assert one.uncertainty.criteria == tuple(
        failure.criterion for failure in upright.verdict.failed
    )
    assert one.uncertainty.agreement == pytest.approx(5 / 7)  # Two of seven views are upright.
    assert one.uncertainty.found == 7
    assert one.uncertainty.spread["head_area"] == 0


def test_sperm_seen_in_no_other_view_are_uncertain(smear, colour_model):
    card = load_model(colour_model).card

    def only_wide(batch):
        background = np.zeros((1, 6, *batch.shape[2:]), np.float32)
        background[:, 0] = 9
        wide = batch.shape[3] > batch.shape[2]
        return LosesTailsUpright()(batch) if wide else background

    result = analyze(smear, predictor=Predictor(only_wide, card), uncertainty=True)
    (one,) = result.sperm
    assert (one.uncertainty.views, one.uncertainty.found) == (7, 5)
    assert one.uncertainty.agreement == pytest.approx(5 / 7)
    assert one.uncertainty.verdict_uncertain
    assert [view.counted for view in result.views] == [1, 1, 0, 1, 0, 1, 1]


def test_a_picture_without_sperm_has_views_too(colour_model):
    result = analyze(np.full((9, 7), 255, np.uint8), model=colour_model, uncertainty=True)
    assert result.sperm == ()
    assert {view.counted for view in result.views} == {0}


def test_a_model_is_loaded_once(smear, colour_model, monkeypatch):
    loads = []
    monkeypatch.setattr(
        pipeline, "load_model", lambda model, threads: loads.append(model) or object()
    )
    pipeline.cached_model.cache_clear()
    assert pipeline.cached_model("x") is pipeline.cached_model("x")
    assert loads == ["x"]
    pipeline.cached_model.cache_clear()


def test_the_package_s_front_door():
    assert spermseg.analyze is analyze
    assert set(dir(spermseg)) == set(spermseg.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        spermseg.nonsense  # noqa: B018


def test_analysing_loads_no_plots_and_no_torch(colour_model):
    code = (
        "import sys, numpy, spermseg\n"
        f"spermseg.analyze(numpy.full((64, 64), 255, 'u1'), model={str(colour_model)!r})\n"
        "print([m for m in ('torch', 'matplotlib', 'pandas', 'skimage') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
