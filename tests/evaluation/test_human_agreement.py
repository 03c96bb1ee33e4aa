"""One human annotation against another: agreement that is known from another measurement."""

import numpy as np
import pytest

from spermseg.data.datasets import open_dataset
from spermseg.evaluation import evaluate
from spermseg.inference.predictor import Predictor
from spermseg.structures import SCHEMAS


def read_aloud(dataset, ids, schema):
    """Give the annotations of `ids` in turn, as logits."""
    waiting = iter(ids)

    def backend(batch):
        indices = schema.to_indices(dataset.load(next(waiting)).part_map)
        classes = np.arange(schema.n_classes)[:, np.newaxis, np.newaxis]
        return (10 * (classes == indices)).astype(np.float32)[np.newaxis]

    return backend


# Measured over all 256 pictures and three pairs of annotators: head .90-.91, midpiece .59-.63,
# tail .67-.69; nucleus .84-.86, acrosome .72-.74, vacuole .55-.60. Four pictures scatter more.
@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ("report-2021", {"head": (0.87, 0.94), "midpiece": (0.52, 0.70), "tail": (0.60, 0.75)}),
        ("sperm-parsing", {"nucleus": (0.79, 0.90), "acrosome": (0.64, 0.80)}),
    ],
)
def test_two_people_agree_as_measured(spermparsing, colour_predictor, schema, expected):
    one = open_dataset(spermparsing, annotation_set=1)
    other = open_dataset(spermparsing, annotation_set=2)
    ids = one.ids[::80]
    card = colour_predictor(SCHEMAS[schema]).card
    predictor = Predictor(read_aloud(other, ids, card.schema), card)
    iou = evaluate(predictor, one, ids, thorough=False).scores.by_part("iou")
    for part, (low, high) in expected.items():
        assert low < iou[part] < high
