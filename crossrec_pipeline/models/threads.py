"""How many threads small computations take."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch, if it is loaded, compute in one thread, and restore what was set.

    Small steps are not faster with several, and where others want the processors too, each waits
    for the slowest: a hundredfold of the time.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
