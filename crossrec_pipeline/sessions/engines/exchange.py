"""In: days of events on this machine. Out: where a cluster finds them, and leaves its own files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import fsspec

from crossrec_pipeline.atomic import scratch_directory
from crossrec_pipeline.sessions.engines.day_events import PARTS


@dataclass(frozen=True)
class Exchange:
    """Two folders that this machine and the cluster reach by the same URLs.

    Attributes
    ----------
    events
        Holds ``date=YYYY-MM-DD/part-*.parquet``; read by Spark.
    staging
        Spark replaces what is in it.
    """

    events: str
    staging: str


@contextmanager
def exchange_in_place(events_dir: Path, target_dir: Path) -> Iterator[Exchange]:
    """Let Spark read the events where they are, and write beside what is made of them.

    For a master on this machine, or a cluster that has these folders at the same paths. Spark's
    files are deleted afterwards.
    """
    with scratch_directory(target_dir.resolve(), "staging") as staging:
        yield Exchange(events_dir.resolve().as_uri(), staging.as_uri())


@contextmanager
def exchange_through(storage: str, events_dir: Path, days: Sequence[date]) -> Iterator[Exchange]:
    """Copy the events of days to a storage that the cluster reaches, and clear up afterwards.

    Parameters
    ----------
    storage
        URL of a folder, such as ``s3a://bucket/crossrec``; a run has a folder of its own in it.
    events_dir
        Holds ``date=YYYY-MM-DD/part-*.parquet``.
    days
        Which of them.
    """
    fs, root = fsspec.core.url_to_fs(storage.rstrip("/"))
    run = f"run-{uuid4().hex}"
    try:
        for day in days:
            folder = f"{root}/{run}/events/date={day.isoformat()}"
            fs.makedirs(folder, exist_ok=True)
            for part in sorted((events_dir / f"date={day.isoformat()}").glob(PARTS)):
                fs.put_file(str(part), f"{folder}/{part.name}")
        here = f"{storage.rstrip('/')}/{run}"
        yield Exchange(f"{here}/events", f"{here}/staging")
    finally:
        if fs.exists(f"{root}/{run}"):
            fs.rm(f"{root}/{run}", recursive=True)
