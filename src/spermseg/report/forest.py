"""Forest plots: differences one below the other, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spermseg.report.colours import SERIES_COLOURS
from spermseg.report.plots import INK, new_figure, svg_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "#8a8f98"
_LINE = 0.24
"""Height of a row, in inches."""


@dataclass(frozen=True)
class Estimate:
    """A value, the limits of its interval, and the single values behind it."""

    value: float
    low: float
    high: float
    single: tuple[float, ...] = ()


@dataclass(frozen=True)
class ForestRow:
    """One row of a plot.

    Parameters
    ----------
    label : str
    estimates : tuple of Estimate
        One for each panel.
    kind : str
        Rows of one kind have one colour, see `forest_svg`.
    """

    label: str
    estimates: tuple[Estimate, ...]
    kind: str


def forest_svg(
    groups: Mapping[str, Sequence[ForestRow]], panels: Sequence[str], kinds: Sequence[str]
) -> str:
    """Draw differences: a point on its interval, single values as ticks below, 0 as a line.

    Parameters
    ----------
    groups : mapping of str to sequence of ForestRow
        By their heading.
    panels : sequence of str
        What is drawn side by side.
    kinds : sequence of str
        What the colours mean: first and second the better and the worse, grey the others, and
        hollow the last of them.

    Returns
    -------
    str
        SVG on transparent ground, as of `spermseg.report.plots`.
    """
    places, labels, headings = _layout(groups)
    styles = _styles(kinds)
    with new_figure(9.5, 1.1 + _LINE * len(labels)) as figure:
        axes = np.atleast_1d(figure.subplots(1, len(panels), sharex=True, sharey=True))
        for number, (panel, title) in enumerate(zip(axes, panels, strict=True)):
            for place, row in places:
                _draw(panel, place, row.estimates[number], *styles[row.kind])
            panel.axvline(0, color=INK, lw=0.8, zorder=0)
            panel.set(title=title)
            panel.margins(x=0.08)
            panel.grid(axis="x")
            panel.grid(visible=False, axis="y")
            panel.tick_params(axis="y", length=0)
            panel.spines["left"].set_visible(False)
        axes[0].set_yticks(range(len(labels)), [_plain(label) for label in labels])
        axes[0].set_ylim(len(labels) - 0.5, -0.5)
        for place, text in enumerate(axes[0].get_yticklabels()):
            if place in headings:
                text.set_fontweight("bold")
        _legend(axes[0], styles)
        return svg_text(figure)


def _layout(
    groups: Mapping[str, Sequence[ForestRow]],
) -> tuple[list[tuple[int, ForestRow]], list[str], set[int]]:
    """Give the rows with their places, all labels from top to bottom, and the headings' places."""
    places: list[tuple[int, ForestRow]] = []
    labels: list[str] = []
    headings: set[int] = set()
    for heading, rows in groups.items():
        headings.add(len(labels))
        labels.append(heading)
        for row in rows:
            places.append((len(labels), row))
            labels.append(row.label)
    return places, labels, headings


def _styles(kinds: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Give colour, and whether its marker is filled, of every kind."""
    colours = [SERIES_COLOURS[2], SERIES_COLOURS[1], *[_GREY] * len(kinds)]
    return {
        kind: (colour, place < len(kinds) - 1)
        for place, (kind, colour) in enumerate(zip(kinds, colours, strict=False))
    }


def _draw(axes: Axes, place: int, estimate: Estimate, colour: str, filled: bool) -> None:
    axes.plot([estimate.low, estimate.high], [place, place], color=colour, lw=1.8)
    ground = colour if filled else "#ffffff"
    axes.plot(estimate.value, place, "o", color=colour, mfc=ground, ms=5)
    heights = np.full(len(estimate.single), place + 0.3)
    axes.plot(estimate.single, heights, "|", color=colour, ms=4, mew=1.2)


def _legend(axes: Axes, styles: Mapping[str, tuple[str, bool]]) -> None:
    for kind, (colour, filled) in styles.items():
        axes.plot([], [], "o", color=colour, mfc=colour if filled else "#ffffff", ms=5, label=kind)
    axes.figure.legend(loc="outside lower center", ncols=len(styles), handletextpad=0.1)


def _plain(text: str) -> str:
    return text.replace("$", r"\$")  # A dollar would begin a formula.
