"""``spermseg export onnx``: a training as a model that needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spermseg.errors import UsageError


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished training.")],
    others: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="OTHERS", help="Of more trainings: the model gives the mean of their scores."
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to make.")],
    id: Annotated[str | None, typer.Option(help="Name of the model; else the training's.")] = None,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            help="evaluation.json of `spermseg evaluate`: its scores go into the card. Repeatable."
        ),
    ] = None,
    robustness: Annotated[
        Path | None, typer.Option(help="robustness.json of `spermseg robustness`, likewise.")
    ] = None,
    trained_on: Annotated[
        str | None, typer.Option(help="What it was trained on, in words for its card.")
    ] = None,
    limits: Annotated[
        str | None, typer.Option(help="Where it is not to be trusted, in words for its card.")
    ] = None,
    logit_offset: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART=NUMBER",
            help="Added to the logits of a part, as in tail=0.3 for more recall of tails: choose "
            "it on validation pictures. Repeatable.",
        ),
    ] = None,
    views: Annotated[
        int,
        typer.Option(
            help="From how many sides, 1, 2, 4 or 8, each network looks at a picture; the model "
            "gives the mean, at as many times the cost."
        ),
    ] = 1,
    margin: Annotated[
        int | None,
        typer.Option(
            min=0, help="Blank pixels around a picture; else as in training. Fewer cost less."
        ),
    ] = None,
) -> None:
    """Make of a training a model that needs no torch: model.onnx, card.json and README.md.

    Scores and labels are compared with those in torch first; a model that differs is not kept.
    """
    from dataclasses import replace

    from spermseg.evaluation.quoting import quote_evaluation, quote_robustness
    from spermseg.files import new_folder, write_text
    from spermseg.inference.card import write_card
    from spermseg.report.model_page import model_markdown
    from spermseg.training.export import export_run

    offsets = dict(_offset(text) for text in logit_offset or ())
    with new_folder(out) as folder:
        card = export_run(
            run,
            folder,
            id=id,
            logit_offsets=offsets,
            others=others or (),
            views=views,
            margin=margin,
        )
        for path in evaluation or ():
            card = quote_evaluation(card, path)
        if robustness is not None:
            card = quote_robustness(card, robustness)
        card = replace(card, data=trained_on or card.data, limits=limits or card.limits)
        write_card(folder / "card.json", card)
        write_text(folder / "README.md", model_markdown(card))
    parity = card.metrics["parity"]
    print(
        f"compared with torch: probabilities differ by at most "
        f"{parity['max_probability_difference']:.1g}, "
        f"labels are equal on {100 * parity['equal_labels']:.3f} % of pixels"
    )
    print(out / card.weights)


def _offset(text: str) -> tuple[str, float]:
    part, _, number = text.partition("=")
    try:
        return part, float(number)
    except ValueError:
        raise UsageError(f"--logit-offset is PART=NUMBER, got {text!r}") from None
