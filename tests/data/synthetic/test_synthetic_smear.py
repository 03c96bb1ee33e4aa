"""Pictures, masks and truth of one smear agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.morphology import skeletonize

from spermseg.data.part_maps import paint_part_map
from spermseg.data.synthetic import PRESETS, SyntheticSample, synthesize_sample
from spermseg.data.synthetic.distributions import Uniform
from spermseg.errors import UsageError
from spermseg.structures import SCHEMAS, Part, SpermInstance

HEAD = (Part.ACROSOME, Part.NUCLEUS, Part.VACUOLE)


@pytest.fixture(scope="module")
def smears() -> dict[str, list[SyntheticSample]]:
    numbers = {"tiny": range(6), "scian": range(3), "pale": range(1), "sperm-parsing": range(1)}
    return {name: [synthesize_sample(name, 1, i) for i in numbers[name]] for name in numbers}


def all_sperm(smears):
    for made in (made for some in smears.values() for made in some):
        for sperm, true in zip(made.sample.instances, made.truth, strict=True):
            yield made.sample, sperm, true


def union(sperm: SpermInstance, parts, size) -> np.ndarray:
    return np.logical_or.reduce([sperm.full_mask(part, size) for part in parts])


def extents(mask: np.ndarray, direction_deg: float) -> tuple[float, float]:
    """Extents in pixels along and across a direction."""
    rows, cols = np.nonzero(mask)
    angle = np.deg2rad(-direction_deg)
    along = rows * np.sin(angle) + cols * np.cos(angle)
    across = rows * np.cos(angle) - cols * np.sin(angle)
    return np.ptp(along) + 1, np.ptp(across) + 1


def test_masks_of_whole_heads_have_their_true_length_and_width(smears):
    n = 0
    for sample, sperm, true in all_sperm(smears):
        if true.head_visible_fraction == 1 and true.head_form != "double":
            measured = extents(union(sperm, HEAD, sample.size), true.direction_deg)
            expected = (true.head_length_um, true.head_width_um)
            assert np.array(measured) * sample.um_per_px == pytest.approx(
                expected, abs=1.01 * sample.um_per_px
            )
            n += 1
    assert n > 30


def test_masks_of_whole_heads_have_their_true_areas(smears):
    for sample, sperm, true in all_sperm(smears):
        if true.head_visible_fraction < 1:
            continue
        pixel = sample.um_per_px**2
        head = union(sperm, HEAD, sample.size).sum()
        # A pixel along the outline is in or out by chance.
        tolerance = 0.5 * np.sqrt(true.head_perimeter_um / sample.um_per_px) + 3
        assert head == pytest.approx(true.head_area_um2 / pixel, abs=tolerance)
        if true.head_form != "double" and head > 100:
            acrosome = sperm.full_mask(Part.ACROSOME, sample.size).sum()
            assert acrosome / head == pytest.approx(true.acrosome_fraction, abs=0.06)


def test_masks_of_whole_midpieces_have_their_true_area(smears):
    n = 0
    for sample, sperm, true in all_sperm(smears):
        if true.cut or true.midpiece_form not in ("normal", "droplet") or sample.um_per_px > 0.1:
            continue
        area = sperm.full_mask(Part.MIDPIECE, sample.size).sum() * sample.um_per_px**2
        assert area == pytest.approx(true.midpiece_length_um * true.midpiece_width_um, rel=0.25)
        n += 1
    assert n > 0


def test_skeletons_of_whole_plain_tails_have_their_true_length(smears):
    n = 0
    for sample, sperm, true in all_sperm({"scian": smears["scian"]}):
        if true.cut or true.tail_form not in ("normal", "short"):
            continue
        skeleton = skeletonize(sperm.full_mask(Part.TAIL, sample.size))
        straight = (skeleton[1:] & skeleton[:-1]).sum() + (skeleton[:, 1:] & skeleton[:, :-1]).sum()
        slanted = (skeleton[1:, 1:] & skeleton[:-1, :-1]).sum()
        slanted += (skeleton[1:, :-1] & skeleton[:-1, 1:]).sum()
        # Weights of Vossepoel and Smeulders (1982) for chain codes of straight and slanted steps.
        length = (0.980 * straight + 1.406 * slanted) * sample.um_per_px
        assert length == pytest.approx(true.tail_length_um, rel=0.12)
        n += 1
    assert n > 3


def test_centre_line_runs_from_the_midpiece_and_is_as_long_as_the_tail(smears):
    for sample, sperm, true in all_sperm(smears):
        if true.tail_form == "absent":
            assert sperm.centerline is None
            continue
        steps = np.linalg.norm(np.diff(sperm.centerline, axis=0), axis=1)
        assert steps.sum() * sample.um_per_px == pytest.approx(true.tail_length_um)


def test_parts_of_one_sperm_do_not_overlap_and_those_of_several_do(smears):
    overlaps = 0
    for made in smears["scian"] + smears["sperm-parsing"]:
        count = np.zeros(made.sample.size, int)
        for sperm in made.sample.instances:
            own = sum(sperm.full_mask(part, made.sample.size).astype(int) for part in sperm.masks)
            assert own.max() == 1
            count += own
        overlaps += (count > 1).sum()
    assert overlaps > 100


def test_part_map_is_the_sperm_painted_in_order(smears):
    for made in (made for some in smears.values() for made in some):
        painted = paint_part_map(made.sample.instances, made.sample.size)
        np.testing.assert_array_equal(made.sample.part_map, painted)
        assert set(np.unique(painted)) <= set(SCHEMAS["sperm-parsing"].ids)


def test_sperm_that_reach_beyond_the_border_are_flagged(smears):
    n_cut = 0
    for sample, sperm, true in all_sperm(smears):
        assert ("cut" in sperm.flags) == true.cut
        visible = [
            true.head_visible_fraction,
            true.midpiece_visible_fraction,
            true.tail_visible_fraction,
        ]
        assert true.cut == (np.nanmin(visible) < 1)
        if sperm.centerline is not None:
            within = (sperm.centerline >= -0.5) & (sperm.centerline <= np.array(sample.size) - 0.5)
            assert within.all(1).mean() == pytest.approx(true.tail_visible_fraction)
        n_cut += true.cut
    assert n_cut > 20


def test_visible_fraction_of_a_head_is_the_share_of_its_area(smears):
    for sample, sperm, true in all_sperm(smears):
        if sample.um_per_px < 0.1:
            pixels = union(sperm, HEAD, sample.size).sum() if sperm.masks else 0
            share = pixels * sample.um_per_px**2 / true.head_area_um2
            assert share == pytest.approx(true.head_visible_fraction, abs=0.02)


def test_shares_are_those_of_real_pictures(smears):
    """SCIAN: head 0.8 %, midpiece 0.4 %, tail 1.4 % (one picture)."""
    labels = np.stack([made.sample.part_map for made in smears["scian"]])
    assert 0.004 < np.isin(labels, HEAD).mean() < 0.016
    assert 0.002 < (labels == Part.MIDPIECE).mean() < 0.008
    assert 0.007 < (labels == Part.TAIL).mean() < 0.028


def test_heads_are_dark_tails_faint_and_the_ground_pale(smears):
    for made in (made for some in smears.values() for made in some):
        grey = made.sample.image.mean(2)
        labels = made.sample.part_map
        ground, nucleus, tail = (
            np.median(grey[labels == part]) for part in (0, Part.NUCLEUS, Part.TAIL)
        )
        assert nucleus < 0.8 * ground
        assert nucleus < tail < ground


def test_the_same_arguments_give_the_same_smear_and_others_another():
    first, again = synthesize_sample("tiny", 3, 1), synthesize_sample("tiny", 3, 1)
    np.testing.assert_array_equal(first.sample.image, again.sample.image)
    assert repr(first.truth) == repr(again.truth)
    for other in (synthesize_sample("tiny", 3, 2), synthesize_sample("tiny", 4, 1)):
        assert (first.sample.image != other.sample.image).mean() > 0.5


def test_settings_of_your_own():
    anatomy = replace(
        PRESETS["tiny"].anatomy,
        head_length=Uniform(5, 5),
        tail_length=Uniform(12, 12),
        forms={part: {"normal": 1.0} for part in ("head", "midpiece", "tail")},
    )
    preset = replace(PRESETS["tiny"], anatomy=anatomy, um_per_px=0.1)
    made = synthesize_sample(preset, 0, 0)
    assert made.sample.um_per_px == 0.1
    assert {(true.head_length_um, true.tail_length_um) for true in made.truth} == {(5, 12)}


def test_a_picture_without_sperm_is_empty_and_valid():
    # One sperm, somewhere within 3 mm.
    preset = replace(PRESETS["tiny"], n_sperm=Uniform(0, 0), reach_um=3000.0)
    made = synthesize_sample(preset, 0, 0)
    assert made.truth == made.sample.instances == ()
    assert not made.sample.part_map.any()


@pytest.mark.parametrize(("preset", "seed"), [("nice", 0), ("tiny", -1)])
def test_wrong_arguments(preset, seed):
    with pytest.raises(UsageError, match=r"nice|-1"):
        synthesize_sample(preset, seed, 0)
