"""Synthetic smears: pictures like stained ones, of which everything is known."""

from spermseg.data.synthetic.presets import PRESETS
from spermseg.data.synthetic.settings import Preset
from spermseg.data.synthetic.smear import SyntheticSample, synthesize_sample
from spermseg.data.synthetic.truth import SpermTruth
from spermseg.data.synthetic.writing import synthesize_dataset

__all__ = [
    "PRESETS",
    "Preset",
    "SpermTruth",
    "SyntheticSample",
    "synthesize_dataset",
    "synthesize_sample",
]
