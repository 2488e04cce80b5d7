"""Requests in, those that may be answered now on: by API key, rate and load."""

import math
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from crossrec_pipeline.serving.api.api_keys import ApiKeys
from crossrec_pipeline.serving.api.errors import ApiError
from crossrec_pipeline.serving.api.rate_limit import RateLimit
from crossrec_pipeline.serving.api.service import Service

RECOMMENDATIONS = "/v1/recommendations"

_API = "/v1/"
_METRICS = "/metrics"


class Admission:
    """ASGI middleware that turns requests away before anything of them is read.

    Parameters
    ----------
    app
        What answers.
    service
        Its settings, load and metrics.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        settings = service.settings.serving
        self._app = app
        self._batcher = service.batcher
        self._metrics = service.metrics
        self._protect_metrics = settings.protect_metrics
        self._keys = ApiKeys(settings.api_keys) if settings.api_keys else None
        self._rates = (
            RateLimit(settings.rate_per_second, settings.rate_burst)
            if settings.rate_per_second > 0
            else None
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or have it answered."""
        if scope["type"] == "http":
            path = scope["path"]
            if path.startswith(_API) or (path == _METRICS and self._protect_metrics):
                try:
                    self._check(scope, path)
                except ApiError as refusal:
                    await refusal.response()(scope, receive, send)
                    return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, path: str) -> None:
        client = (scope.get("client") or ("",))[0]
        if self._keys is not None:
            client = self._keys.number_of(scope["headers"])
            if client is None:
                self._metrics.unauthorized()
                raise ApiError(
                    401,
                    "unauthorized",
                    "Give a known API key in the header X-API-Key, or as Authorization: Bearer.",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        if self._rates is not None:
            seconds = self._rates.seconds_until_allowed(client, time.monotonic())
            if seconds > 0:
                self._metrics.rate_limited()
                raise ApiError(
                    429,
                    "rate_limited",
                    f"This client asks too often; ask again in {seconds:.1f} s.",
                    headers={"Retry-After": str(math.ceil(seconds))},
                )
        if path == RECOMMENDATIONS and self._batcher.is_overloaded():
            scope["refused_route"] = RECOMMENDATIONS
            self._metrics.shed("overload")
            raise overloaded()


def overloaded() -> ApiError:
    """Say that more is asked than can be answered."""
    return ApiError(
        503,
        "overloaded",
        "More is asked than can be answered in time; ask again.",
        headers={"Retry-After": "1"},
    )
