"""Targets and divergences worked out by hand, and which models can teach."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from spermseg.config import TeacherSettings, merge, training_config
from spermseg.errors import CheckpointError, ConfigError, ModelError
from spermseg.inference.card import file_sha256, read_card
from spermseg.inference.catalog import DEFAULT_MODEL, model_folder
from spermseg.training.checkpoint import write_weights
from spermseg.training.models import create_model
from spermseg.training.teacher import Teacher, with_teacher

CPU = torch.device("cpu")
AXES = ([], [2], [3], [2, 3])
"""Turned round for each of four views."""

IGNORED = 255
LIKE_THE_DEFAULT = {
    "data": {
        "schema": "sperm-parsing",
        "size": None,
        "augmentation": "none",
        "head_length_px": 45,
        "crops": {},
    },
    "teacher": {"model": DEFAULT_MODEL, "distillation": 1.0},
}


class Says(nn.Module):
    """Gives probabilities that were settled before, whatever it sees."""

    def __init__(self, *pixels):
        super().__init__()
        self.scores = torch.tensor(pixels).T[None, :, None, :]

    def forward(self, images):
        return {"out": self.scores.log().expand(len(images), -1, -1, -1)}


#           background  head  tail
PIXELS = (
    (0.9, 0.05, 0.05),
    (0.4, 0.1, 0.5),
    (0.4, 0.5, 0.1),
    (0.1, 0.8, 0.1),
    (0.45, 0.3, 0.25),
)
PICTURE = torch.zeros(1, 3, 1, 5)


def teacher(**settings):
    return Teacher(Says(*PIXELS), TeacherSettings(model="x", **{"rim": 0, **settings}))


def corrected(target, **settings):
    return teacher(**settings).look(PICTURE, torch.tensor([[target]]))[0][0, 0].tolist()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        # Only where the annotation says background and the teacher does not.
        ({"unannotated": "ignore"}, [0, 255, 2, 255, 255]),
        # Where no part is likelier than background, that is the class which the teacher gives.
        ({"unannotated": "teacher"}, [0, 2, 2, 255, 0]),
        ({"unannotated": "ignore", "threshold": 0.42}, [0, 255, 2, 255, 0]),
        ({"unannotated": "ignore", "threshold": 0.95}, [255, 255, 2, 255, 255]),
        ({"distillation": 1.0}, [0, 0, 2, 255, 0]),
    ],
)
def test_what_becomes_of_sperm_that_nobody_annotated(settings, expected):
    assert corrected([0, 0, 2, IGNORED, 0], **settings) == expected


def test_beside_an_annotated_part_the_annotation_stands():
    target = [0, 0, 0, 0, 2]
    for rim, expected in (
        (0, [0, 255, 255, 255, 2]),
        (1, [0, 255, 255, 0, 2]),
        (3, [0, 0, 0, 0, 2]),
    ):
        assert corrected(target, unannotated="ignore", rim=rim) == expected


def test_soft_targets_are_corrected_where_everyone_says_background():
    shares = F.one_hot(torch.tensor([[0, 0, 2, 0, 0]]), 3).float().permute(0, 2, 1).unsqueeze(2)
    shares[0, :, 0, 2] = torch.tensor([2 / 3, 0, 1 / 3])
    shares[0, :, 0, 3] = 0
    expected = shares.clone()
    expected[0, :, 0, 1] = torch.tensor([0, 0, 1])
    taught, _ = teacher(unannotated="teacher").look(PICTURE, shares)
    assert torch.equal(taught, expected)
    expected[0, :, 0, [1, 4]] = 0
    ignored, _ = teacher(unannotated="ignore").look(PICTURE, shares)
    assert torch.equal(ignored, expected)


def test_distillation_of_two_pixels():
    # The teacher says (.9, .05, .05) and (.4, .1, .5), the network (1/3, 1/3, 1/3); the others are
    # ignored. KL to even scores is log 3 minus the entropy.
    target = torch.tensor([[[0, 1, IGNORED, IGNORED, IGNORED]]])
    logits = torch.zeros(1, 3, 1, 5, requires_grad=True)
    one = teacher(distillation=2.0)
    _, said = one.look(PICTURE, target)
    entropy = [-sum(p * math.log(p) for p in pixel) for pixel in PIXELS[:2]]
    loss = one.distillation(logits, said, target)
    assert loss.item() == pytest.approx(2 * (math.log(3) - sum(entropy) / 2), rel=1e-5)
    loss.backward()
    assert (logits.grad[..., 2:] == 0).all()
    assert (logits.grad[..., :2] != 0).any()
    nothing = one.distillation(logits, said, torch.full_like(target, IGNORED))
    assert nothing.item() == 0
    shares = F.one_hot(target.clamp(max=2), 3).permute(0, 3, 1, 2) * (target != IGNORED)
    torch.testing.assert_close(one.distillation(logits, said, shares.float()), loss)


def test_a_network_like_its_teacher_learns_nothing_at_any_temperature():
    target = torch.zeros(1, 1, 5, dtype=torch.long)
    for temperature in (0.5, 1.0, 4.0):
        one = teacher(distillation=1.0, temperature=temperature)
        _, said = one.look(PICTURE, target)
        # A constant on all logits is no difference.
        assert one.distillation(said + 3, said, target).item() == pytest.approx(0, abs=1e-6)


def test_temperature_softens_both_and_keeps_the_size_of_the_gradient():
    target = torch.zeros(1, 1, 5, dtype=torch.long)
    one = teacher(distillation=1.0, temperature=2.0)
    _, said = one.look(PICTURE, target)
    halved = (said / 2).softmax(1)
    even = torch.full_like(halved, 1 / 3)
    expected = 4 * (halved * (halved / even).log()).sum(1).mean()
    torch.testing.assert_close(one.distillation(torch.zeros_like(said), said, target), expected)


def test_a_bundled_model_teaches_and_is_written_down():
    config, found = with_teacher(training_config(LIKE_THE_DEFAULT), CPU)
    assert config.teacher.sha256 == read_card(model_folder() / "card.json").weights_sha256
    assert not found.network.training
    target = torch.zeros(1, 64, 64, dtype=torch.long)
    same, said = found.look(torch.zeros(1, 3, 64, 64), target)
    assert same is target
    assert said.shape == (1, 6, 64, 64)
    assert not said.requires_grad
    again, _ = with_teacher(config, CPU)
    assert again == config


def test_another_file_than_the_one_written_down_is_refused():
    config = training_config(merge(LIKE_THE_DEFAULT, {"teacher": {"sha256": "0" * 64}}))
    with pytest.raises(
        CheckpointError, match=rf"{DEFAULT_MODEL}: the teacher's sha256 is \w+, exp"
    ):
        with_teacher(config, CPU)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"schema": "report-2021"}}, "knows background, midpiece, tail, acrosome"),
        ({"data": {"head_length_px": 60}}, "head_length_px 45.0, the training with 60.0"),
        ({"data": {"normalise": False}}, "mean .*, the training with"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        with_teacher(training_config(merge(LIKE_THE_DEFAULT, changes)), CPU)


def test_a_teacher_that_is_not_there_is_refused():
    changes = {"teacher": {"model": "sperm-parts-unheard-of"}}
    with pytest.raises(ModelError, match="no model 'sperm-parts-unheard-of'"):
        with_teacher(training_config(merge(LIKE_THE_DEFAULT, changes)), CPU)


def test_weights_of_an_architecture_teach_from_several_sides(tmp_path, settings):
    path = tmp_path / "weights.safetensors"
    torch.manual_seed(0)
    config = settings(
        teacher={"model": str(path), "architecture": "tiny", "unannotated": "ignore", "views": 4}
    )
    with pytest.raises(CheckpointError, match=r"weights.safetensors"):
        with_teacher(config, CPU)
    network = create_model("tiny", 4)
    write_weights(path, network)
    identified, found = with_teacher(config, CPU)
    assert identified.teacher.sha256 == file_sha256(path)
    picture = torch.randn(1, 3, 32, 48)
    sides = [network.eval()(picture.flip(axes))["out"].softmax(1).flip(axes) for axes in AXES]
    _, said = found.look(picture, torch.zeros(1, 32, 48, dtype=torch.long))
    torch.testing.assert_close(said.softmax(1), sum(sides) / 4)
