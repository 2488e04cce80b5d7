"""An event loop in, how far it is behind out: what a request waits before anyone looks at it."""

import asyncio
from collections import deque

_PERIOD_SECONDS = 0.02
_ALARMS = 5


class LoopLag:
    """Sets an alarm every now and then, and sees how late it rings.

    Queues that no code can see, of the kernel's and of the loop's, show in nothing else. The least
    late of some alarms tells: a single pause makes nobody wait who comes after it, while a queue
    that stands makes all alarms late (Nichols & Jacobson, "Controlling queue delay", 2012).
    """

    def __init__(self) -> None:
        self._late_seconds = deque([0.0], maxlen=_ALARMS)
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
        """Return how late the least late of the last alarms was."""
        return max(0.0, min(self._late_seconds))

    def _set_alarm(self) -> None:
        self._due_at = self._loop.time() + _PERIOD_SECONDS
        self._alarm = self._loop.call_at(self._due_at, self._ring)

    def _ring(self) -> None:
        self._late_seconds.append(self._loop.time() - self._due_at)
        self._set_alarm()
