"""What one new day of a growing log costs: time of the run, and what it has made anew.

    python benchmarks/new_day.py [--days 365] [--events 1e6]

A log is simulated and delivered day by day as Parquet files into a folder; `crossrec run` builds
all of it but the last day. Then the last day is delivered, then a late event of an old day, then
nothing, and each time `crossrec run` is called again. GRU4Rec learns for one epoch, without rivals:
what follows the sessions is trained anew in any case, as its sessions are new.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl

from crossrec_pipeline.defs.days import DAY_KEYS
from crossrec_pipeline.defs.home import open_instance, prepare_home
from crossrec_pipeline.defs.rebuild import rebuild
from crossrec_pipeline.interactions.simulate import simulate_uniform_log
from crossrec_pipeline.resources import Warehouse
from crossrec_pipeline.settings import SimulationSettings, load_settings

EVENTS_A_USER = 60
LATE_BY = 100
"""Days before the last one that a late event is of."""
CATALOGUE = ("raw_movies", "raw_music", "raw_books", "staged_items", "items", "rejected_items")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--events", type=float, default=1e6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure(Path(scratch), int(given.events), given.days)


def measure(folder: Path, n_events: int, n_days: int) -> None:
    """Build, deliver, and build again."""
    os.environ["DAGSTER_HOME"] = str(folder / "home")
    log = folder / "log"
    log.mkdir()
    settings = load_settings(
        data_dir=folder / "data",
        events=f"{log}/",
        training={"epochs": 1, "device": "cpu"},
        evaluation={"rivals": ()},
        gate={"challenger": "gru4rec"},
    )
    catalogue(folder)
    items = Warehouse(path=str(folder / "catalogue/warehouse.duckdb")).read("catalogue.items")
    simulated = SimulationSettings(
        n_events=n_events, n_users=n_events // min(EVENTS_A_USER, 4 * n_days), n_days=n_days
    )
    simulate_uniform_log(items, simulated, folder / "simulated")
    days = sorted((folder / "simulated").glob("date=*/part-0.parquet"))
    for day in days[:-1]:
        deliver(day, log)
    settle(log)
    print(f"{n_events:,} events of {len(days)} days, {os.cpu_count()} cores")
    build("all days but the last", lambda: rebuild(settings))
    deliver(days[-1], log)
    settle(log)
    build("the last day", lambda: rebuild(settings))
    old = pl.read_parquet(days[-min(LATE_BY, len(days) - 1)], hive_partitioning=False)
    late = old.head(1).with_columns(
        pl.col("timestamp") + pl.duration(seconds=1), item_id=pl.lit(old["item_id"][-1])
    )
    late.drop("log_order").write_parquet(log / "late.parquet")
    settle(log)
    build("one late event", lambda: rebuild(settings))
    build("nothing new", lambda: rebuild(settings))


def catalogue(folder: Path) -> None:
    """Build the sample's catalogue, to know the items, in a data directory of its own."""
    from crossrec_pipeline.definitions import build_definitions

    settings = load_settings(data_dir=folder / "catalogue")
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    keys = [dg.AssetKey(["catalogue", name]) for name in CATALOGUE]
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(asset_selection=keys, instance=instance)


def deliver(day: Path, log: Path) -> None:
    """Deliver a day as its owner would: without what is ours."""
    events = pl.read_parquet(day, hive_partitioning=False).drop("log_order")
    events.write_parquet(log / f"{day.parent.name.removeprefix('date=')}.parquet")


def settle(log: Path) -> None:
    """Let files be old enough to be read."""
    an_hour_ago = time.time() - 3600
    for path in log.iterdir():
        os.utime(path, (an_hour_ago, an_hour_ago))


def build(what: str, run: Callable[[], object]) -> None:
    """Run, and tell the time and what was made."""
    began, cpu = time.perf_counter(), time.process_time()
    before = made()
    run()
    print(
        f"{what}: {time.perf_counter() - began:.1f} s ({time.process_time() - cpu:.1f} s CPU)",
        flush=True,
    )
    for name, n in sorted(made().items()):
        if n > before.get(name, 0):
            print(f"    {name}: {n - before.get(name, 0)}")


def made() -> dict[str, int]:
    """Count the materializations of each asset so far; of days, the days."""
    if not Path(os.environ["DAGSTER_HOME"]).exists():
        return {}
    with open_instance(prepare_home()) as instance:
        counts = {}
        for key in instance.all_asset_keys():
            records = instance.fetch_materializations(key, limit=5_000).records
            name = key.to_user_string() + (" (days)" if key in DAY_KEYS else "")
            counts[name] = len(records)
        return counts


if __name__ == "__main__":
    sys.exit(main())
