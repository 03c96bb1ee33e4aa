import pytest
import torch
from torch import nn

from spermseg.errors import UsageError
from spermseg.training.average import VIEWS, AverageOfViews


class Slanted(nn.Module):
    """A network that knows up from down and left from right."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.layer = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, image):
        return {"out": self.layer(image)}


def test_all_views_together_know_no_direction():
    network = AverageOfViews([Slanted(0)], 8)
    image = torch.randn(1, 3, 9, 13)
    with torch.inference_mode():
        straight = network(image)["out"]
        torch.testing.assert_close(
            network(image.rot90(1, (2, 3)))["out"].rot90(-1, (2, 3)), straight
        )
        torch.testing.assert_close(network(image.flip(3))["out"].flip(3), straight)
        assert not torch.allclose(Slanted(0)(image.flip(3))["out"].flip(3), straight)


@pytest.mark.parametrize(("views", "turned"), [(2, [3]), (4, [2, 3])])
def test_fewer_views_are_mirrored_ones(views, turned):
    network = AverageOfViews([Slanted(0)], views)
    image = torch.randn(1, 3, 9, 13)
    with torch.inference_mode():
        straight = network(image)["out"]
        for axis in turned:
            torch.testing.assert_close(network(image.flip(axis))["out"].flip(axis), straight)


def test_the_mean_is_of_probabilities():
    one, other = Slanted(1), Slanted(2)
    image = torch.randn(2, 3, 5, 6)
    with torch.inference_mode():
        found = AverageOfViews([one, other], 1)(image)["out"].softmax(1)
        expected = (one(image)["out"].softmax(1) + other(image)["out"].softmax(1)) / 2
    torch.testing.assert_close(found, expected)


def test_views_are_all_different_and_begin_with_the_picture_itself():
    for number, views in VIEWS.items():
        assert len(set(views)) == number
        assert views[0] == (False, False, False)


def test_what_cannot_be_averaged():
    with pytest.raises(UsageError, match="views are 1, 2, 4, 8, got 3"):
        AverageOfViews([Slanted(0)], 3)
    with pytest.raises(UsageError, match="no network"):
        AverageOfViews([], 2)
