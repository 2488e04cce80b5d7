"""How many requests a minute may begin, and a wait that the endpoint asked for, in; pauses out."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio


@dataclass(frozen=True)
class Clock:
    """Where time comes from, and how it is waited for; tests have their own.

    Attributes
    ----------
    now
        Seconds since whenever, never going back.
    sleep
        Waits for seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep


class Pace:
    """Lets requests begin one by one, evenly in time; all wait when one was told to."""

    def __init__(self, requests_per_minute: float, clock: Clock) -> None:
        self._interval = 60 / requests_per_minute
        self._clock = clock
        self._next = clock.now()
        self._turns = anyio.Lock()

    async def turn(self) -> None:
        """Wait until a request may begin."""
        async with self._turns:
            # Another request may be told to wait in the meantime, so this is looked at again.
            while (seconds := self._next - self._clock.now()) > 0:
                await self._clock.sleep(seconds)
            self._next = self._clock.now() + self._interval

    def hold(self, seconds: float) -> None:
        """Let no request begin for so long."""
        self._next = max(self._next, self._clock.now() + seconds)
