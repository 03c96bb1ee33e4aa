"""Plots as SVG text; matplotlib is imported when one is drawn, not before."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from spermseg.files import read_log, write_text
from spermseg.report.colours import SERIES_COLOURS, colour_named
from spermseg.structures import ScaleSource

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Log = Sequence[Mapping[str, Any]]
INK = "#3b4252"
_MANY = 2000
"""More points than this are drawn as pixels within the SVG: they would make a page slow."""
_STYLE = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.color": INK,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "spermseg",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def write_curves(log_path: Path, svg_path: Path) -> None:
    """Draw loss and validation IoU of a training from its ``log.jsonl`` into an SVG file."""
    write_text(svg_path, curves_svg(read_log(log_path)))


def curves_svg(log: Log) -> str:
    """Draw loss and validation IoU of one training.

    Parameters
    ----------
    log : sequence of mapping
        As `read_log` gives it.

    Returns
    -------
    str
        SVG on transparent ground, without XML header, to be written or put into a page.
    """
    epochs = _entries(log, "epoch")
    validated = [entry for entry in epochs if entry.get("validation")]
    with new_figure(9, 3.2) as figure:
        loss, iou = figure.subplots(1, 2)
        _draw_losses(loss, log)
        loss.set_title("Loss")
        if loss.lines:
            loss.legend()
        steps = [entry["step"] for entry in validated]
        for part in validated[-1]["validation"]["iou"] if validated else ():
            values = _numbers(entry["validation"]["iou"].get(part) for entry in validated)
            iou.plot(steps, values, ".-", color=colour_named(part), label=part)
        means = _numbers(entry["validation"].get("mean_iou") for entry in validated)
        iou.plot(steps, means, "--", color=INK, label="mean")
        iou.set(title="IoU on the validation pictures", xlabel="step", ylim=(0, 1))
        if validated:
            iou.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return svg_text(figure)


def loss_comparison_svg(logs: Mapping[str, Log], *, title: str = "Loss") -> str:
    """Draw training losses (thin) and validation losses (thick) of several trainings by epoch.

    Parameters
    ----------
    logs : mapping of str to sequence of mapping
        One log, as `read_log` gives it, by the name of its training.
    title : str
    """
    with new_figure(9, 3.6) as figure:
        axes = figure.subplots()
        for index, (name, log) in enumerate(logs.items()):
            label = name.replace("$", r"\$")  # A dollar would begin a formula.
            colour = SERIES_COLOURS[index % len(SERIES_COLOURS)]
            line = "-" if index < len(SERIES_COLOURS) else ":"
            epochs = _entries(log, "epoch")
            numbers = [entry["epoch"] + 1 for entry in epochs]
            training = _numbers(entry.get("train_loss") for entry in epochs)
            validation = _numbers((entry.get("validation") or {}).get("loss") for entry in epochs)
            seen = not np.isnan(validation).all()
            axes.plot(numbers, training, line, color=colour, lw=0.8, label=None if seen else label)
            if seen:
                axes.plot(numbers, validation, line, color=colour, lw=2, marker=".", label=label)
        axes.set(title=title, xlabel="epoch")
        _logarithmic(axes)
        if logs:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        return svg_text(figure)


def distribution_svg(
    values: Mapping[str, NDArray[np.float64]],
    *,
    label: str,
    colours: Sequence[str] = (),
    shares: bool = True,
) -> str:
    """Draw one point a picture, over a box from quartile to quartile.

    Parameters
    ----------
    values : mapping of str to (n,) float
        By part, or by any other name; NaN is left out.
    label : str
        Of the axis.
    colours : sequence of str, optional
        Else those of the parts.
    shares : bool
        True draws an axis from 0 to 1; False a logarithmic one, for positive values.
    """
    names = list(values)
    colours = colours or [colour_named(name) for name in names]
    random = np.random.default_rng(0)
    with new_figure(5, 0.8 + 0.6 * len(names)) as figure:
        axes = figure.subplots()
        for row, (name, colour) in enumerate(zip(names, colours, strict=True)):
            known = values[name][~np.isnan(values[name])]
            if known.size:
                low, middle, high = np.percentile(known, (25, 50, 75))
                axes.barh(row, high - low, 0.62, low, color=colour, alpha=0.25)
                axes.plot([middle, middle], [row - 0.31, row + 0.31], color=INK, lw=1.6)
            heights = row + random.uniform(-0.2, 0.2, known.size)
            (drawn,) = axes.plot(known, heights, "o", color=colour, ms=3.2, alpha=0.75, mec="none")
            drawn.set_rasterized(known.size > _MANY)
        axes.set(yticks=range(len(names)), xlabel=label)
        if shares:
            axes.set_xlim(-0.02, 1.02)
        else:
            _logarithmic(axes, "x")
        axes.set_yticklabels(names)
        axes.invert_yaxis()
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        return svg_text(figure)


def head_lengths_svg(lengths: Sequence[float | None], sources: Sequence[str]) -> str:
    """Draw the typical head length of each picture by its number, from 1, and how it is known.

    Parameters
    ----------
    lengths : sequence of float or None
        In pixels; None is left out.
    sources : sequence of str
        As `Scale.source`.
    """
    from matplotlib.ticker import MaxNLocator

    numbers = np.arange(1, len(lengths) + 1)
    known = _numbers(lengths)
    with new_figure(5, 3) as figure:
        axes = figure.subplots()
        kinds = zip(get_args(ScaleSource), "s^oD", SERIES_COLOURS, strict=False)
        for kind, marker, colour in kinds:
            here = np.array([source == kind for source in sources], bool) & ~np.isnan(known)
            if here.any():
                (drawn,) = axes.plot(numbers[here], known[here], marker, color=colour, label=kind)
                drawn.set(markersize=4.5, alpha=0.8, markeredgecolor="none")
                drawn.set_rasterized(known.size > _MANY)
        axes.set(xlabel="picture", ylabel="head length, px", xlim=(0.5, len(lengths) + 0.5))
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if axes.lines:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, handletextpad=0.2)
        return svg_text(figure)


def confusion_svg(confusion: NDArray[Any], parts: Sequence[str]) -> str:
    """Draw a confusion matrix (C, C), rows the truth, as shares of each row in per cent."""
    total = confusion.sum(1, keepdims=True)
    shares = np.divide(confusion, total, out=np.zeros(confusion.shape), where=total > 0)
    with new_figure(1.2 + 0.85 * len(parts), 0.8 + 0.5 * len(parts)) as figure:
        axes = figure.subplots()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.0, aspect="auto", alpha=0.85)
        for row, column in np.ndindex(*confusion.shape):
            share = shares[row, column]
            text = "–" if not total[row] else _percent(share)
            # The darker half of the map needs light ink; both stay readable on a dark page.
            ink = "#ffffff" if share > 0.55 else "#1b1f27"
            axes.text(column, row, text, ha="center", va="center", color=ink)
        axes.set(xlabel="predicted", ylabel="truth")
        axes.set_xticks(range(len(parts)), parts)
        axes.set_yticks(range(len(parts)), parts)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        return svg_text(figure)


def _draw_losses(axes: Axes, log: Log) -> None:
    steps, epochs = _entries(log, "step"), _entries(log, "epoch")
    validated = [entry for entry in epochs if entry.get("validation")]
    grey, blue, red = "#8a8f9880", SERIES_COLOURS[0], SERIES_COLOURS[1]
    curves: list[tuple[str, str, Any, Any, str]] = [
        ("training, each step", grey, steps, [entry.get("loss") for entry in steps], "-"),
        ("training", blue, epochs, [entry.get("train_loss") for entry in epochs], ".-"),
        ("validation", red, validated, [e["validation"].get("loss") for e in validated], ".-"),
    ]
    for label, colour, entries, values, style in curves:
        if entries:
            places = [entry["step"] for entry in entries]
            axes.plot(places, _numbers(values), style, color=colour, label=label)
    axes.set(xlabel="step")
    _logarithmic(axes)


def _logarithmic(axes: Axes, direction: str = "y") -> None:
    from matplotlib.ticker import LogLocator

    axes.set(**{f"{direction}scale": "log"})
    axis = axes.yaxis if direction == "y" else axes.xaxis
    # Losses and areas span a few decades: 0.5, 0.2, 0.1 read more easily than powers of ten.
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if direction == "y" else (1,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def _entries(log: Log, kind: str) -> list[Mapping[str, Any]]:
    return [entry for entry in log if entry.get("kind") == kind]


def _numbers(values: Any) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _percent(share: float) -> str:
    return "0" if share == 0 else f"{100 * share:.1f}"


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure in the style of all plots, its size in inches."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        yield Figure((width, height), layout="constrained")


def svg_text(figure: Figure) -> str:
    """Give a figure of `new_figure` as SVG, without XML header; ink takes the page's colour."""
    stream = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(f"fill: {INK}", "fill: currentColor")
    text = text.replace(f"stroke: {INK}", "stroke: currentColor")
    return re.sub(
        r'(<svg[^>]*?) width="(.*?)" height=".*?"',
        r'\1 style="width: 100%; max-width: \2; height: auto"',
        text,
        count=1,
    )
