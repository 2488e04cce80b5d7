import threading
import time

import pytest

from crossrec_pipeline.storage.transfers import amount, transfer_all


def silent(_: int) -> None:
    pass


def test_results_come_in_the_order_of_the_items():
    def slow_first(n: int) -> int:
        time.sleep(0.05 if n == 0 else 0)
        return n * n

    assert transfer_all(slow_first, [0, 1, 2, 3], silent) == [0, 1, 4, 9]
    assert transfer_all(slow_first, [3], silent) == [9]
    assert transfer_all(slow_first, [], silent) == []


def test_the_first_error_ends_it():
    begun: list[int] = []

    def fail(n: int) -> None:
        begun.append(n)
        time.sleep(0.01)
        raise ValueError(f"item {n}")

    with pytest.raises(ValueError, match="item"):
        transfer_all(fail, list(range(1000)), silent)
    assert len(begun) < 1000


def test_several_go_on_at_once():
    together = threading.Barrier(4, timeout=10)
    transfer_all(lambda _: together.wait(), [1, 2, 3, 4], silent)


@pytest.mark.parametrize(
    ("n_bytes", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (3_400_000, "3.4 MB"), (2e9, "2.0 GB")],
)
def test_amounts_are_said_in_words(n_bytes: int, words: str):
    assert amount(n_bytes) == words
