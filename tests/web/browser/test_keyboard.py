"""The whole way without a mouse: in, look, correct, undo, take along."""

from __future__ import annotations

import pytest


@pytest.fixture
def app(start_server, open_app):
    return open_app(start_server())


def focused(app):
    """What has the focus, as a screen reader says it, or its id."""
    return app.page.evaluate(
        """() => {
          const { activeElement: one } = document;
          if (one === document.body) return "";
          return one.getAttribute("aria-label") || one.textContent.trim() || one.id;
        }"""
    )


def tab_to(app, wanted, limit=80, backwards=False):
    """Press Tab until something has the focus."""
    for _ in range(limit):
        if wanted in focused(app):
            return
        app.page.keyboard.press("Shift+Tab" if backwards else "Tab")
    raise AssertionError(f"Tab never came to {wanted!r}")


def test_the_whole_way_by_keyboard(app, smears, eventually):
    keys = app.page.keyboard
    # The driver takes a moment to catch file choosers: a listener from the start on keeps it ready.
    app.page.on("filechooser", lambda chooser: None)
    app.page.get_by_role("heading", name="Drop pictures of sperm here").wait_for()
    tab_to(app, "Skip to the picture")
    tab_to(app, "Downloads")
    keys.press("Enter")
    menu = app.page.locator("#downloads-menu-panel")
    menu.get_by_text("There is nothing to take along yet").wait_for()
    menu.get_by_text("No picture has been corrected yet").wait_for()
    assert menu.locator("a").count() == 0
    keys.press("Escape")
    tab_to(app, "Add pictures")
    with app.page.expect_file_chooser() as choosing:
        keys.press("Enter")
    choosing.value.set_files([smears / "sperm-parsing.jpg"])
    app.page.locator(".picture-row", has_text="sperm-parsing.jpg").wait_for()
    assert app.done() == ["sperm-parsing.jpg"]
    # Nothing was asked for: the first picture that is done is shown by itself.
    app.page.locator("#table-panel tbody tr").first.wait_for()
    assert app.listed() == sorted(app.sperm())
    app.page.locator("#announcer", has_text="The picture is done").wait_for(state="attached")

    # From sperm to sperm in the picture, each said aloud.
    tab_to(app, "Picture sperm-parsing.jpg")
    keys.press("]")
    first = app.state()["selected"]
    said = app.page.locator("#announcer")
    assert f"Sperm {first}" in said.inner_text()
    keys.press("]")
    assert f"Sperm {app.state()['selected']}" in said.inner_text()
    keys.press("[")
    assert app.state()["selected"] == first
    keys.press("z")
    keys.press("0")

    # In the table.
    tab_to(app, "Head L")
    keys.press("Enter")
    assert "Head L" in focused(app)
    keys.press("Enter")
    for _ in range(10):
        keys.press("Tab")
        if app.page.evaluate("document.activeElement.tagName") == "TR":
            break
    keys.press("Home")
    keys.press("ArrowDown")
    id = app.state()["selected"]
    assert id == app.listed()[1]
    assert app.page.evaluate("Number(document.activeElement.dataset.id)") == id

    # Paint with the arrows, then take it back.
    keys.press("b")
    tab_to(app, "Picture sperm-parsing.jpg", backwards=True)
    keys.press("1")
    keys.press("x")
    for _ in range(6):
        keys.press("Shift+ArrowRight")
    keys.press("x")
    painted = app.edited(1)
    assert painted[id]["corrected"]
    keys.press("Escape")
    keys.press("Control+z")
    assert not app.edited(0)[id]["corrected"]
    keys.press("Control+y")
    app.edited(1)

    # The versions: the focus stays in the list when another one is shown.
    tab_to(app, "Versions", backwards=True)
    keys.press("Enter")
    tab_to(app, "Original result")
    keys.press("Enter")
    app.edited(0)
    eventually(lambda: "Original result" in focused(app), "the focus is where it was")
    keys.press("Escape")
    assert "Versions" in focused(app)

    # The scale.
    keys.press("l")
    assert app.page.get_by_role("dialog", name="Scale").is_visible()
    tab_to(app, "Pixel size")
    keys.type("0.0456")
    keys.press("Enter")
    eventually(lambda: app.state()["um"] == 0.0456, "the scale")

    tab_to(app, "Downloads", backwards=True)
    keys.press("Enter")
    tab_to(app, "One row a sperm")
    with app.page.expect_download() as coming:
        keys.press("Enter")
    assert coming.value.suggested_filename == "sperm.csv"
    keys.press("Escape")
    assert "Download" in focused(app)
    tab_to(app, "Sample", backwards=True)
    keys.press("Enter")
    app.page.locator("#sample-page .hero").wait_for()

    keys.press("?")
    dialog = app.page.get_by_role("dialog", name="Keys")
    assert "Undo" in dialog.inner_text()
    keys.press("Escape")
    dialog.wait_for(state="detached")
