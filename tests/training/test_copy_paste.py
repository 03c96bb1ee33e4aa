"""Drawn sperm, cut out and pasted: what is taken along, where it lands, and what light is left."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spermseg.structures import IGNORE_ID, Part, SpermInstance
from spermseg.training.copy_paste import BRIDGED, CORE, FADED, GAP, REACH, free_sperm, paste

SIZE = (160, 240)
GROUND, SPERM = 200, 100
HEAD = (slice(70, 90), slice(50, 80))
TAIL = (slice(78, 82), slice(80, 150))
CLASSES = {Part.NUCLEUS: 4, Part.TAIL: 2}
STRAIGHT = np.eye(2)


def sperm(id=1, **parts):
    """A sperm of rectangles, head and tail unless told otherwise."""
    masks = {}
    for part, areas in {"NUCLEUS": [HEAD], "TAIL": [TAIL], **parts}.items():
        masks[Part[part]] = np.zeros(SIZE, bool)
        for area in areas:
            masks[Part[part]][area] = True
    return SpermInstance.from_full_masks(id, masks)


def picture(*instances):
    """Levels and labels of a picture of some sperm."""
    labels = np.zeros(SIZE, np.uint8)
    for one in instances:
        for part in one.masks:
            labels[one.full_mask(part, SIZE)] = CLASSES[part]
    image = np.where(labels[..., None] > 0, np.uint8(SPERM), np.uint8(GROUND))
    return [np.repeat(image, 3, 2)], labels


def cut_out(*instances):
    levels, labels = picture(*instances)
    return free_sperm(levels, [labels], instances)


def test_stain_is_taken_near_the_sperm_and_labels_on_it():
    (found,) = cut_out(sperm())
    own = picture(sperm())[1]
    top, left = found.corner
    window = own[top : top + found.weight.shape[0], left : left + found.weight.shape[1]]
    assert np.array_equal(found.labels[0], window)
    assert (window > 0).sum() == (own > 0).sum()
    # Straight above the head's middle, whose first row is 70.
    above = found.weight[: 70 - top, 65 - left][::-1]
    share = 1 - (np.arange(1, REACH) - CORE) / (REACH - CORE)
    np.testing.assert_allclose(above[: REACH - 1], np.clip(share, 0, 1) * 255, atol=0.51)
    assert not above[REACH - 1 :].any()
    np.testing.assert_allclose(found.ground, GROUND / 255)


@pytest.mark.parametrize(
    "neighbour",
    [
        {"NUCLEUS": [np.s_[100:120, 50:80]], "TAIL": []},  # a head below the head
        {"NUCLEUS": [np.s_[60:72, 120:140]], "TAIL": []},  # a head on the tail
        {"NUCLEUS": [], "TAIL": [np.s_[20:140, 60:64]]},  # a tail across the head
    ],
)
def test_sperm_that_meet_more_than_a_tail_are_not_taken(neighbour):
    one, other = sperm(), sperm(2, **neighbour)
    levels, labels = picture(one, other)
    assert free_sperm(levels, [labels], [one, other]) == ()


@pytest.mark.parametrize(
    ("parts", "number"),
    [
        ({"TAIL": []}, 0),
        ({"NUCLEUS": []}, 0),
        ({"NUCLEUS": [np.s_[70:90, FADED - 1 : 80]]}, 0),  # a head near the border
        ({"NUCLEUS": [np.s_[70:90, FADED:80]]}, 1),
        ({"TAIL": [np.s_[78:82, 80:100], np.s_[78:82, 98 + BRIDGED : 150]]}, 1),
        ({"TAIL": [np.s_[78:82, 80:100], np.s_[78:82, 104 + BRIDGED : 150]]}, 0),
    ],
)
def test_only_sperm_in_one_piece_with_head_and_tail_are_taken(parts, number):
    assert len(cut_out(sperm(**parts))) == number


def test_a_tail_that_crosses_stays_behind():
    one, other = sperm(), sperm(2, NUCLEUS=[], TAIL=[np.s_[20:140, 120:124]])
    levels, labels = picture(one, other)
    (found,) = free_sperm(levels, [labels], [one, other])
    row, column = 80 - found.corner[0], 122 - found.corner[1]
    # Its own tail is whole, with its stain and its labels, above it nothing is.
    assert (found.weight[row - 2 : row + 2, column] == 255).all()
    assert (found.labels[0][row - 2 : row + 2, column] == 2).all()
    assert not found.weight[: row - 4, column].any()
    assert not found.labels[0][: row - 4, column].any()


def test_a_tail_that_the_border_cuts_fades_out():
    (found,) = cut_out(sperm(TAIL=[np.s_[78:82, 80:240]]))
    row, last = 80 - found.corner[0], found.weight.shape[1] - 1
    fading = found.weight[row, last - FADED : last + 1]
    np.testing.assert_allclose(fading, 255 * np.linspace(1, 0, FADED + 1), atol=0.51)
    labelled = found.labels[0][row, last - FADED : last + 1] == 2
    assert labelled.tolist() == [True] * (FADED // 2 + 1) + [False] * (FADED - FADED // 2)


def empty(value=0.6):
    """A crop without anything; a sperm that is pasted does not cross its frame."""
    target = torch.full((300, 300), IGNORE_ID)
    target[1:-1, 1:-1] = 0
    return torch.full((3, 300, 300), value), [target]


def test_what_is_below_keeps_its_light_and_is_darkened_by_the_sperm():
    (found,) = cut_out(sperm())
    image, targets = empty()
    pasted, (target,) = paste(image, targets, found, [0], STRAIGHT, np.random.default_rng(0))
    assert (target % IGNORE_ID > 0).sum().item() == pytest.approx(20 * 30 + 4 * 70, rel=0.03)
    for label, pixels in ((4, 600), (2, 280)):
        assert (target == label).sum().item() == pytest.approx(pixels, rel=0.05)
    # Half the light comes through the sperm, all of it beside, with no rim.
    head = (target == 4)[None].expand(3, -1, -1)
    assert pasted[head].median().item() == pytest.approx(0.3, abs=1e-4)
    assert pasted[:, target == 0].min() > 0.3
    beside = torch.nn.functional.max_pool2d((target % IGNORE_ID > 0)[None].float(), 5, 1, 2)[0] == 0
    torch.testing.assert_close(pasted[:, beside], image[:, beside])
    # What was given is as it was.
    assert (image == 0.6).all()
    assert not targets[0][1:-1, 1:-1].any()


def test_a_step_of_two_pixels_shows_it_at_half_the_size():
    (found,) = cut_out(sperm())
    _, (target,) = paste(*empty(), found, [0], 2 * STRAIGHT, np.random.default_rng(0))
    assert (target % IGNORE_ID > 0).sum().item() == pytest.approx((20 * 30 + 4 * 70) / 4, rel=0.08)


def test_it_lands_in_any_direction_on_what_is_not_annotated():
    (found,) = cut_out(sperm())
    angles, landed = set(), 0
    for seed in range(30):
        image, targets = empty()
        targets[0][:, :150] = 1
        targets[0][:60] = IGNORE_ID
        image, (target,) = paste(image, targets, found, [0], STRAIGHT, np.random.default_rng(seed))
        new = target != targets[0]
        assert not new[:, : 150 + GAP].any()
        assert not new[: 60 + GAP].any()
        if new.any():
            landed += 1
            head, tail = (torch.argwhere(target == label).double().mean(0) for label in (4, 2))
            angles.add(int(torch.atan2(*(tail - head)).rad2deg()) // 90)
        else:
            assert (image == 0.6).all()
    assert landed > 10
    assert len(angles) == 4


def test_of_several_places_it_takes_a_bright_one():
    (found,) = cut_out(sperm())
    image, targets = empty()
    image[:, :, 150:] = 0.9
    _, (target,) = paste(image, targets, found, [0], STRAIGHT / 0.5, np.random.default_rng(1))
    assert not (target % IGNORE_ID > 0)[:, :140].any()


def test_every_annotation_set_gets_its_own_labels():
    one = sperm()
    levels, labels = picture(one)
    second = np.where(labels == 2, 0, labels).astype(np.uint8)
    second[0:5] = 3
    second[HEAD][:2] = IGNORE_ID
    (found,) = free_sperm(levels, [labels, second], [one])
    rng = np.random.default_rng
    image, targets = empty()
    both = paste(image, 2 * targets, found, [0, 1], STRAIGHT, rng(4))[1]
    (alone,) = paste(image, targets, found, [1], STRAIGHT, rng(4))[1]
    assert set(both[0].unique().tolist()) == {0, 2, 4, IGNORE_ID}
    for one in (both[1], alone):
        assert set(one.unique().tolist()) == {0, 4, IGNORE_ID}
    assert ((both[1] == 4) <= (both[0] == 4)).all()
