"""Pictures come in, and are looked at: queue, viewer, table, languages, appearance."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest
from PIL import Image
from shapely import affinity
from shapely.ops import unary_union

NAMES = ["sperm-parsing.jpg", "scian.jpg"]
TAIL, ACROSOME, NUCLEUS = 3, 4, 5


@pytest.fixture(scope="module")
def server(start_server, chromium, smears):
    """A server with two analysed smears, which its tests leave as they are."""
    server = start_server()
    context = chromium.new_context()
    context.request.get(server.address)
    for name in NAMES:
        answer = context.request.post(
            f"{server.origin}/api/pictures?name={name}",
            data=(smears / name).read_bytes(),
            headers={"Origin": server.origin, "Content-Type": "application/octet-stream"},
        )
        assert answer.status == 201, answer.text()
    context.close()
    return server


@pytest.fixture
def app(server, open_app):
    """The larger smear, seen as a whole."""
    app = open_app(server)
    app.done()
    app.choose(NAMES[0])
    return app


def changed(before, after):
    """Where two looks differ visibly."""
    return np.abs(before - after).max(axis=2) > 24


def share_like(picture, colour):
    """Share of pixels of about a colour."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return float((np.abs(picture - wanted).max(axis=2) < 40).mean())


def test_files_and_folders_that_are_dropped_are_analysed(server, open_app, smears, tmp_path):
    app = open_app(server)
    before = app.done()
    folder = tmp_path / "day 1"
    folder.mkdir()
    shutil.copy(smears / "scian.jpg", folder / "first.jpg")
    (folder / "notes.txt").write_text("no picture")
    (tmp_path / "page.jpg").write_text("<html>no picture either</html>")
    app.drop(smears / "pale.jpg", tmp_path / "page.jpg", folder)
    app.page.locator("#messages", has_text="1 file that is no picture was left out").wait_for()
    app.page.locator("#queue progress").wait_for()
    refused = app.page.locator(".picture-row", has_text="page.jpg")
    refused.locator(".problem", has_text="no picture that can be read").wait_for()
    refused.get_by_role("button", name="Take page.jpg off the list").click()
    refused.wait_for(state="detached")
    # The browser says of every refusal that it was one.
    app.complaints = [one for one in app.complaints if "415" not in one]
    assert app.done() == [*before, "pale.jpg", "day 1/first.jpg"]
    assert [one["status"] for one in app.get("workspace")["pictures"]] == ["done"] * 4

    app.choose("first.jpg")
    assert app.sperm()
    for name in ("pale.jpg", "day 1/first.jpg"):
        app.page.get_by_role("button", name=f"Delete {name}").click()
        app.page.get_by_role("button", name="Delete", exact=True).click()
        app.page.locator(".picture-row", has_text=name).wait_for(state="detached")
    assert app.done() == before


def test_the_picture_is_seen_with_outlines_where_they_are(app, smears, region):
    app.page.keyboard.press("h")
    seen = app.seen([0, 0, 1280, 1024])
    with Image.open(smears / NAMES[0]) as picture:
        wanted = np.asarray(picture.convert("RGB").resize(seen.shape[1::-1], Image.Resampling.BOX))
    assert np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.98

    app.page.keyboard.press("h")
    outlined = changed(seen, app.seen([0, 0, 1280, 1024]))
    zoom = outlined.shape[1] / 1280
    rows, columns = np.nonzero(outlined)
    shapes = [
        affinity.scale(region(one), zoom, zoom, origin=(0, 0)) for one in app.sperm().values()
    ]
    for shape in shapes:
        left, top, right, bottom = (round(edge) for edge in shape.bounds)
        line = [
            shape.boundary.interpolate(share, normalized=True) for share in np.linspace(0, 1, 50)
        ]
        inside = [
            (round(p.x), round(p.y))
            for p in line
            if 3 < p.x < outlined.shape[1] - 3 and 3 < p.y < outlined.shape[0] - 3
        ]
        met = [outlined[y - 2 : y + 3, x - 2 : x + 3].any() for x, y in inside]
        assert np.mean(met) > 0.9, (left, top, right, bottom)
    # Numbers apart, nothing is drawn elsewhere.
    near = np.zeros_like(outlined)
    for shape in shapes:
        left, top, right, bottom = (int(edge) for edge in shape.bounds)
        near[max(top - 20, 0) : bottom + 5, max(left - 5, 0) : right + 50] = True
    assert near[rows, columns].mean() > 0.98


def test_table_and_picture_mark_the_same_sperm(app, loneliest, region, eventually):
    sperm = loneliest(app)
    id, head = sperm["id"], region(sperm, ACROSOME, NUCLEUS).centroid
    bounds = region(sperm).bounds
    plain = app.seen()
    app.row(id).hover()
    assert app.state()["hovered"] == id
    rows, columns = np.nonzero(changed(plain, app.seen()))
    assert len(rows) > 100
    box, ((left, top), (right, bottom)) = app.box(), app.places([bounds[:2], bounds[2:]])
    assert columns.min() > left - box["x"] - 5
    assert columns.max() < right - box["x"] + 60  # its number
    assert rows.min() > top - box["y"] - 25
    assert rows.max() < bottom - box["y"] + 5

    app.point_at(head.x, head.y)
    eventually(lambda: app.state()["hovered"] == id, "hovered in the picture")
    assert "hovered" in app.row(id).get_attribute("class")
    app.click_at(head.x, head.y)
    assert app.row(id).get_attribute("aria-selected") == "true"
    details = app.page.locator("#details")
    details.get_by_role("heading", name=f"Sperm {id}").wait_for()
    assert sperm["verdict"] in details.inner_text()

    other = next(one for one in app.listed() if one != id)
    app.row(other).click()
    assert app.state()["selected"] == other
    details.get_by_role("heading", name=f"Sperm {other}").wait_for()
    app.page.reload()
    app.row(other).wait_for()
    eventually(lambda: app.state()["selected"] == other, "selected after a reload")
    app.page.locator("#viewer").focus()
    app.page.keyboard.press("Escape")
    assert app.state()["selected"] is None


def test_the_table_sorts_and_filters_and_the_picture_with_it(app, region):
    sperm = app.sperm()
    lengths = {id: one["measurements"].get("head_length_px") for id, one in sperm.items()}
    known = sorted((id for id in lengths if lengths[id]), key=lambda id: lengths[id])
    button = app.page.get_by_role("button", name="Head L")
    button.click()
    assert app.listed()[: len(known)] == known
    button.click()
    assert app.listed()[: len(known)] == known[::-1]
    header = app.page.locator("th[data-column=head_length]")
    assert header.get_attribute("aria-sort") == "descending"

    plain = app.seen()
    app.verdict_chip("not assessable").click()
    left = [id for id, one in sperm.items() if one["verdict"] == "not assessable"]
    gone = [id for id in sperm if id not in left]
    assert left
    assert gone
    assert sorted(app.listed()) == left
    app.page.mouse.move(5, 5)
    filtered = app.seen()
    app.page.keyboard.press("h")
    bare = app.seen()
    app.page.keyboard.press("h")
    for ids, is_drawn in ((left, True), (gone, False)):
        for id in ids:
            others = [region(one).buffer(8) for one in sperm.values() if one["id"] != id]
            point = region(sperm[id]).difference(unary_union(others)).representative_point()
            app.point_at(point.x, point.y)
            app.settle()
            assert (app.state()["hovered"] == id) is is_drawn
    assert 0 < changed(filtered, bare).sum() < 0.9 * changed(plain, bare).sum()
    app.verdict_chip("All").click()
    assert len(app.listed()) == len(sperm)


def test_parts_and_opacity(app):
    colour = app.state()["workspace"]["colours"][str(TAIL)]
    app.page.keyboard.press("h")
    bare = app.seen()
    app.page.keyboard.press("h")
    with_tails = app.seen()
    app.page.get_by_role("button", name="Tail", exact=True).first.click()
    without = app.seen()
    assert share_like(without, colour) < 0.1 * share_like(with_tails, colour)
    app.page.locator("[data-part='3']").click()
    assert not changed(with_tails, app.seen()).any()

    app.page.get_by_role("button", name="Opacity and light").click()
    opacity = app.page.get_by_label("Opacity of the outlines")
    opacity.fill("1")
    app.page.keyboard.press("Escape")
    filled = app.seen()
    assert changed(filled, bare).sum() > 1.5 * changed(with_tails, bare).sum()
    app.page.get_by_role("button", name="Opacity and light").click()
    opacity.fill("0")
    app.page.keyboard.press("Escape")
    assert not changed(app.seen(), bare).any()
    app.page.get_by_role("button", name="Opacity and light").click()
    app.page.get_by_role("button", name="Reset").click()
    app.page.keyboard.press("Escape")
    assert not changed(with_tails, app.seen()).any()


def test_one_sperm_at_a_time(app, loneliest, region):
    sperm = loneliest(app)
    app.page.keyboard.press("h")
    bare = app.seen()
    app.page.keyboard.press("h")
    app.row(sperm["id"]).click()
    app.page.mouse.move(5, 5)
    app.page.locator("[data-show=only]").select_option("One at a time")
    rows, columns = np.nonzero(changed(bare, app.seen()))
    bounds = region(sperm).bounds
    box, ((left, top), (right, bottom)) = app.box(), app.places([bounds[:2], bounds[2:]])
    assert len(rows) > 100
    assert left - box["x"] - 5 < columns.min()
    assert columns.max() < right - box["x"] + 60
    assert top - box["y"] - 25 < rows.min()
    assert rows.max() < bottom - box["y"] + 5
    app.page.get_by_role("button", name="Next sperm").click()
    assert app.state()["selected"] != sperm["id"]


def test_zoom_and_pan_by_wheel_drag_and_keys(app, loneliest, region, eventually):
    sperm = loneliest(app)
    head = region(sperm, ACROSOME, NUCLEUS).centroid
    readout = app.page.locator(".zoom-readout")

    def zoom():
        return int(readout.inner_text().rstrip(" %"))

    whole, start = app.seen(), zoom()
    assert start == round(100 * app.zoom())
    (x, y), *_ = app.places([(head.x, head.y)])
    app.page.mouse.move(x, y)
    for _ in range(8):
        app.page.mouse.wheel(0, -100)
    eventually(lambda: zoom() > 3 * start, "zoomed by the wheel")
    app.page.mouse.move(x + 1, y)
    eventually(lambda: app.state()["hovered"] == sperm["id"], "it zooms at the pointer")

    app.page.mouse.move(x, y)
    app.page.mouse.down()
    app.page.mouse.move(x - 120, y - 60, steps=5)
    app.page.mouse.up()
    assert app.state()["selected"] is None  # A drag is no click.
    app.page.mouse.move(x - 119, y - 60)
    eventually(lambda: app.state()["hovered"] == sperm["id"], "it goes with the pointer")
    app.page.locator("#viewer").focus()
    app.page.mouse.move(x - 200, y - 60)
    app.page.keyboard.press("ArrowRight")  # 80 px to the right: what is seen goes left
    app.settle()
    app.page.mouse.move(x - 201, y - 60)
    eventually(lambda: app.state()["hovered"] == sperm["id"], "moved by a key")

    before = zoom()
    app.page.keyboard.press("+")
    eventually(lambda: zoom() == pytest.approx(1.25 * before, rel=0.02), "zoomed by a key")
    app.page.mouse.move(5, 5)
    app.page.keyboard.press("0")
    eventually(lambda: zoom() == start, "the whole picture again")
    assert not changed(whole, app.seen())[5:-5, 5:-5].any()  # Around it is the focus.
    app.row(sperm["id"]).click()
    app.page.keyboard.press("z")  # All of it, or where that is seen already, its head.
    app.settle()
    if zoom() < 2 * start:
        app.page.keyboard.press("z")
    eventually(lambda: zoom() > 2 * start, "a close-up of the head of the selected one", 20)
    box = app.box()
    app.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    eventually(lambda: app.state()["hovered"] == sperm["id"], "it is in the middle")


def texts(app):
    """All that is to be read or heard."""
    return app.page.evaluate(
        """() => {
          const found = new Set();
          const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walk.nextNode()) found.add(walk.currentNode.textContent.trim());
          for (const one of document.querySelectorAll("[aria-label], [title], [alt]")) {
            for (const name of ["aria-label", "title", "alt"]) {
              found.add((one.getAttribute(name) ?? "").trim());
            }
          }
          return [...found];
        }"""
    )


def english_left(app):
    """Texts that Spanish has other words for."""
    catalogues = {
        language: [
            app.page.context.request.get(
                f"{app.server.origin}/static/i18n/{part}{language}.json"
            ).json()
            for part in ("", "tools.")
        ]
        for language in ("en", "es")
    }
    english = {}
    for one, other in zip(catalogues["en"], catalogues["es"], strict=True):
        english |= {text: other[key] for key, text in one.items() if other[key] != text}
    spanish = {text for one in catalogues["es"] for text in one.values()}
    return [text for text in texts(app) if text in english and text not in spanish]


def test_spanish_by_the_browser_and_by_the_switch(server, open_app, shoot):
    app = open_app(server, locale="es-MX")
    app.done()
    app.page.locator("#picture-list .open", has_text=NAMES[0]).click()
    app.page.locator("#table-panel tbody tr").first.wait_for()
    app.page.locator("#table-panel tbody tr").nth(1).click()
    assert app.page.locator("html").get_attribute("lang") == "es"
    app.page.get_by_role("button", name="Añadir imágenes").wait_for()
    shoot(app, "spanish")
    app.tool("B")
    app.page.get_by_role("button", name="Descargar").first.click()
    keys = [text for text in texts(app) if re.fullmatch(r"[a-z_]+(\.[a-z_-]+)+", text)]
    assert [key for key in keys if not key.endswith((".jpg", ".csv", ".json"))] == []
    assert english_left(app) == []
    app.page.locator("[data-page=sample]").click()
    app.page.locator("#sample-page .hero").wait_for()
    assert english_left(app) == []

    app.page.locator("#language").select_option("English")
    app.page.locator("#sample-page").get_by_text("normal forms").first.wait_for()
    app.page.reload()
    app.page.locator("#sample-page").get_by_text("normal forms").first.wait_for()
    assert app.page.locator("html").get_attribute("lang") == "en"


def background(app):
    colour = app.page.evaluate("getComputedStyle(document.querySelector('.side')).backgroundColor")
    body = app.page.evaluate("getComputedStyle(document.body).backgroundColor")
    shown = body if "0)" in colour.replace(" ", "")[-3:] else colour
    return sum(int(value) for value in re.findall(r"\d+", shown)[:3]) / 3


def test_dark_and_light_by_the_system_and_by_the_switch(server, open_app, shoot):
    app = open_app(server, color_scheme="dark")
    app.done()
    app.choose(NAMES[0])
    app.row(2).click()
    app.page.mouse.move(5, 5)
    assert background(app) < 60
    shoot(app, "dark")
    app.page.locator("#theme").select_option("Light")
    assert background(app) > 200
    app.page.reload()
    assert background(app) > 200
    app.page.locator("#theme").select_option("System colours")
    assert background(app) < 60
    app.page.emulate_media(color_scheme="light")
    assert background(app) > 200


NAMED_ROLES = {
    *("button", "link", "textbox", "slider", "combobox", "radio", "checkbox", "spinbutton"),
    *("dialog", "image", "img", "table", "grid", "toolbar", "progressbar", "application", "tab"),
}


def nameless(app):
    """What a screen reader would come upon without being told what it is."""
    devtools = app.page.context.new_cdp_session(app.page)
    nodes = devtools.send("Accessibility.getFullAXTree")["nodes"]
    devtools.detach()
    seen = [node for node in nodes if not node.get("ignored")]
    found = [node for node in seen if node["role"]["value"] in NAMED_ROLES]
    assert found
    return [
        node["role"]["value"] for node in found if not node.get("name", {}).get("value", "").strip()
    ]


def test_every_control_has_a_name(app):
    app.row(2).click()
    assert nameless(app) == []
    for key in ("B", "E", "T"):
        app.tool(key)
        assert nameless(app) == []
    app.page.keyboard.press("Escape")
    for opener in ("#scale .opener", "#history .opener", "#downloads .opener"):
        app.page.locator(opener).click()
        assert nameless(app) == []
        app.page.keyboard.press("Escape")
    app.page.get_by_role("button", name="Opacity and light").click()
    assert nameless(app) == []
    app.page.keyboard.press("Escape")
    app.page.keyboard.press("?")
    app.page.get_by_role("dialog", name="Keys").wait_for()
    assert nameless(app) == []
    app.page.keyboard.press("Escape")
    app.page.locator("[data-page=sample]").click()
    app.page.locator("#sample-page .hero").wait_for()
    assert nameless(app) == []


def test_pictures_of_the_documentation(app, shoot, loneliest):
    app.row(loneliest(app)["id"]).click()
    app.page.mouse.move(5, 5)
    shoot(app, "viewer")


def test_a_real_picture(server, open_app, spermparsing):
    app = open_app(server)
    before = app.done()
    picture = next((spermparsing / "Training" / "JPEGImages").glob("Image__2023-05-05__20-00-54*"))
    app.drop(picture)
    row = app.page.locator(".picture-row", has_text=picture.name)
    row.wait_for()
    assert app.done() == [*before, picture.name]
    app.choose(picture.name)
    sperm = app.sperm()
    assert sum(one["is_sperm"] for one in sperm.values()) > 3
    bare_with = app.seen()
    app.page.keyboard.press("h")
    assert changed(bare_with, app.seen()).mean() > 0.003
    app.page.get_by_role("button", name=f"Delete {picture.name}").click()
    app.page.get_by_role("button", name="Delete", exact=True).click()
    row.wait_for(state="detached")
    assert app.done() == before
