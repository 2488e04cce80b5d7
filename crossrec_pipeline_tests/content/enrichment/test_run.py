"""Whole runs: what is asked, kept and left, whatever the endpoint does."""

import logging
import os
import signal
import sys
import threading
import time as machine_time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crossrec_pipeline.content.enrichment.asking import ask_all
from crossrec_pipeline.content.enrichment.results import PartialResults, read_results
from crossrec_pipeline.content.enrichment.run import EnrichmentRun, enrich
from crossrec_pipeline_tests.content.enrichment.fake_clock import FakeClock
from crossrec_pipeline_tests.content.enrichment.fake_endpoint import (
    GOOD,
    FakeEndpoint,
    Received,
    Reply,
    by_title,
    describes,
    fails,
    says,
)
from crossrec_pipeline_tests.content.enrichment.small_catalogue import (
    MODEL,
    books,
    catalogue,
    item,
    settings,
)

TOKENS = 140
"""Of one request, as the fake endpoint tells."""


class Runner:
    """Runs in one folder, one after the other."""

    def __init__(self, endpoint: FakeEndpoint, time: FakeClock, folder: Path) -> None:
        self._endpoint, self._time = endpoint, time
        self.folder = folder
        self.lines: list[str] = []

    def __call__(self, items: pl.DataFrame, **changes: Any) -> EnrichmentRun:
        self._endpoint.received.clear()
        chosen = settings(**{"url": self._endpoint.url, **changes})
        return enrich(items, chosen, self.folder, self.lines.append, self._time.clock)

    @property
    def described(self) -> list[str]:
        return read_results(self.folder).enrichments["item_id"].to_list()


@pytest.fixture
def run(endpoint: FakeEndpoint, time: FakeClock, tmp_path: Path) -> Runner:
    return Runner(endpoint, time, tmp_path / "content")


def test_every_item_is_described_the_most_popular_first(endpoint: FakeEndpoint, run: Runner):
    made = run(books(3))
    assert endpoint.titles == ["A", "B", "C"]
    assert (made.n_asked, made.n_described, made.n_left, made.n_cached) == (3, 3, 0, 0)
    assert (made.n_requests, made.n_tokens, made.cost) == (3, 3 * TOKENS, 0)
    assert (made.problem, made.budget_spent) == (None, None)
    frame = read_results(run.folder).enrichments
    assert frame.equals(made.results.enrichments)
    assert frame["item_id"].to_list() == ["Book_A", "Book_B", "Book_C"]
    assert frame["mood"].to_list() == [GOOD["mood"]] * 3
    assert frame["model"].unique().to_list() == [MODEL]
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "enrichments.parquet",
        "enrichments_refused.parquet",
    ]


def test_a_second_run_asks_nothing(endpoint: FakeEndpoint, run: Runner):
    run(books(3))
    made = run(books(3))
    assert endpoint.received == []
    assert (made.n_asked, made.n_cached, made.n_requests) == (0, 3, 0)


def test_only_new_and_changed_items_are_asked_for(endpoint: FakeEndpoint, run: Runner):
    run(catalogue(item("A"), item("B")))
    made = run(catalogue(item("A", 0.9, description="Another."), item("B", 0.1), item("C")))
    # C has no description at all, A an outdated one; popularity is none of the words.
    assert endpoint.titles == ["C", "A"]
    assert made.n_cached == 1
    assert made.results.enrichments["item_id"].to_list() == ["Book_A", "Book_B", "Book_C"]


def test_another_model_is_asked_for_everything(endpoint: FakeEndpoint, run: Runner):
    run(books(2))
    made = run(books(2), model="larger")
    assert endpoint.titles == ["A", "B"]
    assert made.results.enrichments["model"].to_list() == ["larger", "larger"]


def test_what_was_paid_for_stays_when_an_item_leaves_and_comes_back(
    endpoint: FakeEndpoint, run: Runner
):
    run(books(2))
    run(books(1))
    assert run.described == ["Book_A", "Book_B"]
    run(books(2))
    assert endpoint.received == []


def test_one_item_that_fails_stops_no_other(endpoint: FakeEndpoint, run: Runner):
    endpoint.answer = by_title({"B": [says("no JSON")], "C": [fails(500)], "D": [fails(422)]})
    made = run(books(5), max_attempts=2)
    assert run.described == ["Book_A", "Book_E"]
    assert made.refused == {
        "the reply cannot be used: it is no JSON object": 1,
        "the endpoint refused the question: 422 no": 1,
    }
    assert made.failed == {"500 no": 1}
    assert read_results(run.folder).refused["item_id"].to_list() == ["Book_B", "Book_D"]
    # The endpoint may be well again; what it refused it would refuse again.
    endpoint.answer = lambda _: describes()
    made = run(books(5))
    assert endpoint.titles == ["C"]
    assert made.n_cached == 4


def test_an_endpoint_that_fails_for_ever_stops_the_run(endpoint: FakeEndpoint, run: Runner):
    run(books(1))
    endpoint.script(fails(503, "overloaded"))
    made = run(books(9), max_failures_in_row=3, max_attempts=2)
    assert len(endpoint.received) == 3 * 2
    assert made.problem == (
        "3 items in a row got no usable answer of small-model, so no more are asked for. The last "
        "reason: 503 overloaded."
    )
    assert made.n_left == 8
    assert run.described == ["Book_A"]


def test_refusals_in_a_row_are_taken_for_the_fault_of_the_endpoint(
    endpoint: FakeEndpoint, run: Runner
):
    endpoint.script(says("I am a teapot"))
    made = run(books(9), max_failures_in_row=4)
    assert made.problem is not None
    assert made.refused == {}
    assert read_results(run.folder).refused.is_empty()
    endpoint.answer = lambda _: describes()
    assert run(books(9)).n_described == 9


def test_a_success_between_failures_starts_the_count_anew(endpoint: FakeEndpoint, run: Runner):
    endpoint.answer = by_title({title: [says("no")] for title in "ABDEG"})
    made = run(books(8), max_failures_in_row=3)
    assert made.problem is None
    assert sum(made.refused.values()) == 5


def test_a_wrong_key_stops_the_run_and_keeps_what_there_is(endpoint: FakeEndpoint, run: Runner):
    run(books(2))
    endpoint.script(fails(401, "bad key"))
    made = run(books(5), api_key="sk-very-secret-key", concurrency=3)
    assert made.problem is not None
    assert "CROSSREC_ENRICHMENT__API_KEY: 401 bad key" in made.problem
    assert len(endpoint.received) <= 3
    assert run.described == ["Book_A", "Book_B"]
    assert made.n_left == 3


def test_an_endpoint_that_is_not_there_is_said_and_no_error(run: Runner):
    made = run(books(3), url="http://127.0.0.1:9/v1", max_attempts=2, max_failures_in_row=2)
    assert made.problem is not None
    assert "cannot be reached" in made.problem
    assert run.described == []
    assert read_results(run.folder).refused.is_empty()


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_budget_of_items_is_met_exactly_and_the_next_run_goes_on(
    endpoint: FakeEndpoint, run: Runner, concurrency: int
):
    made = run(books(7), max_items=4, concurrency=concurrency)
    assert sorted(endpoint.titles) == ["A", "B", "C", "D"]
    assert made.budget_spent == "CROSSREC_ENRICHMENT__MAX_ITEMS=4 items were asked for"
    assert (made.n_left, made.problem) == (3, None)
    made = run(books(7), max_items=4, concurrency=concurrency)
    assert sorted(endpoint.titles) == ["E", "F", "G"]
    assert (made.n_left, made.budget_spent) == (0, None)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_budget_of_requests_counts_repeated_ones(
    endpoint: FakeEndpoint, run: Runner, concurrency: int
):
    endpoint.answer = by_title({"A": [fails(500), describes()]})
    made = run(books(7), max_requests=4, concurrency=concurrency)
    assert len(endpoint.received) == 4
    assert made.n_described == 3
    assert made.n_left == 4
    assert made.budget_spent == "CROSSREC_ENRICHMENT__MAX_REQUESTS=4 were made"


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_budget_of_tokens_is_never_passed(
    endpoint: FakeEndpoint, run: Runner, concurrency: int
):
    made = run(books(30), max_tokens=5_000, concurrency=concurrency)
    assert made.budget_spent is not None
    assert "MAX_TOKENS=5000" in made.budget_spent
    assert made.n_tokens == TOKENS * len(endpoint.received) <= 5_000
    # Another request might have taken more than what was left, by its bytes; no more is left over.
    assert made.n_tokens > 5_000 - 4_000


def test_the_budget_of_money_is_never_passed(endpoint: FakeEndpoint, run: Runner):
    made = run(books(30), max_cost=0.01, prompt_price=1, reply_price=5)
    # 100 × 1 + 40 × 5 = 300 millionths a request.
    assert made.cost == pytest.approx(0.000_3 * len(endpoint.received))
    assert 0.004 < made.cost <= 0.01
    assert made.budget_spent is not None
    assert "MAX_COST=0.01" in made.budget_spent


def test_a_budget_too_small_for_one_request_says_so(endpoint: FakeEndpoint, run: Runner):
    made = run(books(2), max_tokens=100)
    assert endpoint.received == []
    assert made.budget_spent is not None
    assert "one more request may take" in made.budget_spent


def test_time_is_a_budget_too(endpoint: FakeEndpoint, run: Runner):
    made = run(books(9), requests_per_minute=2, max_minutes=2)
    # At 0, 30, 60 and 90 seconds.
    assert len(endpoint.received) == 4
    assert made.budget_spent == "CROSSREC_ENRICHMENT__MAX_MINUTES=2 have passed"


def test_all_wait_when_one_request_is_told_to(endpoint: FakeEndpoint, run: Runner, time: FakeClock):
    endpoint.answer = by_title({"A": [fails(429, retry_after="60"), describes()]})
    made = run(books(4))
    assert made.n_described == 4
    assert 60 <= time.seconds - 1_000 < 70


def test_several_requests_go_on_at_a_time_and_no_more(endpoint: FakeEndpoint, run: Runner):
    under_way, most, meeting = [], [], threading.Barrier(3, timeout=5)

    def answer(received: Received) -> Reply:
        under_way.append(received)
        most.append(len(under_way))
        meeting.wait()
        under_way.remove(received)
        return describes()

    endpoint.answer = answer
    assert run(books(6), concurrency=3).n_described == 6
    assert max(most) == 3


def test_an_interruption_keeps_every_answer(endpoint: FakeEndpoint, run: Runner):
    released = threading.Event()

    def answer(received: Received) -> Reply:
        if received.item["title"] == "C":
            os.kill(os.getpid(), signal.SIGINT)
            released.wait(10)
        return describes()

    endpoint.answer = answer
    began = machine_time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(books(5))
    # It does not wait for what is under way.
    assert machine_time.monotonic() - began < 5
    released.set()
    assert [each.item_id for each in PartialResults(run.folder).read()] == ["Book_A", "Book_B"]
    assert run.described == []

    endpoint.answer = lambda _: describes()
    made = run(books(5))
    assert endpoint.titles == ["C", "D", "E"]
    assert made.n_cached == 2
    assert run.described == ["Book_A", "Book_B", "Book_C", "Book_D", "Book_E"]
    assert PartialResults(run.folder).read() == []


def test_a_full_disk_is_seen_as_that(
    endpoint: FakeEndpoint, run: Runner, monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PartialResults, "append", full)
    with pytest.raises(OSError, match="No space left"):
        run(books(3))
    assert len(endpoint.received) == 1


def test_progress_is_said_and_no_secret_is(
    endpoint: FakeEndpoint,
    run: Runner,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(sys.modules[ask_all.__module__], "_SECONDS_BETWEEN_LINES", 0.02)

    def slowly(_: Received) -> Reply:
        machine_time.sleep(0.05)
        return describes()

    endpoint.answer = slowly
    run(books(4), api_key="sk-very-secret-key", prompt_price=1)
    assert run.lines[0] == (
        "4 of 4 items are to be described by small-model; at most 1,000 are asked for now"
    )
    assert any("of 4 items answered" in line and "cost 0.000" in line for line in run.lines)
    assert "sk-very-secret-key" not in "".join(run.lines) + caplog.text


def test_without_the_extra_the_remedy_is_named(
    endpoint: FakeEndpoint, run: Runner, monkeypatch: pytest.MonkeyPatch
):
    for name in [name for name in sys.modules if name.startswith(("httpx2", "tenacity"))]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("asking", "client"):
        monkeypatch.delitem(sys.modules, f"crossrec_pipeline.content.enrichment.{name}")
    monkeypatch.setitem(sys.modules, "tenacity", None)
    made = run(books(1))
    assert made.problem is not None
    assert "pip install 'crossrec-pipeline[llm]' (not installed: tenacity)" in made.problem
    assert made.n_left == 1


def test_nobody_is_asked_without_an_endpoint(run: Runner):
    with pytest.raises(ValueError, match="base_url or model"):
        run(books(1), url=None)
