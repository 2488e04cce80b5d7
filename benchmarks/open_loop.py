"""Requests and a rate in; what became of each request out.

Open loop, as in wrk2: requests are due at fixed times whether or not the server keeps up, and each
is timed from when it was due. A server that stalls is charged for everything that had to wait.
"""

import select
import socket
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_PATIENCE_SECONDS = 5.0
OK = 200


@dataclass(frozen=True)
class Outcome:
    """What became of the requests of one run.

    Attributes
    ----------
    seconds
        How long requests were due.
    statuses
        How many answers had each status.
    lost
        Requests without an answer: connections that broke, or no answer within five seconds.
    served_ms, refused_ms
        Milliseconds from due to answered, of status 200 and of all others, float64 [n].
    served_at
        Seconds from the start at which each served one was answered, float64 [n].
    """

    seconds: float
    statuses: dict[int, int]
    lost: int
    served_ms: np.ndarray
    refused_ms: np.ndarray
    served_at: np.ndarray

    @property
    def errors(self) -> int:
        """Requests that were not answered with status 200."""
        return self.lost + sum(n for status, n in self.statuses.items() if status != OK)

    def percentile(self, share: float) -> float:
        """Return a percentile of the served ones' milliseconds; NaN where none was served."""
        return float(np.percentile(self.served_ms, share)) if len(self.served_ms) else float("nan")

    def __str__(self) -> str:
        served = len(self.served_ms) / self.seconds
        others = {status: n for status, n in self.statuses.items() if status != OK}
        return (
            f"{served:7,.0f} served/s, p50 {self.percentile(50):7.2f}, p90 "
            f"{self.percentile(90):7.2f}, p99 {self.percentile(99):7.2f} ms, lost {self.lost}"
            + (f", other answers {others}" if others else "")
        )


class _Connection:
    """A kept-alive connection with at most one request under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=_PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due: float | None = None
        self._received = b""

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.socket.sendall(request)

    def answer(self) -> tuple[int, bool] | None:
        """Read what has come; return status and whether the connection stays, when it is whole.

        Raises
        ------
        ConnectionError
            If the connection was closed.
        """
        part = self.socket.recv(1 << 18)
        if not part:
            raise ConnectionResetError
        self._received += part
        head_end = self._received.find(_HEAD_END)
        if head_end < 0:
            return None
        head = self._received[:head_end].lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._received) < head_end + len(_HEAD_END) + length:
            return None
        self._received = b""
        self.due = None
        return int(head[9:12]), b"connection: close" not in head


def post(path: str, body: bytes) -> bytes:
    """Write an HTTP request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def offer(
    address: tuple[str, int],
    requests: Sequence[bytes],
    *,
    rate: float,
    seconds: float,
    n_connections: int = 64,
) -> Outcome:
    """Offer requests, over and over, at a fixed rate; it takes a core of its own.

    Parameters
    ----------
    address
        Of the server.
    requests
        Whole HTTP requests.
    rate
        Requests a second.
    seconds
        How long.
    n_connections
        Requests under way at most; what is due beyond that waits, and its time counts.
    """
    run = _Run(address, n_connections)
    start = time.perf_counter()
    n_due, n_all = 0, round(rate * seconds)
    while n_due < n_all or run.busy:
        now = time.perf_counter()
        while n_due < n_all and start + n_due / rate <= now:
            run.waiting.append((requests[n_due % len(requests)], start + n_due / rate))
            n_due += 1
        run.turn(start)
        if now > start + seconds + _PATIENCE_SECONDS:
            break
    return run.outcome(seconds, n_all)


class _Run:
    """Connections, what waits for one, and what was answered."""

    def __init__(self, address: tuple[str, int], n_connections: int) -> None:
        self._address = address
        self._poll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._idle: list[_Connection] = []
        self._missing = 0
        self.waiting: deque[tuple[bytes, float]] = deque()
        self._statuses: Counter[int] = Counter()
        self._served: list[tuple[float, float]] = []
        self._refused: list[float] = []
        for _ in range(n_connections):
            self._connect()

    @property
    def busy(self) -> bool:
        return bool(self.waiting) or len(self._idle) < len(self._connections)

    def turn(self, start: float) -> None:
        """Send what can be sent, and take what has come."""
        while self._missing and self._connect():
            self._missing -= 1
        while self.waiting and self._idle:
            connection = self._idle.pop()
            request, due = self.waiting.popleft()
            try:
                connection.send(request, due)
            except OSError:
                self._drop(connection)
        for number, _ in self._poll.poll(0):
            self._take(self._connections[number], start)

    def _take(self, connection: _Connection, start: float) -> None:
        due = connection.due
        try:
            answer = connection.answer()
        except OSError:
            self._drop(connection)
            return
        if answer is None or due is None:
            return
        status, stays = answer
        now = time.perf_counter()
        self._statuses[status] += 1
        if status == OK:
            self._served.append((now - start, (now - due) * 1e3))
        else:
            self._refused.append((now - due) * 1e3)
        if stays:
            self._idle.append(connection)
        else:
            self._drop(connection)

    def _connect(self) -> bool:
        try:
            connection = _Connection(self._address)
        except OSError:
            return False
        self._connections[connection.socket.fileno()] = connection
        self._poll.register(connection.socket.fileno(), select.EPOLLIN)
        self._idle.append(connection)
        return True

    def _drop(self, connection: _Connection) -> None:
        self._poll.unregister(connection.socket.fileno())
        del self._connections[connection.socket.fileno()]
        if connection in self._idle:
            self._idle.remove(connection)
        connection.socket.close()
        self._missing += 1

    def outcome(self, seconds: float, n_all: int) -> Outcome:
        for connection in list(self._connections.values()):
            connection.socket.close()
        self._poll.close()
        served = np.array(self._served, dtype=np.float64).reshape(-1, 2)
        answered = sum(self._statuses.values())
        return Outcome(
            seconds,
            dict(self._statuses),
            n_all - answered,
            served[:, 1],
            np.array(self._refused),
            served[:, 0],
        )
