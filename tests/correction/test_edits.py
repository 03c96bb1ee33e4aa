"""What is no edit is refused in one line; what is one comes back as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spermseg.correction import Add, MoveTail, Paint, edit_from_dict
from spermseg.errors import UsageError

STROKE = {"type": "paint", "sperm": 1, "part": 3, "points": [[1, 2]], "radius": 3}
NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({}, "type"),
        (None, "dictionary"),
        ([STROKE], "dictionary"),
        ({**STROKE, "type": "draw"}, "'paint', 'split', 'merge', 'tail', 'delete', 'add'"),
        ({**STROKE, "colour": "red"}, "colour"),
        ({**STROKE, "sperm": 0}, "sperm"),
        ({**STROKE, "sperm": "1"}, "sperm"),
        ({**STROKE, "sperm": True}, "sperm"),
        ({**STROKE, "sperm": [1]}, "sperm"),
        ({**STROKE, "part": 7}, "part"),
        ({**STROKE, "part": -1}, "part"),
        ({**STROKE, "part": 0}, "background (part 0) cannot be painted"),
        ({**STROKE, "points": []}, "points"),
        ({**STROKE, "points": [[1, 2, 3]]}, "points.0"),
        ({**STROKE, "points": [1, 2]}, "points.0"),
        ({**STROKE, "points": "1 2"}, "points"),
        ({**STROKE, "points": [[NAN, 2]]}, "points.0.0"),
        ({**STROKE, "points": [[2, INFINITY]]}, "points.0.1"),
        ({**STROKE, "points": [["1", 2]]}, "points.0.0"),
        ({**STROKE, "points": [[1e30, 2]]}, "points.0.0"),
        ({**STROKE, "points": [[1, 2]] * 5000}, "at most 2000"),
        ({**STROKE, "radius": 0}, "radius"),
        ({**STROKE, "radius": -3}, "radius"),
        ({**STROKE, "radius": NAN}, "radius"),
        ({**STROKE, "radius": 10_000}, "less than or equal to 500"),
        ({**STROKE, "erase": "yes"}, "erase"),
        ({"type": "split", "sperm": 1, "line": [[1, 2]]}, "line"),
        ({"type": "merge", "sperm": [1]}, "sperm"),
        ({"type": "merge", "sperm": [2, 2]}, "named twice in [2, 2]"),
        ({"type": "merge", "sperm": 2}, "sperm"),
        ({"type": "tail", "sperm": 1, "points": [[1, 2], [3, 4]], "width": 0}, "width"),
        ({"type": "delete"}, "sperm"),
        ({"type": "add", "points": [[1, 2]], "radius": 2, "part": 0}, "part"),
    ],
)
def test_what_is_no_edit_is_refused_in_one_line(edit, said):
    with pytest.raises(UsageError) as caught:
        edit_from_dict(edit)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


def test_fields_are_read():
    paint = edit_from_dict({**STROKE, "erase": True})
    tail = edit_from_dict({"type": "tail", "sperm": 4, "points": [[0, 1], [2.5, 3]]})

    assert paint == Paint(sperm=1, part=3, points=((1.0, 2.0),), radius=3.0, erase=True)
    assert tail == MoveTail(sperm=4, points=((0.0, 1.0), (2.5, 3.0)), width=None)


def test_an_edit_says_which_sperm_it_names():
    assert edit_from_dict(STROKE).sperm_ids == (1,)
    assert edit_from_dict({"type": "merge", "sperm": [3, 1]}).sperm_ids == (3, 1)
    assert Add(points=((1.0, 1.0),), radius=2.0, part=5).sperm_ids == ()


NUMBERS = st.floats(-1e6, 1e6)
LINES = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=5).map(
    lambda points: [list(point) for point in points]
)
IDS = st.integers(1, 10**9)
EDITS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("paint"), "sperm": IDS, "part": st.integers(1, 6), "points": LINES}
        | {"radius": st.floats(0.5, 500), "erase": st.booleans()}
    ),
    st.fixed_dictionaries({"type": st.just("split"), "sperm": IDS, "line": LINES}),
    st.fixed_dictionaries(
        {"type": st.just("merge"), "sperm": st.lists(IDS, min_size=2, max_size=4, unique=True)}
    ),
    st.fixed_dictionaries(
        {"type": st.just("tail"), "sperm": IDS, "points": LINES},
        optional={"width": st.floats(1, 200)},
    ),
    st.fixed_dictionaries({"type": st.just("delete"), "sperm": IDS}),
    st.fixed_dictionaries(
        {"type": st.just("add"), "part": st.integers(1, 6), "points": LINES}
        | {"radius": st.floats(0.5, 500)}
    ),
)


@given(edit=EDITS)
def test_an_edit_comes_back_from_json_as_it_was(edit):
    written = json.loads(json.dumps(edit_from_dict(edit).to_dict(), allow_nan=False))

    assert written == edit
    assert edit_from_dict(written) == edit_from_dict(edit)
