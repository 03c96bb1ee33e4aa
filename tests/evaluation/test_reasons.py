from pathlib import Path

import pytest

from spermseg.errors import ConfigError, UsageError
from spermseg.evaluation.reasons import read_reasons

RECIPES = Path(__file__).parents[2] / "recipes"

ONE = """
model: m
reasons:
  - {picture: a, sperm: 3, reason: crossing, cause: separation, sentence: It turns off.}
"""


def read(tmp_path, text):
    path = tmp_path / "reasons.yaml"
    path.write_text(text)
    return read_reasons(path, "m")


def test_by_picture_and_sperm_or_found(tmp_path):
    found = read(tmp_path, ONE + "  - {picture: a, found: 3, reason: debris, sentence: Dirt.}\n")
    assert found["a", 3, None].reason == "crossing"
    assert found["a", 3, None].cause == "separation"
    assert found["a", None, 3].sentence == "Dirt."
    assert found["a", None, 3].cause is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("crossing", "bad luck", r"reasons.0.reason: .*'label wrong', 'part hidden'"),
        ("separation", "fate", "reasons.0.cause"),
        ("It turns off.", "''", "reasons.0.sentence"),
        ("sperm: 3", "sperm: 3, found: 2", "name either sperm"),
        ("sperm: 3, ", "", "name either sperm"),
        ("cause:", "because:", "reasons.0.because"),
        ("reasons:", "reason:", "reasons: Field required"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, message):
    with pytest.raises(ConfigError, match=message) as error:
        read(tmp_path, ONE.replace(old, new))
    assert "reasons.yaml" in str(error.value)


def test_two_reasons_for_one_sperm(tmp_path):
    with pytest.raises(ConfigError, match="two reasons for one sperm of a"):
        read(tmp_path, ONE + ONE.splitlines()[-1])


def test_reasons_of_another_model_are_refused(tmp_path):
    with pytest.raises(UsageError, match="sperm of other, the model is m"):
        read(tmp_path, ONE.replace("model: m", "model: other"))


def test_the_reasons_that_were_given():
    reasons = read_reasons(RECIPES / "worst-validation-fast-3.yaml", "sperm-parts-fast-3")
    assert sum(one.sperm is not None for one in reasons.values()) == 20
    assert all(one.cause for one in reasons.values())
