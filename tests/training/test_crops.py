from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from spermseg.config import AppearanceSettings, CropSettings, DataSettings
from spermseg.errors import DataError, SplitError
from spermseg.structures import IGNORE_ID, SCHEMAS, LabelledSample, SpermInstance
from spermseg.training.appearance import white_of
from spermseg.training.crops import (
    CropDataset,
    crop_points,
    typical_head_length,
    unannotated_pixels,
)

SCHEMA = SCHEMAS["sperm-parsing"]
UNCHANGED = AppearanceSettings(share=0)
NUCLEUS = 5


class Discs:
    """Two pictures with one round head each, of 40 pixels across, and two annotation sets."""

    root = "discs"
    layout = "discs"

    def __init__(self, annotation_set=1, heads=True):
        self.annotation_set, self.heads = annotation_set, heads

    def with_annotation_set(self, number):
        return Discs(number, self.heads)

    def load(self, sample_id):
        rows, columns = np.mgrid[:200, :260]
        inside = np.hypot(rows - 90.5, columns - 120.5) <= 20
        image = np.full((200, 260, 3), 230, np.uint8)
        image[inside] = (40, 60, 90)
        part = NUCLEUS if self.annotation_set == 1 else 4
        part_map = np.where(inside & self.heads, part, 0).astype(np.uint8)
        return LabelledSample(sample_id, image, part_map=part_map)


class Rehearsed(Discs):
    """A head of 20 pixels across, annotated as acrosome."""

    ids = ("c",)

    def load(self, sample_id):
        sample = super().load(sample_id)
        image, part_map = sample.image[::2, ::2], np.where(sample.part_map[::2, ::2], 4, 0)
        return LabelledSample(sample_id, image, part_map=part_map.astype(np.uint8))


def make(
    dataset=None,
    ids=("a", "b"),
    seed=5,
    annotation_sets=(1,),
    margin=0,
    rehearsal=None,
    annotations="drawn",
    **crops,
):
    crops = {"size": 64, "per_epoch": 12, "appearance": UNCHANGED, **crops}
    data = DataSettings(
        schema="sperm-parsing",
        size=None,
        augmentation="none",
        head_length_px=20,
        normalise=False,
        margin=margin,
        annotation_sets=annotation_sets,
        annotations=annotations,
        crops=CropSettings(**crops),
    )
    return CropDataset(dataset or Discs(), ids, data, SCHEMA, seed, rehearsal)


def test_heads_come_at_the_working_scale_and_labels_lie_on_them():
    dataset = make(zoom=(1, 1), wide_share=0, stretch=0, on_sperm=1)
    assert dataset.head_length_px == pytest.approx(40, rel=0.02)
    whole = 0
    for image, target in dataset:
        assert image.shape == (3, 64, 64)
        head = target.numpy() == SCHEMA.ids.index(NUCLEUS)
        dark = image[0].numpy() < 0.5
        assert (head == dark).mean() > 0.98
        if not (head[[0, -1]].any() or head[:, [0, -1]].any()) and head.any():
            whole += 1
            # A disc of 20 pixels across.
            assert head.sum() == pytest.approx(np.pi * 10**2, rel=0.06)
    assert whole >= 4


def test_items_follow_from_seed_epoch_and_place_alone():
    one, other = make(appearance=AppearanceSettings()), make(appearance=AppearanceSettings())
    _ = [other[i] for i in (3, 1)]
    for dataset in (one, other):
        dataset.set_epoch(4)
    for index in (0, 3):
        for a, b in zip(one[index], other[index], strict=True):
            assert torch.equal(a, b)
    before = one[0][0].clone()
    one.set_epoch(5)
    assert not torch.equal(one[0][0], before)
    assert not torch.equal(make(seed=6)[0][0], make(seed=5)[0][0])


def test_every_picture_is_drawn_alike():
    dataset = make(per_epoch=13)
    assert len(dataset) == 13
    assert sorted(np.bincount(dataset._draws).tolist()) == [6, 7]


def test_every_crop_draws_one_annotation_set():
    dataset = make(annotation_sets=(1, 2), on_sperm=1, per_epoch=24)
    seen = [set(np.unique(target[target != IGNORE_ID]).tolist()) - {0} for _, target in dataset]
    kinds = {frozenset(s) for s in seen if s}
    assert kinds == {frozenset({SCHEMA.ids.index(NUCLEUS)}), frozenset({SCHEMA.ids.index(4)})}


def test_of_two_sets_that_differ_the_majority_is_the_first():
    first = make(on_sperm=1)
    united = make(annotation_sets=(1, 2), annotations="majority", on_sperm=1)
    for (one, target), (other, same) in zip(first, united, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(target, same)
    assert np.array_equal(united.class_pixels(6), first.class_pixels(6))


def test_soft_annotations_are_shares_of_the_sets():
    drawn = make(on_sperm=1, margin=16)
    soft = make(annotation_sets=(1, 2), annotations="soft", on_sperm=1, margin=16)
    nucleus, acrosome = SCHEMA.ids.index(NUCLEUS), SCHEMA.ids.index(4)
    for (one, target), (other, share) in zip(drawn, soft, strict=True):
        assert torch.equal(one, other)
        assert share.shape == (6, 64, 64)
        head = (target == nucleus).float()
        assert torch.equal(share[nucleus], head / 2)
        assert torch.equal(share[acrosome], head / 2)
        assert torch.equal(share[0], (target == 0).float())
        assert torch.equal(share.sum(0), (target != IGNORE_ID).float())


def test_a_share_of_the_crops_is_of_pictures_at_the_working_scale():
    crops = {"zoom": (1, 1), "wide_share": 0, "stretch": 0, "on_sperm": 1, "per_epoch": 200}
    dataset = make(rehearsal=Rehearsed(), rehearsed=0.25, **crops)
    rehearsed = 0
    for _, target in dataset:
        head = target.numpy() == SCHEMA.ids.index(4)
        rehearsed += head.any()
        if head.any() and not (head[[0, -1]].any() or head[:, [0, -1]].any()):
            assert head.sum() == pytest.approx(np.pi * 10**2, rel=0.06)
    # Four standard deviations of a binomial.
    assert abs(rehearsed - 50) < 4 * np.sqrt(200 * 0.25 * 0.75)
    nothing = make(rehearsal=Rehearsed(), **crops)
    same = make(**crops)
    assert all(torch.equal(one[0], two[0]) for one, two in zip(nothing, same, strict=True))


def test_without_heads_there_is_no_scale():
    with pytest.raises(DataError, match="no annotated head"):
        make(Discs(heads=False))
    with pytest.raises(SplitError, match="no pictures"):
        make(ids=())
    assert typical_head_length(Discs(), ("a",)) == pytest.approx(40, rel=0.02)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.3, 2.5), st.integers(40, 300), st.integers(40, 300))
def test_points_keep_the_zoom_and_stay_inside_where_the_crop_fits(seed, zoom, height, width):
    plain = CropSettings(size=32, zoom=(1, 1), wide_share=0, stretch=0)
    rng = np.random.default_rng(seed)
    points = crop_points((height, width), np.zeros((0, 2), np.int32), zoom, plain, rng)
    assert points.shape == (2, 32, 32)
    for step in (points[:, 1:, 0] - points[:, :-1, 0], points[:, 0, 1:] - points[:, 0, :-1]):
        assert np.hypot(*step) == pytest.approx(1 / zoom, rel=1e-2)
    centre = points.mean((1, 2))
    half = 16 / zoom
    for position, extent in zip(centre, (height, width), strict=True):
        low = min(half, extent / 2) - 0.5
        assert low - 1e-2 <= position <= extent - 1 - low + 1e-2


def test_a_margin_shows_where_the_picture_ends():
    crops = {"zoom": (1, 1), "wide_share": 0, "stretch": 0, "on_sperm": 0, "per_epoch": 40}
    seen = 0
    for image, target in make(margin=16, **crops):
        outside = target == IGNORE_ID
        seen += int(outside.any())
        # Without normalisation blank is black; background and head of the discs are brighter.
        assert (image[:, outside] == 0).all()
        assert (image[:, ~outside] > 0.1).all()
    assert seen > 5
    assert not any((image == 0).any() for image, _ in make(**crops))


def test_a_crop_reaches_no_further_out_than_the_margin():
    settings = CropSettings(size=64, zoom=(1, 1), wide_share=0, stretch=0, on_sperm=0)
    nothing = np.zeros((0, 2), np.int32)
    for seed in range(60):
        points = crop_points((300, 300), nothing, 1.0, settings, np.random.default_rng(seed), 16)
        centre = points.mean((1, 2))
        assert (centre >= 32 - 16 - 0.51).all()
        assert (centre <= 300 - 32 + 16 - 0.49).all()


def smear_with_debris():
    """A head (grey 40) and a tail (150) that are annotated; a disc (30), a line (140) and haze
    (215) that are not."""
    image = np.full((200, 300, 3), 240, np.uint8)
    part_map = np.zeros((200, 300), np.uint8)
    image[20:60, 20:50], part_map[20:60, 20:50] = 40, NUCLEUS
    image[60:180, 33:36], part_map[60:180, 33:36] = 150, 3
    rows, columns = np.mgrid[:200, :300]
    disc = np.hypot(rows - 60, columns - 200) <= 10
    line = (rows >= 150) & (rows < 153) & (columns >= 120) & (columns < 280)
    image[disc], image[line] = 30, 140
    image[100:120, 120:140] = 215
    return image, part_map, disc, line


def test_unannotated_things_as_dark_as_heads_and_tails_are_found():
    image, part_map, disc, line = smear_with_debris()
    found = unannotated_pixels(image, part_map, white_of(image))
    rows, columns = found.T
    of_disc, of_line = disc[rows, columns], line[rows, columns]
    assert (of_disc | of_line).all()
    # As many as dark as a head, all of the disc, as of those as dark as a tail, of both.
    assert len(found) == 2 * disc.sum()
    assert of_disc.sum() > of_line.sum() > 0


def test_the_rim_of_an_annotation_is_not_unannotated():
    image, part_map, _, _ = smear_with_debris()
    image[60:66, 20:50] = 20
    found = unannotated_pixels(image, part_map, white_of(image))
    assert not ((found[:, 0] < 70) & (found[:, 1] < 60)).any()


def test_crops_lie_on_unannotated_things_when_asked():
    image, part_map, *_ = smear_with_debris()

    class Smears(Discs):
        def with_annotation_set(self, number):
            return self

        def load(self, sample_id):
            return LabelledSample(sample_id, image, part_map=part_map)

    def shares(**crops):
        dataset = make(Smears(), on_sperm=1, per_epoch=40, zoom=(1, 1), wide_share=0, **crops)
        dark = [(image[0].numpy() < 0.25)[target.numpy() == 0].any() for image, target in dataset]
        return np.mean(dark)

    assert shares(on_unannotated=1.0) > 0.6 > 0.4 > shares(on_unannotated=0.0)


class WithTails(Discs):
    """The discs with a tail each, all of one sperm in picture a, not told apart in the others."""

    def with_annotation_set(self, number):
        return self

    def load(self, sample_id):
        sample = super().load(sample_id)
        tail = np.zeros(sample.size, bool)
        tail[88:92, 141:200] = True
        part_map = np.where(tail, np.uint8(3), sample.part_map)
        sample.image[tail] = (120, 130, 150)
        masks = {NUCLEUS: sample.part_map == NUCLEUS, 3: tail}
        instances = (SpermInstance.from_full_masks(1, masks),) if sample_id == "a" else None
        return LabelledSample(sample_id, sample.image, part_map=part_map, instances=instances)


def test_sperm_of_other_pictures_are_pasted_into_a_share_of_the_crops():
    crops = {"size": 128, "zoom": (1, 1), "wide_share": 0, "stretch": 0, "per_epoch": 60}

    def heads(paste):
        dataset = make(WithTails(), paste=paste, **crops)
        nucleus = SCHEMA.ids.index(NUCLEUS)
        found = [ndimage.label((target == nucleus).numpy())[1] for _, target in dataset]
        return np.array(found), dataset._draws

    (before, _), (half, _), (after, draws) = heads(0.0), heads(0.5), heads(1.0)
    # Only picture a has a sperm to give, and none to take.
    assert (after[draws == 0] == before[draws == 0]).all()
    assert before.max() == 1
    assert (after > before).sum() > (half > 0.5 + before).sum() > 0
    assert (after - before).max() > 1


def test_without_sperm_that_are_told_apart_nothing_can_be_pasted():
    with pytest.raises(DataError, match=r"discs: no sperm to paste.*crops.paste to 0"):
        make(paste=0.5)
