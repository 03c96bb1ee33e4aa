"""How long from dropping a picture into the browser to seeing its first outline.

    python benchmarks/web_first_overlay.py examples/smears/sperm-parsing.jpg

The picture is dropped into `spermseg serve` as from a file manager, by headless Chromium: once
right after the server has started, while the model may still be loading, and then again and again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from spermseg.benchmark.machine import describe_machine, describe_versions
from web_panning import WINDOW, serving

# Pixels of the outlines' canvas that are not empty.
OUTLINED = """() => {
  const canvas = document.querySelector("#viewer .layer.outlines");
  if (!canvas?.width || document.querySelector("#viewer").hidden) return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, i) => i % 4 === 3 && value > 0);
}"""


def seconds_to_overlay(page: Page, picture: Path) -> float:
    """Drop a picture and wait for its outlines; then delete it again."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(picture.resolve())], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": 700, "y": 450, "data": data}
        start = time.perf_counter()
        devtools.send("Input.dispatchDragEvent", event)
    while not page.evaluate(OUTLINED):
        time.sleep(0.02)
    seconds = time.perf_counter() - start
    devtools.detach()
    page.locator(".picture-row .remove").first.click()
    page.locator("dialog.ask .danger").click()
    page.locator("#welcome").wait_for()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--times", type=int, default=5, help="after the first")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        with serving(Path(folder) / "workspace") as address:
            page = browser.new_page(viewport=WINDOW, locale="en-GB")
            page.goto(address)
            page.locator("#welcome").wait_for()
            first = seconds_to_overlay(page, arguments.picture)
            later = [seconds_to_overlay(page, arguments.picture) for _ in range(arguments.times)]
        version = browser.version
        browser.close()
    result = {
        "first_s": round(first, 2),
        "later_best_s": round(min(later), 2),
        "later_median_s": round(statistics.median(later), 2),
        "chromium": version,
        "machine": describe_machine(),
        "versions": describe_versions(),
    }
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
