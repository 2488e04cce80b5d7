"""The web page: static files that are built from ``web/``, or how to build them."""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import crossrec_pipeline.serving

PAGE = Path(crossrec_pipeline.serving.__file__).parent / "page"

_NOT_BUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>crossrec</title></head>
<body>
<h1>The page is not built</h1>
<p>The service runs; <a href="/openapi.json">/openapi.json</a> describes it.
To build this page, run <code>make web</code> in the checkout (it needs Node 20 or newer) and
start the service again.</p>
</body>
</html>
"""
_KEEP = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


class _Assets(StaticFiles):
    """Files that bear a digest in their names, and so never change."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        is_asset = response.status_code in (200, 206, 304)
        response.headers["Cache-Control"] = _KEEP if is_asset else _ASK_AGAIN
        return response


def page_is_built(page: Path = PAGE) -> bool:
    """Say whether there is a page to serve."""
    return (page / "index.html").is_file()


def add_page(app: FastAPI, page: Path = PAGE) -> None:
    """Serve the page at ``/``, or say how to build it."""
    if not page_is_built(page):

        async def not_built() -> Response:
            return HTMLResponse(_NOT_BUILT)

        app.add_api_route("/", not_built, methods=["GET"], include_in_schema=False)
        return
    # Not mounted as a whole at "/": that would take what the API's own addresses refuse, and
    # answer 404 to a GET where only POST is allowed.
    app.mount("/assets", _Assets(directory=page / "assets"), name="assets")
    for file in page.iterdir():
        if file.is_file():
            _add_file(app, "/" if file.name == "index.html" else f"/{file.name}", file)


def _add_file(app: FastAPI, address: str, file: Path) -> None:
    async def answer() -> Response:
        return FileResponse(file, headers={"Cache-Control": _ASK_AGAIN})

    app.add_api_route(address, answer, methods=["GET", "HEAD"], include_in_schema=False)
