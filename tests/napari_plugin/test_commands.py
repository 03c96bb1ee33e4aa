"""What the commands give and take, as layers of napari without a viewer."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from spermseg.cli import app
from spermseg.data.datasets import open_dataset
from spermseg.data.images import write_image
from spermseg.errors import DataError, MaskError, UsageError
from spermseg.napari_plugin import reading, samples, segmenting
from spermseg.napari_plugin.layers import image_layer, parts_layer, sperm_layers
from spermseg.napari_plugin.reading import get_reader
from spermseg.napari_plugin.writing import rgb, write_annotations, write_part_map
from spermseg.structures import Part

napari_layers = pytest.importorskip("napari.layers", reason="needs pip install 'spermseg[napari]'")

SIZE = (120, 260)
UM_PER_PX = 0.1


def drawn():
    """Give a blue head, a green midpiece and a red tail on white, as `colour_model` knows them."""
    image = np.full((*SIZE, 3), 255, np.uint8)
    y, x = np.indices(SIZE)
    image[((y - 60) / 14) ** 2 + ((x - 40) / 22) ** 2 <= 1] = (0, 0, 255)
    image[57:64, 62:100] = (0, 255, 0)
    image[58:63, 100:240] = (255, 0, 0)
    return image


@pytest.fixture(scope="module")
def result(tmp_path_factory, colour_model):
    """Folder of a result of two pictures, beside them."""
    folder = tmp_path_factory.mktemp("work")
    write_image(folder / "smears" / "one.png", drawn())
    write_image(folder / "smears" / "day 2" / "two.tif.png", drawn()[::-1].copy())
    arguments = ["analyze", str(folder / "smears"), "-o", str(folder / "result")]
    arguments += ["--model", str(colour_model), "--um-per-px", str(UM_PER_PX), "--workers", "1"]
    app(arguments, standalone_mode=False)
    return folder / "result"


def layers_of(path):
    reader = get_reader(str(path))
    return [napari_layers.Layer.create(*layer) for layer in reader(str(path))]


def test_a_result_is_opened_with_its_pictures(result):
    layers = layers_of(result)
    kinds = ["Image", "Labels", "Labels", "Shapes"]
    assert [type(layer).__name__ for layer in layers] == 2 * kinds
    image, parts, sperm, tails = layers[4:]
    assert [layer.name for layer in layers[4:]] == ["one", "one parts", "one sperm", "one tails"]
    np.testing.assert_array_equal(image.data, drawn())
    assert set(np.unique(parts.data)) == {0, Part.MIDPIECE, Part.TAIL, Part.NUCLEUS}
    assert parts.data[60, 40] == Part.NUCLEUS
    vermilion = np.array([213, 94, 0]) / 255
    np.testing.assert_allclose(parts.get_color(int(Part.TAIL))[:3], vermilion, atol=1e-6)
    assert (sperm.data[60, 40], sperm.data[60, 200], sperm.data[5, 5]) == (1, 1, 0)
    assert {tuple(layer.scale) for layer in layers} == {(UM_PER_PX, UM_PER_PX)}
    assert {str(unit) for layer in layers for unit in layer.units} == {"micrometer"}
    (path,) = tails.data
    assert (abs(path[:, 0] - 60) < 3).all()
    assert path[:, 1].max() > 230


def test_measurements_are_the_table_of_the_sperm(result):
    features = layers_of(result / "parts" / "one.png")[2].features
    (values,) = json.loads((result / "sperm" / "one.json").read_text())["sperm"]
    (row,) = features.to_dict("records")
    assert row["index"] == row["sperm_id"] == 1
    assert row["head_length_um"] == pytest.approx(values["row"]["head_length_um"], rel=1e-3)
    # A head of 44 px and a bit, at 0.1 um a pixel.
    assert row["head_length_um"] == pytest.approx(4.5, abs=0.2)


def test_one_part_map_opens_its_picture_alone(result):
    names = [layer.name for layer in layers_of(result / "parts" / "day 2" / "two.tif.png")]
    assert names[0] == "day 2/two.tif"
    assert len(names) == 4


def test_without_the_picture_the_labels_are_opened(result, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.symlink_to(result, target_is_directory=True)
    assert next(kind for *_, kind in get_reader(str(moved))(str(moved))) == "labels"


def test_other_files_are_left_to_other_readers(result, tmp_path):
    write_image(tmp_path / "parts" / "picture.png", drawn())
    for path in (tmp_path, tmp_path / "parts" / "picture.png", result / "report.html"):
        assert get_reader(str(path)) is None
    assert get_reader([str(result)]) is None


def test_too_many_pictures_are_refused(result, monkeypatch):
    monkeypatch.setattr(reading, "MOST_PICTURES", 1)
    with pytest.raises(UsageError, match="2 pictures are too many"):
        layers_of(result)


def test_a_picture_that_is_not_in_the_result_is_named(result):
    with pytest.raises(UsageError, match="no picture 'three'"):
        reading.read_result(str(result / "parts" / "three.png"))


def test_a_part_map_comes_back_as_it_was(tmp_path):
    labels = np.array([[0, 2, 3], [5, 6, 255]], np.int64)
    layer = napari_layers.Labels(labels, name="x parts")
    assert write_part_map(str(tmp_path / "x.png"), *layer.as_layer_data_tuple()[:2]) == [
        str(tmp_path / "x.png")
    ]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), labels)


@pytest.mark.parametrize("labels", [[[0, 7]], [[-1, 0]], [[[0, 1]]]])
def test_what_are_no_part_ids_is_not_written(tmp_path, labels):
    with pytest.raises(MaskError, match="Part ids are: 0 background, 1 head"):
        write_part_map(str(tmp_path / "x.png"), np.array(labels), {"name": "x"})
    assert not list(tmp_path.iterdir())


def test_corrected_labels_are_annotations_that_spermseg_reads(result, tmp_path):
    layers = [layer.as_layer_data_tuple() for layer in layers_of(result / "parts" / "one.png")]
    parts = layers[1][0].copy()
    parts[20:24, 20:24], layers[2][0][20:24, 20:24] = Part.VACUOLE, 70_000
    layers[1] = (parts, *layers[1][1:])
    written = write_annotations(str(tmp_path / "set"), layers)
    assert [path.rsplit("/", 2)[1] for path in written] == ["images", "part-labels", "sperm-labels"]
    dataset = open_dataset(tmp_path / "set")
    assert dataset.layout == "label-tiff"
    sample = dataset.load(dataset.ids[0])
    np.testing.assert_array_equal(sample.part_map, parts)
    np.testing.assert_array_equal(sample.image, drawn())
    assert [one.id for one in sample.instances] == [1, 70_000]
    assert tifffile.imread(written[2]).dtype == np.uint32
    with pytest.raises(UsageError, match="something here already"):
        write_annotations(str(tmp_path / "set"), layers)


def test_annotations_need_both_kinds_of_labels(tmp_path):
    image, labels = image_layer("a", drawn()), parts_layer("a", np.zeros(SIZE, np.uint8))
    with pytest.raises(UsageError, match="'sperm' at the end"):
        write_annotations(str(tmp_path), [image, labels, labels])
    other = sperm_layers("a", (), (3, 4))
    with pytest.raises(MaskError, match=r"labels are \(3, 4\), the picture \(120, 260\)"):
        write_annotations(str(tmp_path), [image, labels, *other])


def test_the_widget_finds_the_sperm_of_a_layer(colour_model):
    layer = napari_layers.Image(drawn(), rgb=True, name="mine", scale=(1e-4, 1e-4), units="mm")
    assert segmenting.layer_pixel_size(layer) == pytest.approx(0.1)
    found = segmenting.find_sperm(layer, model=str(colour_model), threads=1)
    parts, sperm, tails = (napari_layers.Layer.create(*one) for one in found)
    assert [one.name for one in (parts, sperm, tails)] == ["mine parts", "mine sperm", "mine tails"]
    assert sperm.data.max() == 1
    assert sperm.features["head_length_um"][0] == pytest.approx(4.5, abs=0.2)


def test_the_widget_asks_for_a_layer_a_model_a_scale_and_threads():
    magic_signature = pytest.importorskip("magicgui.signature").magic_signature
    type_map = pytest.importorskip("magicgui.type_map")
    asked = magic_signature(segmenting.find_sperm).parameters
    kinds = {
        name: type_map.get_widget_class(annotation=one.annotation, options=one.options)[0].__name__
        for name, one in asked.items()
    }
    assert kinds == {
        "image": "ComboBox",
        "model": "ComboBox",
        "um_per_px": "FloatSpinBox",
        "threads": "SpinBox",
    }
    assert "sperm-parts-fast-2" in asked["model"].options["choices"]


def test_a_layer_in_pixels_has_no_pixel_size():
    assert segmenting.layer_pixel_size(napari_layers.Image(drawn(), rgb=True)) is None


def test_pixels_of_a_layer_are_taken_as_they_are():
    image = drawn()
    clear = np.dstack([image, np.full(SIZE, 255, np.uint8)])
    np.testing.assert_array_equal(rgb(clear), image)
    np.testing.assert_array_equal(rgb(image[..., 0])[..., 2], image[..., 0])
    with pytest.raises(DataError, match=r"float64 \(120, 260, 3\)"):
        rgb(image / 255)


@pytest.mark.parametrize("make", [samples.stained_smear, samples.pale_smear])
def test_sample_data_is_a_smear_and_its_true_parts(make):
    image, parts = (napari_layers.Layer.create(*layer) for layer in make())
    assert image.data.shape == (512, 640, 3)
    assert Part.NUCLEUS in parts.data
    assert tuple(image.scale) == tuple(parts.scale) != (1, 1)
