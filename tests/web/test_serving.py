"""The server itself, over real sockets: addresses, slow and odd clients, start and end."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from spermseg.cli import main
from spermseg.errors import UsageError
from spermseg.web import serving
from spermseg.web.limits import Limits
from spermseg.web.serving import BoundedHeaders, Server, bind, is_loopback, origins_of

ORIGIN = "http://127.0.0.1:8642"
HEAD = b"Host: 127.0.0.1:8642\r\nX-Spermseg-Token: the-token-of-the-tests\r\n"


@pytest.fixture
def live(make_app):
    """Run the real server, its queue apart, at a free port; give the port."""
    running = []

    def run(**changes) -> int:
        changes = {"limits": Limits(idle_seconds=0.3, upload_seconds=1.0)} | changes
        listener = bind("127.0.0.1", 0)
        started = threading.Event()
        server = Server(make_app(**changes), started.set, lambda: None)
        server.config.lifespan = "off"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        running.append((server, thread))
        thread.start()
        port = listener.getsockname()[1]
        assert started.wait(30)
        return port

    yield run
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join()


def said(port: int, *pieces: bytes | float) -> bytes:
    """Send pieces, numbers being pauses, and give all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for piece in pieces:
            if isinstance(piece, float):
                time.sleep(piece)
            else:
                connection.sendall(piece)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def request(line: str, *headers: bytes, body: bytes = b"") -> bytes:
    head = b"".join(header + b"\r\n" for header in headers)
    return f"{line} HTTP/1.1\r\n".encode() + HEAD + b"Connection: close\r\n" + head + b"\r\n" + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_picture_that_stops_coming_is_given_up(live, png):
    length = b"Content-Length: %d" % len(png)
    answer = said(live(), request("POST /api/pictures?name=a.png", length, body=png[:40]))
    assert status(answer) == 408
    assert b"connection: close" in answer.lower()


def test_a_head_that_stops_coming_is_given_up(live, monkeypatch):
    monkeypatch.setattr(BoundedHeaders, "header_seconds", 0.2)
    port = live()
    assert said(port) == b""
    assert said(port, b"GET / HTT") == b""
    with pytest.raises(OSError, match=r"reset|pipe"):
        said(port, *[b"X", 0.02] * 1000)
    # Neither does a second request on the same connection wait for ever.
    first = request("GET /api/workspace").replace(b"Connection: close\r\n", b"")
    assert status(said(port, first, 0.3, b"GET /api")) == 200


def test_an_answer_may_take_longer_than_a_head(live, monkeypatch):
    monkeypatch.setattr(BoundedHeaders, "header_seconds", 0.1)
    with socket.create_connection(("127.0.0.1", live()), timeout=20) as connection:
        connection.sendall(request("GET /api/events"))
        assert b"text/event-stream" in connection.recv(65536)
        time.sleep(0.3)
        connection.setblocking(False)
        # What may come is the first event; the end would be an empty answer.
        while True:
            try:
                assert connection.recv(65536)
            except BlockingIOError:
                break


@pytest.mark.parametrize(
    ("name", "sent"),
    {
        "one huge header": request("GET /", b"X-Much: " + b"x" * 100_000),
        "many headers": request("GET /", *[b"X-%d: x" % n for n in range(5000)]),
        "a huge address": request("GET /" + "x" * 100_000),
        "a huge cookie": request("GET /", b"Cookie: " + b"a=b; " * 20_000),
        "two hosts": request("GET /", b"Host: 127.0.0.1:8642"),
        "two lengths": request("POST /api/pictures", b"Content-Length: 1", b"Content-Length: 2"),
        "length below zero": request("POST /api/pictures", b"Content-Length: -1"),
        "length in words": request("POST /api/pictures", b"Content-Length: many"),
        "odd coding": request("POST /api/pictures", b"Transfer-Encoding: xchunked"),
        "bad chunk": request("POST /api/x", b"Transfer-Encoding: chunked", body=b"zz\r\nx\r\n"),
        "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01" + bytes(100),
        "a broken header": request("GET /", b"no colon"),
        "a space in the name": request("GET /", b"Host : evil.example"),
        "NUL in a header": request("GET /", b"X-A: \x00"),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_odd_requests_are_refused(live, name, sent):
    answer = said(live(), sent)
    assert 400 <= status(answer) < 500
    assert b"Traceback" not in answer
    assert b"server:" not in answer.lower()


def test_more_than_the_declared_length_is_another_request(live, png):
    twice = request("POST /api/pictures?name=a.png", b"Content-Length: 8", body=png)
    answer = said(live(), twice)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert status(answer) == 415


@pytest.mark.parametrize(("length", "code"), [(10**4, 415), (10**7, 413)])
def test_a_refused_upload_is_answered_while_it_is_sent_to_its_end(live, length, code):
    # A browser shows no answer that comes with the connection's end before all is sent.
    declared = b"Content-Length: %d" % length
    sent = request("POST /api/pictures", declared, body=b"PK\3\4" + bytes(length - 4))
    port = live(max_bytes=10**6)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent.replace(b"Connection: close\r\n", b""))
        assert status(connection.recv(65536)) == code


PATHS = [
    "/static/../app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e/app.py",
    "/static/%2e%2e%2fapp.py",
    "/static/..%252fapp.py",
    "/static/....//app.py",
    "/static/..;/app.py",
    "/static/..\\app.py",
    "/static/..%5capp.py",
    "/static/%c0%ae%c0%ae/app.py",
    "/static//etc/passwd",
    "/static/%2fetc/passwd",
    "/static//../../../../../../etc/passwd",
    "/static/%00",
    "/static/index.html%00.png",
    "/static/" + "../" * 50 + "etc/passwd",
    "/static/" + "a/" * 2000,
    "/static/" + "a" * 5000,
    "/static/",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "//etc/passwd",
    "/etc/passwd",
    "/workspace.json",
    *(
        f"/api/pictures/{id}{rest}"
        for id in ("..", "%2e%2e", "..%2f..%2fworkspace.json", "%00", "0123456789ab%2f..", "~", "*")
        for rest in ("", "/thumbnail.jpg", "/tiles/0/0/0.jpg", "/versions")
    ),
    *(
        f"/api/pictures/0123456789ab/tiles/{place}.jpg"
        for place in ("0/0/-1", "../0/0", "0/0/..%2f..", "1e9/0/0", "9" * 5000 + "/0/0", "0/0/%00")
    ),
    "/api/downloads/../../workspace.json",
    "/api/downloads/..%2f..%2fworkspace.json",
    "/api/downloads/csv%00",
    "/api/downloads/" + "a" * 5000,
]


def test_no_path_leads_out_of_where_it_belongs(live, settings):
    port = live()
    for path in PATHS:
        answer = said(port, request(f"GET {path}"))
        code = status(answer)
        assert 400 <= code < 500, path
        assert b"root:" not in answer
        assert b"import " not in answer
        assert str(settings.workspace.parent).encode() not in answer
        assert os.fsencode(serving.__file__).rpartition(b"/")[0] not in answer


def test_fifty_clients_at_once_over_sockets(live, png):
    port = live(max_queue=5)
    headers = {"Host": "127.0.0.1:8642", "X-Spermseg-Token": "the-token-of-the-tests"}

    def client(number: int) -> list[int]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        codes = []
        for method, path, body in (
            ("POST", f"/api/pictures?name={number}.png", png),
            ("GET", "/api/workspace", None),
            ("GET", "/no-such-page", None),
        ):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            codes.append(answer.status)
        connection.close()
        return codes

    with ThreadPoolExecutor(50) as pool:
        codes = [code for codes in pool.map(client, range(50)) for code in codes]
    assert Counter(codes) == {201: 5, 429: 45, 200: 50, 404: 50}


def test_a_port_that_is_taken_is_replaced_where_none_was_asked_for(monkeypatch):
    with bind("127.0.0.1", 0) as first:
        first.listen()
        taken = first.getsockname()[1]
        monkeypatch.setattr(serving, "DEFAULT_PORT", taken)
        with bind("127.0.0.1", None) as second:
            assert second.getsockname()[1] != taken
        with pytest.raises(UsageError, match=f"port {taken}: .*Leave --port away"):
            bind("127.0.0.1", taken)
    with bind("127.0.0.1", None) as again:
        assert again.getsockname() == ("127.0.0.1", taken)


def test_an_address_of_another_machine_cannot_be_served():
    for host in ("192.0.2.1", "not an address"):
        with pytest.raises(UsageError, match="choose another --host"):
            bind(host, None)


def test_by_default_only_this_machine_is_served():
    with bind(serving.DEFAULT_HOST, 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_which_addresses_are_of_this_machine_alone(host, loopback):
    assert is_loopback(host) == loopback


def test_the_origins_of_addresses(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "Lab-PC")
    both = {"http://127.0.0.1:8642", "http://localhost:8642"}
    assert origins_of("127.0.0.1", 8642) == both
    assert origins_of("localhost", 8642) == {"http://localhost:8642"}
    assert origins_of("::1", 8642) == {"http://[::1]:8642", "http://localhost:8642"}
    assert origins_of("127.0.0.1", 80) == {"http://127.0.0.1", "http://localhost"}
    assert origins_of("192.168.1.2", 8642) == {"http://192.168.1.2:8642"}
    assert origins_of("0.0.0.0", 8642) == both | {"http://lab-pc:8642"}
    further = ["http://localhost:9000", "https://smears.example"]
    assert origins_of("127.0.0.1", 8642, further) == both | set(further)
    assert serving.address_of("0.0.0.0", 8642, "t") == "http://lab-pc:8642/?token=t"
    assert serving.address_of("::1", 80, "t") == "http://[::1]/?token=t"


@pytest.mark.parametrize(
    "origin",
    [
        "localhost:9000",
        "http://localhost:9000/",
        "http://localhost:9000/a",
        "http://user@localhost:9000",
        "http://LOCALHOST:9000",
        "http://",
        "ftp://localhost",
        "*",
        "",
        "http://*",
        "http://localhost:port",
        "http://a b",
    ],
)
def test_odd_origins_are_refused(origin):
    with pytest.raises(UsageError):
        origins_of("127.0.0.1", 8642, [origin])


def test_tokens_are_long_and_new_each_time():
    tokens = {serving.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[\w-]{43}", token) for token in tokens)


@pytest.fixture
def serve(monkeypatch, capsys, colour_model, tmp_path):
    """Run the command with a server that is told to start and ends at once."""
    served, opened = [], []

    def run(*words: str) -> tuple[int, str, str]:
        def pretend(settings, listener, on_started):
            served.append(settings)
            on_started()
            listener.close()

        monkeypatch.setattr(serving, "serve", pretend)
        monkeypatch.setattr(serving, "open_browser", opened.append)
        given = ["-o", str(tmp_path / "workspace"), "--model", str(colour_model), "--port", "0"]
        monkeypatch.setattr(sys, "argv", ["spermseg", "serve", *given, *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run, served, opened


def test_the_command_prints_the_address_and_opens_the_browser(serve, tmp_path):
    workspace = tmp_path / "workspace"
    run, served, opened = serve
    code, out, err = run()
    assert (code, err) == (0, "")
    [settings] = served
    host = next(iter(settings.origins)).rpartition(":")[2]
    address = f"http://127.0.0.1:{host}/?token={settings.token}"
    assert (
        out
        == f"spermseg is at {address}\nCtrl-C stops it.\nstopped; everything is in {workspace}\n"
    )
    assert opened == [address]
    run("--no-browser")
    assert opened == [address]


def test_the_command_warns_of_other_machines(serve):
    code, _, err = serve[0]("--host", "0.0.0.0", "--no-browser")
    assert code == 0
    assert err.startswith("warning: other machines can reach 0.0.0.0:")


def test_the_command_says_what_cannot_be(serve):
    assert serve[0]("--origin", "nonsense")[0] == 2
    assert serve[0]("--host", "192.0.2.1")[0] == 2


def test_without_the_extra_the_command_says_how_to_get_it(serve, monkeypatch):
    monkeypatch.delitem(sys.modules, "spermseg.web.serving")
    monkeypatch.delattr("spermseg.web.serving")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.setattr(sys, "argv", ["spermseg", "serve"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_the_server_in_order(tmp_path, colour_model):
    command = [sys.executable, "-m", "spermseg", "serve", "-o", "workspace", "--port", "0"]
    command += ["--no-browser", "--model", str(colour_model), "--threads", "1"]
    server = subprocess.Popen(
        command, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        port, token = re.fullmatch(
            r"spermseg is at http://127\.0\.0\.1:(\d+)/\?token=([\w-]{43})\n", line
        ).groups()
        # A page that listens does not keep the server from ending.
        listening = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
        listening.request("GET", "/api/events", headers={"X-Spermseg-Token": token})
        assert listening.getresponse().status == 200
        assert server.stdout.readline() == "Ctrl-C stops it.\n"
        # Pressed twice, as people do.
        server.send_signal(signal.SIGINT)
        time.sleep(0.05)
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=60)
    finally:
        server.kill()
    assert (server.returncode, err) == (0, "")
    assert out == "stopped; everything is in workspace\n"
    assert (tmp_path / "workspace/workspace.json").is_file()
