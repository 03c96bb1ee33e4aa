"""The server: what it is made of, when it begins and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from spermseg import __version__
from spermseg.web import routes
from spermseg.web.failures import answer_failures
from spermseg.web.security import protect
from spermseg.web.services import Services
from spermseg.web.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Make the server of one workspace; it analyses while it runs.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    SpermsegError
        When the workspace or the model cannot be used; see `Workspace`.
    """
    services = Services.of(settings)

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        services.queue.start()
        try:
            yield
        finally:
            services.workspace.changes.close()
            await run_in_threadpool(services.queue.stop)
            services.workspace.close()

    # No pages that describe the interface: they would load scripts from elsewhere.
    app = FastAPI(
        title="spermseg",
        version=__version__,
        lifespan=running,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    answer_failures(app)
    app.include_router(routes.api)
    app.include_router(routes.pages)
    app.mount("/static", _Static(directory=routes.STATIC))
    # The last one added is the outermost: nothing is done before it has let a request through.
    protect(app, settings)
    return app


class _Static(StaticFiles):
    """Files that a browser asks for again each time: after an update they have changed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "private, no-cache"
        return response
