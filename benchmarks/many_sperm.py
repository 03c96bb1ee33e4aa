"""Seconds to separate, measure and judge against the number of sperm in one picture.

    python benchmarks/many_sperm.py

Sperm of a grid, drawn by hand, in pictures that grow with their number: the time a sperm should
stay the same. CPU seconds, the median of five.
"""

from __future__ import annotations

import time

import numpy as np
from PIL import Image, ImageDraw

from spermseg.analysis.criteria import load_criteria
from spermseg.analysis.instances import separate_sperm
from spermseg.analysis.morphometry import measure_all
from spermseg.analysis.verdicts import judge
from spermseg.structures import SCHEMAS, Part, Scale, Segmentation

HEAD_LENGTH = 45.0
CELL = (60, 300)
"""Height and width that a sperm takes: half of the tails cross the next one's."""
COLUMNS = 5
SCHEMA = SCHEMAS["sperm-parsing"]


def smear(n: int) -> Segmentation:
    """Give the scores of a picture with `n` sperm."""
    size = (CELL[0] * -(-n // COLUMNS) + 60, CELL[1] * COLUMNS)
    picture = Image.new("L", (size[1], size[0]))
    pen = ImageDraw.Draw(picture)
    for index in range(n):
        row, column = CELL[0] * (index // COLUMNS) + 40, CELL[1] * (index % COLUMNS) + 40
        down = 60 if index % 2 else 0
        line = [(column, row), (column + 60, row), (column + 230, row + down)]
        pen.line(line, fill=Part.TAIL, width=4)
        pen.line([line[0], (column + 55, row)], fill=Part.MIDPIECE, width=5)
        pen.ellipse((column - 22, row - 14, column + 22, row + 14), fill=Part.NUCLEUS)
    part_map = np.array(picture)
    indices = SCHEMA.to_indices(part_map)
    scores = np.full((SCHEMA.n_classes, *size), 0.02, np.float16)
    np.put_along_axis(scores, indices[None].astype(np.intp), np.float16(0.9), 0)
    return Segmentation(part_map, scores, SCHEMA, Scale("head length given", HEAD_LENGTH))


def main() -> None:
    criteria = load_criteria()
    print("sperm  found  separation  measurement  judging  a sperm, ms")
    for n in (1, 10, 30, 100, 300):
        segmentation = smear(n)
        rounds = []
        for _ in range(5):
            marks = [time.process_time()]
            sperm = separate_sperm(segmentation)
            marks.append(time.process_time())
            measured = measure_all(
                sperm, head_length_px=HEAD_LENGTH, size=segmentation.part_map.shape
            )
            marks.append(time.process_time())
            for one in measured:
                judge(one, criteria)
            marks.append(time.process_time())
            rounds.append(np.diff(marks))
        median = np.median(rounds, axis=0)
        print(
            f"{n:5}  {len(sperm):5}  {median[0]:10.3f}  {median[1]:11.3f}  {median[2]:7.3f}"
            f"  {1000 * median.sum() / n:11.1f}"
        )


if __name__ == "__main__":
    main()
