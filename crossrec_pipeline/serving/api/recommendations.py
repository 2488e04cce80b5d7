"""``POST /v1/recommendations``: a session in, the likeliest next items out."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.responses import Response

from crossrec_pipeline.serving.api.admission import RECOMMENDATIONS, overloaded
from crossrec_pipeline.serving.api.answers import json_response
from crossrec_pipeline.serving.api.batcher import AbandonedError, OverloadedError
from crossrec_pipeline.serving.api.body import ClientGoneError, read_json_body
from crossrec_pipeline.serving.api.disconnect import is_disconnected
from crossrec_pipeline.serving.api.errors import ApiError, documented_errors, invalid_request
from crossrec_pipeline.serving.api.schemas import RecommendationAnswer, RecommendationRequest
from crossrec_pipeline.serving.api.service import Service
from crossrec_pipeline.serving.engine.base import Query, Ranking
from crossrec_pipeline.serving.items.explain import explain
from crossrec_pipeline.serving.served import Served

_EXAMPLE = {
    "session": ["Movie_Creed III", "Movie_Mummies"],
    "top_k": 5,
    "types": ["Book", "Movie"],
    "exclude_seen": True,
    "explain": True,
}
_REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": RecommendationRequest.model_json_schema(),
            "example": _EXAMPLE,
        }
    },
}


class _DirectRoute(APIRoute):
    """A route whose function takes the request as it came and gives the finished response.

    The body is read and validated by one call of pydantic; FastAPI's own way through JSON, dicts
    and dependencies takes several times as long.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        return self.endpoint


def add_recommendations(app: FastAPI, service: Service) -> None:
    """Add the route."""
    limits = service.settings.serving

    async def recommend(request: Request) -> Response:
        served = service.served()
        body = await read_json_body(request, limits.max_body_bytes, limits.request_timeout_seconds)
        request.scope["state"]["model"] = served.bundle.name
        return json_response(await _answer(service, served, _parse(body), request))

    app.router.add_api_route(
        RECOMMENDATIONS,
        recommend,
        methods=["POST"],
        tags=["recommendations"],
        summary="Recommend what comes next after a session",
        description=(
            "Items that the model does not know are named in `unknown_items` and passed over. "
            "Where it knows none of the session, the most used items of each type are answered, "
            "and `basis` says so."
        ),
        response_model=RecommendationAnswer,
        responses=documented_errors(400, 408, 413, 415, 422, 500, 503),
        openapi_extra={"requestBody": _REQUEST_BODY},
        route_class_override=_DirectRoute,
    )


def _parse(body: bytes) -> RecommendationRequest:
    try:
        return RecommendationRequest.model_validate_json(body)
    except ValidationError as error:
        raise invalid_request(error.errors(include_url=False)[0]) from None


async def _answer(
    service: Service, served: Served, asked: RecommendationRequest, request: Request
) -> bytes:
    index_of = served.catalogue.index_of
    session: list[int] = []
    unknown: list[str] = []
    for item_id in asked.session:
        index = index_of(item_id)
        if index is None:
            unknown.append(item_id)
        else:
            session.append(index)
    types = None if asked.types is None else _type_codes(served, asked.types)
    excluded = [index for name in asked.exclude if (index := index_of(name)) is not None]
    if asked.exclude_seen:
        excluded += session
    service.metrics.session_read(len(session), len(unknown))
    answer: dict[str, Any]
    if session:
        query = Query(
            np.array(session, dtype=np.int32),
            asked.top_k,
            types,
            np.array(excluded, dtype=np.int32),
            _state(asked.state),
            asked.return_state,
            asked.explain,
        )
        answer = await _rank(service, served, query, request)
    else:
        answer = _popular(service, served, asked, types, excluded)
    missing = asked.top_k - len(answer["items"])
    if missing and answer["note"] is None:
        answer["note"] = f"Only {len(answer['items'])} items pass the filters."
    answer["model"] = served.model
    answer["unknown_items"] = list(dict.fromkeys(unknown))
    return orjson.dumps(answer)


async def _rank(service: Service, served: Served, query: Query, request: Request) -> dict[str, Any]:
    if query.state is not None:
        service.metrics.state_taken()
    try:
        ranking = await service.batcher.rank(
            served.engine, query, partial(is_disconnected, request.receive)
        )
    except OverloadedError:
        service.metrics.shed("deadline")
        raise overloaded() from None
    except AbandonedError:
        raise ClientGoneError from None
    explanations = None
    if query.wants_influence:
        explanations = [
            orjson.dumps(explain(served.catalogue, query.session, ranking, place).model_dump())
            for place in range(len(ranking.items))
        ]
    items = _items(service, served, ranking.items.tolist(), ranking.scores.tolist(), explanations)
    return {"basis": "session", "note": None, "items": items, "state": _token(service, ranking)}


def _popular(
    service: Service,
    served: Served,
    asked: RecommendationRequest,
    types: tuple[int, ...] | None,
    excluded: list[int],
) -> dict[str, Any]:
    items = served.popular.best(asked.top_k, types, excluded)
    reason = "unknown" if asked.session else "empty"
    service.metrics.fell_back(reason)
    why = "The model knows no item of the session" if asked.session else "The session is empty"
    return {
        "basis": "popularity",
        "note": f"{why}: these are the most used items of each type, the types taken in turn.",
        "items": _items(
            service, served, items, [1 / (place + 1) for place in range(len(items))], None
        ),
        "state": None,
    }


def _items(
    service: Service,
    served: Served,
    items: list[int],
    scores: list[float],
    explanations: list[bytes] | None,
) -> list[orjson.Fragment]:
    fragment_of = served.catalogue.json_fragment
    n_cached = served.catalogue.n_cached
    described = [
        orjson.Fragment(
            b'{%b,"rank":%d,"score":%b,"explanation":%b}'
            % (fragment_of(item), place, orjson.dumps(score), explanation)
        )
        for place, (item, score, explanation) in enumerate(
            zip(items, scores, explanations or [b"null"] * len(items), strict=True), start=1
        )
    ]
    n_cached = served.catalogue.n_cached - n_cached
    service.metrics.recommended(served.count_types(items), n_cached)
    return described


def _type_codes(served: Served, names: Sequence[str]) -> tuple[int, ...]:
    known = served.type_codes
    codes = []
    for place, name in enumerate(names):
        code = known.get(name.casefold())
        if code is None:
            raise unknown_type(name, served.vocabulary.types, f"types.{place}")
        codes.append(code)
    return tuple(codes)


def unknown_type(name: str, known: Sequence[str], field: str) -> ApiError:
    """Say that there are no items of a type, and which types there are."""
    return ApiError(
        422,
        "unknown_type",
        f"There is no item type {name!r}; there are {', '.join(known)}.",
        field=field,
    )


def _state(token: str | None) -> bytes | None:
    """Read a token; one that is none is passed over, as one that does not fit."""
    if token is None:
        return None
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        return None


def _token(service: Service, ranking: Ranking) -> str | None:
    if ranking.state is None:
        return None
    service.metrics.state_given()
    return base64.urlsafe_b64encode(ranking.state).rstrip(b"=").decode()
