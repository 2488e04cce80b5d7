"""Settings in, the service as an ASGI application out."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.models.promotions import Champion
from crossrec_pipeline.serving.api.admission import Admission
from crossrec_pipeline.serving.api.batcher import Batcher
from crossrec_pipeline.serving.api.errors import answer_errors
from crossrec_pipeline.serving.api.items import add_items
from crossrec_pipeline.serving.api.log import log_as_json, log_event, trace_of
from crossrec_pipeline.serving.api.metrics import Metrics
from crossrec_pipeline.serving.api.model import add_model
from crossrec_pipeline.serving.api.observation import Observation
from crossrec_pipeline.serving.api.operation import add_operation
from crossrec_pipeline.serving.api.page import add_page
from crossrec_pipeline.serving.api.protocol import REQUEST_TIMEOUT
from crossrec_pipeline.serving.api.recommendations import add_recommendations
from crossrec_pipeline.serving.api.service import Service
from crossrec_pipeline.serving.champion import ChampionWatcher, Refusal, Reports
from crossrec_pipeline.serving.served import Served, open_served
from crossrec_pipeline.serving.stored_champion import StoredChampion
from crossrec_pipeline.settings import Settings, load_settings

_DESCRIPTION = """Recommends what comes next in a session of movies, music and books.

Every error is answered as `{"error": {"code", "message", "field"}}`; programs look at `code`.
Every answer has an `X-Request-ID`, which the service's log names too."""


def create_app(
    settings: Settings, open_champion: Callable[[Champion], Served] | None = None
) -> FastAPI:
    """Make the service; it looks for a model when it is started.

    Parameters
    ----------
    settings
        Where models lie, and the limits of the service.
    open_champion
        Loads what a champion needs to answer; by default from its export in the data directory.
    """
    service = _make_service(
        settings,
        open_champion
        or partial(open_served, models_dir=settings.models_dir, serving_dir=settings.serving_dir),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, float]]:
        # What was imported lives as long as the process: the collector need not look at it again
        # and again, which holds up every request meanwhile.
        gc.collect()
        gc.freeze()
        service.batcher.start()
        service.watcher.start()
        # Connections wait meanwhile: a worker that is started beside others turns nobody away.
        await asyncio.to_thread(service.watcher.wait_for_first_look)
        log_event("started", pid=os.getpid(), ready=service.watcher.served is not None)
        yield {REQUEST_TIMEOUT: settings.serving.request_timeout_seconds}
        service.watcher.stop()
        await service.batcher.stop()
        log_event("stopped", pid=os.getpid())

    app = FastAPI(
        title="crossrec",
        version="1",
        description=_DESCRIPTION,
        docs_url=None,  # both load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    answer_errors(app)
    add_recommendations(app, service)
    add_items(app, service)
    add_model(app, service)
    add_operation(app, service)
    add_page(app)
    # The last one added is the outermost.
    app.add_middleware(Admission, service=service)
    origins = settings.serving.cors_origins
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type", "X-API-Key", "Authorization"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    app.add_middleware(
        Observation, metrics=service.metrics, log_requests=settings.serving.log_requests
    )
    return app


def create_app_of_environment() -> FastAPI:
    """Make the service by the settings of the environment, as each worker does."""
    log_as_json()
    return create_app(load_settings())


def _make_service(settings: Settings, open_champion: Callable[[Champion], Served]) -> Service:
    limits = settings.serving
    metrics = Metrics()
    batcher = Batcher(
        limits.max_batch, limits.max_wait_ms / 1000, limits.deadline_ms / 1000, metrics
    )

    def loaded(served: Served, seconds: float, seconds_per_session: float) -> None:
        bundle = served.bundle
        batcher.expect(seconds_per_session)
        metrics.champion_loaded(bundle.name, bundle.kind, bundle.data_version, seconds)
        log_event(
            "champion_loaded",
            model=bundle.name,
            seconds=round(seconds, 3),
            kernel=served.kernel.get("kernel"),
            ms_per_session=round(seconds_per_session * 1000, 3),
        )

    def refused(refusal: Refusal, error: Exception) -> None:
        metrics.champion_refused()
        log_event(
            "champion_refused",
            level="error",
            model=refusal.name,
            reason=refusal.reason,
            trace=None if isinstance(error, CrossrecError) else trace_of(error),
        )

    def missed(reason: str, error: Exception) -> None:
        log_event(
            "store_not_read",
            level="error",
            store=settings.store,
            reason=reason,
            trace=None if isinstance(error, CrossrecError) else trace_of(error),
        )

    def fetched(line: str) -> None:
        log_event("champion_fetched", what=line)

    watcher = ChampionWatcher(
        settings.models_dir,
        open_champion,
        limits.poll_seconds,
        Reports(loaded, refused, missed),
        StoredChampion(settings, fetched).bring if settings.store else None,
    )
    return Service(settings, watcher, batcher, metrics)
