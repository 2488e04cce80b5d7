"""Who asks in, whether they may now out: a token bucket for each client, in bounded memory."""

from collections import OrderedDict
from collections.abc import Hashable

MOST_CLIENTS = 50_000


class RateLimit:
    """Lets each client make so many requests a second, and a burst after a pause.

    The least recent of more than `MOST_CLIENTS` clients is forgotten: it may begin anew.

    Parameters
    ----------
    per_second
        Requests that a client may make in the long run, above 0.
    burst
        Requests that it may make at once, at least 1.
    """

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def seconds_until_allowed(self, client: Hashable, now: float) -> float:
        """Take a token; return 0, or how long it takes until there is one again.

        Parameters
        ----------
        client
            Who asks.
        now
            Seconds by a clock that never goes back.
        """
        tokens, at = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        allowed = tokens >= 1
        self._buckets[client] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._per_second
