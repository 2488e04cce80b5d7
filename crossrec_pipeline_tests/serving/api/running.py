"""A small trained world, and a real server of it on a free port."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import uvicorn

from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.promotions import Champion
from crossrec_pipeline.models.registry import Bundle, promote, save_bundle
from crossrec_pipeline.serving.api.app import create_app
from crossrec_pipeline.serving.api.server import server_config
from crossrec_pipeline.serving.engine.base import Query, Ranking
from crossrec_pipeline.serving.served import Served, open_served
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import Settings, load_settings

ITEM_IDS = (
    "Movie_A",
    "Movie_B",
    "Music_C",
    "Music_D",
    "Book_E",
    "Movie_Face/Off",
    "Book_Why? #1",
    "Music_100%",
)
# After A: B twice, C once. Events: A 3, B 3, C 2, D 2, E 2, Face/Off 1, Why? 1, 100% 2.
TRAIN = ((0, 1), (0, 1), (0, 2), (1, 2), (3, 4), (3, 4), (5, 6), (7, 7))


def vocabulary(train: Sequence[Sequence[int]] = TRAIN) -> Vocabulary:
    """Items with their events in train."""
    return Vocabulary.from_items(
        pl.DataFrame(
            {
                "item_id": ITEM_IDS,
                "item_type": [item_id.partition("_")[0] for item_id in ITEM_IDS],
                "title": [item_id.partition("_")[2] for item_id in ITEM_IDS],
                "support": np.bincount(np.concatenate(train), minlength=len(ITEM_IDS)),
            }
        )
    )


def save_model(data_dir: Path, train: Sequence[Sequence[int]] = TRAIN) -> Bundle:
    """Train on sessions and save; nothing is promoted."""
    known = vocabulary(train)
    model = Markov()
    model.fit(SessionStore.from_sequences([list(session) for session in train]), known)
    return save_bundle(model, known, data_dir / "models", inputs={})


def promote_model(data_dir: Path, train: Sequence[Sequence[int]] = TRAIN) -> Bundle:
    """Train on sessions, save and promote."""
    bundle = save_model(data_dir, train)
    promote(data_dir / "models", bundle, reason="better")
    return bundle


def settings_of(data_dir: Path, **serving: Any) -> Settings:
    """Settings of a server that looks for champions often and writes no log."""
    return load_settings(
        data_dir=data_dir, serving={"poll_seconds": 0.05, "log_requests": False, **serving}
    )


@contextmanager
def running(
    settings: Settings, open_champion: Callable[[Champion], Served] | None = None
) -> Iterator[str]:
    """Run a server in a thread; yield its address once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app(settings, open_champion)
        server = uvicorn.Server(server_config(settings.serving, app))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            httpx.get(address + "/healthz", timeout=30)
            yield address
        finally:
            server.should_exit = True
            thread.join()


def port_of(address: str) -> int:
    """Return the port of a server's address."""
    return int(address.rpartition(":")[2])


def read_answer(connection: socket.socket) -> bytes:
    """Read one answer whole, or what came before the connection was closed."""
    received = b""
    while b"\r\n\r\n" not in received or len(received) < _whole_length(received):
        part = connection.recv(65_536)
        if not part:
            break
        received += part
    return received


def _whole_length(received: bytes) -> int:
    head = received.partition(b"\r\n\r\n")[0]
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return len(head) + 4 + length


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something holds, which it must before long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to hold"
        time.sleep(0.01)


class Askers:
    """Clients that ask for recommendations without a pause, and keep what they were answered."""

    def __init__(self, address: str, asked: dict[str, Any], n_clients: int) -> None:
        self._asked = asked
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(address,)) for _ in range(n_clients)
        ]

    def __enter__(self) -> "Askers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, address: str) -> None:
        with httpx.Client(base_url=address, timeout=30) as client:
            while not self._stopped.is_set():
                answer = client.post("/v1/recommendations", json=self._asked)
                self.answers.append((answer.status_code, answer.json()))


class SteeredEngine:
    """Ranks the first items: when it has leave, as fast as it should, unless it is poisoned.

    Attributes
    ----------
    leave
        Set while it may rank.
    seconds
        How long it takes for each query.
    poison
        Item index that no session may begin with: it fails.
    batches
        What it was asked so far.
    """

    def __init__(self) -> None:
        self.leave = threading.Event()
        self.leave.set()
        self.seconds = 0.0
        self.poison: int | None = None
        self.batches: list[list[Query]] = []

    def rank(self, queries: Sequence[Query]) -> list[Ranking]:
        """Answer each query; see `Engine`."""
        self.batches.append(list(queries))
        self.leave.wait(10)
        time.sleep(self.seconds * len(queries))
        if any(query.session[0] == self.poison for query in queries):
            raise ValueError("poisoned")
        return [
            Ranking(
                np.arange(min(query.top_k, 5), dtype=np.int32),
                np.linspace(1, 0, min(query.top_k, 5), dtype=np.float32),
                state=b"a state" if query.wants_state else None,
                influence=np.ones((min(query.top_k, 5), len(query.session)), dtype=np.float32),
            )
            for query in queries
        ]

    def description(self) -> dict[str, Any]:
        """Say what ranks; see `Engine`."""
        return {"kernel": "steered", "recall": 1.0}


def steered(engine: SteeredEngine, data_dir: Path) -> Callable[[Champion], Served]:
    """Open champions as usual, but rank by this engine."""

    def open_champion(champion: Champion) -> Served:
        served = open_served(champion, data_dir / "models", data_dir / "serving")
        return replace(served, engine=engine)

    return open_champion
