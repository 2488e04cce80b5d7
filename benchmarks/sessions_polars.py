"""A log in one polars frame in, split sessions over one vocabulary out: fast, but all in memory.

The same steps as in `sessions_pandas.py`, in the way polars wants them written. The benchmark
compares both with the pipeline, results included.
"""

from pathlib import Path

import numpy as np
import polars as pl
from sessions_cuts import cut_times

from crossrec_pipeline.sessions.split import assign_parts
from crossrec_pipeline.sessions.store import PARTS
from crossrec_pipeline.settings import SessionSettings, SplitSettings


def build(events_dir: Path, target: Path, sessions: SessionSettings, split: SplitSettings) -> None:
    """Write the store of each part and the vocabulary into the folder `target`."""
    log = pl.read_parquet(
        events_dir / "date=*" / "part-*.parquet",
        columns=["user_id", "item_id", "timestamp"],
        hive_partitioning=False,
    )
    log = log.with_columns(time=pl.col("timestamp").to_physical()).drop("timestamp")
    log = log.sort("user_id", "time", maintain_order=True)
    silence = pl.col("time").diff() > round(sessions.gap_minutes * 60_000_000)
    log = log.with_columns(
        begins=pl.col("user_id").ne_missing(pl.col("user_id").shift()) | silence.fill_null(True)
    )
    log = log.with_columns(session=pl.col("begins").cum_sum())
    log = log.filter(
        pl.col("begins") | (pl.col("item_id") != pl.col("item_id").shift()).fill_null(True)
    ).drop("begins")

    cuts = cut_times(log["time"].to_numpy(), split)
    log = log.filter(pl.len().over("session") >= sessions.min_length)
    bounds = log.group_by("session", maintain_order=True).agg(
        begin=pl.col("time").min(), last=pl.col("time").max()
    )
    part = assign_parts(bounds["begin"].to_numpy(), bounds["last"].to_numpy(), cuts)
    log = log.join(
        bounds.select("session", "begin", part=pl.Series(part)), on="session", maintain_order="left"
    )

    support = (
        log.filter(pl.col("part") == 0)["item_id"]
        .value_counts()
        .filter(pl.col("count") >= sessions.min_support)
        .sort(["count", "item_id"], descending=[True, False])
    )
    index = support.select("item_id", item=pl.int_range(pl.len(), dtype=pl.Int32))
    log = log.join(index, on="item_id", maintain_order="left")
    support.write_parquet(target / "vocabulary.parquet")
    for code, name in enumerate(PARTS):
        (target / name).mkdir()
        _write(
            log.filter(pl.col("part") == code, pl.col("item").is_not_null()),
            sessions,
            target / name,
        )


def _write(part: pl.DataFrame, sessions: SessionSettings, folder: Path) -> None:
    repeats = (pl.col("session") == pl.col("session").shift()) & (
        pl.col("item") == pl.col("item").shift()
    )
    part = part.filter(~repeats.fill_null(False))
    part = part.filter(pl.len().over("session") >= sessions.min_length)
    piece = pl.int_range(pl.len()).over("session") // sessions.max_length
    part = part.with_columns(piece=piece)
    part = part.filter(pl.len().over("session", "piece") >= sessions.min_length)
    keys = part.group_by("session", "piece", maintain_order=True).agg(
        pl.col("user_id", "begin").first(),
        start=pl.col("time").min(),
        end=pl.col("time").max(),
        length=pl.len(),
    )
    begin = pl.from_epoch("begin", time_unit="us")
    later = pl.when(pl.col("piece") > 0).then(pl.format("#{}", pl.col("piece") + 1))
    keys = keys.with_columns(
        session_id=pl.concat_str(
            "user_id",
            pl.lit("/"),
            begin.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
            later.otherwise(pl.lit("")),
        )
    ).sort("start", "session_id")
    rank = keys.select("session", "piece", rank=pl.int_range(pl.len()))
    part = part.join(rank, on=["session", "piece"], maintain_order="left")
    part = part.sort("rank", maintain_order=True)
    np.save(folder / "item_index.npy", part["item"].to_numpy())
    ends = keys["length"].cast(pl.Int64).cum_sum().to_numpy()
    np.save(folder / "offsets.npy", np.concatenate([np.zeros(1, np.int64), ends]))
    np.save(folder / "start_us.npy", keys["start"].to_numpy())
    np.save(folder / "end_us.npy", keys["end"].to_numpy())
    keys.select("session_id", "user_id").write_parquet(folder / "keys.parquet")
