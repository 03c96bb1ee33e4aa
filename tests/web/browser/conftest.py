"""A server in a process of its own, Debian's Chromium, and what a user does with the two."""

from __future__ import annotations

import io
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import Polygon, box
from shapely.ops import unary_union

pytest.importorskip("fastapi")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")

SMEARS = Path(__file__).parents[3] / "examples" / "smears"
WINDOW = {"width": 1440, "height": 900}
FIT_MARGIN = 12  # CSS pixels around a picture of which the whole is shown
PATIENCE_S = 120.0

Point = tuple[float, float]
Sperm = dict[str, Any]


def eventually(check: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
    """Ask until the answer is something; the page's policy lets no script wait in the page."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)
    return found


class Server:
    """``spermseg serve`` on a free port, and again on the same after it was stopped."""

    def __init__(self, workspace: Path):
        self.workspace = workspace
        self.port = 0
        self.address = ""
        self.process: Any = None

    def start(self) -> str:
        """Start, and give the address with its token."""
        command = [sys.executable, "-m", "spermseg", "serve", "--no-browser"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), "-o", str(self.workspace)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = []
        for line in self.process.stdout:
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/\?token=\S+", line):
                self.port = int(found[1])
                self.address = found[0]
                return self.address
        raise AssertionError("the server did not start: " + "".join(said))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def end(self, by: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(by)
        self.process.wait(30)
        self.process.stdout.close()


class App:
    """One window of the app.

    Whatever its console complains of, its policy refuses, or it asks of another host is kept in
    `complaints`, which is to be empty at the end.
    """

    def __init__(self, page: Any, server: Server):
        self.page = page
        self.server = server
        self.complaints: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._on_request)

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _on_request(self, request: Any) -> None:
        if not request.url.startswith((self.server.origin, "data:", f"blob:{self.server.origin}")):
            self.complaints.append(f"asked another host: {request.url}")

    def open(self) -> App:
        """Go to the printed address, and wait for the page to be there."""
        self.page.goto(self.server.address)
        assert "token" not in self.page.url
        eventually(lambda: self.state()["workspace"], "the page is there")
        return self

    # What the page knows, and what the server says.

    def state(self) -> dict[str, Any]:
        """The page's own state, with less than all of the picture."""
        return self.page.evaluate(
            """async () => {
              const { store } = await import("/static/js/store.js");
              const { workspace, picture, selected, hovered, tool, opening } = store.get();
              return { workspace, selected, hovered, tool, opening, id: picture?.id,
                       version: picture?.version, um: picture?.scale?.um_per_px };
            }"""
        )

    def get(self, path: str) -> Any:
        answer = self.page.context.request.get(f"{self.server.origin}/api/{path}")
        assert answer.ok, answer.text()
        return answer.json()

    def put(self, path: str, body: dict[str, Any]) -> None:
        answer = self.page.context.request.put(
            f"{self.server.origin}/api/{path}", data=body, headers={"Origin": self.server.origin}
        )
        assert answer.ok, answer.text()

    def picture(self) -> dict[str, Any]:
        """The server's answer about the picture that is shown."""
        return self.get(f"pictures/{self.state()['id']}")

    def sperm(self) -> dict[int, Sperm]:
        return {one["id"]: one for one in self.picture()["sperm"]}

    # Pictures.

    def drop(self, *paths: Path) -> None:
        """Drop files and folders from the disk, as from the system's file manager."""
        devtools = self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            devtools.send(
                "Input.dispatchDragEvent", {"type": kind, "x": 700, "y": 450, "data": data}
            )
            if kind == "dragOver":
                self.page.locator("#drop-shade").wait_for()
        self.page.locator("#drop-shade").wait_for(state="hidden")
        devtools.detach()

    def done(self) -> list[str]:
        """Wait until nothing is on its way any more, and give the names of all pictures."""

        def names() -> list[str] | None:
            pictures = self.get("workspace")["pictures"]
            waits = self.page.locator("#queue").is_visible()
            if waits or any(one["status"] not in ("done", "failed") for one in pictures):
                return None
            shown = self.page.locator("#picture-list .picture-name").all_inner_texts()
            return shown if len(shown) == len(pictures) else None

        return list(eventually(names, "all pictures are done"))

    def choose(self, name: str) -> None:
        """Open a picture by its name, and wait for its sperm."""
        self.page.locator("#picture-list .open", has_text=name).click()
        self.page.locator("#viewer-title", has_text=name).wait_for()
        self.page.locator("#table-panel tbody tr").first.wait_for()
        self.whole()
        eventually(self._has_tiles, "the picture is drawn")
        looks = [self.seen(), self.seen()]
        while not np.array_equal(*looks[-2:]):  # Finer tiles come after coarse ones.
            looks.append(self.seen())

    def _has_tiles(self) -> bool:
        """Whether there is a picture below the outlines."""
        return self.page.evaluate(
            """() => {
              const canvas = document.querySelector("#viewer .layer.tiles");
              const { data } = canvas.getContext("2d").getImageData(
                canvas.width / 2 - 50, canvas.height / 2 - 50, 100, 100);
              return data.every((value, i) => i % 4 < 3 || value === 255);
            }"""
        )

    # The picture.

    def box(self) -> dict[str, float]:
        return dict(self.page.locator("#viewer").bounding_box())

    def whole(self) -> None:
        """Show the whole picture."""
        self.page.get_by_role("button", name="Show the whole picture").click()
        self.page.mouse.move(5, 5)
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.page.evaluate(
            "() => new Promise((go) => setTimeout(() => requestAnimationFrame(() =>"
            " requestAnimationFrame(go)), 50))"
        )

    def zoom(self) -> float:
        """CSS pixels a pixel of the picture, where the whole of it is shown."""
        box, picture = self.box(), self._size()
        return min(
            (box["width"] - 2 * FIT_MARGIN) / picture[0],
            (box["height"] - 2 * FIT_MARGIN) / picture[1],
        )

    def _size(self) -> tuple[int, int]:
        id = self.state()["id"]
        (one,) = [one for one in self.state()["workspace"]["pictures"] if one["id"] == id]
        return one["width"], one["height"]

    def places(self, points: Sequence[Point]) -> list[Point]:
        """Where points of the picture are in the window, where the whole picture is shown."""
        box, zoom, (width, height) = self.box(), self.zoom(), self._size()
        left = box["x"] + box["width"] / 2 - zoom * width / 2
        top = box["y"] + box["height"] / 2 - zoom * height / 2
        return [(left + zoom * x, top + zoom * y) for x, y in points]

    def point_at(self, *point: float) -> None:
        self.page.mouse.move(*self.places([point])[0])  # type: ignore[list-item]

    def click_at(self, *point: float) -> None:
        self.page.mouse.click(*self.places([point])[0])  # type: ignore[list-item]

    def drag(self, *points: Point) -> None:
        """Drag through points of the picture."""
        first, *others = self.places(points)
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for place in others:
            self.page.mouse.move(*place, steps=8)
        self.page.mouse.up()

    def seen(self, bounds: Sequence[float] | None = None, room: float = 0) -> np.ndarray:
        """What is seen of the viewer, or of (x0, y0, x1, y1) of the picture: (H, W, 3)."""
        self.settle()
        box = self.box()
        if bounds is not None:
            (x0, y0), (x1, y1) = self.places([tuple(bounds[:2]), tuple(bounds[2:])])  # type: ignore[list-item]
            x0, y0 = max(x0 - room, box["x"]), max(y0 - room, box["y"])
            x1, y1 = (
                min(x1 + room, box["x"] + box["width"]),
                min(y1 + room, box["y"] + box["height"]),
            )
            box = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
        shot = self.page.screenshot(clip=box)
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)

    # The table and the tools.

    def row(self, id: int) -> Any:
        return self.page.locator(f"#table-panel tbody tr[data-id='{id}']")

    def listed(self) -> list[int]:
        """Ids of the rows, in their order."""
        rows = self.page.locator("#table-panel tbody tr").all()
        return [int(row.get_attribute("data-id")) for row in rows]

    def verdict_chip(self, name: str) -> Any:
        return self.page.locator("#table-panel .chip", has_text=re.compile(rf"^{name}\W*\d"))

    def tool(self, key: str) -> None:
        """Take a tool in hand by its button."""
        self.page.locator(f"#tools .tool[data-key='{key}']").click()

    def edited(self, version: int) -> dict[int, Sperm]:
        """Wait for a version in the page and in the server's answer, and give its sperm."""
        eventually(lambda: self.state()["version"] == version, f"version {version} in the page")
        answer = self.picture()
        assert answer["version"] == version
        found = {one["id"]: one for one in answer["sperm"]}
        assert sorted(self.listed()) == sorted(found)
        self.settle()
        return found


def region(sperm: Sperm, *parts: int) -> Any:
    """The area of a sperm, or of some of its parts, as a polygon."""
    found = Polygon()
    for part, rings in sperm["outlines"].items():
        for ring in rings if not parts or int(part) in parts else ():
            found = found.symmetric_difference(Polygon(ring).buffer(0))
    return found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium; no browser is downloaded for these tests.

    For one file only: Playwright keeps an event loop running, in which others cannot run theirs.
    """
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_app(chromium: Any) -> Iterator[Callable[..., App]]:
    """Open windows of a server's app, each in a browser of its own unless `beside` another."""
    apps: list[App] = []

    def open_one(server: Server, beside: App | None = None, **options: Any) -> App:
        options = {"viewport": WINDOW, "locale": "en-GB", "color_scheme": "light", **options}
        context = beside.page.context if beside else chromium.new_context(**options)
        # A machine may be busy with other things.
        context.set_default_timeout(120_000)
        apps.append(App(context.new_page(), server))
        return apps[-1].open()

    yield open_one
    for app in apps:
        app.page.context.close()
    assert [complaint for app in apps for complaint in app.complaints] == []


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Server]]:
    """Start servers on empty workspaces."""
    servers = []

    def start() -> Server:
        servers.append(Server(tmp_path_factory.mktemp("served") / "workspace"))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture(scope="session")
def smears() -> Path:
    """Folder of the synthetic smears."""
    return SMEARS


@pytest.fixture(name="eventually", scope="session")
def _eventually() -> Callable[..., Any]:
    return eventually


@pytest.fixture(name="region", scope="session")
def _region() -> Callable[..., Any]:
    return region


@pytest.fixture(scope="session")
def loneliest() -> Callable[[App], Sperm]:
    """Choose the sperm, of those with a line, whose head is farthest from others and the border."""

    def choose(app: App) -> Sperm:
        picture = app.picture()
        border = box(0, 0, picture["width"], picture["height"]).exterior

        def distance(one: Sperm) -> float:
            others = [region(other) for other in picture["sperm"] if other is not one]
            head = region(one, 1, 4, 5, 6)
            return float(head.distance(unary_union([border, *others])))

        whole = [
            one
            for one in picture["sperm"]
            if {"2", "3", "5"} <= one["outlines"].keys() and len(one["centerline"] or ()) > 20
        ]
        return max(whole, key=distance)

    return choose


@pytest.fixture
def shoot(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Take a picture for the documentation, where ``--screenshots FOLDER`` asks for it."""
    folder = request.config.getoption("--screenshots")

    def take(app: App, name: str, height: int = WINDOW["height"]) -> None:
        if folder is None:
            return
        app.page.set_viewport_size({**WINDOW, "height": height})
        app.page.locator("#messages .message").first.wait_for(state="hidden")
        app.settle()
        path = Path(folder) / f"web-{name}.jpg"
        app.page.screenshot(path=path, type="jpeg", quality=82)
        app.page.set_viewport_size(WINDOW)

    return take
