"""Implementations in; their laps out, measured side by side: one process each, one runs at a time.

On a shared machine one after the other measures the machine's moods. Here each implementation runs
a chunk (an epoch, say) and waits while the others run one, so that all meet the same moods; time is
that of the processor as well as the wall's.

An implementation is a function ``name(task, done)`` in a module that can be imported. It gets a
`Task`, does a chunk of work, calls ``done(...)``, which returns when its next turn has come, and so
on::

    def train_and_rank(task: Task, done: Done) -> None:
        model = load(task.train, **task.options)
        done("prepared")
        for _ in range(task.epochs or 5):
            done("trained", n_events=model.run_epoch())
        ranks = model.ranks(task.test)
        done("ranked", n_events=len(ranks), ranks=ranks)
"""

import importlib
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from crossrec_pipeline.errors import CrossrecError

CUTOFF = 20

Stage = Literal["prepared", "trained", "ranked"]


@dataclass(frozen=True)
class Task:
    """What an implementation is told.

    Attributes
    ----------
    train, test
        Parquet with SessionId, ItemId and Time, ordered by the session's first click, session and
        time. Every session has two clicks or more; every item of test is in train.
    options
        Texts by name, as given on the command line.
    epochs
        Passes over train; None leaves it to the implementation.
    seed
        Of everything random.
    threads
        How many may compute; OMP_NUM_THREADS and the like say the same.
    """

    train: Path
    test: Path
    options: Mapping[str, str]
    epochs: int | None
    seed: int
    threads: int


class Done(Protocol):
    """Ends a chunk of work, and returns when the next one may begin."""

    def __call__(self, stage: Stage, n_events: int = 0, ranks: np.ndarray | None = None) -> None:
        """Tell what was done.

        Parameters
        ----------
        stage
            `prepared` when all is loaded, `trained` after each chunk of training, `ranked` at last.
        n_events
            Predictions learnt from, or ranked, in this chunk: clicks after a session's first.
        ranks
            When ranked: how many of all items score at least as high as the one that came, itself
            included, for each click of test after a session's first, in any order, int [P].
        """
        ...


@dataclass(frozen=True)
class Lap:
    """One chunk of one implementation.

    Attributes
    ----------
    name
        Which implementation.
    stage, n_events
        As it told.
    cpu_seconds, wall_seconds
        Of its process alone, all threads, without the waiting.
    peak_mib
        Most memory its process has held so far (RSS), MiB.
    recall_at_20, mrr_at_20
        When ranked.
    """

    name: str
    stage: Stage
    n_events: int
    cpu_seconds: float
    wall_seconds: float
    peak_mib: float
    recall_at_20: float | None = None
    mrr_at_20: float | None = None


def take_turns(tasks: Mapping[str, tuple[str, Task]]) -> Iterator[Lap]:
    """Run all implementations, a chunk of each in turn, and yield every chunk when it ends.

    Parameters
    ----------
    tasks
        By name: where the implementation is, as ``module:function``, and what it is told.

    Raises
    ------
    CrossrecError
        If one cannot be found or fails; its own traceback is on stderr.
    """
    threads = max(task.threads for _, task in tasks.values())
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)  # read when a child imports its libraries
    context = multiprocessing.get_context("spawn")
    children, running = [], dict[str, Connection]()
    try:
        for name, (entry, task) in tasks.items():
            running[name], theirs = context.Pipe()
            child = context.Process(target=_run, args=(name, entry, task, theirs), daemon=True)
            child.start()
            theirs.close()
            children.append(child)
        while running:
            for name, connection in list(running.items()):
                lap = _turn(name, connection)
                if lap is None:
                    del running[name]
                else:
                    yield lap
        for child in children:
            child.join()
    finally:
        for child in children:
            child.terminate()
            child.join()


def _turn(name: str, connection: Connection) -> Lap | None:
    """Let one implementation run a chunk; None says that it has ended."""
    try:
        connection.send("go")
        answer = connection.recv()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise CrossrecError(f"{name} failed before it was done; see the messages above.") from None
    if isinstance(answer, str):
        raise CrossrecError(f"{name}: {answer}")
    return answer


def _run(name: str, entry: str, task: Task, connection: Connection) -> None:
    """Run one implementation; the body of its process."""
    connection.recv()
    began = _clocks()

    def done(stage: Stage, n_events: int = 0, ranks: np.ndarray | None = None) -> None:
        nonlocal began
        cpu, wall = (now - then for now, then in zip(_clocks(), began, strict=True))
        recall = mrr = None
        if ranks is not None:
            hit = ranks <= CUTOFF
            recall, mrr = float(hit.mean()), float((hit / ranks).mean())
        connection.send(Lap(name, stage, n_events, cpu, wall, _peak_mib(), recall, mrr))
        connection.recv()
        began = _clocks()

    try:
        _implementation(entry)(task, done)
    except CrossrecError as error:
        connection.send(str(error))
    else:
        connection.send(None)


def _implementation(entry: str) -> Callable[[Task, Done], None]:
    module, _, function = entry.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise CrossrecError(
            f"{entry!r} cannot be imported ({error}). Give module:function, and the module's "
            "folder in PYTHONPATH."
        ) from error


def _clocks() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
