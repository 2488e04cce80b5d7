"""A clock whose pauses take no time."""

import anyio.lowlevel

from crossrec_pipeline.content.enrichment.pace import Clock


class FakeClock:
    """Time passes only while somebody waits."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.pauses: list[float] = []
        self.clock = Clock(now=lambda: self.seconds, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds
        await anyio.lowlevel.checkpoint()
