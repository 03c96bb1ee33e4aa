"""Edits on three drawn sperm: what they do, and what they leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spermseg.analysis.analysed_sperm import AnalysedSperm
from spermseg.correction import edit_from_dict
from spermseg.errors import UsageError

from .conftest import SIZE, analysed, everything


def stroke(id, part, points, radius=3.0, **more):
    return {
        "type": "paint",
        "sperm": id,
        "part": part,
        "points": points,
        "radius": radius,
        **more,
    }


TAIL, MIDPIECE, ACROSOME, NUCLEUS, VACUOLE = 3, 2, 4, 5, 6


def test_a_painted_sperm_is_marked_measured_and_judged(picture):
    longer = picture.after(**stroke(2, TAIL, [[128, 90.5], [148.5, 90.5]], 1.5))

    two = longer[2]
    assert two.corrected
    assert two.instance.score == 1
    assert two.flags == {"corrected"}
    assert two.row()["flags"] == "corrected"
    # 70 px of tail before, now up to the stroke's round end at 150.
    assert picture[2].morphometry.values["tail_length"] == pytest.approx(70, abs=1.5)
    assert two.morphometry.values["tail_length"] == pytest.approx(90, abs=1.5)
    assert AnalysedSperm.from_dict(everything(two)).corrected


def test_others_are_the_very_same(picture):
    longer = picture.after(**stroke(2, TAIL, [[128, 90.5], [148.5, 90.5]], 1.5))

    assert longer.ids == [1, 2, 3]
    assert longer[1] is picture[1]
    assert longer[3] is picture[3]


def test_painting_takes_a_pixel_from_the_same_sperm_alone(picture):
    after = picture.after(**stroke(3, VACUOLE, [[150, 30]], 4.0))

    assert after.mask(3, "vacuole")[30, 150]
    assert not after.mask(3, "tail")[30, 150]
    assert after.mask(1, "tail")[30, 150]  # It crosses there.


def test_erasing_takes_one_part_or_all(picture):
    one = picture.after(**stroke(1, NUCLEUS, [[27, 30.5]], 6.0, erase=True))
    every = picture.after(**stroke(1, 0, [[27, 30.5]], 6.0, erase=True))

    assert not one.mask(1, "nucleus")[28:33, 26:30].any()
    assert (one.mask(1, "acrosome") == picture.mask(1, "acrosome")).all()
    assert not every.mask(1, "acrosome")[30, 25]
    assert not every.mask(1, "nucleus")[30, 28]


def test_a_sperm_that_is_erased_is_gone(picture):
    after = picture.after(**stroke(2, 0, [[10, 90], [140, 90]], 20.0, erase=True))

    assert after.ids == [1, 3]


def test_the_tail_is_traced_anew_but_a_head_leaves_the_line(picture):
    head = picture.after(**stroke(2, VACUOLE, [[28, 90.5]], 2.0))
    tail = picture.after(**stroke(2, TAIL, [[129, 90.5], [129, 110]], 1.5))

    assert head[2].instance.centerline is picture[2].instance.centerline
    tip = tail[2].instance.centerline[-1]
    assert tip[0] == pytest.approx(110, abs=3)
    assert tip[1] == pytest.approx(128.5, abs=3)


def test_a_head_that_is_drawn_anew_has_its_tail_again(picture):
    bare = picture.after(**stroke(2, 0, [[28, 90.5]], 13.0, erase=True))
    again = bare.after(**stroke(2, NUCLEUS, [[28, 90.5]], 11.0))

    assert bare[2].verdict.object == "headless tail"
    assert again[2].verdict.object == "sperm"
    assert again[2].instance.centerline is picture[2].instance.centerline


def test_a_tail_by_itself_has_a_line_when_it_has_a_head(picture):
    split = picture.after(type="split", sperm=2, line=[[80, 80], [80, 100]])
    headed = split.after(**stroke(4, NUCLEUS, [[72, 90.5]], 8.0))

    assert split[4].instance.centerline is None
    assert headed[4].instance.centerline is not None
    assert headed[4].morphometry.values["tail_length"] == pytest.approx(50, abs=2)


def test_the_end_of_a_tail_is_not_seen_where_another_sperm_is_put(picture):
    after = picture.after(type="add", points=[[131, 90.5], [131, 100]], radius=3, part=NUCLEUS)

    assert "tail_incomplete" not in picture[2].flags
    assert "tail_incomplete" in after[2].flags
    assert not after[2].corrected
    assert after.after(type="delete", sperm=4)[2].flags == picture[2].flags


def test_a_new_sperm_has_the_next_id(picture):
    after = picture.after(type="add", points=[[170, 100]], radius=8, part=NUCLEUS)

    assert after.ids == [1, 2, 3, 4]
    assert after[4].corrected
    assert after.mask(4, "nucleus").sum() == pytest.approx(np.pi * 64, rel=0.05)
    assert after[4].morphometry.values["head_length"] == pytest.approx(16, abs=0.5)


def test_a_deleted_sperm_is_gone_and_ids_stay(picture):
    assert picture.after(type="delete", sperm=1).ids == [2, 3]


def test_a_split_gives_the_head_the_id_and_the_rest_a_new_one(picture):
    after = picture.after(type="split", sperm=2, line=[[80, 80], [80, 100]])

    assert after.ids == [1, 2, 3, 4]
    assert after.mask(2, "tail")[:, :80].sum() == picture.mask(2, "tail")[:, :80].sum()
    assert not after.mask(2, "tail")[:, 80:].any()
    assert (after.mask(4, "tail")[:, 80:] == picture.mask(2, "tail")[:, 80:]).all()
    assert after[4].verdict.object == "headless tail"
    assert after[2].corrected
    assert after[4].corrected


def test_a_line_cuts_where_it_is_drawn_and_not_where_it_would_lead(picture):
    """The tail comes back below the line, which goes through its front arm alone."""
    bent = picture.after(**stroke(2, TAIL, [[129, 90.5], [140, 90.5], [140, 110], [70, 110]], 1.5))

    after = bent.after(type="split", sperm=2, line=[[80, 85], [80, 96]])

    assert after.mask(4, "tail")[110, 72:138].all()
    assert not after.mask(2, "tail")[105:].any()


def test_merged_sperm_have_the_id_of_the_first(picture):
    after = picture.after(type="merge", sperm=[3, 2])

    assert after.ids == [1, 3]
    both = picture.mask(2, "nucleus") | picture.mask(3, "nucleus")
    assert (after.mask(3, "nucleus") == both).all()


def test_a_moved_tail_is_the_line_given_with_the_midpiece_before_it(picture):
    points = [[60.5, 90.5], [100.5, 70.5], [140.5, 70.5]]

    after = picture.after(type="tail", sperm=2, points=points)

    two = after[2]
    assert np.allclose(two.instance.centerline[-3:], [[90, 60], [70, 100], [70, 140]])
    assert two.instance.centerline[0][1] < 45  # At the head, as before.
    length = np.hypot(40, 20) + 40
    assert two.morphometry.values["tail_length"] == pytest.approx(length, abs=3)
    assert two.morphometry.values["tail_width"] == pytest.approx(
        picture[2].morphometry.values["tail_width"], abs=1
    )
    assert (after.mask(2, "midpiece") == picture.mask(2, "midpiece")).all()
    assert not after.mask(2, "tail")[89:92, 110:].any()


def test_a_tail_drawn_from_its_end_is_the_same(picture):
    points = [[60.5, 90.5], [100.5, 70.5], [140.5, 70.5]]

    there, back = (
        picture.after(type="tail", sperm=2, points=each) for each in (points, points[::-1])
    )

    assert np.array_equal(there[2].instance.centerline, back[2].instance.centerline)
    assert there[2].morphometry == back[2].morphometry


def test_a_tail_drawn_from_the_head_on_is_the_line_given(picture):
    points = [[40.5, 90.5], [60.5, 90.5], [120.5, 100.5]]

    line = picture.after(type="tail", sperm=2, points=points, width=5)[2].instance.centerline

    assert np.allclose(line[-3:], [[90, 40], [90, 60], [100, 120]])
    assert len(line) <= 5


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (stroke(9, TAIL, [[5, 5]]), "no sperm 9"),
        (stroke(1, 1, [[5, 5]]), r"no part 1, it has 2 \(midpiece\)"),
        (stroke(1, TAIL, [[1000, 5]]), "far outside"),
        (stroke(1, TAIL, [[-50, -50]]), "outside of the picture"),
        (stroke(1, TAIL, [[5, 5]], erase=True), "nothing of sperm 1 to erase"),
        (stroke(1, TAIL, [[100, 30.5]], 0.5), "not painted already"),
        ({"type": "split", "sperm": 1, "line": [[0, 100], [200, 100]]}, "on one side"),
        ({"type": "split", "sperm": 1, "line": [[9, 9], [9, 9]]}, "no length"),
        ({"type": "split", "sperm": 1, "line": [[9, 9], [9, 900]]}, "far outside"),
        ({"type": "merge", "sperm": [1, 5]}, "no sperm 5"),
        ({"type": "tail", "sperm": 1, "points": [[-60, -50], [-50, -50]]}, "outside"),
        ({"type": "delete", "sperm": 4}, "no sperm 4"),
        ({"type": "add", "points": [[-50, -50]], "radius": 2, "part": 5}, "outside"),
        ({"type": "add", "points": [[50, 50]], "radius": 2, "part": 1}, "no part 1"),
    ],
)
def test_an_edit_that_cannot_be_or_changes_nothing_is_refused(picture, edit, said):
    with pytest.raises(UsageError, match=said):
        picture.after(**edit)


def test_painting_then_erasing_on_empty_ground_gives_the_same_masks(picture):
    drawn = stroke(2, TAIL, [[60, 50], [110, 60]], 4.0)

    after = picture.after(**drawn).after(**drawn, erase=True)

    same = everything(picture[2])
    assert everything(after[2])["masks"] == same["masks"]
    assert everything(after[2])["bbox"] == same["bbox"]


X, Y = st.floats(-10, SIZE[1] + 10), st.floats(-10, SIZE[0] + 10)
POINTS = st.lists(st.tuples(X, Y), min_size=2, max_size=4).map(
    lambda points: [list(point) for point in points]
)
PARTS = st.sampled_from([MIDPIECE, TAIL, ACROSOME, NUCLEUS, VACUOLE])
SPERM = st.integers(1, 4)
RADIUS = st.floats(0.5, 15)
EDITS = st.one_of(
    st.builds(
        lambda id, part, points, radius, erase: stroke(id, part, points, radius, erase=erase),
        *(SPERM, PARTS, POINTS, RADIUS, st.booleans()),
    ),
    st.fixed_dictionaries({"type": st.just("split"), "sperm": SPERM, "line": POINTS}),
    st.fixed_dictionaries(
        {"type": st.just("merge"), "sperm": st.lists(SPERM, min_size=2, max_size=3, unique=True)}
    ),
    st.fixed_dictionaries({"type": st.just("tail"), "sperm": SPERM, "points": POINTS}),
    st.fixed_dictionaries({"type": st.just("delete"), "sperm": SPERM}),
    st.fixed_dictionaries(
        {"type": st.just("add"), "points": POINTS, "radius": RADIUS, "part": PARTS}
    ),
)


@settings(max_examples=60)
@given(edits=st.lists(EDITS, min_size=1, max_size=4))
def test_whatever_is_done_all_sperm_are_as_if_measured_afresh(picture, edits):
    now = picture
    for edit in edits:
        try:
            after = now.after(**edit)
        except UsageError:
            continue
        named = edit_from_dict(edit).sperm_ids
        for one in after.sperm:
            id = one.instance.id
            if id in now.ids and id not in named:
                assert one.instance is now[id].instance
            else:
                assert one.corrected
        now = after
    instances = [one.instance for one in now.sperm]
    assert [one.id for one in instances] == sorted({one.id for one in instances})
    for one in instances:
        row0, col0, row1, col1 = one.bbox
        assert 0 <= row0 < row1 <= SIZE[0]
        assert 0 <= col0 < col1 <= SIZE[1]
        assert sum(mask.astype(int) for mask in one.masks.values()).max() == 1
    for one, fresh in zip(now.sperm, analysed(instances, now.ground), strict=True):
        assert everything(one) == everything(fresh)


@settings(max_examples=40)
@given(id=st.integers(1, 3), line=POINTS)
def test_a_split_that_is_merged_again_gives_the_former_masks(picture, id, line):
    try:
        split = picture.after(type="split", sperm=id, line=line)
    except UsageError:
        assume(False)

    merged = split.after(type="merge", sperm=[id, 4])

    assert merged.ids == [1, 2, 3]
    assert everything(merged[id])["masks"] == everything(picture[id])["masks"]
