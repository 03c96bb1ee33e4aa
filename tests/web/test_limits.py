"""How much at once: bodies, requests, waiting pictures, the workspace."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from spermseg.web.limits import Limits, RequestLimits, Slots, folder_bytes, is_deeper
from spermseg.web.refusals import RefusedError

SCALE = ("PUT", "/api/pictures/0123456789ab/scale")


@pytest.fixture
def gate():
    """A server whose answers wait for an event, behind the limits; and that event."""
    event = asyncio.Event()

    async def wait(request):
        await event.wait()
        return PlainTextResponse("done")

    async def echo(request):
        return PlainTextResponse(await request.body())

    routes = [
        Route("/wait", wait),
        Route("/api/events", wait),
        Route("/api/pictures", wait, methods=["POST"]),
        Route("/echo", echo, methods=["GET", "PUT"]),
    ]
    limits = Limits(
        requests=3, uploads=2, events=1, body_bytes=100, body_depth=3, idle_seconds=0.05
    )
    return RequestLimits(Starlette(routes=routes), limits), event


def test_places_are_given_back_whatever_happens():
    slots = Slots(2, "full")
    with slots.one(), slots.one(), pytest.raises(RefusedError, match="full") as refused:
        slots.one().__enter__()
    assert refused.value.status == 429
    assert refused.value.headers == {"Retry-After": "1"}
    with pytest.raises(KeyError), slots.one():
        raise KeyError
    assert slots.taken == 0


def test_too_many_requests_at_once_are_told_to_come_again(gate, ask_async):
    app, event = gate

    async def crowd() -> tuple[list, list]:
        asked = [("GET", "/wait")] * 5 + [("GET", "/api/events")] * 3
        asked += [("POST", "/api/pictures")] * 4
        tasks = [asyncio.create_task(ask_async(app, *one)) for one in asked]
        await asyncio.sleep(0)
        while sum(task.done() for task in tasks) < 6:
            await asyncio.sleep(0.001)
        event.set()
        return await asyncio.gather(*tasks), await asyncio.gather(
            *(ask_async(app, *one) for one in asked[:3])
        )

    first, then = asyncio.run(crowd())
    statuses = [answer.status for answer in first]
    assert Counter(statuses[:5]) == {200: 3, 429: 2}
    assert Counter(statuses[5:8]) == {200: 1, 429: 2}
    assert Counter(statuses[8:]) == {200: 2, 429: 2}
    assert all(answer.header("retry-after") == "1" for answer in first if answer.status == 429)
    assert [answer.status for answer in then] == [200] * 3


def test_bodies_in_bounds_arrive_whole(gate, ask):
    app, _ = gate
    assert ask(app, "PUT", "/echo", {}, [b"a" * 60, b"b" * 40]).body == b"a" * 60 + b"b" * 40
    assert ask(app, "GET", "/echo").body == b""


@pytest.mark.parametrize(
    ("declared", "read"),
    [({"content-length": "101"}, 0), ({}, 2), ({"content-length": "1"}, 2)],
    ids=["declared", "chunked", "lying"],
)
def test_bodies_that_are_too_large_are_refused(gate, ask, declared, read):
    answer = ask(gate[0], "PUT", "/echo", declared, [b"x" * 51] * 100)
    assert (answer.status, answer.pieces_read) == (413, read)
    assert answer.json == {"error": "more than 100 bytes"}


def test_bodies_that_are_too_deep_are_refused(gate, ask):
    assert ask(gate[0], "PUT", "/echo", {}, [b"[[[1]]]"]).status == 200
    assert ask(gate[0], "PUT", "/echo", {}, [b'{"a":[[["', b']]]"]]]}']).status == 400


def test_bodies_that_stop_coming_are_given_up(gate, ask):
    answer = ask(gate[0], "PUT", "/echo", {"content-length": "10"}, [b"x", 60.0, b"y"])
    assert answer.status == 408
    assert answer.header("connection") == "close"


def depth_of(value) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


VALUES = st.recursive(
    st.none() | st.integers() | st.text('[]{}"\\a\n'),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('[]{}"\\a'), inner),
)


@settings(max_examples=50)
@given(VALUES, st.integers(0, 6), st.booleans())
def test_depth_is_that_of_the_value(value, most, ascii):
    text = json.dumps(value, ensure_ascii=ascii).encode()
    assert is_deeper(text, most) == (depth_of(value) > most)


@given(st.binary() | st.text('[]{}"\\').map(str.encode))
def test_depth_of_anything_has_an_answer(text):
    assert is_deeper(text, 3) in (True, False)


def test_depth_takes_no_longer_for_hostile_text():
    # Each of these is quadratic where the expression is written less carefully.
    for text in (b'"' + b'\\"' * 50_000, b"[" * 100_000, b'"' * 100_001, b"\\" * 100_000):
        is_deeper(text, 10**9)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1000,
        b'{"a":' * 1000 + b"1" + b"}" * 1000,
        b"{" * 100_000,
        b'{"um_per_px": ' + b"[" * 900_000 + b"]" * 90_000 + b"}",
    ],
    ids=["brackets", "braces", "many", "long"],
)
def test_the_real_server_refuses_deep_json(make_app, ask, mine, body):
    headers = mine | {"content-type": "application/json"}
    assert ask(make_app(), *SCALE, headers, [body]).status == 400


def test_the_real_server_refuses_long_json(make_app, ask, mine):
    body = b'{"um_per_px": 0.1, "more": "' + b"x" * 2**20 + b'"}'
    headers = mine | {"content-type": "application/json"}
    assert ask(make_app(), *SCALE, headers, [body]).status == 413


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'"x"', b"NaN", b'{"um_per_px": NaN}', b"\xff\xfe", b"1" * 10_000],
)
def test_the_real_server_refuses_odd_json(make_app, ask, mine, body):
    answer = ask(make_app(), *SCALE, mine | {"content-type": "application/json"}, [body])
    assert 400 <= answer.status < 500
    assert list(answer.json) == ["error"]


def test_fifty_clients_at_once_and_a_queue_of_seven(make_app, ask_async, mine, png):
    app = make_app(max_queue=7, limits=Limits(uploads=20))

    async def crowd() -> list:
        pieces = [png[i : i + 10] for i in range(0, len(png), 10)]
        posts = [
            ask_async(app, "POST", f"/api/pictures?name={n}.png", mine, pieces) for n in range(50)
        ]
        looks = [ask_async(app, "GET", "/api/workspace", mine) for _ in range(50)]
        return await asyncio.gather(*posts, *looks)

    answers = asyncio.run(crowd())
    posted, looked = answers[:50], answers[50:]
    assert Counter(answer.status for answer in posted) == {201: 7, 429: 43}
    assert all(int(a.header("retry-after")) > 0 for a in posted if a.status == 429)
    assert {answer.status for answer in looked} == {200}
    assert len(asyncio.run(ask_async(app, "GET", "/api/workspace", mine)).json["pictures"]) == 7


def test_the_files_of_a_folder_are_added_up(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "one").write_bytes(bytes(10))
    (tmp_path / "a/b/two").write_bytes(bytes(32))
    (tmp_path / "a/loop").symlink_to(tmp_path)
    assert folder_bytes(tmp_path) == 42
    assert folder_bytes(tmp_path / "missing") == 0
