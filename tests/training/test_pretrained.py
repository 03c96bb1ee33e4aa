"""Weights files: torchvision's own names, damaged files, other architectures."""

import hashlib
import pickle
from collections import OrderedDict

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from spermseg.errors import CheckpointError, WeightsUnavailableError
from spermseg.training.models import create_model
from spermseg.training.pretrained import (
    PublishedWeights,
    cached_or_fetched,
    load_weights,
    of_torchvision,
    read_state_dict,
)

LRASPP = "lraspp_mobilenet_v3_large"


@pytest.fixture(scope="module")
def lraspp_file(tmp_path_factory):
    """What torchvision publishes for LR-ASPP, but random: its own network with 21 classes."""
    torch.manual_seed(1)
    network = torchvision.models.segmentation.lraspp_mobilenet_v3_large(
        weights=None, weights_backbone=None, num_classes=21
    )
    path = tmp_path_factory.mktemp("weights") / "lraspp.pth"
    torch.save(network.state_dict(), path)
    return path


def test_fresh_classifier_takes_the_backbone_alone(lraspp_file):
    model = create_model(LRASPP, 4)
    before = model.classifier.cbr[0].weight.clone()
    report = load_weights(model, lraspp_file, fresh_classifier=True)
    own, file = model.state_dict(), torch.load(lraspp_file)
    assert all(torch.equal(own[n], file[n]) for n in own if n.startswith("backbone."))
    assert torch.equal(model.classifier.cbr[0].weight, before)
    assert {n.split(".")[0] for n in report.loaded} == {"backbone"}
    assert {n.split(".")[0] for n in report.fresh} == {"classifier"}
    assert len(report.loaded) + len(report.fresh) == len(own)


def test_whole_network_leaves_out_and_names_what_does_not_fit(lraspp_file):
    model = create_model(LRASPP, 4)
    report = load_weights(model, lraspp_file)
    assert torch.equal(
        model.classifier.cbr[0].weight, torch.load(lraspp_file)["classifier.cbr.0.weight"]
    )
    misfits = {"low_classifier.weight", "low_classifier.bias"}
    misfits |= {"high_classifier.weight", "high_classifier.bias"}
    assert set(report.fresh) == {f"classifier.{name}" for name in misfits}
    assert "classifier.low_classifier.weight (21, 40, 1, 1), here (4, 40, 1, 1)" in report.left_out
    lines = report.text().splitlines()
    assert lines[0].startswith(f"weights: {len(report.loaded)} of {len(model.state_dict())} ")
    assert "and 1 more" in lines[1]
    assert "here (4" in lines[2]
    assert str(lraspp_file.parent.parent) not in report.text()


def test_torchvision_classification_weights_fill_the_backbone(tmp_path):
    backbone = torchvision.models.mobilenet_v3_large(weights=None)
    torch.save(backbone.state_dict(), tmp_path / "imagenet.pth")
    model = create_model("fcn_mobilenet_v3_large", 4)
    report = load_weights(model, tmp_path / "imagenet.pth", fresh_classifier=True)
    assert torch.equal(model.backbone["0"][0].weight, backbone.features[0][0].weight)
    assert len(report.loaded) == sum(n.startswith("backbone.") for n in model.state_dict())
    assert all(name.startswith("classifier.") for name in report.left_out)


def test_resnet_without_prefix_fills_the_backbone(tmp_path):
    # As torchvision's oldest files: no num_batches_tracked, and the ImageNet classifier on top.
    with torch.device("meta"):
        shapes = torchvision.models.resnet50(weights=None).state_dict()
    old = {n: torch.rand(t.shape) for n, t in shapes.items() if "num_batches" not in n}
    torch.save(old, tmp_path / "resnet50.pth")
    model = create_model("fcn_resnet50", 2)
    report = load_weights(model, tmp_path / "resnet50.pth", fresh_classifier=True)
    assert torch.equal(model.backbone.layer4[2].conv3.weight, old["layer4.2.conv3.weight"])
    assert len(report.loaded) == len(old) - 2
    assert set(report.left_out) == {"backbone.fc.weight", "backbone.fc.bias"}


@pytest.mark.parametrize("rename", ["network.{}", "{}", "module.network.{}"])
def test_smp_networks_load_with_and_without_our_prefix(tmp_path, rename):
    source = create_model("smp:unet:resnet18", 4)
    state = {rename.format(n): t for n, t in source.network.state_dict().items()}
    save_file(state, tmp_path / "unet.safetensors")
    model = create_model("smp:unet:resnet18", 4)
    report = load_weights(model, tmp_path / "unet.safetensors", fresh_classifier=True)
    assert {n.split(".")[1] for n in report.loaded} == {"encoder", "decoder"}
    assert {n.split(".")[1] for n in report.fresh} == {"segmentation_head"}
    whole = load_weights(model, tmp_path / "unet.safetensors")
    assert not whole.fresh
    assert not whole.left_out


def test_smp_encoder_alone_loads(tmp_path):
    source = create_model("smp:unet:resnet18", 4)
    save_file(source.network.encoder.state_dict(), tmp_path / "encoder.safetensors")
    model = create_model("smp:fpn:resnet18", 4)
    report = load_weights(model, tmp_path / "encoder.safetensors")
    assert {n.split(".")[1] for n in report.loaded} == {"encoder"}
    assert torch.equal(model.network.encoder.conv1.weight, source.network.encoder.conv1.weight)


def test_an_efficientnet_whose_blocks_are_counted_through_fills_the_encoder(tmp_path):
    name = "unet_efficientnet_lite2_context"
    published = timm.create_model("tf_efficientnet_lite2").state_dict()
    # The layers in the order in which the network of the PyPI package defines them.
    layers = ["_conv_stem", "_bn0"]
    for block in range(21):
        widening = ["_expand_conv", "_bn0"] if block else []
        rest = ["_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
        layers += [f"_blocks.{block}.{layer}" for layer in (*widening, *rest)]
    layers += ["_conv_head", "_bn1", "_fc"]
    tensors = iter(published.items())
    theirs, place = {}, {}
    for layer in layers:
        for key in norm_keys() if "_bn" in layer else ("weight", "bias")[: 1 + (layer == "_fc")]:
            ours, tensor = next(tensors)
            theirs[f"{layer}.{key}"], place[ours] = tensor, tensor
    assert next(tensors, None) is None
    torch.save(theirs, tmp_path / "lite2.pth")

    model = create_model(name, 6)
    report = load_weights(model, tmp_path / "lite2.pth", fresh_classifier=True)
    own = model.network.encoder.model.state_dict()
    loaded = [n for n in own if n in place]
    assert len(loaded) == len(report.loaded) == 378
    assert all(torch.equal(own[n], place[n]) for n in loaded)


def norm_keys():
    return ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@pytest.mark.parametrize("key", ["model", "state_dict", "model_state_dict"])
def test_weights_inside_a_training_state_are_found(tmp_path, key):
    state = OrderedDict(a=torch.ones(2))
    torch.save({key: state, "epoch": 3}, tmp_path / "last.pt")
    assert torch.equal(read_state_dict(tmp_path / "last.pt")["a"], torch.ones(2))


@pytest.mark.parametrize(
    ("file", "network"),
    [
        ("smp:unet:resnet34", "smp:unet:resnet18"),
        ("smp:unet:resnet18", "smp:unet:resnet34"),
        ("smp:unet:mobilenet_v2", "smp:unet:resnet18"),
        (LRASPP, "smp:unet:resnet18"),
    ],
)
def test_another_architecture_is_refused_and_nothing_changes(tmp_path, file, network):
    torch.save(create_model(file, 4).state_dict(), tmp_path / "other.pth")
    model = create_model(network, 4)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError, match="another architecture") as caught:
        load_weights(model, tmp_path / "other.pth")
    assert "other.pth" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


class Unsafe:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a weights file ran code",))


@pytest.mark.parametrize("value", [nn.Linear(2, 2), {"weight": Unsafe()}])
def test_pickled_objects_are_refused_with_advice(tmp_path, value):
    torch.save(value, tmp_path / "whole.pth")
    with pytest.raises(CheckpointError, match=r"pickled model.*state_dict") as caught:
        read_state_dict(tmp_path / "whole.pth")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.9, 0.999])
def test_truncated_files_are_one_line(tmp_path, suffix, share):
    path = tmp_path / f"weights{suffix}"
    state = {"a": torch.rand(50, 50), "b": torch.rand(9)}
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CheckpointError, match="damaged") as caught:
        read_state_dict(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"hello world", b"\x80\x02", bytes(1000), pickle.dumps([1], protocol=2)]
)
def test_other_files_are_refused(tmp_path, data):
    path = tmp_path / "weights.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointError):
        read_state_dict(path)


@pytest.mark.parametrize(
    ("value", "words"), [([1, 2], "a list"), ({"epoch": 3}, "epoch are no tensors"), ({}, "a dict")]
)
def test_what_is_no_state_dict_is_refused(tmp_path, value, words):
    torch.save(value, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=words):
        read_state_dict(tmp_path / "weights.pth")


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="safetensors"):
        read_state_dict(tmp_path / "weights.onnx")


@pytest.fixture
def published(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    digest = hashlib.sha256(b"right").hexdigest()
    return PublishedWeights("https://example.org/w.pth", "w.pth", digest[:8])


def test_torchvision_names_carry_their_checksum():
    weights = of_torchvision(torchvision.models.ResNet50_Weights.IMAGENET1K_V1)
    assert weights.file_name == "resnet50-0676ba61.pth"
    assert weights.sha256_prefix == "0676ba61"


def test_a_cached_file_is_used_without_the_network(published, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", pytest.fail)
    published.path.parent.mkdir()
    published.path.write_bytes(b"right")
    assert cached_or_fetched(published) == published.path


def test_a_damaged_cached_file_is_fetched_again(published, monkeypatch):
    published.path.parent.mkdir()
    published.path.write_bytes(b"wro")
    with pytest.raises(WeightsUnavailableError, match=r"w\.pth are damaged"):
        cached_or_fetched(published, download=False)

    def fetch(url, place, hash_prefix, progress):
        assert (url, hash_prefix) == (published.url, published.sha256_prefix)
        published.path.write_bytes(b"right")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert cached_or_fetched(published).read_bytes() == b"right"


def test_a_full_disk_is_not_called_a_missing_network(published, monkeypatch):
    def fill(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fill)
    with pytest.raises(OSError, match="No space"):
        cached_or_fetched(published)
