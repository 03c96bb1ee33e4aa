"""Every address of the server: what it gives, and what it says to what cannot be."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image


def edit(client, picture, **what):
    body = {"base_version": picture["version"], "edit": what}
    return client.post(f"/api/pictures/{picture['id']}/edits", json=body)


def test_workspace(client, picture):
    told = client.get("/api/workspace").json()
    (summary,) = told["pictures"]
    assert {key: value for key, value in picture.items() if key != "sperm"} == summary
    assert told["model"]["id"] == "colours"
    assert {"id": 3, "name": "tail"} in told["model"]["parts"]
    assert told["colours"]["3"] == "#d55e00"
    assert told["criteria"]["name"] == "who-2021"
    assert set(told["limits"]) == {"bytes", "pixels", "queue"}
    assert told["disclaimer"] == "For research use, not for clinical diagnosis."
    assert told["revision"] >= summary["revision"]


def test_picture(picture):
    assert (picture["width"], picture["height"]) == (200, 120)
    assert picture["counts"]["sperm"] == 2
    first, second = picture["sperm"]
    assert (first["id"], second["id"]) == (1, 2)
    (head,) = first["outlines"]["5"]
    # The head was drawn at columns 20 to 35, rows 10 to 19.
    assert np.min(head, axis=0) == pytest.approx([20, 10], abs=0.5)
    assert np.max(head, axis=0) == pytest.approx([36, 20], abs=0.5)
    assert first["measurements"]["head_length_px"] == pytest.approx(16, abs=1)


def test_a_compressed_answer_is_the_same(client, picture):
    address = f"/api/pictures/{picture['id']}"
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.json() == client.get(address).json() == picture


def test_tiles(client, picture):
    address = f"/api/pictures/{picture['id']}"
    tile = client.get(f"{address}/tiles/0/0/0.jpg")
    assert tile.headers["content-type"] == "image/jpeg"
    assert "immutable" in tile.headers["cache-control"]
    assert Image.open(io.BytesIO(tile.content)).size == (200, 120)
    small = client.get(f"{address}/thumbnail.jpg")
    assert Image.open(io.BytesIO(small.content)).size == (200, 120)
    assert client.get(f"{address}/tiles/1/0/0.jpg").status_code == 404
    assert client.get(f"{address}/tiles/-1/0/0.jpg").status_code == 404
    assert client.get(f"{address}/tiles/x/0/0.jpg").status_code == 422


def test_who_is_not_there_is_not_found(client):
    requests = [
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/tiles/0/0/0.jpg", None),
        ("GET", "/thumbnail.jpg", None),
        ("GET", "/versions", None),
        ("PUT", "/version", {"version": 0}),
        ("PUT", "/scale", {"um_per_px": 0.1}),
        ("POST", "/edits", {"base_version": 0, "edit": {"type": "delete", "sperm": 1}}),
    ]
    for id in ("0123456789ab", "..", "%2e%2e", "a" * 300, "x%00y"):
        for method, address, body in requests:
            answer = client.request(method, f"/api/pictures/{id}{address}", json=body)
            assert answer.status_code in (404, 405)
            assert set(answer.json()) == {"error"}


def test_a_full_queue_says_when_to_come_again(settings, in_thread, open_client, smear, monkeypatch):
    monkeypatch.setattr(in_thread, "receive", lambda worker: [] if not worker.items else waited())
    release = threading.Event()

    def waited():
        release.wait(60)
        return [None]

    with open_client(replace(settings, max_queue=2)) as client:
        answers = [
            client.post("/api/pictures", params={"name": "a.png"}, content=smear())
            for _ in range(3)
        ]
        release.set()
    assert [one.status_code for one in answers] == [201, 201, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    assert "2 pictures" in answers[2].json()["error"]


def test_an_edit_is_a_version_that_can_be_undone(client, picture):
    after = edit(client, picture, type="delete", sperm=2).json()
    assert [one["id"] for one in after["sperm"]] == [1]
    assert (after["version"], after["versions"], after["counts"]["sperm"]) == (1, 1, 1)
    stroke = {"points": [[50, 100], [70, 100]], "radius": 4, "part": 5}
    added = edit(client, after, type="add", **stroke).json()
    assert [(one["id"], one["corrected"]) for one in added["sperm"]] == [(1, False), (2, True)]
    assert added["corrected"] == 1

    address = f"/api/pictures/{picture['id']}"
    told = client.get(f"{address}/versions").json()
    assert told["current"] == 2
    assert [(one["version"], one["parent"]) for one in told["versions"]] == [(1, 0), (2, 1)]
    assert told["versions"][0]["edit"] == {"type": "delete", "sperm": 2}

    original = client.put(f"{address}/version", json={"version": 0}).json()
    assert original["sperm"] == picture["sperm"]
    assert (original["version"], original["versions"], original["corrected"]) == (0, 2, 0)
    redone = client.put(f"{address}/version", json={"version": 2}).json()
    assert redone["sperm"] == added["sperm"]
    assert client.get(address).json() == redone
    assert client.put(f"{address}/version", json={"version": 3}).status_code == 422


def test_the_original_is_never_written_over(client, picture, settings):
    files = {
        path: path.read_bytes()
        for path in (settings.workspace / "result").rglob("*")
        if path.is_file()
    }
    edit(client, picture, type="delete", sperm=1)
    client.put(f"/api/pictures/{picture['id']}/scale", json={"um_per_px": 0.25})
    assert len(files) == 3
    assert {path: path.read_bytes() for path in files} == files


def test_corrections_survive_a_restart(settings, in_thread, open_client, send, wait):
    with open_client(settings) as client:
        id = send(client)
        wait(client)
        before = client.get(f"/api/pictures/{id}").json()
        before = edit(client, before, type="delete", sperm=1).json()
    with open_client(settings) as client:
        after = client.get(f"/api/pictures/{id}").json()
    assert after.pop("revision") >= before.pop("revision")
    assert after == before


def test_a_version_that_a_kill_left_unnoted_is_shown(settings, in_thread, open_client, send, wait):
    with open_client(settings) as client:
        id = send(client)
        wait(client)
        before = client.get(f"/api/pictures/{id}").json()
        record = settings.workspace / "pictures" / id / "picture.json"
        noted = record.read_text()
        edit(client, before, type="delete", sperm=1)
    record.write_text(noted)
    with open_client(settings) as client:
        after = client.get(f"/api/pictures/{id}").json()
    assert (after["version"], after["versions"], after["counts"]["sperm"]) == (1, 1, 1)


def test_an_edit_of_an_old_version_is_a_conflict(client, picture):
    edit(client, picture, type="delete", sperm=2)
    answer = edit(client, picture, type="delete", sperm=1)
    assert answer.status_code == 409
    assert "version 0 was corrected, but 1 is shown" in answer.json()["error"]


def test_an_impossible_edit_is_refused(client, picture):
    impossible = [
        {"type": "delete", "sperm": 99},
        {"type": "delete"},
        {"type": "explode", "sperm": 1},
        {"type": "merge", "sperm": [1]},
        {"type": "paint", "sperm": 1, "part": 77, "points": [[1, 1]], "radius": 2},
        {},
    ]
    for body in impossible:
        answer = edit(client, picture, **body)
        assert answer.status_code == 422
        assert set(answer.json()) == {"error"}
    assert client.get(f"/api/pictures/{picture['id']}").json() == picture


def test_a_body_that_is_none_is_refused(client, picture):
    address = f"/api/pictures/{picture['id']}/edits"
    bodies = [
        "{",
        "[]",
        "null",
        '{"base_version": 0}',
        '{"base_version": "0", "edit": {}}',
        '{"base_version": -1, "edit": {}}',
        '{"base_version": 0, "edit": [], "more": 1}',
    ]
    for body in bodies:
        headers = {"Content-Type": "application/json"}
        answer = client.post(address, content=body, headers=headers)
        assert answer.status_code == 422
        assert set(answer.json()) == {"error"}


def test_a_pixel_size_measures_at_once_and_goes_away_again(client, picture):
    address = f"/api/pictures/{picture['id']}/scale"
    scaled = client.put(address, json={"um_per_px": 0.25}).json()
    assert scaled["status"] == "done"
    assert scaled["scale"] == {
        "source": "pixel size",
        "head_length_px": pytest.approx(4.4 / 0.25),
        "um_per_px": 0.25,
        "given": True,
    }
    measured = scaled["sperm"][0]["measurements"]
    assert measured["head_length_um"] == pytest.approx(measured["head_length_px"] * 0.25, rel=1e-5)
    assert "head_length_um" not in picture["sperm"][0]["measurements"]
    back = client.put(address, json={"um_per_px": None}).json()
    assert back["sperm"] == picture["sperm"]
    assert back["scale"] == picture["scale"]


def test_every_version_is_judged_by_the_new_scale(client, picture):
    edited = edit(client, picture, type="delete", sperm=2).json()
    client.put(f"/api/pictures/{picture['id']}/scale", json={"um_per_px": 0.25})
    for version in (0, 1):
        address = f"/api/pictures/{picture['id']}/version"
        shown = client.put(address, json={"version": version}).json()
        assert len(shown["sperm"]) == 2 - version
        assert all("head_length_um" in one["measurements"] for one in shown["sperm"])
    assert "head_length_um" not in edited["sperm"][0]["measurements"]


def test_all_pictures_at_once(client, send, wait, smear):
    ids = [send(client, f"{n}.png", smear(n)) for n in (1, 2)]
    wait(client)
    told = client.put(
        f"/api/pictures/{ids[0]}/scale", params={"all": True}, json={"um_per_px": 0.25}
    ).json()
    assert [one["scale"]["um_per_px"] for one in told["pictures"]] == [0.25, 0.25]
    assert [one["status"] for one in told["pictures"]] == ["done", "done"]


def test_a_scale_that_cannot_be_is_refused(client, picture):
    scales = [
        {},
        {"um_per_px": 0.1, "head_length_px": 40},
        {"um_per_px": 0},
        {"um_per_px": -1},
        {"um_per_px": 1e9},
        {"um_per_px": "0.1"},
        {"head_length_px": None},
        {"head_length_px": 1e9},
        {"other": 1},
        {"um_per_px": 2.0},  # Heads of 32 um.
    ]
    for body in scales:
        answer = client.put(f"/api/pictures/{picture['id']}/scale", json=body)
        assert answer.status_code == 422
        assert set(answer.json()) == {"error"}
    assert client.get(f"/api/pictures/{picture['id']}").json() == picture


def test_what_is_not_analysed_cannot_be_corrected(client, send, wait, smear):
    id = send(client, "cut.png", smear()[:-40])
    wait(client)
    broken = client.get(f"/api/pictures/{id}").json()
    assert (broken["status"], broken["sperm"]) == ("failed", [])
    answer = edit(client, broken, type="delete", sperm=1)
    assert (answer.status_code, answer.json()["error"][:22]) == (409, "this picture is failed")


def test_a_defect_is_one_line_in_the_answer_and_a_traceback_in_the_log(
    client, picture, monkeypatch, caplog
):
    from spermseg.web import viewing

    def broken(*_):
        raise KeyError("/home/ana/secret")

    monkeypatch.setattr(viewing, "read_tile", broken)
    with caplog.at_level(logging.ERROR):
        answer = client.get(f"/api/pictures/{picture['id']}/tiles/0/0/0.jpg")
    assert answer.status_code == 500
    assert list(answer.json()) == ["error"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_a_disk_that_fails_is_one_line_too(client, picture, settings, caplog):
    path = settings.workspace / "pictures" / picture["id"] / "original.png"
    path.unlink()
    answer = client.get(f"/api/pictures/{picture['id']}/tiles/0/0/0.jpg")
    assert answer.status_code == 415
    assert str(settings.workspace) not in answer.text


def test_addresses_that_are_none(client):
    for address in ("/api/nothing", "/docs", "/openapi.json", "/static/../app.py", "/static/none"):
        answer = client.get(address)
        assert (answer.status_code, list(answer.json())) == (404, ["error"])
    assert client.post("/api/workspace").status_code == 405


def test_the_page(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "private, no-cache"
    assert client.get("/static/js/main.js").headers["cache-control"] == "private, no-cache"


def test_events_come_over_the_wire(client, ask, mine):
    changes = client.app.state.services.workspace.changes

    def end():
        while not changes._waiting:
            time.sleep(0.01)
        changes.close()

    threading.Thread(target=end).start()
    stream = ask(client.app, "GET", "/api/events", mine)
    assert stream.header("content-type").startswith("text/event-stream")
    assert stream.body.startswith(b"event: workspace\ndata: {")


def test_few_answers_are_kept(client, send, wait, smear):
    viewing = client.app.state.services.viewing
    for n in range(20):
        id = send(client, f"{n}.png", smear(0))
        wait(client)
        json.loads(client.get(f"/api/pictures/{id}").text)
    assert len(viewing._kept) == 16
