import threading

import pytest
import torch

from crossrec_pipeline.content.encoders.torch_threads import each_in_one_thread


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_two_pieces_are_done_at_a_time_each_in_one_thread():
    meeting = threading.Barrier(2, timeout=20)
    n_threads: list[int] = []

    def work(_piece: int) -> None:
        n_threads.append(torch.get_num_threads())
        meeting.wait()

    each_in_one_thread(work, range(4))
    assert n_threads == [1] * 4
    assert torch.get_num_threads() == 2


def test_a_failure_ends_it_and_what_was_not_begun_is_not_done():
    done: list[int] = []
    is_over = threading.Event()

    def work(piece: int) -> None:
        if piece == 0:
            raise KeyboardInterrupt
        done.append(piece)
        is_over.wait(0.2)

    with pytest.raises(KeyboardInterrupt):
        each_in_one_thread(work, range(100))
    assert len(done) < 50
    assert torch.get_num_threads() == 2


def test_nothing_to_do_is_done():
    each_in_one_thread(pytest.fail, [])
