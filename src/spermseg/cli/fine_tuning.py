"""What ``spermseg train --from MODEL`` does before and after the training."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spermseg.config import TrainingConfig
    from spermseg.data.datasets import LabelledDataset
    from spermseg.evaluation.comparison import Difference


def prepare_fine_tuning(
    parent: str, config: Path | None, run: Path
) -> tuple[Callable[..., Any], TrainingConfig]:
    """Give what trains the model on, called as `spermseg.training.loop.train`, and its settings."""
    from spermseg.config import read_yaml
    from spermseg.training.fine_tuning import fine_tune, fine_tuning_config
    from spermseg.training.parent import open_parent

    network = open_parent(parent)
    changes = None if config is None else read_yaml(config)
    return partial(fine_tune, network), fine_tuning_config(network, run.resolve().name, changes)


def compare_with_parent(
    parent: str, run: Path, dataset: LabelledDataset, ids: Sequence[str]
) -> None:
    """Evaluate the parent and the model in `run` on held out pictures; print and write it."""
    from spermseg.cli.evaluate import open_model
    from spermseg.cli.progress import progress_bar
    from spermseg.evaluation.comparison import compare_models, quote_comparison
    from spermseg.files import write_json
    from spermseg.training.fine_tuning import MODEL_FOLDER

    model = run / MODEL_FOLDER
    if not ids:
        print("no pictures were held out: nothing says whether it became better", file=sys.stderr)
        print(model)
        return
    old, new = (open_model(str(one))[0] for one in (parent, model))
    with progress_bar("comparing") as advance:
        comparison = compare_models(old, new, dataset, ids, on_progress=advance)
    write_json(run / "comparison.json", comparison.to_dict())
    quote_comparison(model, comparison)
    _print_table([*comparison.iou, *comparison.sperm])
    number = f"{len(ids)} picture{'s' * (len(ids) != 1)} held out"
    print(f"{comparison.verdict}: mean IoU on {number}, against {old.card.id}")
    print(model)


def _print_table(differences: Sequence[Difference]) -> None:
    from rich.console import Console
    from rich.table import Table

    from spermseg.report.evaluation_page import SPERM_LABELS
    from spermseg.report.html import show_score

    labels = {"mean": "mean IoU", **SPERM_LABELS}
    table = Table("IoU", "before", "after", "difference", "95 % interval", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in differences:
        change, limits = one.after - one.before, (one.low, one.high)
        known = change == change
        table.add_row(
            labels.get(one.name, one.name),
            show_score(one.before if known else None),
            show_score(one.after if known else None),
            f"{change:+.3f}" if known else "–",
            "{:+.3f} to {:+.3f}".format(*limits) if known else "–",
        )
    Console(highlight=False).print(table)
