"""``GET /v1/model``: what is served, how it was made, and what it was measured to do."""

from fastapi import FastAPI
from starlette.responses import Response

from crossrec_pipeline.serving.api.answers import model_response
from crossrec_pipeline.serving.api.errors import documented_errors
from crossrec_pipeline.serving.api.schemas import ModelAnswer, RefusedChampion
from crossrec_pipeline.serving.api.service import Service


def add_model(app: FastAPI, service: Service) -> None:
    """Add the route."""

    async def model() -> Response:
        served = service.served()
        refusal = service.watcher.refusal
        return model_response(
            ModelAnswer(
                name=served.bundle.name,
                kind=served.bundle.kind,
                version=served.bundle.version,
                data_version=served.bundle.data_version,
                promoted_at=served.champion.promoted_at,
                reason=served.champion.reason,
                types=served.vocabulary.types,
                n_items=served.vocabulary.n_items,
                added=served.export.added,
                kernel=served.kernel,
                card=served.card,
                evaluation=served.evaluation,
                refused=refusal and RefusedChampion(name=refusal.name, reason=refusal.reason),
            )
        )

    app.add_api_route(
        "/v1/model",
        model,
        methods=["GET"],
        tags=["model"],
        summary="Describe the served model",
        response_model=ModelAnswer,
        responses=documented_errors(500, 503),
    )
