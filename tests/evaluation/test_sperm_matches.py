import numpy as np
import pytest

from spermseg.evaluation.sperm_matches import PictureSperm, match_sperm, worst_sperm
from spermseg.metrics.parsing import compare_sperm
from spermseg.structures import SCHEMAS, LabelledSample, Part, Scale, Segmentation, SpermInstance

SCHEMA = SCHEMAS["sperm-parsing"]
SIZE = (40, 100)


def sperm(id, score=1.0, **boxes):
    """One sperm whose parts are rectangles (row0, col0, row1, col1)."""
    masks = {}
    for name, (row0, col0, row1, col1) in boxes.items():
        mask = np.zeros(SIZE, bool)
        mask[row0:row1, col0:col1] = True
        masks[int(Part[name.upper()])] = mask
    return SpermInstance.from_full_masks(id, masks, score=score)


def matched(annotated, found, part_map=None) -> PictureSperm:
    part_map = np.zeros(SIZE, np.uint8) if part_map is None else part_map
    sample = LabelledSample(
        "a",
        np.zeros((*SIZE, 3), np.uint8),
        part_map=np.zeros(SIZE, np.uint8),
        instances=tuple(annotated),
    )
    scores = np.zeros((SCHEMA.n_classes, 1, 1), np.float32)
    segmentation = Segmentation(part_map, scores, SCHEMA, Scale("unknown"))
    return match_sperm(sample, segmentation, found, compare_sperm(found, annotated, SIZE))


def test_each_part_has_its_own_iou():
    true = sperm(4, nucleus=(0, 0, 10, 10), tail=(4, 10, 6, 30), vacuole=(2, 2, 4, 4))
    # The nucleus five columns further right, which covers a part of the tail.
    guess = sperm(9, 0.8, nucleus=(0, 5, 10, 15), tail=(4, 15, 6, 30), acrosome=(0, 15, 2, 17))
    (one,) = matched([true], [guess]).annotated
    # Of the annotated nucleus's 100 pixels the vacuole covers 4; the found one covers tail.
    assert one.iou["nucleus"] == 50 / 146
    assert one.iou["tail"] == 30 / 40
    assert one.iou["vacuole"] == one.iou["acrosome"] == 0
    assert np.isnan(one.iou["midpiece"])
    assert one.mean_part_iou == pytest.approx((50 / 146 + 30 / 40) / 4)
    assert (one.picture, one.sperm, one.found, one.score) == ("a", 4, 9, 0.8)
    assert (one.box, one.found_box) == ((0, 0, 10, 30), (0, 5, 10, 30))
    assert (one.missing, one.added) == (("vacuole",), ("acrosome",))
    assert one.fits_better is None


def test_mean_iou_is_the_published_one_with_the_background():
    true, guess = sperm(1, tail=(0, 0, 1, 40)), sperm(1, tail=(0, 20, 1, 60))
    (one,) = matched([true], [guess]).annotated
    n = SIZE[0] * SIZE[1]
    assert one.mean_part_iou == 20 / 60
    assert one.mean_iou == pytest.approx((20 / 60 + (n - 60) / (n - 20)) / 2)


def test_a_sperm_that_shares_no_part_is_not_found():
    true = sperm(1, nucleus=(0, 0, 10, 10), tail=(4, 10, 6, 30))
    # It lies on the tail, but with another part.
    (one,) = matched([true], [sperm(1, nucleus=(0, 20, 10, 30))]).annotated
    assert one.found is one.score is one.found_box is None
    assert one.mean_part_iou == one.mean_iou == 0
    assert one.missing == ("tail", "nucleus")
    (alone,) = matched([true], []).annotated
    assert (alone.found, alone.mean_part_iou) == (None, 0)


def test_two_heads_in_one_sperm_fit_one_of_them_better():
    one, other = sperm(1, nucleus=(0, 0, 10, 10)), sperm(2, nucleus=(0, 12, 10, 32))
    both = sperm(7, nucleus=(0, 0, 10, 32))
    first, second = matched([one, other], [both]).annotated
    assert (first.found, first.fits_better) == (7, 2)
    assert (second.found, second.fits_better) == (7, None)
    assert first.iou["nucleus"] == 100 / 320


def test_the_best_fit_counts_not_the_best_score():
    true = sperm(1, nucleus=(0, 0, 10, 10))
    near, far = sperm(1, 0.4, nucleus=(0, 1, 10, 11)), sperm(2, 0.9, nucleus=(0, 8, 10, 18))
    (one,) = matched([true], [far, near]).annotated
    assert (one.found, one.score) == (1, 0.4)


def test_seen_is_what_the_part_map_has_of_the_part_in_whichever_sperm():
    true = sperm(1, nucleus=(0, 0, 10, 10), tail=(4, 10, 6, 30))
    part_map = np.zeros(SIZE, np.uint8)
    part_map[0:10, 0:10] = Part.NUCLEUS
    part_map[4:6, 10:25] = Part.TAIL
    part_map[4:6, 25:30] = Part.MIDPIECE
    (one,) = matched([true], [sperm(1, nucleus=(0, 0, 10, 10))], part_map).annotated
    assert (one.seen["nucleus"], one.seen["tail"]) == (1, 0.75)
    assert np.isnan(one.seen["vacuole"])
    assert one.iou["tail"] == 0


def test_false_sperm_are_those_right_for_none_at_one_half():
    true = sperm(1, nucleus=(0, 0, 10, 10))
    right, nothing = sperm(1, 0.6, nucleus=(0, 0, 10, 10)), sperm(2, 0.9, nucleus=(20, 50, 30, 60))
    twice = sperm(3, 0.5, nucleus=(0, 0, 10, 9))
    (first, second) = matched([true], [right, nothing, twice]).false
    assert (first.found, first.score, first.found_box) == (2, 0.9, (20, 50, 30, 60))
    assert first.mean_iou < 0.5
    # A second one on the same annotated sperm is false, however well it fits.
    assert second.found == 3
    assert second.mean_iou > 0.9
    assert [one.mean_iou for one in matched([], [right]).false] == [0]


def test_the_worst_come_first_and_no_more_than_asked_for():
    near, far = (sperm(1, score, nucleus=(0, k, 10, 10 + k)) for k, score in ((1, 0.5), (6, 0.7)))
    true = sperm(1, nucleus=(0, 0, 10, 10))
    pictures = [matched([true], [one]) for one in (near, far)]
    worst, false = worst_sperm(pictures, 2)
    assert [one.mean_part_iou for one in worst] == [40 / 160, 90 / 110]
    assert [one.score for one in worst_sperm(pictures, 1)[0]] == [0.7]
    # A head moved by six of its ten columns has a mean IoU above one half with the background.
    assert false == []
    others = [matched([true], [sperm(1, s, nucleus=(30, 60, 40, 70))]) for s in (0.4, 0.8, 0.6)]
    assert [one.score for one in worst_sperm(others, 2)[1]] == [0.8, 0.6]
