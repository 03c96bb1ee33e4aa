"""Uploads: bounded by bytes and pixels, pictures alone, under names that are only shown."""

from __future__ import annotations

import asyncio
import errno
import gzip
import io
import re
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spermseg.web.limits import Limits, folder_bytes
from spermseg.web.uploads import clean_name

POST = ("POST", "/api/pictures?name=smear.png")
QUICK = Limits(idle_seconds=0.05, upload_seconds=0.2)


def files_of(settings) -> set[str]:
    """What pictures and halves of pictures lie in the workspace."""
    folders = (settings.workspace / "pictures", settings.workspace / "temporary")
    return {
        path.relative_to(settings.workspace).as_posix()
        for folder in folders
        for path in folder.rglob("*")
    }


def refused(answer, settings, status: int) -> str:
    """Check that an answer is one line without a path of this machine, and nothing was kept."""
    assert answer.status == status
    assert list(answer.json) == ["error"]
    line = answer.json["error"]
    assert line
    assert "\n" not in line
    assert str(settings.workspace.parent) not in line
    assert "/tmp" not in line
    assert "Traceback" not in line
    assert files_of(settings) == set()
    return line


def image_bytes(kind: str, size=(40, 30), **options) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "white").save(stream, kind, **options)
    return stream.getvalue()


def png_header(width: int, height: int, length: int = 1024) -> bytes:
    """A PNG that states its size and has no pixels, `length` bytes long."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    start = b"\x89PNG\r\n\x1a\n" + header
    return start + chunk(b"IDAT", bytes(length - len(start) - 12))


def jpeg_header(width: int, height: int) -> bytes:
    data = bytearray(image_bytes("JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp_header(width: int, height: int) -> bytes:
    data = bytearray(image_bytes("BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def tiff_header(width: int, height: int) -> bytes:
    """A TIFF of one strip whose count of bytes is a lie."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 8), (277, 3, 1), (278, 4, height), (279, 4, 100)]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    ifd = struct.pack("<H", len(tags)) + entries + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 200) + bytes(192) + ifd


def zipped(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../../evil.png"), io.BytesIO(b""))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("PNG", ".png"), ("JPEG", ".jpg"), ("BMP", ".bmp"), ("WEBP", ".webp"), ("TIFF", ".tif")],
)
def test_a_picture_is_kept_under_a_name_of_ours(make_app, ask, mine, settings, kind, suffix):
    # In pieces of seven bytes, under an extension that says something else.
    data = image_bytes(kind)
    pieces = [data[i : i + 7] for i in range(0, len(data), 7)]
    answer = ask(make_app(), "POST", "/api/pictures?name=smear.exe", mine, pieces)
    assert answer.status == 201
    assert (answer.json["name"], answer.json["width"], answer.json["height"]) == (
        "smear.exe",
        40,
        30,
    )
    id = answer.json["id"]
    assert (settings.workspace / f"pictures/{id}/original{suffix}").read_bytes() == data
    assert files_of(settings) == {
        f"pictures/{id}",
        f"pictures/{id}/original{suffix}",
        f"pictures/{id}/picture.json",
    }


def test_a_declared_length_over_the_limit_is_refused_unread(make_app, ask, mine, settings):
    app = make_app(max_bytes=1000)
    answer = ask(app, *POST, mine | {"content-length": "1001"}, [bytes(1001)])
    assert refused(answer, settings, 413) == "more than 1000 bytes"
    assert answer.pieces_read == 0


@pytest.mark.parametrize(
    "declared",
    [{}, {"content-length": "10"}, {"content-length": "1000"}, {"transfer-encoding": "chunked"}],
    ids=["none", "lying", "just allowed", "chunked"],
)
def test_bytes_are_counted_as_they_come(make_app, ask, mine, settings, declared):
    app = make_app(max_bytes=1000)
    endless = [png_header(40, 30, 100)] + [bytes(100)] * 1000
    answer = ask(app, *POST, mine | declared, endless)
    assert refused(answer, settings, 413) == "more than 1000 bytes"
    assert answer.pieces_read == 11


@pytest.mark.parametrize(("less", "status"), [(0, 201), (1, 413)])
def test_as_many_bytes_as_allowed_are_taken(make_app, ask, mine, png, less, status):
    assert ask(make_app(max_bytes=len(png) - less), *POST, mine, [png]).status == status


@pytest.mark.parametrize(
    "data",
    [
        png_header(30_000, 30_000),
        png_header(2**31 - 1, 2**31 - 1),
        png_header(11_586, 11_586),
        jpeg_header(65_000, 65_000),
        bmp_header(30_000, 30_000),
        tiff_header(30_000, 30_000),
    ],
    ids=["png", "huge png", "png just over", "jpeg", "bmp", "tiff"],
)
def test_pixels_are_counted_from_the_header(make_app, ask, mine, settings, data):
    assert len(data) < 4096
    line = refused(ask(make_app(), *POST, mine, [data]), settings, 413)
    assert "pixels" in line


def test_a_server_may_take_fewer_pixels(make_app, ask, mine, settings, png):
    line = refused(ask(make_app(max_pixels=1199), *POST, mine, [png]), settings, 413)
    assert line == "40 x 30 pixels are more than 1199"


NO_PICTURES = {
    "empty": b"",
    "one byte": b"\x89",
    "text": b"hello " * 100,
    "html": b"<!doctype html><script>alert(1)</script>" * 10,
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>' * 10,
    "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' * 5,
    "gif": image_bytes("GIF"),
    "pdf": b"%PDF-1.7\n" * 50,
    "ico": b"\0\0\1\0" + bytes(200),
    "wav": b"RIFF\x00\x01\x00\x00WAVEfmt " + bytes(200),
    "program": b"\x7fELF" + bytes(200),
    "script": b"#!/bin/sh\nrm -rf /\n" * 10,
    "dicom": bytes(128) + b"DICM" + bytes(100),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n" * 5,
    "zip": zipped({"a.png": image_bytes("PNG")}),
    "zip bomb": zipped({"bomb": bytes(10**7)}),
    "zip in zip": zipped({f"{n}.zip": zipped({"bomb": bytes(10**5)}) for n in range(10)}),
    "zip with hostile entries": zipped(
        {"../../evil.png": b"x", "/etc/cron.d/evil": b"x", "C:\\evil": b"x", "a\0b": b"x"}
    ),
    "tar with hostile entries": tarred(),
    "gzip of a picture": gzip.compress(image_bytes("PNG") * 10),
    "png cut to its signature": b"\x89PNG\r\n\x1a\n",
    "png cut in its header": image_bytes("PNG")[:20],
    "tiff without pages": b"II*\0" + bytes(4) + bytes(100),
    "tiff that goes in circles": b"II*\0\x08\0\0\0" + bytes(2) + struct.pack("<I", 8) + bytes(200),
    "tiff that points away": b"II*\0" + struct.pack("<I", 2**31) + bytes(100),
    "zeros": bytes(300),
}


@pytest.mark.parametrize("kind", NO_PICTURES)
def test_what_is_no_picture_is_refused(make_app, ask, mine, settings, kind):
    refused(ask(make_app(), *POST, mine, [NO_PICTURES[kind]]), settings, 415)


def test_what_is_no_picture_is_not_read_to_its_end(make_app, ask, mine, settings):
    answer = ask(make_app(), *POST, mine, [b"PK\3\4" + bytes(200)] * 1000)
    line = refused(answer, settings, 415)
    assert line == "no picture of a known format. PNG, JPEG, BMP, WebP and TIFF are read"
    assert answer.pieces_read == 1


def test_dicom_is_refused_with_advice(make_app, ask, mine, settings):
    line = refused(ask(make_app(), *POST, mine, [NO_PICTURES["dicom"]]), settings, 415)
    assert line == "DICOM is not read. Export it as TIFF or PNG first"


@pytest.mark.parametrize("parts", [1, 1000])
def test_forms_are_refused_unread(make_app, ask, mine, settings, png, parts):
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n' + png
    body = (part + b"\r\n") * parts + b"--b--\r\n"
    app = make_app()
    for kind in ("multipart/form-data; boundary=b", "Multipart/Mixed", "multipart/byteranges"):
        answer = ask(app, *POST, mine | {"content-type": kind}, [body])
        refused(answer, settings, 415)
        assert answer.pieces_read == 0
    refused(ask(app, *POST, mine | {"content-type": "image/png"}, [body]), settings, 415)


def test_bodies_that_were_compressed_on_the_way_are_refused(make_app, ask, mine, settings, png):
    bomb = gzip.compress(png + bytes(10**6))
    app = make_app()
    for encoding in ("gzip", "deflate", "br", "gzip, gzip"):
        answer = ask(app, *POST, mine | {"content-encoding": encoding}, [bomb])
        refused(answer, settings, 415)
        assert answer.pieces_read == 0


def test_html_behind_a_picture_is_never_served_as_such(make_app, ask, mine, settings, png):
    both = png + b"<script>alert(1)</script>"
    answer = ask(make_app(), "POST", "/api/pictures?name=a.html", mine, [both])
    assert answer.status == 201
    assert (settings.workspace / "pictures" / answer.json["id"] / "original.png").is_file()


HOSTILE_NAMES = [
    "../../etc/passwd",
    "..",
    ".",
    "/",
    "//",
    "....//....//a.png",
    "/etc/passwd",
    "/a.png",
    "C:\\Windows\\system32\\a.png",
    "..\\..\\a.png",
    "\\\\server\\share\\a.png",
    "file:///etc/passwd",
    "a\0.png",
    "\0",
    "%2e%2e%2fa.png",
    "a.png\r\nSet-Cookie: x=y",
    "a\x1b[31m.png",
    "x" * 4096,
    "x" * 4096 + ".png",
    "/".join(["folder"] * 600) + "/a.png",
    "CON",
    "con.png",
    "NUL.tar.png",
    "COM1.png",
    "aux",
    "a.png.",
    "a.png ",
    "   ",
    "...",
    "~root",
    "$(reboot).png",
    "`reboot`.png",
    "a;rm -rf *.png",
    "'; DROP TABLE sperm; --",
    "<img src=x onerror=alert(1)>.png",
    "</script><script>alert(1)</script>",
    "{{7*7}}.png",
    "=cmd|' /C calc'!A0.png",
    "@SUM(1)",
    "-2+3",
    "\u202egnp.exe",
    "\u200f\u200ea.png",
    "\u2066a\u2069.png",
    "\ufeffa.png",
    "\ud83d\ude00.png".encode("utf-16", "surrogatepass").decode("utf-16"),
    "\U0001f9ec\u200d\U0001f52c.png",
    "a\u0301\u0301\u0301.png",
    "\u2024\u2024/a.png",
    "\uff0e\uff0e\uff0fa.png",
    "\ud800.png",
    "\U000e0041.png",
    ".htaccess",
    "picture.json",
    "original.png",
]


def check_clean(name: str) -> None:
    """Check that a name is one on every system, whatever it is used for."""
    path = PurePosixPath(name)
    assert 0 < len(name) <= 200
    assert not path.is_absolute()
    assert not PureWindowsPath(name).is_absolute()
    assert not PureWindowsPath(name).drive
    assert not PureWindowsPath(name).is_reserved()
    assert str(path) == name
    assert ".." not in path.parts
    assert not set(name) & set('<>:"|?*\\')
    assert not any(unicodedata.category(char)[0] == "C" for char in name)
    for part in path.parts:
        assert part == part.strip(". ")
        assert part[0] not in "=+-@"
    name.encode()


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_hostile_names_are_made_harmless(name):
    check_clean(clean_name(name))


@given(st.text(max_size=300) | st.text('./\\: ~=CON\u202e\0\u0301"', max_size=300))
def test_any_name_is_made_harmless_once_and_for_all(name):
    cleaned = clean_name(name)
    check_clean(cleaned)
    assert clean_name(cleaned) == cleaned


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("smear.tif", "smear.tif"),
        ("day 1/smear 2.tif", "day 1/smear 2.tif"),
        ("Muestra nº 3 – añeja.png", "Muestra nº 3 – añeja.png"),
        ("精子.png", "精子.png"),
        ("\U0001f9ec.png", "\U0001f9ec.png"),
        ("C:\\fakepath\\a.png", "a.png"),
        ("../../etc/passwd", "etc/passwd"),
        ("", "picture"),
        ("x" * 300 + ".jpeg", "x" * 195 + ".jpeg"),
    ],
)
def test_names_stay_what_their_owners_know(name, shown):
    assert clean_name(name) == shown


def test_a_name_is_data_and_no_path(make_app, ask, mine, settings, png, tmp_path):
    app = make_app()
    before = {path for path in tmp_path.rglob("*") if settings.workspace not in path.parents}
    for name in HOSTILE_NAMES:
        target = f"/api/pictures?name={quote(name, errors='surrogatepass')}"
        answer = ask(app, "POST", target, mine, [png])
        assert answer.status == 201
        check_clean(answer.json["name"])
        assert answer.header("content-type") == "application/json"
    after = {path for path in tmp_path.rglob("*") if settings.workspace not in path.parents}
    assert after == before
    kept = [PurePosixPath(file) for file in files_of(settings)]
    assert {path.name for path in kept if len(path.parts) == 3} == {"original.png", "picture.json"}
    ids = [path.name for path in kept if len(path.parts) == 2]
    assert len(ids) == len(HOSTILE_NAMES)
    assert all(re.fullmatch("[0-9a-f]{12}", id) for id in ids)


def test_a_body_that_stops_coming_is_given_up(make_app, ask, mine, settings, png):
    answer = ask(make_app(limits=QUICK), *POST, mine, [png[:50], 60.0, png[50:]])
    refused(answer, settings, 408)


def test_a_body_that_drips_is_given_up(make_app, ask, mine, settings):
    dripping = [png_header(40, 30, 100)] + [0.02, b"x"] * 1000
    answer = ask(make_app(limits=QUICK), *POST, mine, dripping)
    refused(answer, settings, 408)
    assert answer.pieces_read < 100


def test_a_sender_that_goes_away_leaves_nothing(make_app, settings, mine, png):
    app = make_app()

    async def half() -> list[dict]:
        messages = iter(
            [
                {"type": "http.request", "body": png[:60], "more_body": True},
                {"type": "http.disconnect"},
            ]
        )
        sent: list[dict] = []

        async def receive():
            return next(messages)

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/pictures",
            "query_string": b"",
            "headers": [(key.encode(), value.encode()) for key, value in mine.items()],
        }
        await app(scope, receive, send)
        return sent

    assert asyncio.run(half())[0]["status"] == 400
    assert files_of(settings) == set()


def test_a_full_disk_is_said_in_words(make_app, ask, mine, settings, png, monkeypatch):
    class FullStream:
        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            return None

        async def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device", "/root/secret")

    async def open_file(path, mode):
        return FullStream()

    monkeypatch.setattr("spermseg.web.uploads.anyio.open_file", open_file)
    line = refused(ask(make_app(), *POST, mine, [png]), settings, 507)
    assert line == "the server's disk is full"


def test_a_full_workspace_takes_no_more(make_app, ask, mine, settings, png):
    app = make_app()
    assert ask(app, *POST, mine, [png]).status == 201
    app.state.services.workspace.close()
    kept = files_of(settings)
    room = folder_bytes(settings.workspace) + len(png) - 1
    full = make_app(limits=Limits(workspace_bytes=room))
    for declared, read in (({"content-length": str(len(png))}, 0), ({}, 1)):
        answer = ask(full, *POST, mine | declared, [png])
        assert (answer.status, answer.pieces_read) == (413, read)
        assert "workspace would hold more than" in answer.json["error"]
    assert files_of(settings) == kept
