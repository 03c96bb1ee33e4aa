"""Every exception answered in one line; a traceback is for the server's log alone."""

from __future__ import annotations

import logging

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from spermseg import errors
from spermseg.errors import ImageError, MissingExtraError, ResourceError, SpermsegError
from spermseg.web.refusals import RefusedError, answer

logger = logging.getLogger(__name__)

UNEXPECTED = "something went wrong in the server; its terminal says more"


def answer_failures(app: FastAPI) -> None:
    """Have `app` answer whatever is raised in it."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_http)
    for kind in (SpermsegError, OSError, MemoryError):
        app.add_exception_handler(kind, _known)
    # Raised again by Starlette when it is answered: the server logs it.
    app.add_exception_handler(Exception, _unexpected)


def _known(request: Request, error: Exception) -> JSONResponse:
    known = errors.translate(error)
    if known is None:
        logger.error("%s %s", request.method, request.url.path, exc_info=error)
        return answer(500, UNEXPECTED)
    # Without its place, which is a path on the server's machine.
    line = known.what if known.fix is None else f"{known.what}. {known.fix}"
    headers = known.headers if isinstance(known, RefusedError) else None
    return answer(_status(known), line, headers)


def _status(error: SpermsegError) -> int:
    if isinstance(error, RefusedError):
        return error.status
    if isinstance(error, ImageError):
        return 415
    if isinstance(error, ResourceError):
        return 507
    return 501 if isinstance(error, MissingExtraError) else 422


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"][1:])
    what = str(first["msg"]).removeprefix("Value error, ")
    return answer(422, f"{place}: {what}" if place else what)


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return answer(error.status_code, str(error.detail), error.headers)


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    return answer(500, UNEXPECTED)
