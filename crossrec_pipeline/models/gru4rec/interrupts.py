"""Ctrl-C and SIGTERM wait until work is at a point where it can be left and taken up again."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DeferredInterrupts:
    """Within this context an interruption is noted, and has its effect when `deliver` is called.

    Its effect is whatever it was before: a KeyboardInterrupt, an exception of the program that
    runs us, the end of the process. A second interruption takes effect at once, for people in a
    hurry. Outside the main thread signals cannot be caught, nor do they interrupt anything.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._received: int | None = None

    @property
    def pending(self) -> bool:
        """Whether somebody wants this to stop."""
        return self._received is not None

    def deliver(self) -> None:
        """Let a noted interruption have its effect; without one, do nothing."""
        if self._received is None:
            return
        self._give_back()
        received, self._received = self._received, None
        signal.raise_signal(received)
        # Whoever handles it has only taken note, and does not want to stop here.
        self._take()

    def __enter__(self) -> Self:
        self._take()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._give_back()
        received, self._received = self._received, None
        if received is not None and kind is None:
            signal.raise_signal(received)

    def _take(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if handler not in (None, signal.SIG_IGN):
                self._before[number] = signal.signal(number, self._receive)

    def _give_back(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.deliver()
        self._received = number
