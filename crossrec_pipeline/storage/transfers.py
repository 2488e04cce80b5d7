"""Many transfers at once: a function and what to call it with in, its results in order out."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

Progress = Callable[[str], None]
"""Receives one line at a time, in words."""

_THREADS = 8
_SAY_EVERY_SECONDS = 10.0
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def transfer_all(
    transfer: Callable[[_Item], _Result], items: Sequence[_Item], say: Callable[[int], None]
) -> list[_Result]:
    """Call a function for each item, a few at a time; the first error ends it.

    Parameters
    ----------
    transfer
        Called in other threads.
    items
        What it is called with.
    say
        Receives the number of items done, now and then, in this thread.

    Returns
    -------
    list
        What `transfer` returned, in the order of `items`.
    """
    if len(items) < 2:
        return [transfer(item) for item in items]
    with ThreadPoolExecutor(min(_THREADS, len(items)), "transfer") as pool:
        futures = [pool.submit(transfer, item) for item in items]
        try:
            pending, said_at = set(futures), time.monotonic()
            while pending:
                done, pending = wait(pending, timeout=1.0, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if pending and time.monotonic() - said_at > _SAY_EVERY_SECONDS:
                    said_at = time.monotonic()
                    say(len(items) - len(pending))
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def amount(n_bytes: int) -> str:
    """Say a number of bytes in words: ``3.4 MB``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"
