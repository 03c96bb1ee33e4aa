"""What a report shows of a sample: its figures in words, its distributions, its sperm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from spermseg.analysis.criteria import DEFAULT_CRITERIA
from spermseg.analysis.quantities import QUANTITIES
from spermseg.analysis.verdicts import NO_SCALE
from spermseg.report.gallery import cut_crops, evenly
from spermseg.report.histograms import histogram_svg
from spermseg.report.html import data_uri, inline_svg, show_count, show_measure
from spermseg.report.uncertainty_section import doubt_of, uncertainty_view

Row = Mapping[str, Any]
Summary = Mapping[str, Any]

VERDICT_COLOURS = {"normal": "#009e73", "abnormal": "#d55e00", "not assessable": "#8a8f98"}
NOT_COUNTED = {"not counted": "#0072b2"}
"""Verdict and colour of heads by themselves and of what is no sperm."""
CROPS = 60
"""As many sperm of a sample are shown a verdict."""
ALL_CROPS = 720
"""As many sperm are shown on a page with many samples: it stays below some 10 MB."""
ACROSOME = "acrosome_fraction"
"""The criterion that outlines of the bundled model's training data miss."""
WANTED_SPERM = 200
"""The WHO manual, 6th edition, has at least so many sperm assessed in each of two counts."""

_SHOWN = (
    *("head_length", "head_width", "head_ellipticity"),
    *("acrosome_fraction", "midpiece_length", "tail_length"),
)
"""Quantities with a histogram."""
_MAIN = (*_SHOWN[:3], "head_area", "head_perimeter", *_SHOWN[3:5], "midpiece_width", _SHOWN[5])
"""Quantities of the first table, the others are folded away."""
_PLACE_AND_VERDICT = (
    *("image", "sperm_id", "bbox_head", "verdict", "reason", "failed"),
    *("views", "verdict_agreement", "verdict_uncertain"),
)
"""Columns of what is shown of a sperm in the gallery."""
_LABELS = {
    "head_ellipticity": "head length / width",
    "acrosome_fraction": "acrosome / head area",
    "vacuole_fraction": "vacuoles / head area",
    "vacuole_largest_fraction": "largest vacuole / head area",
    "vacuole_count": "number of vacuoles",
    "vacuole_size": "size of the largest vacuole",
    "vacuole_place": "vacuole behind the acrosome",
    "midpiece_present": "no midpiece",
    "tail_present": "no tail",
    "midpiece_length_by_head": "midpiece length / head length",
    "midpiece_width_by_head": "midpiece width / head width",
    "tail_length_by_head": "tail length / head length",
    "droplet_fraction": "droplet / head area",
}
_UNITS = {"um": "µm", "um2": "µm²", "px2": "px²", "per_um": "1/µm", "per_px": "1/px", "deg": "°"}


def sample_views(
    summaries: Iterable[Summary], sperm: Iterable[Row], out: Path, run: Row
) -> list[dict[str, Any]]:
    """Prepare what ``templates/sample.html`` shows of each sample.

    Parameters
    ----------
    summaries : iterable of mapping
        As `SampleSummary.to_dict` gives them.
    sperm : iterable of mapping
        Rows of ``sperm.csv``, numbers or their texts, with ``failed`` (list of sentences) and
        ``bbox_head`` (row0, column0, row1, column1: what a crop shows, in the picture's pixels).
        Tails without a head are left out; loose heads and what is no sperm are shown apart.
    out : Path
        Folder of the analysis, with its overlays.
    run : mapping
        The content of ``run.json``.
    """
    summaries = list(summaries)
    pictures = numbered_pictures(run)
    rows: dict[str, list[Row]] = {summary["sample"]: [] for summary in summaries}
    # Of the hundred cells of a row, those that are shown: a long folder has many rows.
    kept = {*_PLACE_AND_VERDICT, *(column for one in summaries for column in _drawn(one))}
    for row in sperm:
        if row["sample"] in rows and row["object"] != "headless tail":
            rows[row["sample"]].append({name: row[name] for name in kept if name in row})
    most = min(CROPS, max(4, ALL_CROPS // (len(VERDICT_COLOURS) * max(len(summaries), 1))))
    views = [
        _view(number, summary, rows[summary["sample"]], pictures, most)
        for number, summary in enumerate(summaries, 1)
    ]
    _add_crops(
        [card for view in views for group in view["gallery"] for card in group["cards"]], out
    )
    return views


def sample_sentence(summary: Summary) -> str:
    """Say the result of a sample in one sentence."""
    counted, assessable = summary["counted"], summary["assessable"]
    if not counted:
        return "No sperm was found."
    if not assessable:
        return f"{show_count(counted, 'sperm', 'sperm')} counted, none of which could be assessed."
    normal = summary["normal"]
    return (
        f"{counted:,} sperm counted, {assessable:,} of them assessable, of which "
        f"{normal['count']:,} ({normal['percent']:.1f} %) normal."
    )


def sample_notes(summary: Summary) -> list[str]:
    """Give what has to be known before a sample's figures are read."""
    counted, assessable = summary["counted"], summary["assessable"]
    notes = [_scale_note(summary)]
    if counted and assessable < counted / 2:
        reason, times = next(iter(summary["not_assessable"].items()))
        notes.append(
            f"{counted - assessable:,} of {show_count(counted, 'sperm', 'sperm')} could not be "
            f"assessed, {times:,} of them for this reason: {reason}. The results rest on "
            f"{'none' if not assessable else f'the other {assessable:,}'}."
        )
    if counted and assessable < WANTED_SPERM:
        notes.append(
            f"{show_count(assessable, 'sperm was', 'sperm were')} assessed; the WHO manual asks "
            f"for at least {WANTED_SPERM}, twice."
        )
    notes += [_acrosome_note(summary), _common_failure_note(summary)]
    apart = [one for one in summary["replicates"] if not one["agree"]]
    notes += [
        f"Slides {' and '.join(one['slides'])} differ more than chance explains "
        f"({one['difference']:.1f} points, acceptable {one['acceptable']:.1f}): count again."
        for one in apart
    ]
    return [note for note in notes if note]


def _scale_note(summary: Summary) -> str:
    missing = [name for name, reasons in summary["skipped"].items() if NO_SCALE in reasons]
    if not missing:
        return ""
    concerned = max(summary["skipped"][name][NO_SCALE] for name in missing)
    of = "" if concerned == summary["assessable"] else f" of {concerned:,} assessable sperm"
    return (
        f"Pixel size{of} unknown: {', '.join(map(label_of, missing))} were not judged, so the size "
        "of these heads was not, and normal does not cover it. Lengths of such pictures are in "
        "pixels. Give the pixel size to have all criteria applied."
    )


def _acrosome_note(summary: Summary) -> str:
    """Say what rests on the area of the acrosome, which models draw otherwise than WHO means it."""
    failed, normal = summary["failed"].get(ACROSOME), summary["normal"]
    without = summary["normal_without"].get(ACROSOME, normal)
    alone = without["count"] - normal["count"]
    if failed is None or (failed["percent"] <= 50 and not alone):
        return ""
    return (
        f"{failed['count']:,} of {failed['total']:,} sperm fail by the area of the acrosome"
        f"{_beside_published(summary, ACROSOME)}, {alone:,} of them by nothing else. The outlines "
        "that models learn from, those of the bundled one too, draw it smaller than WHO means it "
        f"(docs/criteria.md). Without this criterion {without['count']:,} of {without['total']:,} "
        f"({without['percent']:.1f} %, 95 % interval {without['low']:.1f} to "
        f"{without['high']:.1f} %) would be normal; --criteria {DEFAULT_CRITERIA}-without-acrosome "
        "leaves it out."
    )


def _common_failure_note(summary: Summary) -> str:
    """Warn of a criterion that most sperm fail: it may say more of the method than of the man."""
    others = ((name, share) for name, share in summary["failed"].items() if name != ACROSOME)
    commonest = max(others, key=lambda item: item[1]["percent"], default=None)
    if commonest is None or commonest[1]["percent"] <= 50:
        return ""
    name, share = commonest
    return (
        f"{share['count']:,} of {share['total']:,} sperm fail by {label_of(name)}"
        f"{_beside_published(summary, name)}. Such a share may come from staining, focus or the "
        "outlines that the model has learnt: look at the sperm below before believing it."
    )


def _beside_published(summary: Summary, name: str) -> str:
    for entry in summary["morphometry"].values():
        if entry["quantity"] == name and entry["references"]:
            published = " and ".join(f"{one['median']:g}" for one in entry["references"])
            median = show_measure(entry["counted"]["median"])
            return f" (median here {median}, published {published})"
    return ""


def label_of(name: str) -> str:
    """Name a quantity or a criterion for people."""
    return _LABELS.get(name, name.replace("_", " "))


def number_of(value: Any) -> float:
    """Read a cell of ``sperm.csv``; NaN where it is empty."""
    return math.nan if value is None or value == "" else float(value)


def numbered_pictures(run: Row) -> dict[str, dict[str, Any]]:
    """Give the rows of all pictures by id, with their ``number`` in the report."""
    return {row["id"]: {**row, "number": number} for number, row in enumerate(run["pictures"], 1)}


def _view(
    number: int,
    summary: Summary,
    rows: Sequence[Row],
    pictures: Mapping[str, Row],
    most: int,
) -> dict[str, Any]:
    counted, assessable = summary["counted"], summary["assessable"]
    high = summary["normal"]["high"]
    quantities = [_quantity(entry) for entry in summary["morphometry"].values()]
    main = sorted(
        (entry for entry in quantities if entry["name"] in _MAIN),
        key=lambda entry: _MAIN.index(entry["name"]),
    )
    needed = summary["more_needed"]
    return {
        "anchor": f"sample-{number}",
        "summary": summary,
        "sentence": sample_sentence(summary),
        "notes": sample_notes(summary),
        "axis": min(100, max(20, 10 * math.ceil((high or 100) / 10))),
        "more_counted": math.ceil(needed * counted / assessable) if assessable else None,
        "reasons": [
            {"reason": reason, "count": times, "percent": 100 * times / counted}
            for reason, times in summary["not_assessable"].items()
        ],
        "apart": _apart(summary),
        "failed": _failed(summary),
        "skipped": [
            {"criterion": label_of(name), "reason": reason, "count": times}
            for name, reasons in summary["skipped"].items()
            for reason, times in reasons.items()
        ],
        "main": main,
        "others": [entry for entry in quantities if entry["name"] not in _MAIN],
        "sources": _sources(summary),
        "distributions": distributions(summary, rows, pictures),
        "uncertainty": uncertainty_view(summary, main, label_of),
        "gallery": _gallery(rows, pictures, most),
    }


def distributions(
    summary: Summary, rows: Iterable[Row], pictures: Mapping[str, Row]
) -> list[dict[str, Any]]:
    """Draw how the main quantities of a sample are distributed.

    Parameters
    ----------
    summary : mapping
        As `SampleSummary.to_dict` gives it.
    rows : iterable of mapping
        Rows of ``sperm.csv`` of this sample.
    pictures : mapping of str to mapping
        As `numbered_pictures` gives them.

    Returns
    -------
    list of dict
        With ``title``, ``svg``, ``name`` of the quantity, ``unit``, ``counted`` (number, median and
        quartiles), ``band`` (reference range) and ``ends`` (the smallest and the largest).
    """
    counted = [row for row in rows if row["verdict"] not in NOT_COUNTED]
    return [
        _distribution(column, summary["morphometry"][column], counted, pictures)
        for column in _drawn(summary)
    ]


def _drawn(summary: Summary) -> list[str]:
    """Name the columns with a histogram."""
    measured = summary["morphometry"].items()
    return [column for name in _SHOWN for column, entry in measured if entry["quantity"] == name]


def _apart(summary: Summary) -> list[dict[str, Any]]:
    """Give what was found and is not counted as sperm."""
    kinds = [
        ("loose heads", "neither midpiece nor tail", summary["loose_heads"]),
        ("tails without a head", "", summary["headless_tails"]),
        *(("round cells and debris", why, times) for why, times in summary["not_sperm"].items()),
    ]
    return [{"kind": kind, "reason": why, "count": times} for kind, why, times in kinds if times]


def _failed(summary: Summary) -> list[dict[str, Any]]:
    """Give the criteria that were failed at all, the commonest first."""
    failed = [
        {"label": label_of(name), "share": share}
        for name, share in summary["failed"].items()
        if share["count"]
    ]
    return sorted(failed, key=lambda entry: -entry["share"]["percent"])


def _sources(summary: Summary) -> list[str]:
    """Name every published reference once, in the order in which they are numbered."""
    every = summary["morphometry"].values()
    return list(dict.fromkeys(one["source"] for entry in every for one in entry["references"]))


def _quantity(entry: Row) -> dict[str, Any]:
    name, unit = entry["quantity"], entry["unit"]
    definition = QUANTITIES[name].definition
    return {**entry, "name": name, "label": label_of(name), "definition": definition} | {
        "unit": _UNITS.get(unit, unit)
    }


def _distribution(
    column: str, entry: Row, rows: Sequence[Row], pictures: Mapping[str, Row]
) -> dict[str, Any]:
    values = np.array([number_of(row.get(column)) for row in rows], np.float64)
    verdicts = np.array([row["verdict"] for row in rows], str)
    groups: dict[str, NDArray[np.float64]] = {
        name: values[verdicts == name] for name in VERDICT_COLOURS
    }
    ranges = [(one["low"], one["high"]) for one in entry["references"] if one["low"] is not None]
    quantity = _quantity(entry)
    title = quantity["label"] + (f", {quantity['unit']}" if quantity["unit"] else "")
    median = show_measure(entry["counted"]["median"])
    told = f"{title}: median {median} of {entry['counted']['n']} sperm"
    if ranges:
        told += f", reference range {ranges[0][0]:g} to {ranges[0][1]:g}"
    drawn = histogram_svg(
        groups,
        list(VERDICT_COLOURS.values()),
        label=told,
        band=ranges[0] if ranges else None,
        marks=[one["median"] for one in entry["references"]],
    )
    return {
        **quantity,
        "title": title,
        "svg": inline_svg(drawn),
        "band": ranges[0] if ranges else None,
        "ends": _ends(values, rows, pictures),
    }


def _ends(
    values: NDArray[np.float64], rows: Sequence[Row], pictures: Mapping[str, Row]
) -> list[dict[str, Any]]:
    """Give the sperm with the smallest and the largest value: where errors show first."""
    if np.isnan(values).all():
        return []
    both = (("smallest", int(np.nanargmin(values))), ("largest", int(np.nanargmax(values))))
    return [
        {"which": which, "value": float(values[index]), **_place(rows[index], pictures)}
        for which, index in both
    ]


def _place(row: Row, pictures: Mapping[str, Row]) -> dict[str, Any]:
    """Say where a sperm is to be seen."""
    picture = pictures[row["image"]]
    return {
        "picture": picture,
        "sperm": row["sperm_id"],
        "link": quote(f"overlays/{row['image']}.jpg"),
        "row": f"#picture-{picture['number']}",
    }


def _gallery(rows: Sequence[Row], pictures: Mapping[str, Row], most: int) -> list[dict[str, Any]]:
    groups = []
    for verdict, colour in (VERDICT_COLOURS | NOT_COUNTED).items():
        of_verdict = [row for row in rows if row["verdict"] == verdict]
        cards = [_card(row, pictures) for row in evenly(of_verdict, most)]
        cards.sort(key=lambda card: card["words"][:1])
        group = {"verdict": verdict, "colour": colour, "total": len(of_verdict), "cards": cards}
        groups.append(group)
    return groups


def _card(row: Row, pictures: Mapping[str, Row]) -> dict[str, Any]:
    words = [row["reason"]] if row["reason"] else list(row["failed"])
    shown = {"words": words, "doubt": doubt_of(row), "box": row["bbox_head"], "crop": None}
    return {**_place(row, pictures), **shown}


def _add_crops(cards: Sequence[dict[str, Any]], out: Path) -> None:
    """Cut all crops, every overlay being opened once; where there is none, there is no crop."""
    by_picture: dict[str, list[dict[str, Any]]] = {}
    for card in cards:
        by_picture.setdefault(card["picture"]["id"], []).append(card)
    for id, of_picture in by_picture.items():
        overlay = out / "overlays" / f"{id}.jpg"
        if not overlay.is_file():
            continue
        boxes = [card["box"] for card in of_picture]
        crops = cut_crops(overlay, of_picture[0]["picture"], boxes)
        for card, crop in zip(of_picture, crops, strict=True):
            card["crop"] = data_uri(crop, "jpeg")
