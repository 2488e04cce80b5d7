import signal
import threading

import pytest

from crossrec_pipeline.models.gru4rec.interrupts import DeferredInterrupts


@pytest.fixture
def terminated():
    """What the program that runs us does at SIGTERM: here, take note."""
    received = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    yield received
    signal.signal(signal.SIGTERM, before)


def test_interruption_waits_until_it_is_delivered():
    with DeferredInterrupts() as interrupts:
        assert not interrupts.pending
        signal.raise_signal(signal.SIGINT)
        assert interrupts.pending
        with pytest.raises(KeyboardInterrupt):
            interrupts.deliver()


def test_without_an_interruption_nothing_is_delivered():
    with DeferredInterrupts() as interrupts:
        interrupts.deliver()


def test_interruption_that_nobody_asked_for_comes_at_the_end():
    def work():
        with DeferredInterrupts():
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_an_error_is_not_hidden_by_an_interruption():
    def work():
        with DeferredInterrupts():
            signal.raise_signal(signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()


def test_second_interruption_comes_at_once():
    with DeferredInterrupts():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handler_there_was_decides_and_work_may_go_on(terminated):
    with DeferredInterrupts() as interrupts:
        signal.raise_signal(signal.SIGTERM)
        assert terminated == []
        interrupts.deliver()
        assert terminated == [signal.SIGTERM]
        assert not interrupts.pending
        signal.raise_signal(signal.SIGTERM)
        assert interrupts.pending
    assert terminated == [signal.SIGTERM, signal.SIGTERM]


def test_handlers_are_put_back(terminated):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with DeferredInterrupts():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with DeferredInterrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert not interrupts.pending
    finally:
        signal.signal(signal.SIGINT, before)


def test_works_outside_the_main_thread():
    def work():
        with DeferredInterrupts() as interrupts:
            pending.append(interrupts.pending)

    pending: list[bool] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert pending == [False]
