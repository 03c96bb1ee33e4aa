from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.transform import rotate

from spermseg.data.augmentation import REPORT_2021, Variant, apply_recipe, apply_variant
from spermseg.errors import UsageError

FLIPS = {"none": np.array, "horizontal": np.fliplr, "vertical": np.flipud}

ARROW_UP = np.array(
    [
        [0, 0, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [2, 0, 1, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0],
    ],
    np.uint8,
)
ARROW_LEFT = np.array(
    [
        [0, 0, 2, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 1, 1, 1, 1],
        [0, 1, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ],
    np.uint8,
)


def as_image(labels):
    return np.repeat(labels[:, :, None] * np.uint8(80), 3, axis=2)


def smooth_picture(shape):
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    waves = [np.sin(rows / 5 + k) * np.cos(cols / (4 + k)) for k in range(3)]
    return (127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)


def two_tails(shape):
    labels = np.zeros(shape, np.uint8)
    labels[shape[0] // 3 : shape[0] // 3 + 6, 4:-4] = 3
    labels[5:-5, shape[1] // 2 : shape[1] // 2 + 5] = 2
    return labels


def notebook(image, labels, variant):
    """What the report's notebook did, with scikit-image."""
    flip = FLIPS[variant.flip]
    turned = rotate(flip(image), variant.angle, resize=False, preserve_range=True)
    turned_labels = rotate(
        flip(labels).astype(np.int64), variant.angle, resize=False, preserve_range=True
    )
    return turned.astype(np.uint8), turned_labels.astype(np.uint8)


def inside(shape, angle):
    """Pixels of the turned canvas that see nothing of the outside."""
    return rotate(np.ones(shape), angle) > 1 - 1e-9


def midway(shape, angle):
    """Pixels that come from midway between two others, so that either is the nearest."""
    result = np.zeros(shape, bool)
    for ramp in np.mgrid[: shape[0], : shape[1]]:
        source = rotate(ramp, angle, preserve_range=True)
        result |= np.abs(source % 1 - 0.5) < 1e-3
    return result


def test_the_recipe_is_the_reports():
    assert len(REPORT_2021) == len(set(REPORT_2021)) == 3 * 37 == 111
    assert [variant.angle for variant in REPORT_2021[:37]] == list(range(0, 181, 5))
    assert [REPORT_2021[i].flip for i in (0, 36, 37, 73, 74, 110)] == [
        "none",
        "none",
        "horizontal",
        "horizontal",
        "vertical",
        "vertical",
    ]
    assert 15 * len(REPORT_2021) == 1665
    assert 4 * len(REPORT_2021) == 444


def test_a_quarter_turn_is_counter_clockwise():
    image, labels = apply_variant(as_image(ARROW_UP), ARROW_UP, Variant("none", 90))
    # The dot, left of the arrow, comes to lie where left of "up" is after the turn: below.
    np.testing.assert_array_equal(labels, ARROW_LEFT[::-1])
    np.testing.assert_array_equal(image, as_image(ARROW_LEFT[::-1]))


def test_the_flip_comes_before_the_rotation():
    _, labels = apply_variant(as_image(ARROW_UP), ARROW_UP, Variant("horizontal", 90))
    np.testing.assert_array_equal(labels, ARROW_LEFT)


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize("quarters", [0, 1, 2])
def test_multiples_of_90_degrees_are_exact_on_a_square(flip, quarters):
    image, labels = smooth_picture((32, 32)), two_tails((32, 32))
    turned, turned_labels = apply_variant(image, labels, Variant(flip, 90 * quarters))
    np.testing.assert_array_equal(turned, np.rot90(FLIPS[flip](image), quarters))
    np.testing.assert_array_equal(turned_labels, np.rot90(FLIPS[flip](labels), quarters))


@pytest.mark.parametrize("shape", [(58, 78), (64, 64)])
def test_agrees_with_scikit_image(shape):
    image, labels = smooth_picture(shape), two_tails(shape)
    for variant in REPORT_2021[::3]:
        turned, turned_labels = apply_variant(image, labels, variant)
        expected, _ = notebook(image, labels, variant)
        seen = inside(shape, variant.angle)
        difference = np.abs(turned.astype(int) - expected.astype(int))
        assert difference[seen].max() <= 1, variant
        nearest = rotate(FLIPS[variant.flip](labels), variant.angle, order=0, preserve_range=True)
        settled = seen & ~midway(shape, variant.angle)
        np.testing.assert_array_equal(turned_labels[settled], nearest[settled])


def test_corners_are_black_and_ignored_or_background_as_published():
    image, labels = np.full((40, 60, 3), 200, np.uint8), np.full((40, 60), 3, np.uint8)
    variant = Variant("vertical", 45)
    outside = rotate(np.ones((40, 60)), 45) < 1e-9
    turned, ignored = apply_variant(image, labels, variant)
    _, published = apply_variant(image, labels, variant, corners="background")
    assert (turned[outside] == 0).all()
    assert (ignored[outside] == 255).all()
    assert (published[outside] == 0).all()
    for result in (ignored, published):
        assert (result[inside((40, 60), 45)] == 3).all()


def test_linear_labels_are_those_of_the_notebook():
    image, labels = smooth_picture((58, 78)), two_tails((58, 78))
    for variant in REPORT_2021[::5]:
        _, turned = apply_variant(
            image, labels, variant, interpolation="linear", corners="background"
        )
        np.testing.assert_array_equal(turned, notebook(image, labels, variant)[1])


def test_linear_labels_invent_classes_at_the_edge_of_a_tail():
    labels = np.zeros((40, 40), np.uint8)
    labels[15:22, 5:35] = 3
    image = as_image(labels)
    _, published = apply_variant(image, labels, Variant("none", 30), interpolation="linear")
    _, corrected = apply_variant(image, labels, Variant("none", 30))
    assert set(np.unique(published)) == {0, 1, 2, 3, 255}
    assert set(np.unique(corrected)) == {0, 3, 255}


def test_linear_labels_ignore_the_corners_when_asked_to():
    labels = np.full((40, 60), 3, np.uint8)
    _, turned = apply_variant(as_image(labels), labels, Variant("none", 45), interpolation="linear")
    seen = inside((40, 60), 45)
    assert (turned[~seen] == 255).all()
    # The last bit of the sums makes a few pixels 2 instead of 3, as it did in the notebook.
    assert (turned[seen] == 3).mean() > 0.99


@pytest.mark.parametrize("corners", ["ignore", "background"])
def test_an_ignored_region_stays_ignored_and_blends_with_nothing(corners):
    labels = np.zeros((40, 40), np.uint8)
    labels[10:30, 10:30] = 255
    _, turned = apply_variant(
        as_image(labels // 5),
        labels,
        Variant("horizontal", 25),
        interpolation="linear",
        corners=corners,
    )
    region = rotate((labels == 255).astype(float), 25)
    assert set(np.unique(turned)) == {0, 255}
    assert (turned[region > 1e-6] == 255).all()


@given(
    labels=hnp.arrays(
        np.uint8,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=14),
        elements=st.sampled_from([0, 3, 6, 255]),
    ),
    index=st.integers(0, 110),
    corners=st.sampled_from(["ignore", "background"]),
)
def test_nearest_labels_invent_nothing(labels, index, corners):
    image = np.zeros((*labels.shape, 3), np.uint8)
    turned, turned_labels = apply_variant(image, labels, REPORT_2021[index], corners=corners)
    assert turned.shape == image.shape
    assert turned_labels.shape == labels.shape
    fill = 255 if corners == "ignore" else 0
    assert set(np.unique(turned_labels)) <= {*np.unique(labels), fill}


@pytest.mark.parametrize("interpolation", ["nearest", "linear"])
def test_the_whole_recipe_gives_the_pixels_of_its_variants(interpolation):
    image, labels = smooth_picture((23, 30)), two_tails((23, 30))
    seen = {}
    for variant, turned, turned_labels in apply_recipe(image, labels, interpolation=interpolation):
        seen[variant] = turned
        expected, expected_labels = apply_variant(
            image, labels, variant, interpolation=interpolation
        )
        np.testing.assert_array_equal(turned, expected)
        np.testing.assert_array_equal(turned_labels, expected_labels)
    assert set(seen) == set(REPORT_2021)
    # The report's twins: a flip turned by 180 degrees is the other flip.
    np.testing.assert_array_equal(seen[Variant("horizontal", 180)], seen[Variant("vertical", 0)])
    np.testing.assert_array_equal(seen[Variant("vertical", 180)], seen[Variant("horizontal", 0)])


def test_another_flip_is_refused():
    with pytest.raises(UsageError, match="diagonal"):
        Variant("diagonal", 0)
