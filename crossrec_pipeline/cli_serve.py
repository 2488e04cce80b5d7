"""The command ``crossrec serve``."""

import sys
from typing import Annotated

import typer

from crossrec_pipeline.errors import BundleError, StorageError
from crossrec_pipeline.models.promotions import read_champion
from crossrec_pipeline.settings import Settings, load_settings

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


class ServerInterruptedError(SystemExit):
    """Ctrl-C ended the service, which is how one ends it."""


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen at")] = None,
    port: Annotated[int | None, typer.Option(help="port; 0 takes a free one")] = None,
    workers: Annotated[int | None, typer.Option(help="processes, each with the model")] = None,
) -> None:
    """Answer requests for recommendations over HTTP, and serve the web page."""
    from crossrec_pipeline.serving.api.server import run_server

    settings = load_settings()
    options = {"host": host, "port": port, "workers": workers}
    chosen = {name: value for name, value in options.items() if value is not None}
    if chosen:
        settings = load_settings(serving={**settings.serving.model_dump(), **chosen})
    _warn(settings)
    if run_server(settings.serving, _say_where):
        raise ServerInterruptedError(INTERRUPTED)


def _say_where(address: str) -> None:
    typer.echo(f"Page:      {address}/")
    typer.echo(f"API:       {address}/openapi.json")
    typer.echo(f"Ready?     {address}/readyz")
    sys.stdout.flush()


def _warn(settings: Settings) -> None:
    """Say what will be missing; the service starts all the same, and takes a champion later."""
    from crossrec_pipeline.serving.api.page import page_is_built
    from crossrec_pipeline.serving.stored_champion import StoredChampion

    if not page_is_built():
        _write_warning("the web page is not built: run `make web` (it needs Node 20 or newer).")
    try:
        if settings.store is not None:
            StoredChampion(settings, _write_line).bring()
        champion = read_champion(settings.models_dir)
    except (BundleError, StorageError) as error:
        _write_warning(str(error))
        return
    if champion is None:
        place = settings.store or settings.models_dir
        _write_warning(
            f"there is no champion in {place} yet, so there is nothing to recommend: "
            "`crossrec run` trains and promotes one, and the service takes it then."
        )


def _write_line(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _write_warning(text: str) -> None:
    sys.stderr.write(f"crossrec: warning: {text}\n")
    sys.stderr.flush()
