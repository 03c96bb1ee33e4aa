"""The catalog against the settings that the report itself gives."""

from __future__ import annotations

import pytest

from spermseg.config import load_training_config, read_yaml
from spermseg.errors import UsageError
from spermseg.experiments.catalog import (
    CATALOG,
    EXPERIMENTS,
    differences,
    load_experiment,
    load_experiments,
    load_scale,
)


def leaves(settings, prefix=""):
    for key, value in settings.items():
        if isinstance(value, dict) and key != "terms":
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


@pytest.mark.parametrize(
    ("name", "pretrained", "normalise", "batch", "epochs", "published"),
    [
        ("experiment-1", "coco-voc", True, 10, 25, (0.07586, 0.31242, 0.02615)),
        ("experiment-2", "none", False, 10, 25, (0.35263, 0.00000, 0.02491)),
        ("experiment-3", "coco-voc", True, 5, 10, (0.07198, 0.32160, 0.02613)),
        ("experiment-4", "none", False, 5, 10, (0.81401, 0.00000, 0.02474)),
    ],
)
def test_main_experiments_are_the_reports(name, pretrained, normalise, batch, epochs, published):
    experiment = load_experiment(name)
    config = experiment.config
    assert config.model.pretrained == pretrained
    assert config.data.normalise is normalise
    assert (config.training.batch_size, config.training.epochs) == (batch, epochs)
    assert (
        experiment.published.loss,
        experiment.published.iou,
        experiment.published.dice_loss,
    ) == published


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_all_share_the_common_settings_but_for_their_own(name):
    experiment = load_experiment(name)
    own, parent = {key for key, _ in leaves(experiment.changes)}, experiment.base
    while parent != "common":
        own |= {key for key, _ in leaves(load_experiment(parent).changes)}
        parent = load_experiment(parent).base
    common = dict(leaves(read_yaml(CATALOG / "common.yaml")))
    found = dict(leaves(experiment.settings))
    assert {key for key in found if found[key] != common.get(key)} == own


def test_common_settings_are_the_reports():
    config = load_experiment("experiment-1").config
    assert config.model.architecture == "deeplabv3_resnet50"
    assert config.data.size == (580, 780)
    assert config.data.augmentation == "report-2021"
    assert config.data.variants_per_epoch is None
    assert config.loss.terms == {"cross_entropy": 1.0}
    assert (config.optimiser.name, config.optimiser.lr) == ("adamw", 1e-3)
    assert config.model.auxiliary_loss == 0
    assert config.model.fresh_classifier


def test_other_experiments_vary_what_the_report_varied():
    def config(name):
        return load_experiment(name).config

    assert config("pretrained-not-normalised").model.pretrained == "coco-voc"
    assert not config("pretrained-not-normalised").data.normalise
    assert config("resize-600-crop-400").data.size == (600, 600)
    assert config("resize-600-crop-400").data.crop == (400, 400)
    assert config("cross-entropy-plus-dice").loss.terms == {
        "cross_entropy": 0.8,
        "dice_report_2021": 0.2,
    }
    assert config("adadelta").optimiser.name == "adadelta"
    assert config("adadelta").optimiser.lr == 1e-4
    assert config("fcn-resnet50").model.architecture == "fcn_resnet50"
    assert config("lraspp").model.architecture == "lraspp_mobilenet_v3_large"


def test_labels_are_corrected_except_where_marked():
    labels = {
        e.name: (e.config.data.labels, e.config.data.corners)
        for e in load_experiments()
        if (e.config.data.labels, e.config.data.corners) != ("nearest", "ignore")
    }
    assert labels == {
        "labels-as-published": ("linear", "ignore"),
        "corners-as-published": ("nearest", "background"),
        "both-as-published": ("linear", "background"),
    }


@pytest.mark.parametrize("path", sorted(CATALOG.glob("*.yaml")), ids=lambda path: path.stem)
def test_files_are_short(path):
    if path.stem not in ("common", "scales"):
        assert len(path.read_text().splitlines()) <= 12


def test_every_file_of_the_catalog_is_used():
    others = {"common", "scales", "pretrain-synthetic"}
    assert {path.stem for path in CATALOG.glob("*.yaml")} == {*EXPERIMENTS, *others}


def test_laptop_halves_sizes_and_keeps_batches_and_epochs():
    full, laptop = load_experiment("resize-600-crop-400").config, load_scale("laptop")
    small = laptop.apply(load_experiment("resize-600-crop-400"))
    assert (small.data.size, small.data.crop) == ((300, 300), (200, 200))
    assert small.model.architecture == "deeplabv3_mobilenet_v3_large"
    assert small.model.batch_norm_momentum == 0.1
    assert small.training == full.training
    assert laptop.apply(load_experiment("experiment-1")).data.size == (290, 390)
    assert (
        laptop.apply(load_experiment("fcn-resnet50")).model.architecture == "fcn_mobilenet_v3_large"
    )


def test_full_scale_changes_nothing():
    for experiment in load_experiments():
        assert load_scale("full").apply(experiment) == experiment.config


def test_quick_keeps_the_longer_trainings_longer():
    epochs = [
        load_scale("quick").apply(load_experiment(name)).training.epochs
        for name in ("experiment-1", "experiment-3")
    ]
    assert epochs == [2, 1]


def test_the_synthetic_pretraining_fits_the_laptop_scale():
    config = load_training_config(CATALOG / "pretrain-synthetic.yaml")
    laptop = load_scale("laptop").apply(load_experiment("experiment-1"))
    assert config.model.architecture == laptop.model.architecture
    assert config.data.size == laptop.data.size
    assert config.model.pretrained == "none"


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(UsageError, match=r"experment-1.*experiment-1"):
        load_experiments(["experment-1"])
    with pytest.raises(UsageError, match="full, laptop, quick"):
        load_scale("huge")


def test_experiments_come_in_the_catalogs_order():
    names = [e.name for e in load_experiments(["lraspp", "experiment-1"])]
    assert names == ["experiment-1", "lraspp"]
    assert [e.name for e in load_experiments()] == list(EXPERIMENTS)


def test_differences_read_as_a_line():
    assert differences(load_experiment("experiment-1")) == "the common settings"
    assert (
        differences(load_experiment("cross-entropy-plus-dice"))
        == "experiment-3 with loss.terms: 0.8 cross_entropy + 0.2 dice_report_2021"
    )
