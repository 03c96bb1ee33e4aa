"""Who may talk to the server: only the pages that it served, and programs that know its token.

A server on 127.0.0.1 is within reach of every web page that its user opens and of every other user
of the machine. Against pages of others stand the exact Host (a name that was pointed at 127.0.0.1,
"DNS rebinding", is not served), the exact Origin and Sec-Fetch-Site; against other users the token.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spermseg.errors import UsageError
from spermseg.web.limits import RequestLimits
from spermseg.web.refusals import answer
from spermseg.web.settings import Settings

TOKEN_COOKIE = "spermseg_token"
TOKEN_HEADER = "X-Spermseg-Token"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # "no-referrer" would have browsers send "Origin: null" with some of our own requests.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def protect(app: Starlette, settings: Settings) -> None:
    """Put the guard, and behind it the limits, before everything else that `app` does."""
    app.add_middleware(RequestLimits, limits=settings.limits)
    app.add_middleware(Guard, origins=settings.origins, token=settings.token)


class Guard:
    """Let through to `app` the requests of those who may; every answer has the headers of safety.

    Parameters
    ----------
    app : ASGI application
    origins : iterable of str
        Addresses that are served, as browsers write them: ``http://HOST:PORT`` in lower case,
        without the port where it is the scheme's own.
    token : str
        What whoever may use the server shows.

    Raises
    ------
    UsageError
        For an empty token, which everybody would have.
    """

    def __init__(self, app: ASGIApp, *, origins: Iterable[str], token: str):
        if not token:
            raise UsageError("a server without a token would let everybody in")
        self.app = app
        self.token = token
        self.served = {origin.partition("://")[2]: origin for origin in origins}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            # There are none here.
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._serve(scope, receive, _Hardened(send))

    async def _serve(self, scope: Scope, receive: Receive, send: _Hardened) -> None:
        instead = self._refusal(scope) or self._entrance(scope) or self._stranger(scope)
        if instead is not None:
            await instead(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except Exception:
            if not send.started:
                line = "something went wrong in the server; its terminal says more"
                await answer(500, line)(scope, receive, send)
            raise

    def _refusal(self, scope: Scope) -> Response | None:
        """Refuse what was sent to another name, or by the page of another server."""
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        served = self.served.get(hosts[0]) if len(hosts) == 1 else None
        if served is None:
            return answer(403, "this server does not answer under this address")
        if origins and origins != [served]:
            return answer(403, "this request comes from the page of another server")
        # A browser names the origin of whatever may change something; only programs need not.
        if not origins and _changes(scope["method"], headers) and TOKEN_HEADER not in headers:
            return answer(403, "this request does not say from which page it comes")
        sites = headers.getlist("sec-fetch-site")
        if sites and sites not in (["same-origin"], ["none"]):
            return answer(
                403,
                "this request comes from the page of another server; "
                "to open spermseg, paste its address into the browser",
            )
        return None

    def _entrance(self, scope: Scope) -> Response | None:
        """Take the token from the address that was printed, and put it into a cookie."""
        if (scope["method"], scope["path"]) != ("GET", "/"):
            return None
        given = QueryParams(scope["query_string"]).getlist("token")
        if len(given) != 1 or not self._is_token(given[0]):
            return None
        inside = RedirectResponse("/", 303)
        name = _cookie_name(Headers(scope=scope)["host"])
        inside.set_cookie(name, self.token, httponly=True, samesite="strict")
        return inside

    def _stranger(self, scope: Scope) -> Response | None:
        """Refuse whoever does not show the token."""
        connection = HTTPConnection(scope)
        cookie = connection.cookies.get(_cookie_name(connection.headers["host"]), "")
        shown = connection.headers.getlist(TOKEN_HEADER) or [cookie]
        if len(shown) == 1 and self._is_token(shown[0]):
            return None
        line = "open the address that `spermseg serve` printed: its token is missing here, or old"
        if "text/html" in connection.headers.get("accept", ""):
            return PlainTextResponse(line, 401)
        return answer(401, line)

    def _is_token(self, given: str) -> bool:
        # In a time that does not tell how much of it is right.
        return hmac.compare_digest(given.encode(), self.token.encode())


def _changes(method: str, headers: Headers) -> bool:
    return method not in _SAFE_METHODS or "upgrade" in headers


def _cookie_name(host: str) -> str:
    """Name by port: two servers on one machine share a browser's cookies, and must not fight."""
    _, colon, port = host.rpartition(":")
    return f"{TOKEN_COOKIE}_{port}" if colon and port.isdigit() else TOKEN_COOKIE


class _Hardened:
    """Send with the headers of safety, and remember whether an answer began."""

    def __init__(self, send: Send):
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers.update(SECURITY_HEADERS)
            headers.setdefault("Cache-Control", "no-store")
            del headers["server"]
        await self._send(message)
