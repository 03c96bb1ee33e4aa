from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from spermseg.analysis.head_outlines import widened
from spermseg.analysis.instances import separate_sperm
from spermseg.structures import SCHEMAS, Part, Scale, Segmentation

SCHEMA = SCHEMAS["sperm-parsing"]
SIZE = (400, 600)
HEAD = 80.0


def draw(sperm, size=SIZE):
    """Paint sperm given as (centre of the head, points of midpiece and tail), rows and columns."""
    picture = Image.new("L", (size[1], size[0]))
    pen = ImageDraw.Draw(picture)
    for (row, column), line in sperm:
        points = [(c, r) for r, c in line]
        if len(points) > 1:
            pen.line(points, fill=Part.TAIL, width=7, joint="curve")
            pen.line(points[:2], fill=Part.MIDPIECE, width=9)
        pen.ellipse((column - 40, row - 25, column + 40, row + 25), fill=Part.NUCLEUS)
        pen.chord((column - 40, row - 25, column + 40, row + 25), 120, 240, fill=Part.ACROSOME)
    return np.array(picture)


def segmentation(part_map, head_length=HEAD):
    """Give a part map as a confident network would, at half the size."""
    small = SCHEMA.to_indices(part_map[::2, ::2])
    scores = np.full((SCHEMA.n_classes, *small.shape), 0.02, np.float16)
    np.put_along_axis(scores, small[None].astype(np.intp), np.float16(0.9), 0)
    scale = Scale("unknown" if head_length is None else "head length given", head_length)
    return Segmentation(part_map, scores, SCHEMA, scale)


ONE = ((100, 120), [(100, 160), (100, 220), (105, 400), (150, 560)])
CROSSING = (
    ((80, 80), [(80, 120), (100, 170), (320, 560)]),
    ((320, 80), [(320, 120), (300, 170), (80, 560)]),
)


def test_one_sperm_has_all_its_parts_and_its_centre_line():
    part_map = draw([ONE])
    (sperm,) = separate_sperm(segmentation(part_map))
    assert sperm.id == 1
    assert sperm.flags == frozenset()
    assert set(sperm.masks) == {Part.MIDPIECE, Part.TAIL, Part.ACROSOME, Part.NUCLEUS}
    for part in sperm.masks:
        mask = sperm.full_mask(part, SIZE)
        assert mask.sum() >= 0.99 * (part_map == part).sum()
        assert not mask[part_map != part].any()
    expected = sum(np.hypot(*np.diff(np.array(ONE[1], float), axis=0).T))
    length = np.hypot(*np.diff(sperm.centerline, axis=0).T).sum()
    assert length == pytest.approx(expected, rel=0.05)
    assert np.hypot(*(sperm.centerline[0] - [100, 160])) < 12
    assert 0.8 < sperm.score <= 1


def test_crossing_tails_share_the_pixels_of_the_crossing():
    one, other = separate_sperm(segmentation(draw(CROSSING)))
    for sperm, (_, line) in zip((one, other), CROSSING, strict=True):
        assert sperm.centerline[-1] == pytest.approx(line[-1], abs=8)
        alone = draw([((-200, -200), line)])
        tail = sperm.full_mask(Part.TAIL, SIZE)
        assert (tail & (alone == Part.TAIL)).sum() > 0.95 * (alone == Part.TAIL).sum()
        assert (tail & (alone == 0)).sum() < 0.05 * tail.sum()
    shared = one.full_mask(Part.TAIL, SIZE) & other.full_mask(Part.TAIL, SIZE)
    rows, columns = np.nonzero(shared)
    assert len(rows) > 20
    assert (rows.mean(), columns.mean()) == pytest.approx((200, 350), abs=15)


@pytest.mark.parametrize("factor", [3, 5])
def test_a_picture_smaller_than_the_working_scale_is_cut_as_well(factor):
    small = draw([ONE])[::4, ::4]
    enlarged = np.repeat(np.repeat(small, factor, 0), factor, 1)
    scores = np.full((SCHEMA.n_classes, *enlarged.shape), 0.02, np.float16)
    indices = SCHEMA.to_indices(enlarged)[None].astype(np.intp)
    np.put_along_axis(scores, indices, np.float16(0.9), 0)
    # One row and column less than a whole multiple, as a rounded working size has it.
    scores = scores[:, :-1, :-1]
    scale = Scale("head length given", HEAD / 4)
    (sperm,) = separate_sperm(Segmentation(small, scores, SCHEMA, scale))
    for part, mask in sperm.masks.items():
        assert mask.sum() >= 0.95 * (small == part).sum()


def test_a_line_does_not_go_round_a_hole_of_few_pixels():
    image = Image.fromarray(draw([ONE]))
    pen = ImageDraw.Draw(image)
    pen.ellipse((186, 86, 214, 114), fill=Part.MIDPIECE)
    pen.ellipse((196, 96, 204, 104), fill=0)
    (sperm,) = separate_sperm(segmentation(np.array(image)))
    rows, columns = sperm.centerline.T
    beside = rows[(columns > 180) & (columns < 220)]
    assert beside == pytest.approx(np.full(len(beside), 100), abs=3)


def test_flags_say_what_is_missing():
    headless = draw([((-200, -200), ONE[1])])
    headless[headless == Part.MIDPIECE] = Part.TAIL
    (orphan,) = separate_sperm(segmentation(headless))
    assert orphan.flags == {"headless"}
    assert orphan.score < 0.2
    (pin,) = separate_sperm(segmentation(draw([((100, 120), [])])))
    assert pin.flags == {"no_tail", "no_midpiece"}
    (cut,) = separate_sperm(segmentation(draw([((100, 20), [(100, 60), *ONE[1][1:]])])))
    assert "cut" in cut.flags
    whole = separate_sperm(segmentation(draw([ONE])))[0]
    assert cut.score < whole.score


def test_touching_heads_are_two_sperm():
    pair = [((100, 120), []), ((148, 120), [])]
    found = separate_sperm(segmentation(draw(pair)))
    assert len(found) == 2
    assert all("touching_head" in sperm.flags for sperm in found)


def test_debris_is_no_sperm_and_an_empty_picture_has_none():
    part_map = np.zeros(SIZE, np.uint8)
    assert separate_sperm(segmentation(part_map)) == ()
    part_map[100:108, 100:108] = Part.NUCLEUS
    part_map[200:204, 300:320] = Part.TAIL
    assert separate_sperm(segmentation(part_map)) == ()


def test_without_a_scale_the_picture_s_own_heads_are_the_measure():
    found = separate_sperm(segmentation(draw(CROSSING), head_length=None))
    assert [sorted(sperm.flags) for sperm in found] == [[], []]


def test_a_picture_full_of_head_is_one_clump_and_no_failure():
    found = separate_sperm(segmentation(np.full(SIZE, Part.NUCLEUS, np.uint8)))
    assert all("cut" in sperm.flags for sperm in found)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_any_part_map_gives_valid_sperm(seed):
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(rng.integers(0, 7)):
        start = rng.uniform(-20, 420, 2) * (1, 1.5)
        steps = rng.uniform(-120, 120, (rng.integers(1, 5), 2)).cumsum(0)
        lines.append((tuple(start), [tuple(start + s) for s in steps]))
    part_map = draw(lines)
    found = separate_sperm(segmentation(part_map))
    assert [sperm.id for sperm in found] == list(range(1, len(found) + 1))
    for sperm in found:
        assert 0 <= sperm.score <= 1
        for part, mask in sperm.masks.items():
            row0, column0, row1, column1 = sperm.bbox
            assert mask.any()
            assert (part_map[row0:row1, column0:column1][mask] == part).all()


def test_every_head_is_looked_at_in_a_window_of_its_own(monkeypatch):
    places = [(60 + 80 * (index // 2), 60 + 500 * (index % 2)) for index in range(40)]
    sperm = [((row, col), [(row, col + 40 + to) for to in (0, 50, 260)]) for row, col in places]
    seen = []

    def noted(heads, reach):
        seen.append(heads.shape)
        return widened(heads, reach)

    monkeypatch.setattr("spermseg.analysis.instances.widened", noted)
    assert len(separate_sperm(segmentation(draw(sperm, (1700, 1000))))) == 40
    # A head of 80 x 50 pixels at half the size, and three around it: else time grows by the square.
    assert max(height * width for height, width in seen) < 50 * 35
