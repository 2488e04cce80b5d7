from typing import Any

import pytest

from crossrec_pipeline.content.enrichment.budget import (
    Budget,
    BudgetSpentError,
    Tokens,
    most_tokens,
)
from crossrec_pipeline_tests.content.enrichment.fake_clock import FakeClock
from crossrec_pipeline_tests.content.enrichment.small_catalogue import settings

MOST, USED = Tokens(80, 20), Tokens(30, 10)


def budget(time: FakeClock, **changes: Any) -> Budget:
    return Budget(settings("http://localhost/v1", **changes), time.clock)


def test_items_and_requests_end_exactly_at_their_bounds(time: FakeClock):
    spent = budget(time, max_items=2, max_requests=3)
    for _ in range(2):
        spent.take_item()
    with pytest.raises(BudgetSpentError, match="MAX_ITEMS=2"):
        spent.take_item()
    for _ in range(3):
        spent.take_request(MOST)
    with pytest.raises(BudgetSpentError, match="MAX_REQUESTS=3"):
        spent.take_request(MOST)
    assert (spent.items, spent.requests) == (2, 3)


def test_a_request_under_way_counts_as_the_most_it_may_cost(time: FakeClock):
    spent = budget(time, max_tokens=240)
    spent.take_request(MOST)
    spent.take_request(MOST)
    # 200 are under way: a third might make it 300.
    with pytest.raises(BudgetSpentError, match=r"MAX_TOKENS=240, 0 were used.* may take 100"):
        spent.take_request(MOST)
    spent.settle(MOST, USED)
    spent.take_request(MOST)  # 40 used and 200 under way
    assert spent.tokens == 40


def test_tokens_that_fill_the_bound_exactly_are_allowed(time: FakeClock):
    spent = budget(time, max_tokens=100)
    spent.take_request(MOST)
    spent.settle(MOST, MOST)
    with pytest.raises(BudgetSpentError):
        spent.take_request(Tokens(1, 0))


def test_cost_is_by_the_prices_of_reading_and_writing(time: FakeClock):
    # 80 × 0.5 + 20 × 2 = 80 millionths at most; 30 × 0.5 + 10 × 2 = 35 in fact.
    spent = budget(time, prompt_price=0.5, reply_price=2.0, max_cost=0.000_12)
    spent.take_request(MOST)
    spent.settle(MOST, USED)
    assert spent.cost == pytest.approx(0.000_035)
    spent.take_request(MOST)  # 115 at most
    spent.settle(MOST, USED)
    with pytest.raises(BudgetSpentError, match=r"MAX_COST=0.00012, 0.0001 was spent"):
        spent.take_request(MOST)  # 150 at most


def test_time_ends_it_too(time: FakeClock):
    spent = budget(time, max_minutes=2)
    time.seconds += 119
    spent.take_item()
    time.seconds += 1
    with pytest.raises(BudgetSpentError, match="MAX_MINUTES=2 have passed"):
        spent.take_item()
    with pytest.raises(BudgetSpentError, match="MAX_MINUTES=2"):
        spent.take_request(MOST)


def test_no_bound_is_a_bound_that_is_null(time: FakeClock):
    spent = budget(time, max_requests=None, max_tokens=None, max_items=1)
    for _ in range(10_000):
        spent.take_request(Tokens(10**6, 10**6))
    assert spent.requests == 10_000


def test_the_most_that_a_request_may_read_is_its_bytes_and_some():
    messages = [{"role": "user", "content": "é" * 10}]
    assert most_tokens(messages, "{}", 50) == Tokens(20 + 2 + 2 * 32, 50)
