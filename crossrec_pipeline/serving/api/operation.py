"""``/healthz``, ``/readyz`` and ``/metrics``: for those who run the service."""

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from crossrec_pipeline.serving.api.answers import model_response
from crossrec_pipeline.serving.api.errors import documented_errors
from crossrec_pipeline.serving.api.schemas import Health
from crossrec_pipeline.serving.api.service import Service


def add_operation(app: FastAPI, service: Service) -> None:
    """Add the routes."""

    async def healthz() -> Response:
        return model_response(Health(status="ok"))

    async def readyz() -> Response:
        return model_response(Health(status="ready", model=service.served().bundle.name))

    async def metrics() -> Response:
        return Response(service.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route(
        "/healthz",
        healthz,
        methods=["GET"],
        tags=["operation"],
        summary="Say that the process lives",
        response_model=Health,
    )
    app.add_api_route(
        "/readyz",
        readyz,
        methods=["GET"],
        tags=["operation"],
        summary="Say whether a model is loaded and warm",
        response_model=Health,
        responses={503: documented_errors(503)[503]},
    )
    app.add_api_route(
        "/metrics",
        metrics,
        methods=["GET"],
        tags=["operation"],
        summary="Metrics in Prometheus' text format",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
            401: documented_errors()[401],
        },
    )
