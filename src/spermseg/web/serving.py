"""Start the server: on this machine alone, unless told otherwise, until Ctrl-C."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterable
from types import FrameType

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from spermseg.errors import UsageError
from spermseg.web.app import create_app
from spermseg.web.settings import Settings

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8642

_HTTP_PORT = 80
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
_MAX_HEADER_BYTES = 2**14
_HEADER_SECONDS = 20.0
_SHUTDOWN_SECONDS = 2


def new_token() -> str:
    """Draw a token of 256 random bits."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Tell whether `host` is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(host: str, port: int | None) -> socket.socket:
    """Take a port.

    Parameters
    ----------
    host : str
        Address, or name of an address, of this machine.
    port : int or None
        None takes `DEFAULT_PORT`, or any free one where that is taken; 0 takes any free one.

    Raises
    ------
    UsageError
        When `port` is taken or not allowed, or `host` is no address of this machine.
    """
    if port is None:
        try:
            return _bind(host, DEFAULT_PORT)
        except UsageError:
            port = 0
    return _bind(host, port)


def origins_of(host: str, port: int, further: Iterable[str] = ()) -> frozenset[str]:
    """Addresses under which browsers reach a server, as they write them.

    Parameters
    ----------
    host, port
        As bound. All addresses of a machine ("0.0.0.0", "::") stand for its name.
    further : iterable of str
        Others that lead here: the near end of a tunnel, a proxy; ``http://localhost:9000``.

    Raises
    ------
    UsageError
        When one of `further` is no such address.
    """
    hosts = {host}
    if host in ("0.0.0.0", "::", ""):
        hosts = {socket.gethostname().lower(), "127.0.0.1"}
    if any(is_loopback(one) for one in hosts):
        hosts.add("localhost")
    return frozenset({_origin(one, port) for one in hosts} | {_checked(one) for one in further})


def address_of(host: str, port: int, token: str) -> str:
    """Address to open in a browser."""
    shown = {"0.0.0.0": socket.gethostname().lower(), "::": socket.gethostname().lower()}
    return f"{_origin(shown.get(host, host), port)}/?token={token}"


def serve(
    settings: Settings, listener: socket.socket, on_started: Callable[[], None] = lambda: None
) -> None:
    """Serve until Ctrl-C; what was being analysed is taken up at the next start.

    Parameters
    ----------
    settings : Settings
        With the origins of `origins_of`.
    listener : socket.socket
        From `bind`; it is closed at the end.
    on_started : callable
        Called once requests are answered.
    """
    app = create_app(settings)
    server = Server(app, on_started, app.state.services.workspace.changes.close)
    with listener:
        server.run(sockets=[listener])


def open_browser(address: str) -> None:
    """Show `address` in the user's browser, where there is one."""
    # A browser may be started in this terminal and hold it; the server goes on.
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except (OSError, OverflowError) as error:
        raise _cannot_bind(host, port, error) from None
    try:
        # Windows gives the same option another sense: it lets others take the port as well.
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _cannot_bind(host, port, error) from None
    return listener


def _cannot_bind(host: str, port: int, error: Exception) -> UsageError:
    reason = getattr(error, "strerror", None) or error
    return UsageError(
        f"cannot serve at {host} port {port}: {reason}",
        fix="Leave --port away to take a free one, or choose another --host",
    )


def _origin(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}" if port == _HTTP_PORT else f"http://{name}:{port}"


def _checked(origin: str) -> str:
    if not _ORIGIN.fullmatch(origin):
        raise UsageError(
            f"expected an address like http://localhost:9000, in lower case, got {origin!r}",
            where="--origin",
        )
    return origin


class BoundedHeaders(H11Protocol):
    """uvicorn's HTTP, for which the head of a request has to be whole within some seconds.

    It closes by itself what is silent between two requests, but not what sends a byte at a time.
    """

    header_seconds = _HEADER_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Go on waiting while there is a part of a head only."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def _watch(self) -> None:
        waits = self.conn.their_state is h11.IDLE
        if waits and self._deadline is None:
            self._deadline = self.loop.call_later(self.header_seconds, self.transport.abort)
        elif not waits and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Server(uvicorn.Server):
    """uvicorn without its name and log of requests, whose addresses would hold the token."""

    def __init__(
        self, app: ASGIApp, on_started: Callable[[], None], on_stopping: Callable[[], None]
    ):
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedHeaders,
                ws="none",
                log_level="error",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
                timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            )
        )
        self._on_started = on_started
        self._on_stopping = on_stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the answers that have no end of their own, then all."""
        self._on_stopping()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in order, however often Ctrl-C is pressed; forced, it leaves the analysis behind.

        Neither is the signal raised again afterwards, as uvicorn does for those that started it.
        """
        self.should_exit = True
