"""What is written and read again is the same, overlaps included; or the loss is said."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spermseg.data.datasets import open_dataset
from spermseg.data.datasets.check import check_dataset
from spermseg.data.datasets.geojson import GeoJsonDataset
from spermseg.data.datasets.imagej import ImageJDataset
from spermseg.data.datasets.labelme import LabelMeDataset
from spermseg.data.images import write_image
from spermseg.data.part_maps import assemble
from spermseg.export import export_result
from spermseg.export.coco import write_coco
from spermseg.export.geojson import write_geojson
from spermseg.export.imagej import write_imagej
from spermseg.export.label_tiff import write_label_tiff
from spermseg.export.labelme import write_labelme
from spermseg.structures import Part, SpermInstance

from .conftest import SIZE, Pictures, crossing_sperm, picture_of

LOSSLESS = [
    ("coco", {}),
    ("coco", {"simplify": 0}),
    ("coco", {"run_lengths": True}),
    ("labelme", {}),
    ("labelme", {"simplify": 0}),
    ("geojson", {}),
    ("geojson", {"simplify": 0}),
    ("imagej", {}),
    ("imagej", {"simplify": 0}),
    ("label-tiff", {}),
]


@st.composite
def crowds(draw):
    """Draw sperm of any masks, which overlap, have holes, and lie at the edges of the frame."""
    sperm = []
    for id in range(1, draw(st.integers(0, 3)) + 1):
        masks = {}
        for part in draw(st.sets(st.sampled_from([Part.NUCLEUS, Part.MIDPIECE, Part.TAIL]))):
            crop = draw(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 12))))
            row = draw(st.integers(0, SIZE[0] - crop.shape[0]))
            column = draw(st.integers(0, SIZE[1] - crop.shape[1]))
            masks[part] = np.zeros(SIZE, bool)
            masks[part][row : row + crop.shape[0], column : column + crop.shape[1]] = crop
        one = SpermInstance.from_full_masks(id, masks)
        if one is not None:
            sperm.append(one)
    return tuple(sperm)


def assert_same(read, drawn):
    assert [one.id for one in read] == [one.id for one in drawn]
    for one, other in zip(read, drawn, strict=True):
        assert one.bbox == other.bbox
        assert one.masks.keys() == other.masks.keys()
        for part, mask in other.masks.items():
            np.testing.assert_array_equal(one.masks[part], mask)


BESIDE = [
    (write_labelme, LabelMeDataset, "smear.json"),
    (write_geojson, GeoJsonDataset, "smear.geojson"),
    (write_imagej, ImageJDataset, "smear.zip"),
]


@pytest.mark.parametrize(("write", "dataset", "name"), BESIDE)
@settings(max_examples=25)
@given(drawn=crowds(), simplify=st.sampled_from([0, 0.35]))
def test_any_masks_come_back_from_outlines(write, dataset, name, drawn, simplify):
    with tempfile.TemporaryDirectory() as folder:
        source = Pictures((picture_of(drawn),))
        assert write(source, Path(folder), simplify=simplify) == ()
        regions = dataset.read_regions(Path(folder) / name, SIZE)
    assert_same(assemble(regions, SIZE)[1], drawn)


@pytest.mark.parametrize(
    ("write", "options"),
    [(write_coco, {}), (write_coco, {"run_lengths": True}), (write_label_tiff, {})],
)
@settings(max_examples=8)
@given(drawn=crowds())
def test_any_masks_come_back_from_data_sets(write, options, drawn):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_image(root / "smear.png", np.full((*SIZE, 3), 200, np.uint8))
        assert write(Pictures((picture_of(drawn),)), root, **options) == ()
        assert_same(open_dataset(root).load("smear").instances, drawn)


@pytest.mark.parametrize(("format", "options"), LOSSLESS)
def test_a_result_is_a_data_set_among_its_pictures(result, format, options):
    pictures = result.parent / "pictures"
    exported = export_result(format, result, pictures, **options)
    assert (exported.pictures, exported.losses) == (2, ())
    dataset = open_dataset(pictures)
    assert dataset.layout == format
    assert_same(dataset.load("smear").instances, crossing_sperm())
    assert dataset.load("day 2/empty").instances == ()
    check = check_dataset(dataset)
    assert (check.pictures, check.sperm, check.problems) == (2, 2, ())


def test_flat_labels_say_what_they_lose(result, tmp_path):
    pictures = tmp_path / "pictures"
    exported = export_result("label-tiff", result, pictures, flat=True)
    # Two tails cross, one two pixels wide, the other one.
    assert [loss.split(" pixels")[0] for loss in exported.losses] == ["2"]
    assert "in 1 of 2 pictures" in exported.losses[0]
    read = {one.id: one for one in open_dataset(pictures).load("smear").instances}
    first, second = crossing_sperm()
    assert read[2].masks[Part.TAIL].sum() == second.masks[Part.TAIL].sum()
    lost = first.full_mask(Part.TAIL, SIZE) & ~read[1].full_mask(Part.TAIL, SIZE)
    assert np.argwhere(lost).tolist() == [[15, 34], [15, 35]]


@pytest.mark.parametrize(("format", "options"), [*LOSSLESS, ("label-tiff", {"flat": True})])
def test_nothing_of_a_file_but_its_name_is_written(result, tmp_path, format, options):
    exported = export_result(format, result, **options)
    assert exported.folder == result / "exports" / format
    for path in exported.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for hidden in (str(tmp_path), tmp_path.name, "/root", "/home"):
                assert hidden.encode() not in content


def test_equal_results_are_equal_files(result, tmp_path):
    for format, options in LOSSLESS:
        folders = [tmp_path / f"{format}-{name}" for name in "ab"]
        for folder in folders:
            export_result(format, result, folder, **options)
        names = [p.relative_to(folders[0]) for p in folders[0].rglob("*") if p.is_file()]
        for name in names:
            assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
        for folder in folders:
            shutil.rmtree(folder)


@pytest.mark.parametrize("write", [write_label_tiff, write_imagej])
def test_numbers_beyond_16_bits(write, tmp_path):
    (one, two) = crossing_sperm()
    many = (one, SpermInstance(70_000, two.bbox, two.masks))
    write_image(tmp_path / "smear.png", np.full((*SIZE, 3), 200, np.uint8))
    write(Pictures((picture_of(many),)), tmp_path)
    assert_same(open_dataset(tmp_path).load("smear").instances, many)
