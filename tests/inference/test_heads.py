"""Evidence of drawn heads, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spermseg.inference.heads import (
    evidence,
    fitting_heads,
    heads_seen,
    sperm_heads,
    typical_length,
)
from spermseg.structures import SCHEMAS, LabelSchema

SCHEMA = SCHEMAS["report-2021"]
SIZE = (200, 300)


def ellipse(row, column, length, width):
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    return ((rows - row) / width) ** 2 + ((columns - column) / length) ** 2 <= 0.25


def scores_of(*heads, midpieces=(), probability=1.0):
    """Give scores of "report-2021": heads of one probability, and sure midpieces beside them."""
    scores = np.zeros((4, *SIZE), np.float32)
    for mask in heads:
        scores[1][mask] = probability
    for mask in midpieces:
        scores[2][mask & (scores[1] == 0)] = 1
    scores[0] = 1 - scores[1:].sum(0)
    return scores


def test_lengths_and_areas_are_those_drawn():
    (head,) = heads_seen(scores_of(ellipse(100, 100, 45, 28)), SCHEMA)
    assert head.length == pytest.approx(45, rel=0.03)
    assert head.area == pytest.approx(np.pi / 4 * 45 * 28, rel=0.03)
    assert head.is_whole
    assert not head.has_midpiece


@pytest.mark.parametrize(("distance", "joined"), [(0, True), (12, False)])
def test_a_midpiece_begins_at_its_head(distance, joined):
    # Six pixels wide, from the right end of the head on.
    midpiece = np.zeros(SIZE, bool)
    midpiece[97:103, 100 + distance + 20 : 180] = True
    (head,) = heads_seen(scores_of(ellipse(100, 100, 45, 28), midpieces=[midpiece]), SCHEMA)
    assert head.has_midpiece == joined


def test_without_midpieces_in_its_schema_a_network_cannot_miss_them():
    schema = LabelSchema(("background", "head"), (0, 1))
    scores = scores_of(ellipse(100, 100, 45, 28))[:2]
    (head,) = heads_seen(scores, schema)
    assert head.has_midpiece


@pytest.mark.parametrize(("probability", "certainty"), [(1.0, 1.0), (0.9, 0.5), (0.7, 0.0)])
def test_certainty_by_probability(probability, certainty):
    (head,) = heads_seen(scores_of(ellipse(100, 100, 45, 28), probability=probability), SCHEMA)
    assert head.certainty == pytest.approx(certainty, abs=1e-4)


def test_evidence_is_the_number_of_sperm():
    heads = [ellipse(50, 60, 45, 28), ellipse(50, 200, 45, 28), ellipse(140, 60, 45, 28)]
    beside = [ellipse(50, 60, 70, 28), ellipse(50, 200, 70, 28)]
    seen = heads_seen(scores_of(*heads, midpieces=beside), SCHEMA)
    # Two with a midpiece, and half a head for all others.
    assert evidence(seen, 45) == pytest.approx(2.5)
    assert len(sperm_heads(seen)) == 2


def test_heads_without_midpieces_count_once_however_many():
    heads = [ellipse(row, column, 45, 28) for row in (50, 140) for column in (60, 150, 240)]
    assert evidence(heads_seen(scores_of(*heads), SCHEMA), 45) == pytest.approx(0.5)


def test_what_is_too_long_lessens_the_evidence_by_its_area():
    head, patch = ellipse(50, 60, 45, 28), ellipse(110, 200, 90, 56)
    seen = heads_seen(scores_of(head, patch), SCHEMA)
    assert evidence(seen, 45) == pytest.approx(0.5 / 5, rel=0.03)
    assert [one.length for one in fitting_heads(seen, 45)] == [pytest.approx(45, rel=0.03)]
    # Most of the area is that of the longer one.
    assert typical_length(seen) == pytest.approx(90, rel=0.03)


def test_a_head_cut_by_the_border_changes_nothing():
    seen = heads_seen(scores_of(ellipse(100, 100, 45, 28), ellipse(100, 299, 45, 28)), SCHEMA)
    assert len(seen) == 2
    assert evidence(seen, 45) == pytest.approx(0.5)
    assert typical_length(seen) == pytest.approx(45, rel=0.03)


def test_of_nothing_there_is_no_evidence():
    assert heads_seen(scores_of(np.zeros(SIZE, bool)), SCHEMA) == []
    assert evidence([], 45) == 0


def test_scores_in_half_precision_give_the_same():
    scores = scores_of(ellipse(100, 100, 45, 28), probability=0.93)
    (half,), (full,) = (heads_seen(given, SCHEMA) for given in (scores.astype(np.float16), scores))
    assert half.certainty == pytest.approx(full.certainty, abs=0.005)
    assert (half.length, half.area) == (full.length, full.area)
