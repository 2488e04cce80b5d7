"""Single queries in, rankings out: whatever waits while a batch is ranked is the next batch."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from statistics import median
from typing import Protocol

from crossrec_pipeline.serving.api.loop_lag import LoopLag
from crossrec_pipeline.serving.engine.base import Engine, Query, Ranking

_MEASURED_BATCHES = 9
_SWEEP_SECONDS = 0.1
_STANDING_SECONDS = 0.5
"""A queue that was first too long this time ago stands."""
_CALM_SECONDS = 1.0
"""A queue that was not too long for this time does not stand any more."""
_LONGEST_BURST = 4
"""A queue that is longer than so many times the bound is too long at once."""


class BatchObserver(Protocol):
    """Is told what a batcher does."""

    def batch_started(self, queued_seconds: Sequence[float], n_waiting: int) -> None:
        """Hear that a batch goes to the engine, how long each query has waited, how many wait."""
        ...

    def batch_ranked(self, seconds: float, n_waiting: int) -> None:
        """Hear that the engine is done with a batch, how long it took, and how many wait."""
        ...


class OverloadedError(Exception):
    """A query was not ranked in time, or would not have been."""


class AbandonedError(Exception):
    """Nobody waits for this query any more."""


class RankingError(Exception):
    """The engine failed on this query."""


@dataclass(eq=False, slots=True)
class _Ticket:
    engine: Engine
    query: Query
    units: int
    is_abandoned: Callable[[], bool]
    answer: asyncio.Future[Ranking]
    queued_at: float
    expires_at: float


@dataclass(eq=False, slots=True)
class _Batch:
    tickets: list[_Ticket]
    units: int
    started_at: float
    results: list[Ranking | Exception] = field(default_factory=list)
    engine_seconds: float = 0.0


class Batcher:
    """Ranks by one thread, as many queries at once as there are.

    All methods but `expect` are for one event loop.

    Parameters
    ----------
    max_batch
        Queries ranked at once; one that asks for influence counts as one more for each event of
        its session, and is never split.
    max_wait_seconds
        A query that would wait longer is refused, unless the queue is too long only for a moment.
    deadline_seconds
        A query that has no answer after this time is given up.
    observer
        Is told of every batch.
    """

    def __init__(
        self,
        max_batch: int,
        max_wait_seconds: float,
        deadline_seconds: float,
        observer: BatchObserver,
    ) -> None:
        self._max_batch = max_batch
        self._max_wait_seconds = max_wait_seconds
        self._deadline_seconds = deadline_seconds
        self._observer = observer
        self._lag = LoopLag()
        self._waiting: deque[_Ticket] = deque()
        self._waiting_units = 0
        self._under_way: _Batch | None = None
        self._is_scheduled = False
        self._measured: deque[float] = deque(maxlen=_MEASURED_BATCHES)
        self._seconds_per_unit = 0.001
        self._done_at = 0.0
        self._long_since = self._long_until = -math.inf
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._rank_batches, name="engine", daemon=True)

    def start(self) -> None:
        """Begin to rank; call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._lag.start()
        self._thread.start()

    async def stop(self) -> None:
        """Finish what waits, then end the thread."""
        while self._waiting or self._under_way:
            await asyncio.sleep(0.01)
        self._lag.stop()
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def n_waiting(self) -> int:
        """Queries that wait for the engine."""
        return len(self._waiting)

    @property
    def seconds_per_unit(self) -> float:
        """Time that one query took of late, as part of a batch."""
        return self._seconds_per_unit

    def expect(self, seconds_per_unit: float) -> None:
        """Say how long one query of a new model is likely to take, before any was measured."""
        self._measured = deque(maxlen=_MEASURED_BATCHES)
        self._seconds_per_unit = seconds_per_unit

    def wait_seconds(self) -> float:
        """Estimate how long a query that came now would wait, and how long it did already."""
        units, elapsed = self._waiting_units, 0.0
        if self._under_way is not None:
            units += self._under_way.units
            elapsed = self._loop.time() - self._under_way.started_at
        queue_seconds = max(0.0, units * self._seconds_per_unit - elapsed)
        return queue_seconds + self._lag.seconds()

    def is_overloaded(self) -> bool:
        """Say whether a query that came now would be refused.

        A short burst, or a pause of the process, is worked off; a queue that stands is not (Nichols
        & Jacobson, "Controlling queue delay", 2012).
        """
        wait, now = self.wait_seconds(), self._loop.time()
        if wait <= self._max_wait_seconds:
            return False
        # Shedding itself brings the wait below the bound now and then: that is no end of overload.
        if now - self._long_until > _CALM_SECONDS:
            self._long_since = now
        self._long_until = now
        stands = now - self._long_since >= _STANDING_SECONDS
        return stands or wait > _LONGEST_BURST * self._max_wait_seconds

    async def rank(self, engine: Engine, query: Query, is_abandoned: Callable[[], bool]) -> Ranking:
        """Rank one query, together with whatever else waits for the same engine.

        Parameters
        ----------
        engine
            Of the model that answers this request.
        query
            What to rank.
        is_abandoned
            Asked right before ranking, if the query had to wait.

        Raises
        ------
        OverloadedError
            If the deadline passed.
        AbandonedError
            If nobody waits for the answer.
        RankingError
            If the engine fails on this query.
        """
        now = self._loop.time()
        ticket = _Ticket(
            engine,
            query,
            _units(query),
            is_abandoned,
            self._loop.create_future(),
            now,
            now + self._deadline_seconds,
        )
        self._waiting.append(ticket)
        self._waiting_units += ticket.units
        self._schedule()
        return await ticket.answer

    def _schedule(self) -> None:
        # Not at once: requests that came in together are ranked together.
        if self._under_way is None and not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._start_batch)

    def _start_batch(self) -> None:
        self._is_scheduled = False
        now = self._loop.time()
        tickets, units = self._take(now)
        if not tickets:
            return
        self._under_way = batch = _Batch(tickets, units, now)
        self._observer.batch_started(
            [now - ticket.queued_at for ticket in tickets], len(self._waiting)
        )
        self._batches.put(batch)
        self._loop.call_later(_SWEEP_SECONDS, self._expire, batch)

    def _take(self, now: float) -> tuple[list[_Ticket], int]:
        """Take what is to be ranked next: of one engine, in the order of coming."""
        tickets: list[_Ticket] = []
        units = 0
        while self._waiting and units < self._max_batch:
            ticket = self._waiting[0]
            if tickets and (
                ticket.engine is not tickets[0].engine or units + ticket.units > self._max_batch
            ):
                break
            self._waiting.popleft()
            self._waiting_units -= ticket.units
            if ticket.answer.done():
                continue
            if now >= ticket.expires_at:
                ticket.answer.set_exception(OverloadedError())
            elif ticket.queued_at < self._done_at and ticket.is_abandoned():
                ticket.answer.set_exception(AbandonedError())
            else:
                tickets.append(ticket)
                units += ticket.units
        return tickets, units

    def _expire(self, batch: _Batch) -> None:
        """Answer those whose time is up while the engine is busy, every now and then."""
        if self._under_way is not batch:
            return
        now = self._loop.time()
        for ticket in (*batch.tickets, *self._waiting):
            if now >= ticket.expires_at and not ticket.answer.done():
                ticket.answer.set_exception(OverloadedError())
        self._loop.call_later(_SWEEP_SECONDS, self._expire, batch)

    def _rank_batches(self) -> None:
        while (batch := self._batches.get()) is not None:
            begin = self._loop.time()
            batch.results = _rank(batch.tickets)
            batch.engine_seconds = self._loop.time() - begin
            self._loop.call_soon_threadsafe(self._finish, batch)
            del batch

    def _finish(self, batch: _Batch) -> None:
        now = self._loop.time()
        # With all that the process did meanwhile: requests wait for that too.
        seconds = (now - batch.started_at) / batch.units
        measured = self._measured
        measured.append(seconds)
        # Of the last ones the median: a single pause of the process says nothing of the next batch.
        self._seconds_per_unit = median(measured)
        self._done_at = now
        self._under_way = None
        self._observer.batch_ranked(batch.engine_seconds, len(self._waiting))
        for ticket, result in zip(batch.tickets, batch.results, strict=True):
            if ticket.answer.done():
                continue
            if isinstance(result, Exception):
                ticket.answer.set_exception(result)
            else:
                ticket.answer.set_result(result)
        if self._waiting:
            self._start_batch()


def _units(query: Query) -> int:
    return 1 + len(query.session) if query.wants_influence else 1


def _rank(tickets: list[_Ticket]) -> list[Ranking | Exception]:
    """Rank a batch; if the engine fails, each query alone, so that one does not spoil others."""
    engine = tickets[0].engine
    try:
        rankings = engine.rank([ticket.query for ticket in tickets])
        if len(rankings) != len(tickets):
            raise ValueError(f"{len(rankings)} rankings of {len(tickets)} queries")
        return list(rankings)
    except Exception as error:
        if len(tickets) == 1:
            failure = RankingError(f"{type(error).__name__}: {error}")
            failure.__cause__ = error
            return [failure]
    return [result for ticket in tickets for result in _rank([ticket])]
