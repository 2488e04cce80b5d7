"""JSON in, HTTP responses out."""

from collections.abc import Mapping

import orjson
from pydantic import BaseModel
from starlette.responses import Response

_JSON = "application/json"


def json_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Make a response of finished JSON."""
    return Response(body, status, headers, _JSON)


def model_response(answer: BaseModel, status: int = 200) -> Response:
    """Make a response of one of the schemas."""
    return json_response(orjson.dumps(answer.model_dump()), status)
