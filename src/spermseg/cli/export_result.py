"""``spermseg export FORMAT RESULT``: what ``spermseg analyze`` found, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

_Result = Annotated[
    Path, typer.Argument(metavar="RESULT", help="Folder that `spermseg analyze -o` wrote.")
]
_Out = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--out",
        help="Folder that the files join, none is replaced. Default: RESULT/exports/FORMAT.",
    ),
]
_Simplify = Annotated[
    float,
    typer.Option(
        metavar="PX",
        min=0,
        max=20,
        help="Leave corners of outlines out that are this near to a straight line. Up to 0.35 "
        "nothing is lost: who fills the outlines has the same masks again. 0 follows the edges of "
        "the pixels, in stairs.",
    ),
]
_SIMPLIFY = 0.35


def coco(
    result: _Result,
    out: _Out = None,
    simplify: _Simplify = _SIMPLIFY,
    run_lengths: Annotated[
        bool, typer.Option("--run-lengths", help="Run lengths in place of polygons.")
    ] = False,
) -> None:
    """COCO with polygons, for CVAT, Detectron2 and others: annotations.json."""
    _export("coco", result, out, simplify=simplify, run_lengths=run_lengths)


def labelme(result: _Result, out: _Out = None, simplify: _Simplify = _SIMPLIFY) -> None:
    """LabelMe: one .json a picture, to lie beside it."""
    _export("labelme", result, out, simplify=simplify)


def geojson(result: _Result, out: _Out = None, simplify: _Simplify = _SIMPLIFY) -> None:
    """QuPath: one .geojson a picture, with classes, names and measurements."""
    _export("geojson", result, out, simplify=simplify)


def imagej(result: _Result, out: _Out = None, simplify: _Simplify = _SIMPLIFY) -> None:
    """ImageJ and Fiji: one .zip a picture for the ROI Manager."""
    _export("imagej", result, out, simplify=simplify)


def label_tiff(
    result: _Result,
    out: _Out = None,
    flat: Annotated[
        bool,
        typer.Option(
            "--flat",
            help="Two pictures of one page each, numbers of sperm and part ids, as most programs "
            "want them; overlaps are lost, and it is said how many.",
        ),
    ] = False,
) -> None:
    """Label TIFF: numbers of sperm as pixel values, a page a part."""
    _export("label-tiff", result, out, flat=flat)


def csv(
    result: _Result,
    out: _Out = None,
    decimal_comma: Annotated[
        bool,
        typer.Option(
            "--decimal-comma",
            help="1,5 in place of 1.5, and semicolons, as in Spanish spreadsheets.",
        ),
    ] = False,
) -> None:
    """Tables for spreadsheets: sperm.csv, images.csv."""
    _export("csv", result, out, decimal_comma=decimal_comma)


def parquet(result: _Result, out: _Out = None) -> None:
    """Tables for pandas, R and others: sperm.parquet, images.parquet."""
    _export("parquet", result, out)


COMMANDS = {
    "coco": coco,
    "labelme": labelme,
    "geojson": geojson,
    "imagej": imagej,
    "label-tiff": label_tiff,
    "csv": csv,
    "parquet": parquet,
}


def _export(format: str, result: Path, out: Path | None, **options: Any) -> None:
    import sys

    from spermseg.export import export_result

    exported = export_result(format, result, out, **options)
    for loss in exported.losses:
        print(f"lost: {loss}", file=sys.stderr)
    print(f"{exported.folder}: {exported.files} files of {exported.pictures} pictures")
