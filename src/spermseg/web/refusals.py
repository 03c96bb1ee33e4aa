"""What a request that is refused is answered: a status and one line, never more."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from spermseg.errors import UsageError


class RefusedError(UsageError):
    """A request that is not served.

    Parameters
    ----------
    what : str
        What is wrong, with the values found.
    status : int
        Status of the answer.
    fix : str, optional
        What to do about it.
    headers : mapping, optional
        Further headers of the answer.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int,
        fix: str | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(what, fix=fix)
        self.status = status
        self.headers = dict(headers or {})


def answer(status: int, line: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Make the answer that every error has: ``{"error": line}``."""
    return JSONResponse({"error": line}, status, headers)
