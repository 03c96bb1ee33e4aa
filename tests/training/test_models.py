"""Networks: sizes and parameter counts against those that torchvision publishes."""

from pathlib import Path

import pytest
import torch
from torch import nn

from spermseg.config import ModelSettings
from spermseg.errors import ModelError, WeightsUnavailableError
from spermseg.training import models, pretrained
from spermseg.training.models import ARCHITECTURES, create_model, load_pretrained

torch.set_num_threads(1)

# Of torchvision's documentation: the whole network with 21 classes and its auxiliary classifier.
PUBLISHED_PARAMETERS = {
    "deeplabv3_resnet50": 42_004_074,
    "deeplabv3_resnet101": 60_996_202,
    "deeplabv3_mobilenet_v3_large": 11_029_328,
    "fcn_resnet50": 35_322_218,
    "fcn_resnet101": 54_314_346,
    "lraspp_mobilenet_v3_large": 3_221_538,
}


@pytest.mark.parametrize("name", PUBLISHED_PARAMETERS)
def test_parameter_counts_are_the_published_ones(name):
    with torch.device("meta"):
        model = create_model(name, 21, auxiliary=ARCHITECTURES[name].auxiliary)
    assert sum(p.numel() for p in model.parameters()) == PUBLISHED_PARAMETERS[name]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_logits_have_the_size_of_the_picture(name):
    auxiliary = ARCHITECTURES[name].auxiliary
    with torch.device("meta"):
        model = create_model(name, 4, auxiliary=auxiliary).eval()
        output = model(torch.empty(2, 3, 65, 97))
    assert set(output) == ({"out", "aux"} if auxiliary else {"out"})
    assert all(logits.shape == (2, 4, 65, 97) for logits in output.values())


@pytest.mark.parametrize(
    "name",
    [
        "unet_mobilenetv4_small",
        "unet_mobilenetv4_small_context",
        "unet_efficientnet_lite2_context",
        "fcn_mobilenet_v3_large",
        "smp:unetplusplus:mobilenet_v2",
        "smp:pspnet:mobilenet_v2",
        "smp:segformer:mit_b0",
        "smp:dpt:tu-vit_tiny_patch16_224",
    ],
)
def test_any_size_gives_finite_logits(name):
    model = create_model(name, 4).eval()
    for size in [(33, 65), (1, 1)]:
        with torch.inference_mode():
            logits = model(torch.rand(1, 3, *size))["out"]
        assert logits.shape == (1, 4, *size)
        assert logits.isfinite().all()


def test_fcn_on_mobilenet_has_the_backbone_of_torchvision_and_its_own_head():
    with torch.device("meta"):
        model = create_model("fcn_mobilenet_v3_large", 4, auxiliary=True)
        sibling = create_model("deeplabv3_mobilenet_v3_large", 4, auxiliary=True)
    assert model.backbone.return_layers == sibling.backbone.return_layers
    ours, peer = model.state_dict(), sibling.state_dict()
    shapes = {n: t.shape for n, t in ours.items() if not n.startswith("classifier")}
    expected = {n: t.shape for n, t in peer.items() if not n.startswith("classifier")}
    assert shapes == expected
    assert ours["classifier.4.weight"].shape == (4, 240, 1, 1)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("deeplabv3_resnet5", "did you mean 'deeplabv3_resnet50'"),
        ("nothing like it", "there are deeplabv3_resnet50"),
        ("smp:unt:resnet18", "did you mean 'unet'"),
        ("smp:unet:resnet19", "did you mean 'resnet18'"),
        ("smp:unet", "smp:unet:resnet18"),
        ("smp:unet:tu-nothing", "Unknown model"),
        ("smp:dpt:resnet18", "tu-"),
    ],
)
def test_wrong_names_are_one_line_with_the_closest(name, words):
    with pytest.raises(ModelError, match=words) as caught:
        create_model(name, 4)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "smp:unet:resnet18"])
def test_auxiliary_output_is_refused_where_there_is_none(name):
    with pytest.raises(ModelError, match="auxiliary_loss"):
        create_model(name, 4, auxiliary=True)


def test_batch_norm_momentum_is_set_everywhere():
    with torch.device("meta"):
        model = create_model("lraspp_mobilenet_v3_large", 4, batch_norm_momentum=0.2)
    momenta = {m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)}
    assert momenta == {0.2}


def test_nothing_is_loaded_without_pretraining():
    model = create_model("lraspp_mobilenet_v3_large", 4)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    report = load_pretrained(model, ModelSettings(pretrained="none"))
    assert report.text() == "weights: random"
    assert report.fresh == tuple(before)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """An empty cache of torch and no network; gives the addresses that were asked for."""
    asked = []

    def fail(url, *_, **__):
        asked.append(url)
        raise pretrained.urllib.error.URLError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / ".cache/torch/hub"))
    monkeypatch.setattr(pretrained.Path, "home", lambda: tmp_path)
    return asked


@pytest.mark.parametrize(
    ("architecture", "source", "url", "place"),
    [
        (
            "deeplabv3_resnet50",
            "coco-voc",
            "https://download.pytorch.org/models/deeplabv3_resnet50_coco-cd0a2569.pth",
            "~/.cache/torch/hub/checkpoints/deeplabv3_resnet50_coco-cd0a2569.pth",
        ),
        (
            "fcn_mobilenet_v3_large",
            "imagenet",
            "https://download.pytorch.org/models/mobilenet_v3_large-8738ca79.pth",
            "~/.cache/torch/hub/checkpoints/mobilenet_v3_large-8738ca79.pth",
        ),
        (
            "smp:unet:resnet18",
            "imagenet",
            "https://huggingface.co/smp-hub/resnet18.imagenet/resolve/",
            "~/.cache/torch/hub/checkpoints/smp-hub-resnet18.imagenet.safetensors",
        ),
    ],
)
def test_offline_says_what_to_download_and_where_to_put_it(
    offline, architecture, source, url, place
):
    settings = ModelSettings(architecture=architecture, pretrained=source)
    assert not models.weights_available(settings)
    assert not offline
    with pytest.raises(WeightsUnavailableError) as caught:
        load_pretrained(nn.Linear(1, 1), settings)
    assert url in str(caught.value)
    assert f"put it at {place} " in str(caught.value)
    assert offline[0].startswith(url)


@pytest.mark.parametrize(
    ("architecture", "source"),
    [
        ("fcn_mobilenet_v3_large", "coco-voc"),
        ("smp:unet:resnet18", "coco-voc"),
        ("smp:unet:timm-efficientnet-l2", "imagenet"),
        ("smp:unet:tu-resnet18", "imagenet"),
    ],
)
def test_weights_that_nobody_published(offline, architecture, source):
    settings = ModelSettings(architecture=architecture, pretrained=source)
    assert not models.weights_available(settings, download=True)
    with pytest.raises(WeightsUnavailableError, match="published for"):
        models.find_weights(settings)
    assert not offline


@pytest.mark.parametrize("path", ["missing.pth", "missing", "cocovoc"])
def test_missing_file_lists_the_choices(tmp_path, path):
    settings = ModelSettings(pretrained=str(tmp_path / path))
    assert not models.weights_available(settings)
    with pytest.raises(WeightsUnavailableError, match="coco-voc, imagenet, none"):
        models.find_weights(settings)


def test_a_run_folder_stands_for_its_weights(tmp_path):
    (tmp_path / "model.safetensors").touch()
    settings = ModelSettings(pretrained=str(tmp_path))
    assert models.find_weights(settings) == tmp_path / "model.safetensors"


def test_the_page_on_weights_lists_every_published_file():
    page = (Path(__file__).parents[2] / "docs" / "weights.md").read_text(encoding="utf-8")
    published = [w for a in ARCHITECTURES.values() for w in (a.coco_voc, a.imagenet) if w]
    assert len(published) == 13
    assert [w.url for w in published if f"<{w.url}>" not in page] == []
