"""Outlines and scales are put right, and stay so: in the page, on the server, after a kill."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from shapely.geometry import LineString, Point
from shapely.ops import unary_union

NAME = "sperm-parsing.jpg"
MIDPIECE, TAIL, ACROSOME, NUCLEUS = 2, 3, 4, 5
UM_PER_PX = 0.0456  # examples/README.md


@pytest.fixture(scope="module")
def server(start_server, chromium, smears):
    """A server with one analysed smear."""
    server = start_server()
    context = chromium.new_context()
    context.request.get(server.address)
    answer = context.request.post(
        f"{server.origin}/api/pictures?name={NAME}",
        data=(smears / NAME).read_bytes(),
        headers={"Origin": server.origin, "Content-Type": "application/octet-stream"},
    )
    assert answer.status == 201, answer.text()
    context.close()
    return server


@pytest.fixture
def app(server, open_app):
    """The smear as it was found, seen as a whole; the page is put back to that at the end."""
    app = open_app(server)
    app.done()
    id = app.get("workspace")["pictures"][0]["id"]
    app.put(f"pictures/{id}/version", {"version": 0})
    app.put(f"pictures/{id}/scale", {"um_per_px": None})
    app.choose(NAME)
    app.edited(0)
    assert app.state()["um"] is None
    return app


@pytest.fixture
def version(app):
    """The number of the next version."""
    return app.picture()["versions"] + 1


def head_of(sperm, region):
    return region(sperm, ACROSOME, NUCLEUS)


def across_head(sperm, region):
    """A stroke from the middle of the head straight out of its side, as the midpiece lies."""
    centre = head_of(sperm, region).centroid
    x, y = sperm["centerline"][0]
    along = np.array([x - centre.x, y - centre.y])
    aside = np.array([-along[1], along[0]]) / np.linalg.norm(along)
    # Towards the middle of the picture, where there is room.
    if aside @ (np.array([640, 512]) - (centre.x, centre.y)) < 0:
        aside = -aside
    return [(centre.x, centre.y), (centre.x + 60 * aside[0], centre.y + 60 * aside[1])]


def untouched(before, after, *ids):
    """Ids of the others whose outlines changed."""
    return [
        id
        for id in before.keys() & after.keys()
        if id not in ids and before[id]["outlines"] != after[id]["outlines"]
    ]


def is_marked(app, id):
    """Whether the table says that a sperm was corrected."""
    return "✎" in app.row(id).inner_text()


def test_brush_and_eraser(app, version, loneliest, region):
    before = app.sperm()
    sperm = loneliest(app)
    id, stroke = sperm["id"], across_head(sperm, region)
    colour = app.state()["workspace"]["colours"][str(NUCLEUS)]
    end = Point(stroke[1]).buffer(12).bounds
    assert not is_marked(app, id)
    app.row(id).click()
    app.page.keyboard.press("b")
    app.page.locator("#tool-options").get_by_text("Nucleus").click()
    app.page.locator("#tool-options input[type=range]").fill("10")
    plain = app.seen(end)
    app.drag(*stroke)
    painted = app.edited(version)
    brush = LineString(stroke).buffer(10)
    grown = region(painted[id], NUCLEUS)
    assert grown.intersection(brush).area > 0.97 * brush.area
    assert grown.difference(region(sperm, NUCLEUS).union(brush.buffer(1.5))).area < 20
    assert painted[id]["corrected"]
    assert painted[id]["measurements"] != sperm["measurements"]
    assert untouched(before, painted, id) == []
    assert is_marked(app, id)
    assert app.page.locator("#details .badge.corrected").is_visible()
    app.page.locator("#picture-list", has_text="1 corrected").wait_for()
    app.page.mouse.move(5, 5)
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    near = [(np.abs(one - wanted).max(axis=2) < 60).sum() for one in (plain, app.seen(end))]
    assert near[1] > near[0] + 10

    app.page.keyboard.press("e")
    app.page.locator("#tool-options").get_by_text("All parts").click()
    app.page.locator("#tool-options input[type=range]").fill("14")
    app.drag(stroke[1], tuple(np.add(stroke[0], 0.6 * np.subtract(stroke[1], stroke[0]))))
    erased = app.edited(version + 1)
    assert region(erased[id]).intersection(Point(stroke[1]).buffer(10)).area < 5
    assert region(erased[id]).area < region(painted[id]).area - 200
    assert head_of(erased[id], region).area > 0.8 * head_of(sperm, region).area
    app.page.keyboard.press("Escape")
    assert app.state()["tool"] is None


def test_split_and_merge(app, version, loneliest, region):
    before = app.sperm()
    sperm = loneliest(app)
    line = np.array(sperm["centerline"])
    middle = len(line) // 2
    along = line[middle + 5] - line[middle - 5]
    aside = 25 * np.array([-along[1], along[0]]) / np.linalg.norm(along)
    app.tool("S")
    app.drag(tuple(line[middle] - aside), tuple(line[middle] + aside))
    split = app.edited(version)
    (new,) = split.keys() - before.keys()
    pieces = region(split[sperm["id"]]).area + region(split[new]).area
    assert pieces == pytest.approx(region(sperm).area, rel=0.02)
    assert region(split[new]).area > 100
    assert head_of(split[sperm["id"]], region).area == head_of(sperm, region).area
    assert not split[new]["is_sperm"]
    app.page.locator("#messages", has_text=f"Sperm {sperm['id']} was split").wait_for()
    assert is_marked(app, new)
    assert untouched(before, split, sperm["id"]) == []

    app.page.keyboard.press("Escape")
    app.page.locator("#viewer").focus()
    app.page.keyboard.press("Escape")
    app.tool("M")
    for id in (sperm["id"], new):
        place = region(split[id], NUCLEUS if id == sperm["id"] else TAIL).representative_point()
        app.click_at(place.x, place.y)
        app.page.locator("#tool-options .chip", has_text=str(id)).wait_for()
    app.page.locator("#tool-options").get_by_role("button", name="Merge", exact=True).click()
    merged = app.edited(version + 1)
    assert merged.keys() == before.keys()
    assert region(merged[sperm["id"]]).area == pytest.approx(region(sperm).area, rel=0.02)
    assert app.state()["selected"] == sperm["id"]


def test_points_of_a_tail(app, version, loneliest, region):
    before = app.sperm()
    sperm = loneliest(app)
    app.row(sperm["id"]).click()
    app.page.keyboard.press("t")
    app.page.locator("#tool-options", has_text="points").wait_for()
    tip = np.array(sperm["centerline"][-1])
    # Towards the middle of the picture, where there is room for the tip.
    step = np.array([640, 512]) - tip
    wanted = tip + 60 * step / np.linalg.norm(step)
    app.drag(tuple(tip), tuple(wanted))
    app.page.mouse.move(5, 5)
    app.page.locator("#viewer").focus()
    app.page.keyboard.press("Enter")
    moved = app.edited(version)
    line = np.array(moved[sperm["id"]]["centerline"])
    assert np.linalg.norm(line[-1] - wanted) < 12
    assert region(moved[sperm["id"]], TAIL).distance(Point(wanted)) < 6
    assert region(sperm, TAIL).distance(Point(wanted)) > 20
    kept = [region(one[sperm["id"]], ACROSOME, NUCLEUS).area for one in (before, moved)]
    assert kept[0] == kept[1]
    assert untouched(before, moved, sperm["id"]) == []


def test_picture_of_the_documentation(app, version, loneliest, region, shoot):
    """The acrosome of a sperm drawn a little larger, seen from near, the brush still in hand."""
    sperm = loneliest(app)
    cap = region(sperm, ACROSOME).centroid
    centre = region(sperm, NUCLEUS).centroid
    app.row(sperm["id"]).click()
    app.page.keyboard.press("b")
    app.page.locator("#tool-options").get_by_text("Acrosome").click()
    app.page.locator("#tool-options input[type=range]").fill("7")
    app.drag((cap.x, cap.y), ((cap.x + centre.x) / 2, (cap.y + centre.y) / 2))
    app.edited(version)
    app.point_at(centre.x, centre.y)
    for _ in range(7):
        app.page.mouse.wheel(0, -100)
    shoot(app, "correcting")


def free_place(sperm, region):
    """The point of the picture that is farthest from all sperm and from the border."""
    taken = unary_union([region(one) for one in sperm.values()])
    places = [Point(x, y) for x in range(100, 1200, 20) for y in range(100, 940, 20)]
    best = max(places, key=taken.distance)
    return best.x, best.y


def test_new_sperm_and_deleting(app, version, region):
    before = app.sperm()
    x, y = free_place(before, region)
    app.page.keyboard.press("n")
    app.page.locator("#tool-options").get_by_text("Nucleus").click()
    app.page.locator("#tool-options input[type=range]").fill("20")
    app.drag((x - 20, y), (x + 20, y))
    added = app.edited(version)
    (new,) = added.keys() - before.keys()
    drawn = LineString([(x - 20, y), (x + 20, y)]).buffer(20)
    assert region(added[new]).symmetric_difference(drawn).area < 0.1 * drawn.area
    assert added[new]["measurements"]["head_length_px"] == pytest.approx(80, abs=4)
    assert (app.state()["selected"], app.state()["tool"]) == (new, "brush")
    app.page.locator("#tool-options").get_by_text("Midpiece").click()
    app.page.locator("#tool-options input[type=range]").fill("5")
    app.drag((x + 36, y), (x + 80, y))
    assert region(app.edited(version + 1)[new], MIDPIECE).area > 250

    app.page.keyboard.press("Escape")
    app.page.keyboard.press("Delete")
    assert app.edited(version + 2).keys() == before.keys()
    app.page.locator("#messages", has_text=f"Sperm {new} was deleted").wait_for()
    app.page.keyboard.press("Control+z")
    assert new in app.edited(version + 1)


def test_undo_redo_and_back_to_the_original(app, version, loneliest, region):
    original = app.picture()
    id = loneliest(app)["id"]
    undo = app.page.get_by_role("button", name="Undo")
    redo = app.page.get_by_role("button", name="Redo")
    assert undo.is_disabled()
    app.row(id).click()
    app.page.keyboard.press("Delete")
    assert id not in app.edited(version)
    other = app.listed()[0]
    app.row(other).click()
    app.page.keyboard.press("Delete")
    assert other not in app.edited(version + 1)
    undo.click()
    app.edited(version)
    app.page.keyboard.press("Control+z")
    assert app.edited(0).keys() == {one["id"] for one in original["sperm"]}
    redo.click()
    app.edited(version)
    app.page.keyboard.press("Control+y")
    app.edited(version + 1)
    app.page.keyboard.press("Control+y")
    app.page.locator("#messages", has_text="nothing to redo").wait_for()

    app.page.locator("#history .opener").click()
    app.page.locator(".version-list").get_by_text(f"Sperm {id} deleted").first.wait_for()
    app.page.get_by_role("button", name="Back to the original").click()
    app.edited(0)
    answer = app.picture()
    assert answer["sperm"] == original["sperm"]
    assert answer["corrected"] == 0
    app.page.locator(f".version-list button:has-text('Sperm {other} deleted')").first.click()
    assert len(app.edited(version + 1)) == len(original["sperm"]) - 2


def test_a_correction_that_cannot_be_made_is_refused_in_words(app, loneliest, region):
    x, y = free_place(app.sperm(), region)
    app.tool("S")
    app.drag((x - 15, y), (x + 15, y))
    app.page.locator("#messages", has_text="The line crosses no sperm").wait_for()
    app.tool("E")
    app.row(loneliest(app)["id"]).click()
    app.drag((x - 15, y), (x + 15, y))  # Nothing of that sperm is there.
    app.page.locator("#alerts .message").wait_for()
    assert app.state()["version"] == 0
    # The browser says of every refusal that it was one.
    assert len(app.complaints) == 1
    assert "422" in app.complaints.pop()


def test_scale_typed_drawn_and_taken_back(app, loneliest, region, eventually):
    sperm = loneliest(app)
    id, pixels = sperm["id"], sperm["measurements"]["head_length_px"]
    app.row(id).click()
    assert "µm" not in app.row(id).inner_text()
    app.page.keyboard.press("l")
    app.page.get_by_role("textbox", name="Pixel size").fill("0,0456")
    app.page.locator(".scale-form .outcome", has_text="µm long").wait_for()
    app.page.get_by_role("button", name="Apply").click()
    eventually(lambda: app.state()["um"] == UM_PER_PX, "the scale in the page")
    now = app.sperm()[id]["measurements"]
    assert now["head_length_um"] == pytest.approx(pixels * UM_PER_PX, rel=1e-3)
    assert now["head_length_px"] == pixels
    shown = app.page.locator("#table-panel")
    shown.get_by_text("lengths in µm").wait_for()
    assert f"{now['head_length_um']:.2f}" in app.row(id).inner_text()
    assert f"{now['head_length_um']:.2f} µm" in app.page.locator("#details").inner_text()
    assert app.page.locator(".scale-bar").is_visible()
    assert "0.0456 µm/px" in app.page.locator("#scale .opener").inner_text()

    app.page.locator("#scale .opener").click()
    app.page.get_by_text("Line along the scale bar").click()
    x, y = free_place(app.sperm(), region)
    app.drag((x - 100, y), (x + 100, y))
    app.page.locator(".scale-form input[type=text]").fill("10")
    app.page.get_by_role("button", name="Apply").click()
    eventually(lambda: app.state()["um"] != UM_PER_PX, "the scale in the page")
    assert app.state()["um"] == pytest.approx(10 / 200, rel=0.02)
    again = app.sperm()[id]["measurements"]
    assert again["head_length_um"] == pytest.approx(pixels * app.state()["um"], rel=1e-3)

    app.page.locator("#scale .opener").click()
    app.page.get_by_role("button", name="Take it back").click()
    eventually(lambda: app.state()["um"] is None, "no scale in the page")
    app.page.locator("#table-panel").get_by_text("lengths in px").wait_for()


def test_two_windows_show_the_same(app, server, open_app, version, loneliest):
    other = open_app(server, beside=app)
    other.choose(NAME)
    id = loneliest(app)["id"]
    app.row(id).click()
    app.page.keyboard.press("Delete")
    assert id not in app.edited(version)
    assert id not in other.edited(version)
    other.page.keyboard.press("Control+z")
    assert id in app.edited(0)


def test_all_is_there_after_closing_the_window_and_killing_the_server(
    app, server, open_app, version, loneliest, eventually
):
    id = loneliest(app)["id"]
    app.put(f"pictures/{app.state()['id']}/scale", {"um_per_px": UM_PER_PX})
    app.row(id).click()
    app.page.keyboard.press("Delete")
    app.edited(version)
    left = app.picture()
    assert app.state()["um"] == UM_PER_PX
    app.page.close()
    again = open_app(server, beside=app)
    again.choose(NAME)
    assert again.picture() == left

    server.end(signal.SIGKILL)
    banner = again.page.locator("#connection")
    banner.get_by_text("No connection to the server").wait_for()
    server.start()
    # Another start has another token: the old window says what to do.
    banner.get_by_text("Open the address that").wait_for()
    refused = [one for one in again.complaints if not any(sign in one for sign in ("ERR_", "401"))]
    assert refused == []
    again.open()
    again.complaints.clear()
    again.choose(NAME)
    eventually(lambda: again.state()["version"] == version, "the version that was shown")
    kept = again.picture()
    assert {**kept, "revision": 0} == {**left, "revision": 0}
    assert banner.is_hidden()
    again.page.keyboard.press("Control+z")
    assert id in again.edited(0)
