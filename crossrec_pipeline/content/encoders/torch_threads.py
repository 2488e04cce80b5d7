"""Work for torch in pieces in; each done by one thread, several at a time, out."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Piece = TypeVar("_Piece")


def each_in_one_thread(work: Callable[[_Piece], None], pieces: Iterable[_Piece]) -> None:
    """Do all pieces, as many at a time as torch would take threads, each in one thread.

    Several threads on one piece wait for each other at every step: that costs a little where nobody
    else wants the processors, and more than half of the speed where somebody does.

    Parameters
    ----------
    work
        Does a piece. It spends its time in torch, which lets other threads of Python go on.
    pieces
        Largest first, so that none is left alone at the end.
    """
    import torch

    n_threads = torch.get_num_threads()
    # The number is each thread's own, but new threads take over what was set last.
    pool = ThreadPoolExecutor(n_threads, initializer=lambda: torch.set_num_threads(1))
    try:
        for _ in pool.map(work, pieces):
            pass
    finally:
        # After Ctrl-C, pieces that were not begun are not done.
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(n_threads)
