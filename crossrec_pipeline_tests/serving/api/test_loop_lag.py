import asyncio
import time

from crossrec_pipeline.serving.api.loop_lag import LoopLag


async def lag_after(pauses: list[float], rest: float = 0.025) -> float:
    lag = LoopLag()
    lag.start()
    for seconds in pauses:
        time.sleep(seconds)
        await asyncio.sleep(rest)
    lag.stop()
    return lag.seconds()


def test_idle_loop_is_hardly_behind() -> None:
    assert asyncio.run(lag_after([0.0] * 6)) < 0.02


def test_single_pause_does_not_count() -> None:
    assert asyncio.run(lag_after([0.0, 0.0, 0.15, 0.0])) < 0.05


def test_loop_that_is_always_held_up_is_behind() -> None:
    # The alarm is due 20 ms after the one before; each pause of 60 ms holds it up by some 40 ms.
    assert asyncio.run(lag_after([0.06] * 7, rest=0.001)) > 0.02
