"""Frames a second while a large picture with many sperm is panned in the browser.

    python benchmarks/web_panning.py --workspace /tmp/panning

A synthetic smear of 5,000 x 5,000 pixels with about 300 sperm goes through `spermseg serve` like
any other picture; then headless Chromium drags it about at three zooms, with the outlines and
without, and the page's own clock counts the frames. Chromium draws on the processor here: with a
graphics card it is faster. With `--workspace` the analysed picture is kept for the next run.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from playwright.sync_api import CDPSession, Page, sync_playwright

from spermseg.benchmark.machine import describe_machine, describe_versions
from spermseg.data.synthetic import PRESETS, synthesize_sample
from spermseg.data.synthetic.distributions import Normal

SIDE_PX, N_SPERM, SEED = 5000, 300, 11
WINDOW = {"width": 1440, "height": 900}
SECONDS = 4.0
ZOOMS = {"whole picture": None, "50 %": 0.5, "100 %": 1.0}
RADIUS = 150  # CSS pixels; the drag stays within the viewer.
ANALYSIS_LIMIT_S = 1800

START_COUNTING = """() => {
  window.frameTimes = [];
  const count = (time) => {
    window.frameTimes.push(time);
    window.frameRequest = requestAnimationFrame(count);
  };
  window.frameRequest = requestAnimationFrame(count);
}"""
STOP_COUNTING = "() => { cancelAnimationFrame(window.frameRequest); return window.frameTimes; }"


def write_smear(path: Path) -> None:
    """Draw the picture; the file states its pixel size."""
    preset = PRESETS["sperm-parsing"]
    large = replace(preset, size=(SIDE_PX, SIDE_PX), n_sperm=Normal(N_SPERM, 0.0))
    image = synthesize_sample(large, SEED, 0).sample.image
    resolution = (1 / preset.um_per_px,) * 2
    tifffile.imwrite(path, image, imagej=True, resolution=resolution, metadata={"unit": "um"})


@contextmanager
def serving(workspace: Path) -> Iterator[str]:
    """Run the server; gives its address with the token."""
    command = [sys.executable, "-m", "spermseg", "serve", "--no-browser", "--port", "0"]
    with subprocess.Popen(
        [*command, "-o", str(workspace)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            for line in server.stdout:
                if found := re.search(r"http://\S+token=\S+", line):
                    yield found[0]
                    return
            raise SystemExit("the server did not start")
        finally:
            server.terminate()


def point_at_middle(page: Page) -> tuple[float, float]:
    """Move the mouse to the viewer's middle."""
    box = page.locator("#viewer").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    return x, y


def panned(page: Page, seconds: float) -> dict[str, float]:
    """Drag the picture in circles; gives what the frames were like."""
    x, y = point_at_middle(page)
    page.mouse.down()
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    worked = _worked(devtools)
    page.evaluate(START_COUNTING)
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        angle = 2 * math.pi * passed / 1.5
        page.mouse.move(x + RADIUS * math.sin(angle), y + RADIUS * (1 - math.cos(angle)))
    times = np.array(page.evaluate(STOP_COUNTING))
    worked = _worked(devtools) - worked
    page.mouse.up()
    devtools.detach()
    gaps = np.diff(times)
    return {
        "frames_per_second": round(1000 / float(gaps.mean()), 1),
        "median_ms": round(float(np.median(gaps)), 1),
        "p95_ms": round(float(np.percentile(gaps, 95)), 1),
        "page_cpu_ms_a_frame": round(1000 * worked / len(gaps), 1),
    }


def _worked(devtools: CDPSession) -> float:
    """Give the processor seconds that the page's main thread has used, which others do not slow."""
    metrics = devtools.send("Performance.getMetrics")["metrics"]
    return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))


def zoom_to(page: Page, zoom: float | None) -> None:
    """Zoom with the wheel until the page says so; None shows the whole picture."""
    point_at_middle(page)
    page.locator("#viewer").focus()
    page.keyboard.press("0")
    page.wait_for_timeout(300)
    while zoom is not None and _zoom(page) < zoom * 0.97:
        page.mouse.wheel(0, -min(120.0, 1000 * math.log(zoom / _zoom(page)) / 1.8))
        page.wait_for_timeout(60)
    page.wait_for_timeout(1500)


def _zoom(page: Page) -> float:
    return float(page.locator(".zoom-readout").inner_text().rstrip(" %").replace(",", "")) / 100


def measure(address: str, picture: Path | None) -> dict[str, Any]:
    """Upload where needed, wait for the analysis, and pan."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=WINDOW, locale="en-GB")
        page.goto(address)
        if picture is not None:
            page.locator("[data-pick=files]").first.set_input_files(picture)
        page.locator("#picture-list .tally").first.wait_for(
            timeout=1000 * ANALYSIS_LIMIT_S, state="attached"
        )
        page.locator("#table-panel tbody tr").first.wait_for(timeout=1000 * ANALYSIS_LIMIT_S)
        result: dict[str, Any] = {"sperm_drawn": page.locator("#table-panel tbody tr").count()}
        for name, zoom in ZOOMS.items():
            zoom_to(page, zoom)
            result[name] = panned(page, SECONDS)
            page.keyboard.press("h")
            result[f"{name}, no outlines"] = panned(page, SECONDS)
            page.keyboard.press("h")
        result["chromium"] = browser.version
        browser.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path, help="kept and used again")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = arguments.workspace or Path(folder) / "workspace"
        picture = None
        if not any((workspace / "pictures").glob("*/picture.json")):
            picture = Path(folder) / "panning.tif"
            write_smear(picture)
        with serving(workspace) as address:
            figures = measure(address, picture)
    result = {**figures, "machine": describe_machine(), "versions": describe_versions()}
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
