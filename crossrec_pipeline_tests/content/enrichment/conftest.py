"""A running endpoint and a clock that takes no time, for all tests of enrichments."""

from collections.abc import Iterator

import pytest

from crossrec_pipeline_tests.content.enrichment.fake_clock import FakeClock
from crossrec_pipeline_tests.content.enrichment.fake_endpoint import FakeEndpoint


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with FakeEndpoint().running() as running:
        yield running


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()
