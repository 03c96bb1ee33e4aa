from __future__ import annotations

from pathlib import Path

import pytest

from spermseg.errors import ConfigError, UsageError
from spermseg.structures import schema_named
from spermseg.study.plan import describe, read_study
from spermseg.training.losses import create_loss
from spermseg.training.models import architecture_named
from spermseg.training.run_folder import without_folders

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def human_level():
    return read_study([ROOT / "experiments"])


def test_the_experiments_of_this_repository_are_valid_and_differ(human_level):
    assert len(human_level.experiments) >= 25
    trained = {}
    for name, experiment in human_level.experiments.items():
        config = human_level.config(name, 0, Path("out"))
        settings = config.model_copy(update={"name": ""}).model_dump_json()
        key = settings, experiment.data
        assert key not in trained, f"{name} is the same training as {trained[key]}"
        trained[key] = name
        assert (experiment.base is None) == (name == "base")


def test_networks_and_losses_of_this_repository_exist(human_level):
    for name in human_level.experiments:
        config = human_level.config(name, 0, Path("out"))
        assert architecture_named(config.model.architecture)
        soft = config.data.annotations == "soft"
        assert create_loss(config.loss, schema_named(config.data.schema_name), soft=soft)


def test_settings_are_those_of_the_base_and_the_own_ones(quick):
    config = quick.config("loss", 3, Path("out"))
    assert config.loss.terms == {"cross_entropy": 1.0, "dice": 0.5}
    assert config.data.crops.size == 32
    assert (config.name, config.training.seed) == ("loss-3", 3)


def test_overrides_lie_over_the_base_and_undo_no_difference(quick):
    overrides = {"training": {"seed": 9, "workers": 2}, "loss": {"terms": {"focal": 1.0}}}
    base, loss = (quick.config(name, 1, Path("out"), overrides) for name in ("base", "loss"))
    for config in (base, loss):
        assert (config.training.seed, config.training.workers) == (1, 2)
    assert base.loss.terms == {"focal": 1.0}
    assert loss.loss.terms == {"cross_entropy": 1.0, "dice": 0.5}


def test_a_second_stage_begins_with_the_first_of_its_seed_wherever_the_folder_lies(quick, tmp_path):
    configs = [quick.config("second", 5, tmp_path / folder) for folder in ("here", "there")]
    model = configs[0].model
    assert Path(model.pretrained) == tmp_path / "here" / "base-5" / "model.safetensors"
    assert model.fresh_classifier is False
    assert without_folders(configs[0]) == without_folders(configs[1])


def test_a_teacher_is_the_network_of_the_same_seed_wherever_the_folder_lies(
    write_experiments, tmp_path
):
    network = "settings: {model: {architecture: unet_mobilenetv4_small, pretrained: none}}"
    taught = "teacher: a\nsettings: {teacher: {distillation: 0.5}}"
    study = read_study([write_experiments(a=network, b=taught)])
    assert study.in_order(["b"]) == ("a", "b")
    teacher = without_folders(study.config("b", 4, tmp_path)).teacher
    assert (teacher.model, teacher.distillation) == ("a-4/model.safetensors", 0.5)
    assert teacher.architecture == "unet_mobilenetv4_small"


def test_what_an_experiment_needs_comes_before_it(write_experiments):
    study = read_study([write_experiments(a="base: c\nafter: b", b="base: d", c="", d="base: c")])
    assert study.in_order() == ("c", "d", "b", "a")
    assert study.in_order(["b"]) == ("c", "d", "b")
    with pytest.raises(UsageError, match="no experiment 'e'"):
        study.in_order(["e"])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": "base: b"}, "a: needs what is not there: no experiment 'b'"),
        ({"a": "after: b", "b": "base: a"}, "these need each other: a > b > a"),
        ({"a": "name: b"}, "called as its file"),
        ({"a": "colour: red"}, r"a\.yaml: colour: Extra inputs"),
        ({"a": "settings: {data: {crop_size: 3}}"}, r"unknown setting 'data.crop_size'"),
        ({"a": "evaluate: [{name: x, title: x, question: x, views: 3}]"}, r"evaluate\.0\.views"),
        (
            {"a": "evaluate: [" + "{name: x, title: x, question: x}, " * 2 + "]"},
            "two variants under evaluate have one name",
        ),
    ],
)
def test_wrong_files_are_named(files, message, write_experiments):
    with pytest.raises(ConfigError, match=message):
        read_study([write_experiments(**files)])


def test_files_and_folders_are_read_once(quick_files, tmp_path):
    assert list(read_study([quick_files / "base.yaml"]).experiments) == ["base"]
    with pytest.raises(ConfigError, match="two experiments are called base"):
        read_study([quick_files, quick_files / "base.yaml"])
    with pytest.raises(UsageError, match="no experiments here"):
        read_study([tmp_path])


def test_changes_are_told_in_a_line():
    changes = {
        "data": {"crops": {"zoom": [1, 1.5]}, "normalise": False},
        "loss": {"terms": {"dice": 0.5, "focal": 1.0}},
        "model": {"batch_norm_momentum": None},
    }
    assert describe(changes) == (
        "data.crops.zoom: 1–1.5, data.normalise: false, loss.terms: 0.5 dice + 1 focal, "
        "model.batch_norm_momentum: none"
    )
