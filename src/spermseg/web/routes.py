"""The addresses of the server, each with the call that answers it."""

from __future__ import annotations

import gzip
import mimetypes
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from spermseg import DISCLAIMER, __version__
from spermseg.errors import SpermsegError, UsageError
from spermseg.report.colours import PART_COLOURS
from spermseg.structures import Part
from spermseg.web.answers import compact
from spermseg.web.bodies import EditBody, ScaleBody, VersionBody
from spermseg.web.downloads import available_formats, pieces
from spermseg.web.events import event_stream
from spermseg.web.records import PictureRecord
from spermseg.web.services import Services
from spermseg.web.uploads import clean_name, receive

STATIC = Path(__file__).parent / "static"
_NEVER_CHANGES = {"Cache-Control": "private, max-age=31536000, immutable"}


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Here = Annotated[Services, Depends(_services)]


async def _picture(id: str, here: Here) -> PictureRecord:
    return here.workspace.picture(id)


Picture = Annotated[PictureRecord, Depends(_picture)]


api = APIRouter(prefix="/api")
pages = APIRouter()


@pages.get("/")
async def index() -> FileResponse:
    """Give the page."""
    return FileResponse(STATIC / "index.html", headers={"Cache-Control": "private, no-cache"})


@api.get("/workspace")
def workspace(here: Here) -> Response:
    """Give what the server is, and all its pictures."""
    schema = here.workspace.card.schema
    settings = here.settings
    told = {
        "version": __version__,
        "disclaimer": DISCLAIMER,
        "model": {
            "id": here.workspace.card.id,
            "parts": [
                {"id": int(id), "name": name}
                for id, name in zip(schema.ids, schema.parts, strict=True)
                if id != Part.BACKGROUND
            ],
        },
        "colours": {str(int(part)): colour for part, colour in PART_COLOURS.items()},
        "criteria": {"name": settings.criteria.name, "title": settings.criteria.title},
        "formats": available_formats(),
        "limits": {
            "bytes": settings.max_bytes,
            "pixels": settings.max_pixels,
            "queue": settings.max_queue,
        },
        "revision": here.workspace.changes.revision,
        "pictures": [record.summary() for record in here.workspace.pictures()],
    }
    # Written here: of a thousand pictures FastAPI's own way takes ten times as long.
    return Response(compact(told), media_type="application/json")


@api.post("/pictures", status_code=201)
async def add_picture(
    request: Request, here: Here, name: Annotated[str, Query(max_length=5000)] = ""
) -> dict[str, Any]:
    """Take a picture, the body of the request, to be analysed."""
    here.workspace.check_queue()
    with here.workspace.temporary_path() as path:
        header, suffix = await receive(request, here.settings, path)
        record = await run_in_threadpool(here.add, path, clean_name(name), suffix, header)
    return record.summary()


@api.delete("/pictures/{id}", status_code=204)
def remove_picture(picture: Picture, here: Here) -> None:
    """Remove a picture."""
    here.remove(picture.id)


@api.get("/pictures/{id}")
def picture(picture: Picture, request: Request, here: Here) -> Response:
    """Give a picture with its sperm."""
    return _compressed(here.viewing.picture(picture), request)


@api.put("/pictures/{id}/scale")
def set_scale(
    picture: Picture,
    body: ScaleBody,
    request: Request,
    here: Here,
    every: Annotated[bool, Query(alias="all")] = False,
) -> Response:
    """Set the scale of a picture, or of all of them."""
    if not every:
        _set_scale(picture.id, body, here)
        return _compressed(here.viewing.picture(here.workspace.picture(picture.id)), request)
    refused = []
    for record in here.workspace.pictures():
        try:
            _set_scale(record.id, body, here)
        except SpermsegError as error:
            refused.append(f"{record.name} was left as it was: {error.what}")
    if refused:
        raise UsageError("; ".join(refused[:3]) + (" ..." if refused[3:] else ""))
    return workspace(here)


@api.post("/pictures/{id}/edits")
def edit(picture: Picture, body: EditBody, request: Request, here: Here) -> Response:
    """Correct sperm of a picture."""
    record = here.corrections.edit(picture.id, body.base_version, body.edit)
    return _compressed(here.viewing.picture(record), request)


@api.get("/pictures/{id}/versions")
def versions(picture: Picture, here: Here) -> dict[str, Any]:
    """Give the versions of a picture."""
    return here.corrections.versions(picture)


@api.put("/pictures/{id}/version")
def show_version(picture: Picture, body: VersionBody, request: Request, here: Here) -> Response:
    """Show another version of a picture."""
    record = here.corrections.show(picture.id, body.version)
    return _compressed(here.viewing.picture(record), request)


@api.get("/pictures/{id}/tiles/{level}/{x}/{y}.jpg")
def tile(picture: Picture, level: int, x: int, y: int, here: Here) -> Response:
    """Give a tile of a picture."""
    return _jpeg(here.viewing.tile(picture, level, x, y))


@api.get("/pictures/{id}/thumbnail.jpg")
def thumbnail(picture: Picture, here: Here) -> Response:
    """Give a picture small."""
    return _jpeg(here.viewing.thumbnail(picture))


@api.get("/sample")
def sample(here: Here) -> dict[str, Any]:
    """Give what all pictures together say of their samples."""
    return here.results.sample()


@api.get("/downloads/{format}")
def download(format: str, here: Here) -> StreamingResponse:
    """Give the results as a file."""
    name, file = here.results.download(format)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return StreamingResponse(pieces(file), media_type=kind, headers=headers)


@api.get("/events")
async def events(here: Here) -> StreamingResponse:
    """Tell of changes as they happen."""
    stream = event_stream(here.workspace.changes, here.queue.progress)
    return StreamingResponse(
        stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def _set_scale(id: str, body: ScaleBody, here: Services) -> None:
    if body.head_length_px is not None:
        here.set_head_length(id, body.head_length_px)
    else:
        here.set_pixel_size(id, body.um_per_px)


def _jpeg(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg", headers=_NEVER_CHANGES)


def _compressed(content: bytes, request: Request) -> Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        content = gzip.decompress(content)
    return Response(content, media_type="application/json", headers=headers)
