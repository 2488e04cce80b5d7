"""Test sessions and a running service in; whether it answers as its model does offline, out."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.models.base import top_k
from crossrec_pipeline.models.registry import LoadedBundle

TOP_K = 20
NEAR_TIE = 1e-5
"""Scores that differ by less, relative to the larger, may stand in either order."""
LEAST_RECALL = 0.99
"""Of the exact top 20, where the service says that its kernel is approximate."""

_CONNECTIONS = 4
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.1
_SCORED_AT_ONCE = 256


@dataclass(frozen=True)
class Service:
    """Where a service listens.

    Attributes
    ----------
    url
        Such as ``http://127.0.0.1:8000``.
    api_key
        One that it takes, where it asks for one.
    """

    url: str
    api_key: str | None = None


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    Attributes
    ----------
    model
        The model that answers, ``<kind>/<version>``.
    kernel
        What ranks there, by its own account.
    n_predictions
        Beginnings of sessions that were asked about.
    n_equal
        Those whose list is the offline one, but for near ties.
    recall
        Mean share of the offline top 20 that was answered.
    first_difference
        What the first list that differs is of, in words; None without any.
    """

    model: str
    kernel: dict[str, Any]
    n_predictions: int
    n_equal: int
    recall: float
    first_difference: str | None

    @property
    def is_exact(self) -> bool:
        """Whether the service says that its kernel finds the exact top 20."""
        return float(self.kernel.get("recall", 1.0)) >= 1.0

    @property
    def passed(self) -> bool:
        """Whether an exact kernel answers as the model does, and another nearly so."""
        if self.n_predictions == 0:
            return True
        if self.is_exact:
            return self.n_equal == self.n_predictions
        return self.recall >= LEAST_RECALL


def replay(service: Service, loaded: LoadedBundle, sessions: Sequence[Sequence[str]]) -> Replay:
    """Ask a service what comes next after every beginning of sessions, and compare.

    Every second session is followed as a client does that keeps the state of its last answer.

    Parameters
    ----------
    service
        Where to ask.
    loaded
        The model that should answer, with the items that came after its training. A service that
        has not taken them up yet is waited for.
    sessions
        Item ids, oldest first. What the model does not know is passed over, as a service does.

    Raises
    ------
    EvaluationError
        If the service cannot be reached, refuses a request, or answers with another model or
        number of items.
    """
    vocabulary = loaded.vocabulary
    known = [[item_id for item_id in session if item_id in vocabulary] for session in sessions]
    known = [session for session in known if session]
    with _Asker(service, loaded) as asker:
        described = asker.model()
    n_threads = max(1, min(_CONNECTIONS, len(known)))
    with ThreadPoolExecutor(n_threads) as threads:
        parts = [
            threads.submit(_follow_all, service, loaded, known[part::n_threads])
            for part in range(n_threads)
        ]
        answers = [answer for part in parts for answer in part.result()]
    comparisons = list(_compare(loaded, answers))
    differences = [said for said, _ in comparisons if said is not None]
    return Replay(
        model=described["name"],
        kernel=described["kernel"],
        n_predictions=len(comparisons),
        n_equal=len(comparisons) - len(differences),
        recall=float(np.mean([found for _, found in comparisons])) if comparisons else 1.0,
        first_difference=next(iter(differences), None),
    )


_Answer = tuple[list[str], list[str]]
"""A beginning of a session, and what was recommended after it."""


def _follow_all(
    service: Service, loaded: LoadedBundle, sessions: Sequence[Sequence[str]]
) -> list[_Answer]:
    answers: list[_Answer] = []
    with _Asker(service, loaded) as asker:
        for number, session in enumerate(sessions):
            keeps_state, state = number % 2 == 1, None
            for length in range(1, len(session) + 1):
                beginning = list(session[:length])
                items, state = asker.recommendations(beginning, state, keeps_state=keeps_state)
                answers.append((beginning, items))
    return answers


class _Asker:
    """One connection to a service, which must answer with one model."""

    def __init__(self, service: Service, loaded: LoadedBundle) -> None:
        parts = urlsplit(service.url)
        connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._url = service.url
        self._path = parts.path.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if service.api_key is not None:
            self._headers["X-API-Key"] = service.api_key
        self._expected = loaded.bundle
        self._n_items = loaded.vocabulary.n_items
        self._connection = connect(parts.netloc, timeout=_PATIENCE_SECONDS)

    def __enter__(self) -> "_Asker":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def model(self) -> dict[str, Any]:
        """Describe the model; an export that was just made is taken up within moments."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            described = self._ask("GET", "/v1/model")
            self._check_model(described)
            if described["n_items"] == self._n_items:
                return described
            if time.monotonic() > deadline:
                raise EvaluationError(
                    f"{self._url} answers with {described['n_items']:,} items of "
                    f"{described['name']}, not with the {self._n_items:,} of its export. See its "
                    "log for why it has not taken the export up, or start it again."
                )
            time.sleep(_PAUSE_SECONDS)

    def recommendations(
        self, session: list[str], state: str | None, *, keeps_state: bool
    ) -> tuple[list[str], str | None]:
        asked = {"session": session, "top_k": TOP_K, "state": state, "return_state": keeps_state}
        answer = self._ask("POST", "/v1/recommendations", json.dumps(asked))
        self._check_model(answer["model"])
        return [item["item_id"] for item in answer["items"]], answer["state"]

    def _check_model(self, named: dict[str, Any]) -> None:
        if named["data_version"] != self._expected.data_version:
            raise EvaluationError(
                f"{self._url} answers with {named['name']} ({named['data_version']}), not with "
                f"{self._expected.name} ({self._expected.data_version}). See its log for why it "
                "has not taken the champion up, or start it again."
            )

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        """Ask once, and again while the service says that it has too much to do."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._connection.request(method, self._path + path, body, self._headers)
                response = self._connection.getresponse()
                content = response.read()
            except (OSError, HTTPException) as error:
                raise EvaluationError(
                    f"{self._url} cannot be asked ({error}). Start it with `crossrec serve`, or "
                    "correct CROSSREC_SERVING__CHECK_URL."
                ) from error
            if response.status == HTTPStatus.OK:
                return json.loads(content)
            if response.status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise EvaluationError(
                    f"{self._url} answers {method} {path} with {response.status}: "
                    f"{content.decode(errors='replace')[:300]}"
                )
            time.sleep(_PAUSE_SECONDS)


def _compare(loaded: LoadedBundle, answers: list[_Answer]) -> Iterator[tuple[str | None, float]]:
    """Say of each answer what differs from the offline list, and how much of that it has."""
    vocabulary = loaded.vocabulary
    for begin in range(0, len(answers), _SCORED_AT_ONCE):
        block = answers[begin : begin + _SCORED_AT_ONCE]
        scores = loaded.model.score([vocabulary.encode(session) for session, _ in block])
        best, _ = top_k(scores, TOP_K)
        for (session, items), row, expected in zip(block, scores, best, strict=True):
            if unknown := next((item for item in items if item not in vocabulary), None):
                yield f"after {session}: {unknown!r}, which is not known offline", 0.0
                continue
            given = vocabulary.encode(items)
            found = len(np.intersect1d(given, expected)) / len(expected)
            if _is_same_list(given, expected, row):
                yield None, found
            else:
                wanted = [vocabulary.item_ids[item] for item in expected]
                yield f"after {session}: {items} instead of {wanted}", found


def _is_same_list(given: np.ndarray, expected: np.ndarray, scores: np.ndarray) -> bool:
    """Say whether two lists are equal, but for the order of items that score nearly the same."""
    if len(given) != len(expected) or len(set(given.tolist())) < len(given):
        return False
    theirs, ours = scores[given].astype(np.float64), scores[expected].astype(np.float64)
    nearly = np.abs(theirs - ours) <= NEAR_TIE * np.maximum(np.abs(theirs), np.abs(ours))
    return bool(np.all((given == expected) | nearly))
