"""``spermseg serve``."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    workspace: Annotated[
        Path, typer.Option("-o", "--workspace", help="Folder of the pictures and all that is made.")
    ] = Path("spermseg-workspace"),
    host: Annotated[
        str, typer.Option(help="Address to serve at; anything else lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Default: 8642, or a free one where that is taken."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(help="A further address that leads here, as http://localhost:9000."),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    model: Annotated[
        str | None,
        typer.Option(
            help="fast, accurate, the name of a bundled model, or a folder with a model card."
        ),
    ] = None,
    criteria: Annotated[
        str, typer.Option(help="By which sperm are judged: a name, or a YAML file.")
    ] = "who-2021",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of the network; default: one a core.")
    ] = None,
) -> None:
    """Look at pictures, results and corrections in a browser, served by this machine.

    Only whoever has the printed address, with its token, is let in. Ctrl-C stops; the workspace
    keeps everything. For research use, not for clinical diagnosis.
    """
    from spermseg.analysis.criteria import load_criteria
    from spermseg.web import serving
    from spermseg.web.settings import Settings

    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    listener = serving.bind(host, port)
    bound = listener.getsockname()[1]
    origins = serving.origins_of(host, bound, origin or ())
    settings = Settings(
        workspace,
        serving.new_token(),
        model,
        load_criteria(criteria),
        threads,
        origins=origins,
    )
    address = serving.address_of(host, bound, settings.token)

    def say_so() -> None:
        print(f"spermseg is at {address}\nCtrl-C stops it.", flush=True)
        if browser:
            serving.open_browser(address)

    if not serving.is_loopback(host):
        print(
            f"warning: other machines can reach {host}:{bound}, and what they send and see is not "
            "encrypted; better an SSH tunnel, see docs/web.md",
            file=sys.stderr,
        )
    serving.serve(settings, listener, say_so)
    print(f"stopped; everything is in {workspace}")
