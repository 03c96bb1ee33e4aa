"""Training on from a model with a few pictures of one's own."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from spermseg.config import TrainingConfig, merge, read_yaml, training_config
from spermseg.data.datasets.base import LabelledDataset
from spermseg.data.splits import Split, grouped_split
from spermseg.errors import ConfigError
from spermseg.files import atomic_folder
from spermseg.inference.card import NOT_STATED, ModelCard, ParentModel, read_card, write_card
from spermseg.inference.predictor import Predictor
from spermseg.structures import schema_named
from spermseg.training.checkpoint import torch_backend, write_weights
from spermseg.training.export import export_run
from spermseg.training.loop import train
from spermseg.training.parent import Parent
from spermseg.training.rehearsal import RehearsalDataset

RECIPE = Path(__file__).with_name("fine_tuning.yaml")

HELD_OUT = 0.3
"""Share of the pictures that is not trained on, where no split is given."""

REHEARSED = 24
"""Synthetic pictures on which the model is held to what it knew, see `RehearsalDataset`."""

MODEL_FOLDER = "model"
"""Below the folder of the training: what it is exported to."""


def fine_tuning_config(
    parent: Parent, name: str, changes: Mapping[str, Any] | None = None
) -> TrainingConfig:
    """Give the settings: the parent's own, `RECIPE` over them, and changes over both.

    Parameters
    ----------
    parent : Parent
    name : str
        Of the training, added to the parent's.
    changes : mapping, optional
        As in the YAML of a training.

    Raises
    ------
    ConfigError
        When a setting is unknown or wrong, or the parts are not the parent's.
    """
    own = {key: value for key, value in parent.card.recipe.items() if key in ("data", "loss")}
    own["model"] = {"auxiliary_loss": parent.card.recipe.get("model", {}).get("auxiliary_loss", 0)}
    # An export may show a narrower margin than the training did.
    own["data"] = own["data"] | {"margin": parent.card.preprocessing.margin}
    recipe = read_yaml(RECIPE)
    if own["data"].get("crops") is None:
        # A network that was trained on whole pictures needs them again.
        del recipe["data"]["crops"]
    settled = {
        "name": f"{parent.card.id}-{name}",
        "model": {
            "architecture": parent.architecture,
            "pretrained": f"parent/{parent.card.weights_sha256[:12]}.safetensors",
        },
        "training": {"precision": fastest_precision()},
    }
    config = training_config(merge(merge(merge(own, recipe), settled), changes or {}))
    if schema_named(config.data.schema_name) != parent.card.schema:
        raise ConfigError(
            f"data.schema {config.data.schema_name} is not that of {parent.card.id}",
            fix="Leave it out",
        )
    return config


def fastest_precision() -> str:
    """Give ``bf16`` where the processor multiplies such numbers, else ``no``.

    Elsewhere torch would turn them into float32 and back, which is slower. Weights and their
    updates are float32 in any case.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    # Older versions of torch do not say.
    able: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "no"


def hold_out(dataset: LabelledDataset, seed: int) -> Split:
    """Draw what is trained on, and about a third of the pictures to compare by, as ``test``.

    Groups stay together; of a single group everything is trained on.
    """
    if len({record.group for record in dataset.records.values()}) == 1:
        groups = {record.id: record.group for record in dataset.records.values()}
        return Split(dataset.ids, seed=seed, groups=groups, layout=dataset.layout)
    return grouped_split(dataset, seed=seed, train=1 - HELD_OUT, test=HELD_OUT)


def fine_tune(
    parent: Parent,
    config: TrainingConfig,
    dataset: LabelledDataset,
    split: Split,
    run: Path,
    **options: Any,
) -> ModelCard:
    """Train a parent's network on, and export what came of it to ``run/model``.

    Parameters
    ----------
    parent : Parent
    config : TrainingConfig
        Of `fine_tuning_config`.
    dataset : LabelledDataset
    split : Split
    run : Path
        Folder to make.
    **options
        Further arguments of `spermseg.training.loop.train`.

    Returns
    -------
    ModelCard
        Of the exported model: it names its parent, and what the licence of the parent's data
        allows holds for it too.

    Raises
    ------
    SpermsegError
        See `spermseg.training.loop.train` and `spermseg.training.export.export_run`.
    """
    rehearsal = None
    if config.data.crops is not None and config.data.crops.rehearsed:
        predictor = Predictor(torch_backend(parent.network), parent.card)
        rehearsal = RehearsalDataset(predictor, REHEARSED, config.training.seed)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / config.model.pretrained
        write_weights(start, parent.network)
        model = config.model.model_copy(update={"pretrained": str(start)})
        config = config.model_copy(update={"model": model})
        train(config, dataset, split, run, rehearsal=rehearsal, **options)
    write_card(run / "card.json", _with_parent(read_card(run / "card.json"), parent.card))
    with atomic_folder(run / MODEL_FOLDER) as folder:
        return export_run(run, folder)


def _with_parent(card: ModelCard, parent: ModelCard) -> ModelCard:
    licences = dict.fromkeys([parent.data_licence, card.data_licence])
    licences.pop(NOT_STATED, None)
    return replace(
        card,
        parent=ParentModel(parent.id, parent.weights_sha256),
        data=f"{card.data}, after {parent.data} ({parent.id})",
        data_licence="; ".join(licences) or NOT_STATED,
        limits=parent.limits,
    )
