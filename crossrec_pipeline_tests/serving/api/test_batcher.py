import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.serving.api.batcher import (
    AbandonedError,
    Batcher,
    OverloadedError,
    RankingError,
)
from crossrec_pipeline.serving.engine.base import Query, Ranking
from crossrec_pipeline_tests.serving.api.running import SteeredEngine


class Notes:
    """Keeps what a batcher says."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.n_waiting = 0

    def batch_started(self, queued_seconds, n_waiting: int) -> None:
        self.sizes.append(len(queued_seconds))
        self.n_waiting = n_waiting

    def batch_ranked(self, seconds: float, n_waiting: int) -> None:
        self.n_waiting = n_waiting


def query(item: int = 0, *, length: int = 1, wants_influence: bool = False) -> Query:
    session = np.full(length, item, dtype=np.int32)
    return Query(session, 3, wants_influence=wants_influence)


def stays() -> bool:
    return False


@asynccontextmanager
async def started(
    max_batch: int = 4, max_wait: float = 10.0, deadline: float = 10.0
) -> AsyncIterator[tuple[Batcher, Notes]]:
    notes = Notes()
    batcher = Batcher(max_batch, max_wait, deadline, notes)
    batcher.start()
    try:
        yield batcher, notes
    finally:
        await batcher.stop()


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 20))

    run.__name__ = test.__name__
    return run


async def hold(engine: SteeredEngine, batcher: Batcher) -> asyncio.Task[Ranking]:
    """Have the engine begin with a query that it does not finish before it has leave."""
    engine.leave.clear()
    n_batches = len(engine.batches)
    first = asyncio.create_task(batcher.rank(engine, query(), stays))
    while len(engine.batches) == n_batches:
        await asyncio.sleep(0.001)
    return first


def tasks(
    batcher: Batcher, engine: SteeredEngine, queries: list[Query]
) -> list[asyncio.Task[Ranking]]:
    return [asyncio.create_task(batcher.rank(engine, one, stays)) for one in queries]


@in_loop
async def test_queries_that_come_together_are_ranked_together() -> None:
    engine = SteeredEngine()
    async with started() as (batcher, notes):
        await asyncio.gather(*tasks(batcher, engine, [query(n) for n in range(3)]))
        assert notes.sizes == [3]


@in_loop
async def test_what_waits_while_a_batch_is_ranked_is_the_next_one_up_to_the_bound() -> None:
    engine = SteeredEngine()
    async with started(max_batch=4) as (batcher, notes):
        first = await hold(engine, batcher)
        rest = tasks(batcher, engine, [query(n) for n in range(6)])
        await asyncio.sleep(0.01)
        assert batcher.n_waiting == 6
        engine.leave.set()
        await asyncio.gather(first, *rest)
        assert notes.sizes == [1, 4, 2]
        assert (batcher.n_waiting, notes.n_waiting) == (0, 0)


@in_loop
async def test_query_for_influence_counts_by_its_leave_one_outs() -> None:
    engine = SteeredEngine()
    async with started(max_batch=8) as (batcher, notes):
        first = await hold(engine, batcher)
        # 1 + 6 units, then 1: a batch of 8; the next would make 15.
        long = query(1, length=6, wants_influence=True)
        rest = tasks(batcher, engine, [long, query(), long])
        await asyncio.sleep(0.01)
        engine.leave.set()
        await asyncio.gather(first, *rest)
        assert notes.sizes == [1, 2, 1]


@in_loop
async def test_query_larger_than_a_batch_is_ranked_alone() -> None:
    engine = SteeredEngine()
    async with started(max_batch=4) as (batcher, notes):
        ranking = await batcher.rank(engine, query(length=50, wants_influence=True), stays)
        assert ranking.influence is not None
        assert notes.sizes == [1]


@in_loop
async def test_queries_of_two_models_are_never_ranked_together() -> None:
    old, new = SteeredEngine(), SteeredEngine()
    async with started() as (batcher, notes):
        first = await hold(old, batcher)
        rest = [
            asyncio.create_task(batcher.rank(engine, query(), stays)) for engine in (old, new, new)
        ]
        await asyncio.sleep(0.01)
        old.leave.set()
        await asyncio.gather(first, *rest)
        assert notes.sizes == [1, 1, 2]
        assert [len(batch) for batch in new.batches] == [2]


@in_loop
async def test_query_that_spoils_a_batch_fails_alone() -> None:
    engine = SteeredEngine()
    engine.poison = 7
    async with started() as (batcher, _):
        answers = await asyncio.gather(
            *tasks(batcher, engine, [query(0), query(7), query(1)]), return_exceptions=True
        )
        assert isinstance(answers[1], RankingError)
        assert "poisoned" in str(answers[1])
        assert isinstance(answers[0], Ranking)
        assert isinstance(answers[2], Ranking)
        assert isinstance(await batcher.rank(engine, query(), stays), Ranking)


@in_loop
async def test_deadline_is_kept_while_the_engine_is_busy() -> None:
    engine = SteeredEngine()
    async with started(deadline=0.15) as (batcher, _):
        first = await hold(engine, batcher)
        second = asyncio.create_task(batcher.rank(engine, query(5), stays))
        for task in (first, second):
            with pytest.raises(OverloadedError):
                await task
        engine.leave.set()
        await asyncio.sleep(0.05)
        # The second one was never ranked.
        assert [batch[0].session[0] for batch in engine.batches] == [0]
        assert batcher.n_waiting == 0


@in_loop
async def test_abandoned_and_cancelled_queries_are_not_ranked() -> None:
    engine = SteeredEngine()
    async with started() as (batcher, _):
        first = await hold(engine, batcher)
        abandoned = asyncio.create_task(batcher.rank(engine, query(5), lambda: True))
        cancelled = asyncio.create_task(batcher.rank(engine, query(6), stays))
        await asyncio.sleep(0.01)
        cancelled.cancel()
        engine.leave.set()
        await first
        with pytest.raises(AbandonedError):
            await abandoned
        assert len(engine.batches) == 1


@in_loop
async def test_wait_grows_with_the_queue_and_is_over_with_it() -> None:
    engine = SteeredEngine()
    async with started(max_wait=0.02) as (batcher, _):
        batcher.expect(0.02)
        assert not batcher.is_overloaded()
        first = await hold(engine, batcher)
        rest = tasks(batcher, engine, [query(n) for n in range(5)])
        await asyncio.sleep(0.001)
        # 5 wait and 1 is under way, at 20 ms each: more than four times what may be.
        assert batcher.wait_seconds() == pytest.approx(0.12, abs=0.03)
        assert batcher.is_overloaded()
        engine.leave.set()
        await asyncio.gather(first, *rest)
        assert not batcher.is_overloaded()


@in_loop
async def test_burst_is_worked_off_but_a_queue_that_stands_is_refused() -> None:
    engine = SteeredEngine()
    async with started(max_wait=0.05) as (batcher, _):
        batcher.expect(0.05)
        first = await hold(engine, batcher)
        rest = tasks(batcher, engine, [query(n) for n in range(2)])
        await asyncio.sleep(0.001)
        # 2 wait and 1 is under way, at 50 ms each: three times what may be, but only just now.
        assert not batcher.is_overloaded()
        for _ in range(6):
            await asyncio.sleep(0.1)
            rest += tasks(batcher, engine, [query(9), query(9)])
            await asyncio.sleep(0.001)
            batcher.is_overloaded()
        assert batcher.is_overloaded()
        engine.leave.set()
        await asyncio.gather(first, *rest)


@in_loop
async def test_stopping_answers_what_waits() -> None:
    engine = SteeredEngine()
    async with started() as (batcher, _):
        first = await hold(engine, batcher)
        rest = tasks(batcher, engine, [query(n) for n in range(9)])
        await asyncio.sleep(0.01)
        engine.leave.set()
    answers = await asyncio.gather(first, *rest)
    assert all(isinstance(answer, Ranking) for answer in answers)


@given(
    asked=st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=30),
    max_batch=st.integers(1, 8),
)
def test_every_query_is_ranked_once_within_the_bound(
    asked: list[tuple[int, bool]], max_batch: int
) -> None:
    engine = SteeredEngine()
    queries = [
        query(n, length=length, wants_influence=wants) for n, (length, wants) in enumerate(asked)
    ]

    async def rank_all() -> None:
        async with started(max_batch) as (batcher, _):
            await asyncio.gather(*tasks(batcher, engine, queries))

    asyncio.run(rank_all())
    assert [one for batch in engine.batches for one in batch] == queries
    for batch in engine.batches:
        units = sum(1 + len(one.session) * one.wants_influence for one in batch)
        assert len(batch) == 1 or units <= max_batch
