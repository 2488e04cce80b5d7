import anyio

from crossrec_pipeline.content.enrichment.pace import Pace
from crossrec_pipeline_tests.content.enrichment.fake_clock import FakeClock


def test_requests_begin_evenly_however_many_wait(time: FakeClock):
    begun = []

    async def run() -> None:
        pace = Pace(30, time.clock)

        async def one() -> None:
            await pace.turn()
            begun.append(time.seconds)

        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(one)

    anyio.run(run)
    assert begun == [1_000, 1_002, 1_004, 1_006]


def test_a_slow_request_needs_no_pause_after_it(time: FakeClock):
    async def run() -> None:
        pace = Pace(30, time.clock)
        await pace.turn()
        time.seconds += 10
        await pace.turn()

    anyio.run(run)
    assert time.pauses == []


def test_all_wait_when_one_was_told_to(time: FakeClock):
    begun = []

    async def run() -> None:
        pace = Pace(60, time.clock)
        pace.hold(20)
        pace.hold(5)  # a shorter pause does not end a longer one
        for _ in range(2):
            await pace.turn()
            begun.append(time.seconds)

    anyio.run(run)
    assert begun == [1_020, 1_021]
