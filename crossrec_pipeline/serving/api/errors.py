"""What went wrong with a request in, the answer that says so out."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from crossrec_pipeline.serving.api.answers import json_response
from crossrec_pipeline.serving.api.schemas import ErrorAnswer


class ApiError(Exception):
    """A request that cannot be answered, as the client is told.

    Parameters
    ----------
    status
        HTTP status.
    code
        Short name, for programs.
    message
        What was found, what was expected, and the remedy, for people.
    field
        Path of the field that is meant, such as ``session.3``.
    headers
        Further headers of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers

    def response(self) -> Response:
        """Make the answer."""
        return json_response(
            error_body(self.code, self.message, self.field), self.status, self.headers
        )


def error_body(code: str, message: str, field: str | None = None) -> bytes:
    """Write an `ErrorAnswer` as JSON."""
    return orjson.dumps({"error": {"code": code, "message": message, "field": field}})


def documented_errors(*statuses: int) -> dict[int | str, dict[str, object]]:
    """Describe error answers for the OpenAPI description of a route."""
    return {
        status: {"model": ErrorAnswer, "description": _MEANINGS[status]}
        for status in sorted({*statuses, 401, 429})
    }


def invalid_request(problem: Mapping[str, Any]) -> ApiError:
    """Say which field of a request was wrong, and how, by what pydantic found."""
    if problem["type"] == "json_invalid":
        detail = problem.get("ctx", {}).get("error", "not JSON")
        return ApiError(400, "malformed_json", f"The body is not valid JSON: {detail}.")
    field = ".".join(str(part) for part in problem["loc"]) or None
    context = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden":
            return ApiError(422, "unknown_field", "There is no such field.", field=field)
        case "missing":
            return ApiError(422, "missing_field", "This field is required.", field=field)
        case "too_long":
            message = (
                f"At most {context['max_length']} are allowed, not {context['actual_length']}."
            )
        case _:
            message = f"{problem['msg']}."
    return ApiError(422, "invalid_value", message, field=field)


def answer_errors(app: FastAPI) -> None:
    """Have every error that a route or the routing raises answered as an `ErrorAnswer`."""
    app.add_exception_handler(ApiError, _answer_api_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_query)


_MEANINGS = {
    400: "The body is not valid JSON.",
    401: "An API key is needed, or the given one is not known.",
    404: "There is no such thing.",
    408: "The request did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not declared to be JSON.",
    422: "A field is missing, unknown, or has an impossible value.",
    429: "This client asks too often.",
    500: "The service failed.",
    503: "No model is loaded yet, or the service is overloaded: try again later.",
}

_OF_STATUS = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method; see the header Allow."),
}


async def _answer_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, message = _OF_STATUS.get(error.status_code, ("refused", str(error.detail)))
    return json_response(error_body(code, message), error.status_code, error.headers)


async def _answer_invalid_query(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    # The first part of the path says that it is the query, or the address.
    return invalid_request({**problem, "loc": tuple(problem["loc"])[1:]}).response()
