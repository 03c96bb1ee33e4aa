"""Views of a picture: exact geometry, and what a network makes of them that is known in advance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spermseg.errors import ModelError, UsageError
from spermseg.inference.predictor import Predictor
from spermseg.inference.views import VIEWS, View, segment_views
from spermseg.structures import Part, Sample


def dark_is_head(batch):
    """Logits of "report-2021" by each pixel's own red value, as the picture has it."""
    head = batch[0, 0] < 0.5
    return 9 * np.stack([~head, head, 0 * head, 0 * head]).astype(np.float32)[np.newaxis]


def softly(batch):
    """The same by degrees, so that edges lie between pixels where they do in the picture."""
    darkness = 0.53 - batch[0, 0]
    return np.stack([-darkness, darkness, 0 * darkness - 9, 0 * darkness - 9])[np.newaxis]


def shifted_right(batch):
    """The same, one pixel too far to the right in whatever it is shown."""
    return np.roll(dark_is_head(batch), 1, axis=3)


def spotted(spots, size=(40, 60)):
    image = np.full((*size, 3), 255, np.uint8)
    for row, column in spots:
        image[row, column] = 0
    return Sample("spots", image)


def seen(backend, sample, card, views=VIEWS):
    predictor = Predictor(backend, card)
    plain = predictor.segment(sample)
    return plain, {view.name: one for view, one in segment_views(predictor, sample, plain, views)}


@given(
    image=arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))),
    mirrored=st.booleans(),
    turns=st.integers(-5, 5),
)
def test_what_is_turned_and_mirrored_comes_back_as_it_was(image, mirrored, turns):
    view = View("any", mirrored=mirrored, quarter_turns=turns)
    shown = view.show(image)
    assert shown.shape[:2] == view.working_size(image.shape[:2])
    np.testing.assert_array_equal(view.restore(shown[..., 0]), image[..., 0])
    np.testing.assert_array_equal(view.restore(np.moveaxis(shown, -1, 0))[1], image[..., 1])


def test_pictures_are_mirrored_first_and_turned_counter_clockwise():
    image = np.repeat(np.array([[1, 2], [3, 4]], np.uint8)[..., np.newaxis], 3, axis=2)
    assert View("m", mirrored=True).show(image)[..., 0].tolist() == [[2, 1], [4, 3]]
    assert View("t", quarter_turns=1).show(image)[..., 0].tolist() == [[2, 4], [1, 3]]
    both = View("both", mirrored=True, quarter_turns=1)
    assert both.show(image)[..., 0].tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_density_is_that_of_lambert_and_beer(dtype, white):
    image = np.full((1, 3, 3), [[[0], [white // 4], [white]]], dtype)
    black, grey, clear = View("darker", density=1.1).show(image)[0, :, 0].tolist()
    assert (black, clear) == (0, white)
    density = -np.log(grey / white) / -np.log((white // 4) / white)
    assert density == pytest.approx(1.1, rel=0.01)


@pytest.mark.parametrize("wrong", [{"zoom": 0.0}, {"density": -1.0}, {"zoom": float("nan")}])
def test_an_impossible_view_is_refused(wrong):
    with pytest.raises(UsageError, match="must be positive"):
        View("wrong", **wrong)


def test_a_network_that_judges_each_pixel_alone_sees_the_same_in_every_view(card_of):
    spots = [(0, 0), (3, 50), (20, 20), (20, 21), (39, 59)]
    plain, others = seen(dark_is_head, spotted(spots), card_of())
    assert np.argwhere(plain.part_map).tolist() == [list(spot) for spot in spots]
    # Without a working scale no view is zoomed.
    assert len(others) == len([view for view in VIEWS if view.zoom == 1])
    for one in others.values():
        np.testing.assert_array_equal(one.part_map, plain.part_map)
        np.testing.assert_array_equal(one.scores, plain.scores)


def test_a_network_that_errs_to_the_right_errs_the_other_way_in_turned_views(card_of):
    plain, others = seen(shifted_right, spotted([(10, 20)]), card_of())
    places = {name: np.argwhere(one.part_map).tolist() for name, one in others.items()}
    assert np.argwhere(plain.part_map).tolist() == [[10, 21]]
    assert places["mirrored"] == [[10, 19]]
    # Counter-clockwise, what was below lies to the right.
    assert places["turned by 90 degrees"] == [[11, 20]]
    assert places["turned by 180 degrees"] == [[10, 19]]
    assert places["turned by 270 degrees"] == [[9, 20]]


def test_zoomed_views_lie_where_the_picture_does(card_of, smear):
    drawn = smear((200, 260), 80, [(90.0, 70.0), (100.0, 190.0)], head_length_px=80.0)
    plain, others = seen(softly, drawn, card_of(head_length_px=45.0))
    areas = {}
    for name, one in others.items():
        assert one.part_map.shape == drawn.size
        assert one.scale == plain.scale
        assert one.working_size == plain.working_size == (112, 146)
        head = one.part_map == Part.HEAD
        centre = np.argwhere(head).mean(0)
        np.testing.assert_allclose(centre, (95.0, 130.0), atol=0.05, err_msg=name)
        areas[name] = head.sum()
    assert others["reduced to 93 %"].scores.shape[1:] == (104, 136)
    assert others["enlarged to 107 %"].scores.shape[1:] == (120, 156)
    assert others["turned by 90 degrees"].scores.shape[1:] == (112, 146)
    for area in areas.values():
        assert area == pytest.approx(2 * np.pi * 40 * 25, rel=0.02)


def test_views_are_seen_at_the_scale_of_the_plain_picture(predictor, network, smear):
    drawn = smear((300, 400), 120, [(100, 100), (200, 280)])
    plain = predictor.segment(drawn)
    assert plain.scale.source == "estimated"
    network.sizes.clear()
    for _, one in segment_views(predictor, drawn, plain):
        assert one.scale == plain.scale
    # One run a view: nothing is estimated again.
    assert len(network.sizes) == len(VIEWS)


@pytest.mark.parametrize(
    ("preprocessing", "left_out"),
    [
        ({"head_length_px": 45.0}, set()),
        ({}, {"reduced to 93 %", "enlarged to 107 %"}),
        (
            {"size": (32, 64)},
            {
                *("reduced to 93 %", "enlarged to 107 %"),
                *("turned by 90 degrees", "turned by 270 degrees"),
            },
        ),
    ],
)
def test_views_that_would_squeeze_the_sperm_or_show_nothing_new_are_left_out(
    card_of, preprocessing, left_out
):
    _, others = seen(dark_is_head, spotted([(10, 20)]), card_of(**preprocessing))
    assert {view.name for view in VIEWS} - set(others) == left_out


def test_a_working_size_needs_a_working_scale(card_of):
    with pytest.raises(ModelError, match="no working scale"):
        Predictor(dark_is_head, card_of()).segment(spotted([]), working_size=(20, 30))
