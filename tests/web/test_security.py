"""Who is let in: Host, Origin, Sec-Fetch-Site, token; and what every answer carries."""

from __future__ import annotations

import asyncio
import hmac

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from spermseg.errors import UsageError
from spermseg.web.security import SECURITY_HEADERS, Guard

HOST = "127.0.0.1:8642"
ORIGINS = ("http://127.0.0.1:8642", "http://localhost:8642", "http://[::1]:8642", "http://lab")
TOKEN = "the-token-of-the-tests"
COOKIE = {"cookie": f"spermseg_token_8642={TOKEN}"}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE", "ODD")

OTHER_HOSTS = [
    # A name that its owner points at 127.0.0.1, when he likes: DNS rebinding.
    "evil.example",
    "evil.example:8642",
    "127.0.0.1.evil.example:8642",
    "localhost.evil.example:8642",
    "127-0-0-1.nip.io:8642",
    "localtest.me:8642",
    # Other ports, and other ways to write the same one.
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:80",
    "127.0.0.1:8643",
    "127.0.0.1:86420",
    "127.0.0.1:08642",
    "127.0.0.1:8642:8642",
    "localhost",
    "lab:8642",
    "lab:80",
    # Other ways to write the same address, which no browser sends.
    "127.1:8642",
    "2130706433:8642",
    "0x7f.0.0.1:8642",
    "0177.0.0.1:8642",
    "0.0.0.0:8642",
    "127.0.0.2:8642",
    "::1:8642",
    "[::]:8642",
    "[::1]",
    "[0:0:0:0:0:0:0:1]:8642",
    "[::ffff:127.0.0.1]:8642",
    "[::1%25lo]:8642",
    # Writing.
    "LOCALHOST:8642",
    "Localhost:8642",
    "localhost.:8642",
    "127.0.0.1.:8642",
    "a.localhost:8642",
    "user@127.0.0.1:8642",
    "user:127.0.0.1:8642@evil.example",
    "127.0.0.1:8642@evil.example",
    "http://127.0.0.1:8642",
    "127.0.0.1:8642/",
    "127.0.0.1:8642#",
    "127.0.0.1:8642, evil.example",
    "127.0.0.1:8642 evil.example",
    " 127.0.0.1:8642",
    "127.0.0.1:8642 ",
    "127.0.0.1:8642\t",
    "127.0.0.1:8642\x00",
    "127.0.0.1\u00a0:8642",
    "",
    "null",
    "*",
]

OTHER_ORIGINS = [
    "null",
    "",
    "*",
    "http://evil.example",
    "http://evil.example:8642",
    "http://127.0.0.1.evil.example:8642",
    "http://localhost.evil.example:8642",
    "http://evil.example/127.0.0.1:8642",
    "http://evil.example#127.0.0.1:8642",
    "http://127.0.0.1:8642@evil.example",
    "http://user@127.0.0.1:8642",
    "http://user:pass@127.0.0.1:8642",
    "https://127.0.0.1:8642",
    "ws://127.0.0.1:8642",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    "http://127.0.0.1",
    "http://127.0.0.1:80",
    "http://127.0.0.1:8643",
    "http://127.0.0.1:08642",
    "http://127.0.0.1:8888",
    # Ours, but of another address than this request's Host: another origin to a browser.
    "http://localhost:8642",
    "http://[::1]:8642",
    "http://a.localhost:8642",
    "http://127.0.0.2:8642",
    "http://0.0.0.0:8642",
    "http://127.1:8642",
    "HTTP://127.0.0.1:8642",
    "http://127.0.0.1.:8642",
    "http://127.0.0.1:8642/",
    "http://127.0.0.1:8642 http://evil.example",
    "http://127.0.0.1:8642, http://evil.example",
    " http://127.0.0.1:8642",
    "http://127.0.0.1:8642\t",
    "127.0.0.1:8642",
    "//127.0.0.1:8642",
    "http:127.0.0.1:8642",
]


@pytest.fixture
def app():
    """A guarded server with a page, and an address that breaks."""

    def broken(request):
        raise RuntimeError("secret of /root/somewhere")

    def page(request):
        headers = {"Server": "mine", "X-Frame-Options": "ALLOWALL"}
        return PlainTextResponse("inside", headers=headers)

    methods = ["GET", "OPTIONS", *UNSAFE]
    routes = [
        Route("/broken", broken),
        Route("/cached", lambda _: PlainTextResponse("x", headers={"Cache-Control": "private"})),
        Route("/", page, methods=methods),
        Route("/api/events", page, methods=methods),
        Route("/{path:path}", page, methods=methods),
    ]
    served = Starlette(routes=routes)
    served.add_middleware(Guard, origins=ORIGINS, token=TOKEN)
    return served


def test_lets_in_who_shows_the_token_at_an_address_that_is_served(app, ask):
    for origin in ORIGINS:
        host = origin.removeprefix("http://")
        headers = {"host": host, "x-spermseg-token": TOKEN, "origin": origin}
        assert ask(app, "POST", "/api/pictures", headers).body == b"inside"


@pytest.mark.parametrize("host", OTHER_HOSTS)
def test_other_hosts_are_refused(app, ask, host):
    for path in ("/", f"/?token={TOKEN}", "/api/workspace", "/static/js/main.js"):
        answer = ask(app, "GET", path, {"host": host, "x-spermseg-token": TOKEN})
        assert answer.status == 403
        assert answer.header("set-cookie") is None
        # A name from outside comes back in no answer.
        assert host.strip() == "" or host not in answer.json["error"]


def test_exactly_one_host(app, ask):
    mine = [("x-spermseg-token", TOKEN)]
    twice = [*mine, ("host", HOST), ("host", HOST)]
    evil_last = [*mine, ("host", HOST), ("host", "evil.example")]
    evil_first = [*mine, ("host", "evil.example"), ("host", HOST)]
    elsewhere = [*mine, ("host", "evil.example"), ("x-forwarded-host", HOST), ("forwarded", HOST)]
    for headers in (mine, twice, evil_last, evil_first, elsewhere):
        assert ask(app, "GET", "/", headers).status == 403


@pytest.mark.parametrize("origin", OTHER_ORIGINS)
@pytest.mark.parametrize("shown", [COOKIE, {"x-spermseg-token": TOKEN}], ids=["cookie", "header"])
def test_other_origins_are_refused(app, ask, origin, shown):
    headers = {"host": HOST, **shown, "origin": origin}
    requests = [(method, "/api/pictures") for method in UNSAFE]
    requests += [("GET", "/api/events"), ("GET", "/api/workspace"), ("OPTIONS", "/api/pictures")]
    for method, path in requests:
        answer = ask(app, method, path, headers)
        assert answer.status == 403
        assert not any(name.startswith("access-control") for name, _ in answer.headers)


def test_exactly_one_origin(app, ask):
    mine = [("host", HOST), *COOKIE.items(), ("origin", f"http://{HOST}")]
    assert ask(app, "POST", "/api/pictures", mine).status == 200
    for second in (f"http://{HOST}", "http://evil.example"):
        assert ask(app, "POST", "/api/pictures", [*mine, ("origin", second)]).status == 403


@pytest.mark.parametrize("method", UNSAFE)
def test_a_browser_has_to_say_its_origin_and_a_program_need_not(app, ask, method):
    assert ask(app, method, "/api/pictures", {"host": HOST, **COOKIE}).status == 403
    program = {"host": HOST, "x-spermseg-token": TOKEN}
    assert ask(app, method, "/api/pictures", program).status == 200
    # A header with any value is no way round the cookie's check.
    both = {"host": HOST, **COOKIE, "x-spermseg-token": "x"}
    assert ask(app, method, "/api/pictures", both).status == 401


@pytest.mark.parametrize(
    "sites",
    [
        ["cross-site"],
        # A page of another server on this machine: its requests carry our cookie.
        ["same-site"],
        ["same-origin", "cross-site"],
        ["cross-site", "same-origin"],
        ["same-origin, cross-site"],
        ["Same-Origin"],
        ["new-word"],
        [""],
    ],
)
def test_pages_of_other_sites_are_refused(app, ask, sites):
    mine = [("host", HOST), *COOKIE.items(), *(("sec-fetch-site", site) for site in sites)]
    for path in ("/", f"/?token={TOKEN}", "/api/workspace", "/api/events", "/static/a.js"):
        answer = ask(app, "GET", path, mine)
        assert answer.status == 403
        assert answer.header("set-cookie") is None


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_own_pages_and_typed_addresses_are_served(app, ask, site):
    headers = {"host": HOST, **COOKIE, "sec-fetch-site": site}
    assert ask(app, "GET", "/", headers).body == b"inside"


def test_websockets_are_refused_whoever_asks(app):
    async def connect() -> list[dict]:
        sent = []

        async def send(message):
            sent.append(message)

        mine = [("host", HOST), ("origin", f"http://{HOST}"), *COOKIE.items()]
        headers = [(name.encode(), value.encode()) for name, value in mine]
        scope = {"type": "websocket", "path": "/api/events", "headers": headers}
        await app(scope, None, send)
        return sent

    assert asyncio.run(connect()) == [{"type": "websocket.close", "code": 1008}]


def test_an_upgrade_has_to_say_its_origin(app, ask):
    upgrade = {"host": HOST, **COOKIE, "connection": "upgrade", "upgrade": "websocket"}
    assert ask(app, "GET", "/api/events", upgrade).status == 403
    assert ask(app, "GET", "/api/events", upgrade | {"origin": "http://evil.example"}).status == 403
    assert ask(app, "GET", "/api/events", upgrade | {"origin": f"http://{HOST}"}).status == 200


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"x-spermseg-token": ""},
        {"x-spermseg-token": TOKEN[:-1]},
        {"x-spermseg-token": TOKEN + "x"},
        {"x-spermseg-token": TOKEN.upper()},
        {"x-spermseg-token": f" {TOKEN}"},
        {"x-spermseg-token": "\u00e9" * len(TOKEN)},
        {"authorization": f"Bearer {TOKEN}"},
        {"x-token": TOKEN},
        {"referer": f"http://{HOST}/?token={TOKEN}"},
        {"cookie": f"spermseg_token={TOKEN}"},
        {"cookie": f"spermseg_token_8643={TOKEN}"},
        {"cookie": f"SPERMSEG_TOKEN_8642={TOKEN}"},
        {"cookie": f"token={TOKEN}"},
        {"cookie": "spermseg_token_8642="},
        {"cookie": "spermseg_token_8642=x"},
        {"cookie": f"spermseg_token_8642={TOKEN[:-1]}"},
        {"cookie": TOKEN},
    ],
    ids=str,
)
def test_strangers_are_refused(app, ask, shown):
    for path in ("/", "/api/workspace", "/static/js/main.js", "/no-such-page"):
        answer = ask(app, "GET", path, {"host": HOST, **shown})
        assert answer.status == 401
        assert "spermseg serve" in answer.json["error"]


def test_a_token_is_shown_once(app, ask):
    for values in ([TOKEN, "x"], ["x", TOKEN], [TOKEN, TOKEN]):
        headers = [("host", HOST), *(("x-spermseg-token", value) for value in values)]
        assert ask(app, "GET", "/", headers).status == 401


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"/api/workspace?token={TOKEN}"),
        ("GET", f"/static/js/main.js?token={TOKEN}"),
        ("GET", f"/index.html?token={TOKEN}"),
        ("GET", f"//?token={TOKEN}"),
        ("GET", f"/;token={TOKEN}"),
        ("HEAD", f"/?token={TOKEN}"),
        ("GET", "/?token="),
        ("GET", "/?token"),
        ("GET", f"/?token={TOKEN[:-1]}"),
        ("GET", f"/?token={TOKEN}x"),
        ("GET", f"/?Token={TOKEN}"),
        ("GET", f"/?token=x&token={TOKEN}"),
        ("GET", f"/?token={TOKEN}&token=x"),
        ("GET", "/?token=%ff%00%f0%9f"),
    ],
)
def test_the_token_counts_in_the_address_of_the_page_alone(app, ask, method, target):
    answer = ask(app, method, target, {"host": HOST})
    assert answer.status == 401
    assert answer.header("set-cookie") is None


def test_the_printed_address_gives_a_cookie_and_takes_the_token_out_of_sight(app, ask):
    answer = ask(app, "GET", f"/?token={TOKEN}", {"host": HOST, "sec-fetch-site": "none"})
    assert (answer.status, answer.header("location")) == (303, "/")
    cookie = answer.header("set-cookie")
    pair, *attributes = cookie.split("; ")
    assert {a.lower() for a in attributes} == {"httponly", "path=/", "samesite=strict"}
    assert ask(app, "GET", "/", {"host": HOST, "cookie": pair}).body == b"inside"


def test_servers_on_one_machine_have_cookies_of_their_own(app, ask):
    # Browsers send a cookie to every port of a host.
    names = []
    for origin in ORIGINS:
        host = origin.removeprefix("http://")
        answer = ask(app, "GET", f"/?token={TOKEN}", {"host": host})
        names.append(answer.header("set-cookie").partition("=")[0])
    assert names == ["spermseg_token_8642"] * 3 + ["spermseg_token"]


def test_a_browser_is_told_in_plain_words(app, ask):
    answer = ask(app, "GET", "/", {"host": HOST, "accept": "text/html,*/*"})
    assert answer.header("content-type").startswith("text/plain")
    assert answer.body.startswith(b"open the address that `spermseg serve` printed")


def test_tokens_are_compared_in_constant_time(app, ask, monkeypatch):
    compared = []
    original = hmac.compare_digest

    def compare(one, other):
        compared.append((one, other))
        return original(one, other)

    monkeypatch.setattr("spermseg.web.security.hmac.compare_digest", compare)
    ask(app, "GET", "/api/workspace", {"host": HOST, "x-spermseg-token": "x"})
    ask(app, "GET", "/?token=y", {"host": HOST})
    assert [one for one, _ in compared] == [b"x", b"y", b""]


def test_there_is_no_server_without_a_token():
    with pytest.raises(UsageError, match="everybody"):
        Guard(Starlette(), origins=ORIGINS, token="")


def test_every_answer_has_the_headers_of_safety(app, ask):
    mine = {"host": HOST, "x-spermseg-token": TOKEN}
    answers = {
        200: ask(app, "GET", "/", mine),
        303: ask(app, "GET", f"/?token={TOKEN}", {"host": HOST}),
        401: ask(app, "GET", "/", {"host": HOST}),
        403: ask(app, "GET", "/", {"host": "evil.example"}),
        405: ask(app, "TRACE", "/", mine),
        500: ask(app, "GET", "/broken", mine),
    }
    for status, answer in answers.items():
        assert answer.status == status
        for name, value in SECURITY_HEADERS.items():
            assert answer.header(name) == value
        assert answer.header("cache-control") == "no-store"
        assert answer.header("server") is None
    assert ask(app, "GET", "/cached", mine).header("cache-control") == "private"


def test_the_policy_allows_no_outside_host_and_nothing_inline():
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    sources = {word for rule in policy.split("; ") for word in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "blob:", "data:"}


def test_what_breaks_is_answered_without_its_reason(app, ask):
    answer = ask(app, "GET", "/broken", {"host": HOST, "x-spermseg-token": TOKEN})
    assert answer.json == {"error": "something went wrong in the server; its terminal says more"}


def _addresses(app):
    """Every method and path of a server, with something in the place of what varies."""
    fill = {"id": "0123456789ab", "level": "0", "x": "0", "y": "0", "format": "csv"}
    found = []

    def collect(routes):
        for route in routes:
            nested = getattr(route, "routes", None)
            if nested is None and hasattr(route, "original_router"):
                nested = route.original_router.routes
            if nested:
                collect(nested)
            elif hasattr(route, "methods"):
                found.extend((method, route.path) for method in sorted(route.methods or ()))

    collect(app.routes)
    for method, path in found:
        for name, value in fill.items():
            path = path.replace("{" + name + "}", value)
        assert "{" not in path
        yield method, path


def test_no_address_of_the_real_server_answers_strangers_or_other_sites(make_app, ask, mine):
    app = make_app()
    addresses = [*_addresses(app), ("GET", "/static/index.html"), ("GET", "/docs")]
    assert len(addresses) > 5
    assert ("POST", "/api/pictures") in addresses
    for method, path in addresses:
        assert ask(app, method, path, {"host": HOST}).status in (401, 403)
        assert ask(app, method, path, mine | {"host": "evil.example"}).status == 403
        assert ask(app, method, path, mine | {"sec-fetch-site": "same-site"}).status == 403
        assert ask(app, method, path, mine | {"origin": "http://evil.example"}).status == 403


def test_no_address_takes_a_method_that_it_does_not_have(make_app, ask, mine):
    app = make_app()
    known = {}
    for method, path in _addresses(app):
        known.setdefault(path, set()).add(method)
    for path, methods in known.items():
        for method in {"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"} - methods:
            answer = ask(app, method, path, mine)
            assert answer.status == 405
            assert list(answer.json) == ["error"]


@pytest.mark.parametrize("page", ["/docs", "/redoc", "/openapi.json", "/api", "/api/"])
def test_there_are_no_pages_about_the_server(make_app, ask, mine, page):
    assert ask(make_app(), "GET", page, mine).status == 404
