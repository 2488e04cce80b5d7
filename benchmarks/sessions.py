"""From an event log to the store of sessions: the pipeline's engines beside pandas and polars.

    python benchmarks/sessions.py --events 1e7
    python benchmarks/sessions.py --events 1e8 --engine arrays duckdb --memory-limit 2GB

A log is simulated by day (60 events a user, items as in the null control), and every engine makes
the same of it: sessions by the inactivity gap, time cut in three, a vocabulary by support in train,
and the arrays and keys of each part on disk. `pandas` and `polars-memory` hold the log in memory,
as is usual; the others are settings of the pipeline. Each runs in a process of its own, one after
the other; what they wrote must be equal, or the run fails.

CPU seconds are those of the process and its children. Peak memory is the most that was resident
(RSS, pages of mapped files included) and, held, the most of it that the system cannot take back
(anonymous), both summed over the process and its children.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import psutil

from crossrec_pipeline.digests import text_digest
from crossrec_pipeline.settings import SessionSettings, SimulationSettings, SplitSettings

PIPELINE = ("arrays", "duckdb", "polars", "pyspark")
PARTS = ("train", "validation", "test")
BASELINES = {"polars-memory": "sessions_polars", "pandas": "sessions_pandas"}
EVENTS_A_USER = 60


@dataclass(frozen=True)
class Run:
    """What one engine took for one log."""

    engine: str
    n_events: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    held_mb: float
    digest: str


@dataclass(frozen=True)
class Used:
    """What a process and its children took."""

    cpu_seconds: float
    peak_mb: float
    held_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=float, nargs="+", default=[1e6])
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument(
        "--engine",
        nargs="+",
        default=["arrays", "duckdb", *BASELINES],
        choices=[*PIPELINE, *BASELINES],
    )
    parser.add_argument("--memory-limit", default="2GB", help="of the pipeline's engines")
    parser.add_argument("--folder", type=Path, help="keep the simulated logs here, for other runs")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--build", nargs=3, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.build:
        events, items, target = given.build
        build(given.engine[0], events, items, target, given.memory_limit)
        return
    runs = []
    with tempfile.TemporaryDirectory() as scratch:
        for n_events in map(int, given.events):
            folder = (given.folder or Path(scratch)) / f"{n_events}-{given.items}-{given.days}"
            simulate(folder, n_events, given.items, given.days)
            runs += compare(folder, n_events, given.engine, given.memory_limit)
    if given.json:
        given.json.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n")


def simulate(folder: Path, n_events: int, n_items: int, n_days: int) -> None:
    """Write a log and its catalogue, unless they are there."""
    if (folder / "items.parquet").exists():
        return
    from crossrec_pipeline.interactions.simulate import simulate_uniform_log

    folder.mkdir(parents=True, exist_ok=True)
    kinds = pl.Series(["Movie", "Music", "Book"])
    number = np.arange(n_items)
    title = pl.Series(number).cast(pl.String).str.zfill(9)
    items = pl.DataFrame({"item_type": kinds[number % 3], "title": "Title " + title}).with_columns(
        item_id=pl.format("{}_{}", "item_type", "title")
    )
    settings = SimulationSettings(
        n_events=n_events, n_users=max(1, n_events // EVENTS_A_USER), n_days=n_days
    )
    simulate_uniform_log(items, settings, folder / "events")
    items.write_parquet(folder / "items.parquet")


def compare(folder: Path, n_events: int, engines: list[str], memory_limit: str) -> list[Run]:
    """Run each engine, print its line, and refuse different results."""
    size = sum(file.stat().st_size for file in folder.glob("events/*/*.parquet")) / 1e6
    print(f"\n{n_events:,} events, {size:,.0f} MB of Parquet; limit {memory_limit}")
    names = ("engine", "CPU s", "wall s", "peak MB", "held MB", "ns/event")
    print(f"{names[0]:<14}" + "".join(f"{name:>10}" for name in names[1:]), flush=True)
    runs = []
    for engine in engines:
        run = measure(engine, folder, n_events, memory_limit)
        if run is None:
            print(f"{engine:<14}  failed: see above (killed for memory, if nothing is)")
            continue
        runs.append(run)
        print(
            f"{engine:<14}{run.cpu_seconds:>10.2f}{run.wall_seconds:>10.2f}{run.peak_mb:>10,.0f}"
            f"{run.held_mb:>10,.0f}{run.cpu_seconds / n_events * 1e9:>10,.0f}",
            flush=True,
        )
    for first, run in ((runs[0], run) for run in runs[1:]):
        print(
            f"{run.engine} / {first.engine}: CPU {run.cpu_seconds / first.cpu_seconds:.1f}, "
            f"peak memory {run.peak_mb / first.peak_mb:.1f}, held {run.held_mb / first.held_mb:.1f}"
        )
    if len({run.digest for run in runs}) > 1:
        sys.exit("The results differ: " + ", ".join(f"{run.engine} {run.digest}" for run in runs))
    return runs


def measure(engine: str, folder: Path, n_events: int, memory_limit: str) -> Run | None:
    """Run one engine in a process of its own and watch it; None where it failed."""
    with tempfile.TemporaryDirectory(dir=folder) as target:
        paths = [str(folder / "events"), str(folder / "items.parquet"), target]
        options = ["--engine", engine, "--memory-limit", memory_limit, "--build", *paths]
        began = time.perf_counter()
        child = subprocess.Popen([sys.executable, __file__, *options])
        used = watch(child)
        wall = time.perf_counter() - began
        if child.returncode:
            return None
        return Run(
            engine,
            n_events,
            used.cpu_seconds,
            wall,
            used.peak_mb,
            used.held_mb,
            digest_of(Path(target)),
        )


def watch(child: subprocess.Popen[bytes]) -> Used:
    """Wait for a process, looking at it and its children fifty times a second.

    Java is a child that nobody waits for, so that the system adds its time to no one's.
    """
    peak = held = 0
    cpu_of: dict[int, float] = {}
    process = psutil.Process(child.pid)
    while child.poll() is None:
        try:
            members = [process, *process.children(recursive=True)]
            memory = [member.memory_info() for member in members]
            times = {member.pid: member.cpu_times() for member in members}
        except psutil.NoSuchProcess:
            continue
        cpu_of |= {pid: spent.user + spent.system for pid, spent in times.items()}
        peak = max(peak, sum(part.rss for part in memory))
        held = max(held, sum(part.rss - part.shared for part in memory))
        time.sleep(0.02)
    return Used(sum(cpu_of.values()), peak / 1e6, held / 1e6)


def build(engine: str, events: Path, items: Path, target: Path, memory_limit: str) -> None:
    """Make the store with one engine; the body of its process."""
    sessions, split = SessionSettings(), SplitSettings()
    # Imported here: what a process holds is measured.
    if engine in BASELINES:
        importlib.import_module(BASELINES[engine]).build(events, target, sessions, split)
    else:
        pipeline = importlib.import_module("sessions_engines")
        pipeline.build(engine, events, items, target, sessions, split, memory_limit)


def digest_of(target: Path) -> str:
    """Content of a built store, whoever wrote it."""
    parts = [text_digest(*pl.read_parquet(target / "vocabulary.parquet")["item_id"])]
    for part in PARTS:
        for name in ("item_index", "offsets", "start_us", "end_us"):
            array = np.load(target / part / f"{name}.npy", mmap_mode="r")
            parts.append(text_digest(name, str(len(array)), str(hash_of(array))))
        keys = pl.scan_parquet(target / part / "keys.parquet").select("session_id", "user_id")
        parts.append(str(keys.select(pl.all().hash().sum()).collect().row(0)))
    return text_digest(*parts)[:12]


def hash_of(array: np.ndarray) -> str:
    """Digest of an array's numbers in order, block by block."""
    digest = sha256()
    for begin in range(0, len(array), 1_000_000):
        digest.update(np.ascontiguousarray(array[begin : begin + 1_000_000], np.int64).data)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
