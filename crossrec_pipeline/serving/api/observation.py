"""Every request passes here: it gets an id, safe headers, a place in metrics and log."""

import itertools
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossrec_pipeline.serving.api.body import ClientGoneError
from crossrec_pipeline.serving.api.errors import ApiError
from crossrec_pipeline.serving.api.log import log_event, trace_of
from crossrec_pipeline.serving.api.metrics import Metrics

CLIENT_GONE = 499
"""Status in metrics and log of a request that nobody waited for, after nginx."""

_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_SAFE_HEADERS = [
    (b"content-security-policy", _CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]


class Observation:
    """ASGI middleware, outside all others.

    Parameters
    ----------
    app
        What answers.
    metrics
        Counts.
    log_requests
        Write a line for each request.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, log_requests: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._log_requests = log_requests
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        request_id = f"{self._prefix}-{next(self._numbers):x}"
        status, n_bytes = 0, 0

        async def send_observed(message: Message) -> None:
            nonlocal status, n_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    *_SAFE_HEADERS,
                    (b"x-request-id", request_id.encode()),
                ]
            else:
                n_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_observed)
        except ClientGoneError:
            status = CLIENT_GONE
        except Exception as error:
            log_event(
                "request_failed",
                level="error",
                id=request_id,
                error=f"{type(error).__name__}: {error}",
                trace=trace_of(error),
            )
            if status != 0:
                raise  # the answer is broken off, which the client sees
            failure = ApiError(500, "internal", f"The service failed; it logged {request_id}.")
            await failure.response()(scope, receive, send_observed)
        seconds = time.perf_counter() - begin
        route = _route(scope)
        self._metrics.request_done(route, status, seconds)
        if self._log_requests:
            log_event(
                "request",
                id=request_id,
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 3),
                bytes=n_bytes,
                model=scope.get("state", {}).get("model"),
            )


def _route(scope: Scope) -> str:
    """Name the route by its template: an address as given may hold anything."""
    route = scope.get("route")
    return getattr(route, "path", None) or scope.get("refused_route", "other")
