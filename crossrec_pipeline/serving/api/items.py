"""``GET /v1/items/…``: what was typed in, items that fit out; an item id in, its details out."""

from typing import Annotated

from fastapi import FastAPI, Path, Query
from starlette.responses import Response

from crossrec_pipeline.serving.api.answers import model_response
from crossrec_pipeline.serving.api.errors import ApiError, documented_errors
from crossrec_pipeline.serving.api.recommendations import unknown_type
from crossrec_pipeline.serving.api.schemas import (
    LONGEST_ID,
    LONGEST_QUERY,
    MOST_FOUND,
    ItemDetail,
    SearchAnswer,
)
from crossrec_pipeline.serving.api.service import Service

_SUGGESTIONS = 3


def add_items(app: FastAPI, service: Service) -> None:
    """Add both routes."""

    async def search(
        q: Annotated[
            str,
            Query(
                min_length=1,
                max_length=LONGEST_QUERY,
                description="words of a title or creator, or a part of them",
                examples=["creed"],
            ),
        ],
        type_: Annotated[
            str | None,
            Query(alias="type", max_length=100, description="only this type; all by default"),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_FOUND, description="how many items")] = 10,
    ) -> Response:
        served = service.served()
        item_type = None
        if type_ is not None:
            types = served.vocabulary.types
            code = served.type_codes.get(type_.casefold())
            if code is None:
                raise unknown_type(type_, types, "type")
            item_type = types[code]
        found = served.catalogue.search(q, item_type=item_type, limit=limit)
        return model_response(SearchAnswer(items=found))

    async def item(
        item_id: Annotated[
            str, Path(max_length=LONGEST_ID, description="percent-encoded; slashes may stay")
        ],
    ) -> Response:
        served = service.served()
        detail = served.catalogue.detail(item_id)
        if detail is None:
            raise _unknown_item(service, item_id)
        return model_response(detail)

    app.add_api_route(
        "/v1/items/search",
        search,
        methods=["GET"],
        tags=["items"],
        summary="Find items by what is typed",
        response_model=SearchAnswer,
        responses=documented_errors(422, 500, 503),
    )
    app.add_api_route(
        "/v1/items/{item_id:path}",
        item,
        methods=["GET"],
        tags=["items"],
        summary="Show all that is known of an item",
        response_model=ItemDetail,
        responses=documented_errors(404, 422, 500, 503),
    )


def _unknown_item(service: Service, item_id: str) -> ApiError:
    words = item_id.partition("_")[2] or item_id
    near = service.served().catalogue.search(words[:LONGEST_QUERY], limit=_SUGGESTIONS)
    meant = f" Did you mean {', '.join(item.item_id for item in near)}?" if near else ""
    return ApiError(404, "unknown_item", f"There is no such item.{meant}")
