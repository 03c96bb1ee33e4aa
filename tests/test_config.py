"""Settings: the report's as defaults, and errors that name the key."""

from __future__ import annotations

import pytest

from spermseg.config import load_training_config, merge, training_config
from spermseg.errors import ConfigError


def test_defaults_are_those_of_the_report_s_first_experiment():
    config = training_config({})
    assert config.model.architecture == "deeplabv3_resnet50"
    assert config.model.pretrained == "coco-voc"
    assert config.data.size == (580, 780)
    assert config.data.normalise
    assert (config.optimiser.name, config.optimiser.lr) == ("adamw", 1e-3)
    assert config.loss.terms == {"cross_entropy": 1.0}
    assert (config.training.batch_size, config.training.epochs) == (10, 25)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"optimizer": {}}, r"'optimizer': did you mean 'optimiser'"),
        ({"training": {"batchsize": 3}}, r"'training.batchsize': did you mean 'batch_size'"),
        ({"data": {"shema": "x"}}, "did you mean 'schema'"),
        ({"training": {"zzz": 3}}, "there are epochs, batch_size"),
        ({"training": {"epochs": 0}}, r"training.epochs: .*\(got 0\)"),
        ({"data": {"schema": "x"}}, "report-2021, sperm-parsing"),
        ({"data": {"size": [0, 5]}}, "size must be two positive"),
        ({"data": {"head_length_px": 45}}, "goes with size"),
        ({"data": {"head_length_px": 45, "size": None}}, "go together"),
        ({"data": {"annotation_sets": [1, 2]}}, "need crops"),
        ({"data": {"annotations": "soft"}}, "soft annotations need several annotation_sets"),
        ({"data": {"head_length_px": 45, "size": None, "crops": {}}}, "set augmentation to none"),
        (
            {"teacher": {"model": "x"}},
            "teacher: .*teaches nothing: set unannotated or distillation",
        ),
        ({"teacher": {"model": "x", "distil": 1}}, "did you mean 'distillation'"),
        ({"teacher": {"model": "x.safetensors", "distillation": 1}}, "architecture goes with"),
        ({"teacher": {"model": "x", "distillation": 1, "views": 3}}, r"teacher.views: .*\(got 3\)"),
        ({"data": {"crops": {"zoom": [2, 1]}}}, "zoom must be two positive numbers, least first"),
        ({"data": {"crops": {"appearance": {"gama": 1}}}}, "did you mean 'gamma'"),
    ],
)
def test_wrong_settings_are_named(settings, words):
    with pytest.raises(ConfigError, match=words):
        training_config(settings)


def test_merge_replaces_a_sum_of_losses_whole_and_merges_the_rest():
    base = {"loss": {"terms": {"cross_entropy": 1}, "focal_gamma": 2}, "name": "a"}
    change = {"loss": {"terms": {"dice": 1}}}
    assert merge(base, change) == {
        "loss": {"terms": {"dice": 1}, "focal_gamma": 2},
        "name": "a",
    }
    assert base["loss"]["terms"] == {"cross_entropy": 1}


def test_settings_survive_yaml(tmp_path):
    import yaml

    config = training_config({"data": {"schema": "sperm-parsing", "crop": [10, 20], "size": None}})
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.to_dict()))
    assert load_training_config(path) == config


@pytest.mark.parametrize("text", ["- a list", "a: [", "\x00"])
def test_files_that_are_no_settings(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        load_training_config(path)


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="no such settings file"):
        load_training_config(tmp_path / "none.yaml")
