from __future__ import annotations

import numpy as np
import pytest
import tifffile

from spermseg.data.datasets import open_dataset
from spermseg.data.images import write_image
from spermseg.errors import DatasetError, MaskError
from spermseg.structures import Part

SHAPE = (12, 20)


def write(root, name, pages, labels=None, **options):
    pages = np.asarray(pages)
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if labels is not None:
        options |= {"imagej": True, "metadata": {"axes": "ZYX", "Labels": labels}}
    tifffile.imwrite(path, pages, photometric="minisblack", **options)


@pytest.fixture
def root(tmp_path):
    write_image(tmp_path / "a.png", np.full((*SHAPE, 3), 220, np.uint8))
    return tmp_path


def crossing():
    pages = np.zeros((3, *SHAPE), np.uint16)
    pages[0, 2:6, 2:6] = 300
    pages[1, 4, 6:18] = 300
    pages[2, 1:11, 10] = 2
    return pages


def test_a_page_a_part(root):
    write(root, "labels/a.tif", crossing(), ["nucleus", "tail", "tail 2"])
    sperm = {one.id: one for one in open_dataset(root).load("a").instances}
    assert sperm.keys() == {2, 300}
    assert sperm[300].masks.keys() == {Part.NUCLEUS, Part.TAIL}
    tails = [sperm[id].full_mask(Part.TAIL, SHAPE) for id in (2, 300)]
    assert np.argwhere(tails[0] & tails[1]).tolist() == [[4, 10]]


def test_flat_labels_of_other_programs(root):
    labels, parts = np.zeros(SHAPE, np.int64), np.zeros(SHAPE, np.uint8)
    labels[2:6, 2:6], parts[2:6, 2:4], parts[2:6, 4:6] = 4_000_000_000, 4, 5
    write(root, "sperm-labels/a.tif", labels.astype(np.uint32))
    write(root, "part-labels/a.tif", parts)
    (sperm,) = open_dataset(root).load("a").instances
    assert sperm.id == 4_000_000_000
    assert {part: int(mask.sum()) for part, mask in sperm.masks.items()} == {4: 8, 5: 8}


def test_pictures_may_lie_in_a_folder_of_their_own(root):
    (root / "images" / "day").mkdir(parents=True)
    (root / "a.png").rename(root / "images" / "day" / "a.png")
    write(root, "labels/day/a.tif", crossing(), ["nucleus", "tail", "tail 2"])
    assert open_dataset(root).ids == ("day/a",)


def test_parts_without_numbers_are_a_problem(root):
    write(root, "sperm-labels/a.tif", np.zeros(SHAPE, np.uint16))
    write(root, "part-labels/b.tif", np.zeros(SHAPE, np.uint8))
    with pytest.raises(DatasetError, match="no annotated pictures here"):
        open_dataset(root)


@pytest.mark.parametrize(
    ("pages", "labels", "reason"),
    [
        (crossing(), ["nucleus", "tail", "flagellin"], "page 2: unknown label 'flagellin'"),
        (crossing(), None, "3 pages without a part's name each. Name the slices"),
        (crossing()[:, :-1], ["nucleus", "tail", "tail 2"], r"page 0: labels of \(11, 20\)"),
        (crossing().astype(np.float32), ["head"] * 3, "page 0: float32"),
    ],
)
def test_labels_that_cannot_be_used(root, pages, labels, reason):
    write(root, "labels/a.tif", pages, labels)
    with pytest.raises(MaskError, match=rf"labels/a\.tif: {reason}"):
        open_dataset(root).load("a")


def test_unknown_parts(root):
    write(root, "sperm-labels/a.tif", np.ones(SHAPE, np.uint16))
    write(root, "part-labels/a.tif", np.full(SHAPE, 9, np.uint8))
    with pytest.raises(MaskError, match=r"part-labels/a\.tif: unknown values \[9\]"):
        open_dataset(root).load("a")


@pytest.mark.parametrize("content", [b"", b"II*\0", b"words", b"II*\0\x08\0\0\0\xff\xff"])
def test_damaged_files(root, content):
    write(root, "labels/a.tif", crossing(), ["nucleus", "tail", "tail 2"])
    (root / "labels/a.tif").write_bytes(content)
    with pytest.raises(MaskError, match=r"labels/a\.tif: "):
        open_dataset(root).load("a")


def test_a_file_that_was_cut_off(root):
    write(root, "labels/a.tif", crossing(), ["nucleus", "tail", "tail 2"])
    content = (root / "labels/a.tif").read_bytes()
    (root / "labels/a.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(MaskError, match=r"labels/a\.tif: "):
        open_dataset(root).load("a")
