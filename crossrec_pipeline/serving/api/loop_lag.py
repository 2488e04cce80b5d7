"""An event loop in, how far it is behind out: what a request waits before anyone looks at it."""

import asyncio

_PERIOD_SECONDS = 0.02


class LoopLag:
    """Sets an alarm every now and then, and sees how late it rings.

    Queues that no code can see, of the kernel's and of the loop's, show in nothing else.
    """

    def __init__(self) -> None:
        self._late_seconds = 0.0
        self._due_at = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to measure; call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._set_alarm()

    def stop(self) -> None:
        """Cease to measure."""
        if self._alarm is not None:
            self._alarm.cancel()

    def seconds(self) -> float:
        """Return how late the last alarm was, or the one that is due already is."""
        return max(self._late_seconds, self._loop.time() - self._due_at)

    def _set_alarm(self) -> None:
        self._due_at = self._loop.time() + _PERIOD_SECONDS
        self._alarm = self._loop.call_at(self._due_at, self._ring)

    def _ring(self) -> None:
        self._late_seconds = self._loop.time() - self._due_at
        self._set_alarm()
