"""The pages that lie in a package: what to know before using it, and on what terms."""

from __future__ import annotations

from spermseg import DISCLAIMER
from spermseg.data.scale import HEAD_LENGTH_UM
from spermseg.inference.card import ModelCard
from spermseg.report.model_page import model_markdown


def readme(card: ModelCard) -> str:
    """Give the card as a Markdown page, with how to use the package below."""
    return (
        model_markdown(card)
        + f"""
## In other programs

Input: RGB as it is, values from 0 to 255 as float32, (batch, channel, y, x). {_scale_advice(card)}
Output: a probability of each part in each pixel, in the order {", ".join(card.schema.parts)};
take the part with the highest one. Normalisation and softmax are inside the weights.

Take tiles as large as memory allows, 768 pixels and more: whether a thin line is a tail depends
on the sperm it belongs to, far away. The outermost pixels of a tile are to be left out (`halo`).

This package is the network alone. What `spermseg analyze` does around it is not in it: finding
the scale of a picture, a blank margin around pictures, leaving out specks and the black around a
round field of view, telling sperm apart, measuring and judging them.

## Validation

The figures above were measured by `spermseg evaluate` on annotated pictures of acquisition days
that no training saw. Before you rely on the model, annotate some of your own pictures and do the
same: stain, microscope and camera matter more than anything else. {DISCLAIMER}
"""
    )


def _scale_advice(card: ModelCard) -> str:
    length = card.preprocessing.head_length_px
    if length is None:
        return "Pictures keep their own size unless the card says otherwise."
    return (
        f"**Resize pictures first** until heads are about {length:g} px long, "
        f"{HEAD_LENGTH_UM / length:.3f} um a pixel."
    )


def licence_page(card: ModelCard) -> str:
    """Give the terms of the weights, as far as the card knows them."""
    return f"""# Licence of these weights

The network was trained on: {card.data}.

Licence of that data: **{card.data_licence}**. The weights may be used and passed on under the
terms of that licence only. The program spermseg itself is under the Apache License 2.0.

{DISCLAIMER}
"""
