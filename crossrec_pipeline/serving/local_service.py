"""Settings in; a service on a free port of this machine, for as long as it is asked, out."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection

import uvicorn

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.serving.api.app import create_app
from crossrec_pipeline.serving.api.log import only_errors
from crossrec_pipeline.settings import ServingSettings, Settings

_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
_PAUSE_SECONDS = 0.02
_LIMITS = ServingSettings(max_wait_ms=10_000, deadline_ms=30_000, log_requests=False)
"""Nobody else asks it, and nothing is to be turned away."""


@contextmanager
def local_service(settings: Settings) -> Iterator[str]:
    """Run the service in a thread of this process, and yield its address once it is ready.

    Parameters
    ----------
    settings
        Where the models and the exports lie; the limits of requests are not applied.

    Raises
    ------
    EvaluationError
        If it does not become ready.
    """
    app = create_app(settings.model_copy(update={"serving": _LIMITS}))
    config = uvicorn.Config(app, access_log=False, log_config=None, lifespan="on", ws="none")
    server = uvicorn.Server(config)
    with only_errors(), closing(socket.create_server(("127.0.0.1", 0))) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        thread = threading.Thread(target=server.run, args=([taken],), name="service", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            _require_ready(taken.getsockname()[1])
            yield url
        finally:
            server.should_exit = True
            thread.join(_STOP_SECONDS)
            # A service keeps what it has loaded from the collector; this process goes on without.
            gc.unfreeze()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise EvaluationError(
                "The service could not be started for the check; the lines above say why. Start "
                "one with `crossrec serve` and name it in CROSSREC_SERVING__CHECK_URL."
            )
        time.sleep(_PAUSE_SECONDS)


def _require_ready(port: int) -> None:
    """See that a model is served: a service that started has looked for one."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=_STOP_SECONDS)) as connection:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        content = response.read().decode(errors="replace")
    if response.status != HTTPStatus.OK:
        raise EvaluationError(
            f"The service that was started for the check is not ready: {content} "
            "`crossrec serve` says more."
        )
