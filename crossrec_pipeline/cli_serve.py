"""The command ``crossrec serve``."""

from typing import Annotated

import typer

from crossrec_pipeline.settings import load_settings


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen at")] = None,
    port: Annotated[int | None, typer.Option(help="port; 0 takes a free one")] = None,
    workers: Annotated[int | None, typer.Option(help="processes, each with the model")] = None,
) -> None:
    """Answer requests for recommendations over HTTP, and serve the web page."""
    from crossrec_pipeline.serving.api.server import run_server

    settings = load_settings()
    given = {"host": host, "port": port, "workers": workers}
    chosen = {name: value for name, value in given.items() if value is not None}
    serving = {**settings.serving.model_dump(), **chosen}
    run_server(load_settings(serving=serving))
