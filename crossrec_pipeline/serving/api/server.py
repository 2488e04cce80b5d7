"""Settings in, a listening service out, until it is told to stop."""

import os
import signal
import socket
import tempfile
from collections.abc import Callable
from contextlib import closing

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from crossrec_pipeline.errors import SettingsError
from crossrec_pipeline.serving.api.metrics import MULTIPROCESS_DIR
from crossrec_pipeline.serving.api.protocol import PatientProtocol
from crossrec_pipeline.settings import ServingSettings

_APP = "crossrec_pipeline.serving.api.app:create_app_of_environment"
_BACKLOG = 2048


def run_server(settings: ServingSettings, listening: Callable[[str], None]) -> bool:
    """Listen and answer until SIGTERM or Ctrl-C; requests under way are answered first.

    Parameters
    ----------
    settings
        Where to listen, by how many processes, and the limits of connections. Everything else the
        processes read from the environment.
    listening
        Receives the address, once the port is taken.

    Returns
    -------
    bool
        Whether it was Ctrl-C.

    Raises
    ------
    SettingsError
        If the port cannot be taken, or the service cannot start.
    """
    with closing(_take_port(settings.host, settings.port)) as taken:
        host, port = taken.getsockname()[:2]
        listening(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
        # Many requests share the processors: each is computed by one thread. What is loaded later
        # reads this.
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ[variable] = "1"
        config = server_config(settings, _APP)
        return _run_alone(config, taken) if settings.workers == 1 else _run_several(config, taken)


def server_config(settings: ServingSettings, app: ASGIApp | str) -> uvicorn.Config:
    """Say how uvicorn is to run an application, or what a name of its maker makes."""
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        loop="uvloop",
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        limit_concurrency=settings.max_connections,
        backlog=_BACKLOG,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def _take_port(host: str, port: int) -> socket.socket:
    taken = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        # Now, so that of two services that start at once one is told.
        taken.listen(_BACKLOG)
    except OSError as error:
        taken.close()
        raise SettingsError(
            f"Cannot listen at {host}, port {port} ({error.strerror or error}). Stop what listens "
            "there, or choose another: `crossrec serve --port 8001`, or CROSSREC_SERVING__PORT."
        ) from None
    return taken


def _run_alone(config: uvicorn.Config, taken: socket.socket) -> bool:
    # uvicorn raises the signal again when all is done, which would end the process by it.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server = uvicorn.Server(config)
    try:
        server.run([taken])
    except KeyboardInterrupt:
        return True
    except SystemExit:
        raise _cannot_start() from None
    return False


def _run_several(config: uvicorn.Config, taken: socket.socket) -> bool:
    with tempfile.TemporaryDirectory(prefix="crossrec-metrics-") as metrics:
        os.environ[MULTIPROCESS_DIR] = metrics
        supervisor = _Supervisor(config, [taken])
        supervisor.run()
    if supervisor.has_failed:
        raise _cannot_start()
    return supervisor.is_interrupted


class _Supervisor(Multiprocess):
    """Uvicorn's supervisor: a worker that is gone is replaced within half a second."""

    is_interrupted = False

    @property
    def has_failed(self) -> bool:
        """Whether a worker could not start."""
        return any(process.exitcode == STARTUP_FAILURE for process in self.processes)

    def handle_int(self) -> None:
        """Stop, and keep in mind that it was Ctrl-C."""
        self.is_interrupted = True
        super().handle_int()

    def keep_subprocess_alive(self) -> None:
        """Replace workers that are gone; what they measured last is no longer so."""
        before = {process.pid for process in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {process.pid for process in self.processes}:
            mark_process_dead(pid, os.environ[MULTIPROCESS_DIR])


def _cannot_start() -> SettingsError:
    return SettingsError("The service could not start; the lines above say why.")
