"""Many clients at once: answers a second, how long they take, what is refused, and the memory.

    python benchmarks/web_load.py [--clients N] [--rounds N] [--requests N] [-o RESULT.json]

A server of `spermseg serve` in a process of its own, with one analysed smear in it. Each client has
one connection and asks without pause, as the pages of the app do: the workspace, the picture with
its sperm, tiles, the thumbnail, the page itself. Then all send pictures at once, more than may
wait. Memory is what the server's process holds after each round; the analysis has a process of its
own. Clients run on the same machine and take their share of it.
"""

from __future__ import annotations

import argparse
import http.client
import io
import itertools
import json
import multiprocessing
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spermseg.benchmark.machine import describe_machine, describe_versions
from spermseg.benchmark.running import synthetic_smear
from spermseg.files import write_json
from spermseg.web.serving import bind, new_token, origins_of, serve
from spermseg.web.settings import Settings

Reply = tuple[int, float]


@dataclass(frozen=True)
class Server:
    """Where the server is, and what it asks for."""

    port: int
    token: str
    pid: int

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b""
    ) -> tuple[int, bytes]:
        connection.request(method, path, body or None, {"X-Spermseg-Token": self.token})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def memory(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


def run_server(workspace: Path, token: str, queue: int, ready: Any) -> None:
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    origins = origins_of("127.0.0.1", port)
    settings = Settings(workspace, token, threads=1, max_queue=queue, origins=origins)
    serve(settings, listener, lambda: ready.put(port))


def encoded(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def analysed(server: Server, picture: bytes) -> str:
    """Send a picture and wait until it is done; its id."""
    connection = server.connect()
    _, answer = server.ask(connection, "POST", "/api/pictures?name=smear.png", picture)
    id: str = json.loads(answer)["id"]
    while True:
        _, answer = server.ask(connection, "GET", f"/api/pictures/{id}")
        if (status := json.loads(answer)["status"]) in ("done", "failed"):
            assert status == "done", answer
            return id
        time.sleep(0.2)


def looking(server: Server, paths: list[str], number: int, requests: int) -> list[Reply]:
    """One client that asks for one address after the other."""
    connection, replies = server.connect(), []
    for path in itertools.islice(itertools.cycle(paths[number % len(paths) :] + paths), requests):
        start = time.perf_counter()
        status, _ = server.ask(connection, "GET", path)
        replies.append((status, time.perf_counter() - start))
    connection.close()
    return replies


def sending(server: Server, picture: bytes, number: int, requests: int) -> list[Reply]:
    """One client that sends one picture after the other."""
    connection, replies = server.connect(), []
    for picture_number in range(requests):
        start = time.perf_counter()
        path = f"/api/pictures?name={number}-{picture_number}.png"
        status, _ = server.ask(connection, "POST", path, picture)
        replies.append((status, time.perf_counter() - start))
    connection.close()
    return replies


def load(clients: int, work: Any) -> dict[str, Any]:
    """Let all clients begin at once, and sum up what they got."""
    begin = threading.Barrier(clients)

    def client(number: int) -> list[Reply]:
        begin.wait()
        replies: list[Reply] = work(number)
        return replies

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        replies = [reply for found in pool.map(client, range(clients)) for reply in found]
    seconds = time.perf_counter() - start
    times = np.array([taken for _, taken in replies]) * 1000
    statuses = Counter(str(status) for status, _ in replies)
    return {
        "requests": len(replies),
        "per_second": round(len(replies) / seconds, 1),
        "milliseconds": {
            f"p{percent}": round(float(np.percentile(times, percent)), 1)
            for percent in (50, 90, 99, 100)
        },
        "statuses": dict(sorted(statuses.items())),
    }


def measure(server: Server, smear: bytes, arguments: argparse.Namespace) -> dict[str, Any]:
    id = analysed(server, smear)
    picture = f"/api/pictures/{id}"
    tiles = [f"{picture}/tiles/{at}.jpg" for at in ("0/0/0", "0/1/0", "0/0/1", "0/1/1", "1/0/0")]
    paths = ["/", "/static/js/main.js", "/api/workspace", picture, *tiles]
    paths += [f"{picture}/thumbnail.jpg", f"{picture}/versions"]
    rounds = []
    memory = [server.memory()]
    for _ in range(arguments.rounds):
        rounds.append(
            load(arguments.clients, lambda n: looking(server, paths, n, arguments.requests))
        )
        memory.append(server.memory())
    small = encoded(np.full((64, 64, 3), 255, np.uint8))
    uploads = load(arguments.clients, lambda number: sending(server, small, number, 4))
    memory.append(server.memory())
    return {
        "looking": rounds,
        "sending": uploads,
        "memory_bytes": {
            "before": memory[0],
            "after_each_round": memory[1:-1],
            "after_sending": memory[-1],
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=40, help="of a client in a round")
    parser.add_argument("--queue", type=int, default=20, help="pictures that may wait")
    parser.add_argument("-o", "--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ready, token = context.Queue(), new_token()
    with tempfile.TemporaryDirectory() as folder:
        given = (Path(folder) / "workspace", token, arguments.queue, ready)
        process = context.Process(target=run_server, args=given)
        process.start()
        try:
            server = Server(ready.get(timeout=120), token, int(process.pid or 0))
            smear = synthetic_smear(Path(folder)).read_bytes()
            measured = measure(server, smear, arguments)
        finally:
            process.terminate()
            process.join()
    result = {"machine": describe_machine(), "versions": describe_versions(), **measured}
    print(json.dumps(result, indent=2))
    if arguments.out is not None:
        write_json(arguments.out, result)


if __name__ == "__main__":
    main()
