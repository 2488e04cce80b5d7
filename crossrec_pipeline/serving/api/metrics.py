"""What happens in the service in, Prometheus metrics out."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder through which several workers add up their metrics; read by the client library
when it is imported."""

_Labelled = TypeVar("_Labelled", Counter, Histogram)

_SECONDS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_QUEUE_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """All metrics of one application."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Histogram(
            "crossrec_request_seconds",
            "Time from the request's headers to the end of the answer.",
            ["route", "status"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._queue_seconds = Histogram(
            "crossrec_queue_seconds",
            "Time a query waited for the engine.",
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )
        self._batch_size = Histogram(
            "crossrec_batch_size", "Queries ranked at once.", buckets=_SIZES, registry=registry
        )
        self._engine_seconds = Histogram(
            "crossrec_engine_seconds",
            "Time the engine took for a batch.",
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )
        self._queue_length = Gauge(
            "crossrec_queue_length",
            "Queries that wait, or are being ranked.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._shed = Counter(
            "crossrec_shed", "Requests turned away.", ["reason"], registry=registry
        )
        self._rate_limited = Counter(
            "crossrec_rate_limited", "Requests of clients that asked too often.", registry=registry
        )
        self._unauthorized = Counter(
            "crossrec_unauthorized", "Requests without a known API key.", registry=registry
        )
        self._session_items = Counter(
            "crossrec_session_items",
            "Items of sessions, by whether the model knows them.",
            ["known"],
            registry=registry,
        )
        self._recommended = Counter(
            "crossrec_recommended_items", "Recommended items.", ["type"], registry=registry
        )
        self._fallbacks = Counter(
            "crossrec_fallbacks",
            "Answers by popularity, the session being empty or unknown.",
            ["session"],
            registry=registry,
        )
        self._states = Counter(
            "crossrec_state_tokens", "State tokens taken and given.", ["event"], registry=registry
        )
        self._item_cache = Counter(
            "crossrec_item_cache", "Look-ups of items to show.", ["result"], registry=registry
        )
        self._model = Gauge(
            "crossrec_model_info",
            "1 for the model that is served.",
            ["name", "kind", "data_version"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._loads = Counter(
            "crossrec_champion_loads", "Champions that were loaded.", registry=registry
        )
        self._refusals = Counter(
            "crossrec_champion_refusals", "Champions that could not be loaded.", registry=registry
        )
        self._load_seconds = Gauge(
            "crossrec_champion_load_seconds",
            "Time that loading and warming the served model took.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._served: tuple[str, str, str] | None = None
        self._children: dict[tuple[Any, ...], Any] = {}

    def request_done(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._child(self._requests, route, status).observe(seconds)

    def batch_started(self, queued_seconds: Sequence[float], n_waiting: int) -> None:
        """Count a batch that goes to the engine."""
        self._batch_size.observe(len(queued_seconds))
        self._queue_length.set(len(queued_seconds) + n_waiting)
        for seconds in queued_seconds:
            self._queue_seconds.observe(seconds)

    def batch_ranked(self, seconds: float, n_waiting: int) -> None:
        """Count a batch that the engine is done with."""
        self._engine_seconds.observe(seconds)
        self._queue_length.set(n_waiting)

    def shed(self, reason: str) -> None:
        """Count a request that was turned away."""
        self._child(self._shed, reason).inc()

    def rate_limited(self) -> None:
        """Count a request of a client that asks too often."""
        self._rate_limited.inc()

    def unauthorized(self) -> None:
        """Count a request without a known key."""
        self._unauthorized.inc()

    def session_read(self, n_known: int, n_unknown: int) -> None:
        """Count the items of a session."""
        self._child(self._session_items, "yes").inc(n_known)
        if n_unknown:
            self._child(self._session_items, "no").inc(n_unknown)

    def recommended(self, n_by_type: Mapping[str, int], n_cached: int) -> None:
        """Count the items of an answer, and those of them that were at hand."""
        for item_type, n_items in n_by_type.items():
            self._child(self._recommended, item_type).inc(n_items)
        self._child(self._item_cache, "hit").inc(n_cached)
        if n_missed := sum(n_by_type.values()) - n_cached:
            self._child(self._item_cache, "miss").inc(n_missed)

    def fell_back(self, session: str) -> None:
        """Count an answer by popularity."""
        self._child(self._fallbacks, session).inc()

    def state_taken(self) -> None:
        """Count a token that a request brought."""
        self._child(self._states, "taken").inc()

    def state_given(self) -> None:
        """Count a token that an answer carries."""
        self._child(self._states, "given").inc()

    def champion_loaded(self, name: str, kind: str, data_version: str, seconds: float) -> None:
        """Note which model is served from now on."""
        if self._served is not None:
            self._model.labels(*self._served).set(0)
        self._served = (name, kind, data_version)
        self._model.labels(*self._served).set(1)
        self._loads.inc()
        self._load_seconds.set(seconds)

    def champion_refused(self) -> None:
        """Count a champion that could not be loaded."""
        self._refusals.inc()

    def _child(self, metric: _Labelled, *labels: str | int) -> _Labelled:
        """Return a metric at these labels; kept, for looking it up takes longer than counting."""
        key = (metric, *labels)
        if key not in self._children:
            self._children[key] = metric.labels(*labels)
        return self._children[key]

    def exposition(self) -> bytes:
        """Write all metrics in Prometheus' text format, added up over all workers."""
        if MULTIPROCESS_DIR not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)
