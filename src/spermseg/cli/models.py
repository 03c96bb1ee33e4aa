"""``spermseg models``: what there is to segment with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spermseg import DISCLAIMER

app = typer.Typer(help=f"List, show and check models. {DISCLAIMER}", no_args_is_help=True)

_NAME = typer.Argument(help="Name of a bundled model, a folder with a card, or an .onnx file.")
_JSON = typer.Option("--json", help="Print JSON.")


@app.command("list")
def list_bundled(as_json: Annotated[bool, _JSON] = False) -> None:
    """Show the models that came with spermseg."""
    from rich.console import Console
    from rich.table import Table

    from spermseg.inference.catalog import list_models

    rows = [_facts(folder) for folder in list_models()]
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    table = Table(box=None)
    table.add_column("model", no_wrap=True)
    table.add_column("parts")
    table.add_column("MB", justify="right")
    table.add_column("head px", justify="right")
    table.add_column("licence of its data")
    for row in rows:
        size, length = row["megabytes"], row["head_length_px"]
        table.add_row(
            row["id"] + _role(row),
            ", ".join(row["parts"]),
            "missing" if size is None else f"{size:.1f}",
            "–" if length is None else f"{length:g}",
            row["data_licence"],
        )
    Console(highlight=False).print(table)


@app.command()
def show(
    name: Annotated[str | None, _NAME] = None,
    as_json: Annotated[bool, _JSON] = False,
    html: Annotated[Path | None, typer.Option(help="Write the card as a page instead.")] = None,
) -> None:
    """Print a model's card; the default model's without a name."""
    from spermseg.inference.card import read_card
    from spermseg.inference.catalog import CARD_NAME, model_folder
    from spermseg.report.model_page import model_markdown, write_model_page

    card = read_card(model_folder(name) / CARD_NAME)
    if html is not None:
        write_model_page(html, card)
    elif as_json:
        print(json.dumps(card.to_dict(), indent=2, ensure_ascii=False))
    else:
        print(model_markdown(card))


@app.command()
def check(name: Annotated[str | None, _NAME] = None) -> None:
    """Verify a model's files and run it; all bundled models without a name."""
    from spermseg.errors import ModelError, PartialFailureError
    from spermseg.inference.catalog import list_models
    from spermseg.inference.self_check import check_model

    names: list[str | Path] = [name] if name else [*list_models()]
    if not names:
        raise ModelError("no model is bundled", fix="Install spermseg again, or name a model")
    failures: list[ModelError] = []
    for one in names:
        try:
            card = check_model(one)
            print(f"{card.id}: sound")
        except ModelError as error:
            if len(names) == 1:
                raise
            failures.append(error)
            print(f"{Path(one).name}: {error}", file=sys.stderr)
    if failures:
        raise PartialFailureError(f"{len(failures)} of {len(names)} models are not sound")


def _facts(folder: Path) -> dict[str, Any]:
    from spermseg.inference.card import read_card
    from spermseg.inference.catalog import CARD_NAME, DEFAULT_MODEL, PURPOSES

    card = read_card(folder / CARD_NAME)
    weights = folder / card.weights
    return {
        "id": card.id,
        "purpose": next((word for word, name in PURPOSES.items() if name == folder.name), None),
        "default": folder.name == DEFAULT_MODEL,
        "parts": list(card.schema.parts[1:]),
        "megabytes": weights.stat().st_size / 1e6 if weights.is_file() else None,
        "head_length_px": card.preprocessing.head_length_px,
        "data_licence": card.data_licence,
    }


def _role(facts: dict[str, Any]) -> str:
    words = [facts["purpose"]] * bool(facts["purpose"]) + ["default"] * facts["default"]
    return f" ({', '.join(words)})" if words else ""
