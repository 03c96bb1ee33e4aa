"""The geometry of the browser's tools, run by node on shapes whose answers are known."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

GEOMETRY = Path(str(files("spermseg.web"))) / "static" / "js" / "tools" / "geometry.js"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def run(expression: str) -> Any:
    """Evaluate an expression of what geometry.js exports, as ``g``."""
    module = f"import * as g from {json.dumps(GEOMETRY.as_uri())};"
    code = f"{module} console.log(JSON.stringify({expression}));"
    command = ["node", "--no-warnings", "--input-type=module", "--eval", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def points(*pairs: tuple[float, float]) -> str:
    return json.dumps([{"x": x, "y": y} for x, y in pairs])


def pairs(found: list[dict[str, float]]) -> list[tuple[float, float]]:
    return [(one["x"], one["y"]) for one in found]


def test_straight_stretches_keep_their_ends_only() -> None:
    corner = points((0, 0), (5, 0.1), (10, 0), (10, 5), (10, 10))
    assert pairs(run(f"g.simplified({corner}, 0.5)")) == [(0, 0), (10, 0), (10, 10)]


def test_a_bend_beyond_the_tolerance_stays() -> None:
    assert len(run(f"g.simplified({points((0, 0), (5, 1), (10, 0))}, 0.5)")) == 3


def test_a_long_stroke_is_cut_to_what_the_server_takes() -> None:
    zigzag = "Array.from({length: 9000}, (_, i) => ({x: i, y: (i % 2) * 2}))"
    found = pairs(run(f"g.atMost({zigzag}, 2000, 0.25)"))
    assert len(found) <= 2000
    assert found[0] == (0, 0)
    assert found[-1] == (8999, 2)


def test_points_are_evenly_spaced_along_the_line() -> None:
    corner = points((0, 0), (6, 0), (6, 6))
    assert pairs(run(f"g.evenlySpaced({corner}, 5)")) == [(0, 0), (3, 0), (6, 0), (6, 3), (6, 6)]


def test_the_curve_goes_through_its_points_and_stays_near_a_circle() -> None:
    circle = [(50 * math.cos(a / 6), 50 * math.sin(a / 6)) for a in range(19)]
    curve = pairs(run(f"g.smoothCurve({points(*circle)}, 2)"))
    for point in circle:
        assert min(math.dist(point, one) for one in curve) < 1e-6
    assert all(abs(math.hypot(*one) - 50) < 0.5 for one in curve)


def test_a_straight_tail_has_the_fewest_handles_and_a_wavy_one_more() -> None:
    straight = [(float(x), 0.0) for x in range(400)]
    wavy = [(float(x), 20 * math.sin(x / 30)) for x in range(400)]
    assert len(run(f"g.fewHandles({points(*straight)}, 3)")) == 4
    handles = run(f"g.fewHandles({points(*wavy)}, 3)")
    assert 4 < len(handles) <= 16
    curve = pairs(run(f"g.smoothCurve({json.dumps(handles)})"))
    assert max(min(math.dist(point, one) for one in curve) for point in wavy) < 4


@pytest.mark.parametrize(
    ("point", "expected"), [((5, 5), False), ((2, 2), True), ((11, 5), False), ((9.9, 9.9), True)]
)
def test_a_hole_is_outside(point: tuple[float, float], expected: bool) -> None:
    rings = [
        [[0, 0], [10, 0], [10, 10], [0, 10]],
        [[4, 4], [6, 4], [6, 6], [4, 6]],
    ]
    where = json.dumps({"x": point[0], "y": point[1]})
    assert run(f"g.inside({where}, {json.dumps(rings)})") is expected


def test_the_nearest_stretch_is_found() -> None:
    line = points((0, 0), (10, 0), (10, 10))
    assert run(f"g.nearestStretch({{x: 12, y: 7}}, {line})") == {"distance": 2, "index": 1}


def test_points_are_sent_as_pairs_of_hundredths() -> None:
    assert run(f"g.toPairs({points((1.23456, 2), (3, 4.999))})") == [[1.23, 2], [3, 5]]
