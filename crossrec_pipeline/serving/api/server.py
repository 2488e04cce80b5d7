"""Settings in, a listening process out, until it is told to stop."""

import uvicorn

from crossrec_pipeline.serving.api.log import log_as_json
from crossrec_pipeline.settings import Settings


def run_server(settings: Settings) -> None:
    """Listen and answer."""
    limits = settings.serving
    log_as_json()
    uvicorn.run(
        "crossrec_pipeline.serving.api.app:create_app_of_environment",
        factory=True,
        host=limits.host,
        port=limits.port,
        workers=limits.workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=limits.drain_seconds,
    )
