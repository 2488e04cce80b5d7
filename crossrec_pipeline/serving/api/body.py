"""The body of a request in, its bytes out: within a size and a time."""

import asyncio
import re

from starlette.requests import Request
from starlette.types import Message

from crossrec_pipeline.serving.api.errors import ApiError

_JSON_TYPE = re.compile(r"application/([\w.+-]+\+)?json\s*(;|$)", re.IGNORECASE)


class ClientGoneError(Exception):
    """The client closed the connection; nobody waits for an answer."""


async def read_json_body(request: Request, max_bytes: int, timeout_seconds: float) -> bytes:
    """Read a body that is declared to be JSON.

    Raises
    ------
    ApiError
        415 for another content type, 413 for a body that is too large, 408 for one that does not
        arrive in time.
    ClientGoneError
        If the connection is closed before the body is whole.
    """
    content_type = request.headers.get("content-type", "")
    if not _JSON_TYPE.match(content_type):
        raise ApiError(
            415,
            "unsupported_media_type",
            f"The content type is {content_type[:100]!r}; it must be application/json.",
        )
    _check_declared_length(request, max_bytes)
    message = await _next(request, timeout_seconds)
    body = message.get("body", b"")
    if message.get("more_body"):
        body = await _read_rest(request, body, max_bytes, timeout_seconds)
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


def _check_declared_length(request: Request, max_bytes: int) -> None:
    """Refuse a body by what its header says of it."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise _too_large(max_bytes)


async def _read_rest(
    request: Request, begin: bytes, max_bytes: int, timeout_seconds: float
) -> bytes:
    parts, size = [begin], len(begin)
    until = asyncio.get_running_loop().time() + timeout_seconds
    while size <= max_bytes:
        message = await _next(request, until - asyncio.get_running_loop().time())
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body"):
            break
    return b"".join(parts)


async def _next(request: Request, timeout_seconds: float) -> Message:
    try:
        async with asyncio.timeout(timeout_seconds):
            message = await request.receive()
    except TimeoutError:
        raise ApiError(
            408,
            "timeout",
            "The body did not arrive in time.",
            headers={"Connection": "close"},
        ) from None
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    return message


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(
        413,
        "too_large",
        f"The body has more than {max_bytes} bytes; send fewer or shorter items.",
        headers={"Connection": "close"},
    )
