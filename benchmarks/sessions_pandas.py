"""The usual way: a log in one pandas frame in, split sessions over one vocabulary out.

What `write_session_dataset` does with streams, written as it is written in this field: one frame
in memory, sorted, shifted and grouped. The benchmark compares both, results included.
"""

# What pandas itself says of its types does not tell a frame from a column of it.
# pyright: reportReturnType=false, reportArgumentType=false, reportOperatorIssue=false
# pyright: reportAssignmentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from pathlib import Path

import numpy as np
import pandas as pd
from sessions_cuts import cut_times

from crossrec_pipeline.sessions.split import assign_parts
from crossrec_pipeline.sessions.store import PARTS
from crossrec_pipeline.settings import SessionSettings, SplitSettings


def build(events_dir: Path, target: Path, sessions: SessionSettings, split: SplitSettings) -> None:
    """Write the store of each part and the vocabulary into the folder `target`."""
    files = sorted(events_dir.glob("date=*/part-*.parquet"))
    log = pd.concat(
        [pd.read_parquet(file, columns=["user_id", "item_id", "timestamp"]) for file in files],
        ignore_index=True,
    )
    log["time"] = log.pop("timestamp").astype("int64")
    log = log.sort_values(["user_id", "time"], kind="stable", ignore_index=True)
    same_user = log["user_id"].eq(log["user_id"].shift())
    gap = log["time"].diff() > sessions.gap_minutes * 60_000_000
    begins = ~same_user | gap
    log["session"] = begins.cumsum()
    log = log[begins | log["item_id"].ne(log["item_id"].shift())]

    cuts = cut_times(log["time"].to_numpy(), split)
    log = _long_enough(log, sessions.min_length)
    times = log.groupby("session")["time"]
    log["begin"], last = times.transform("min"), times.transform("max")
    log["part"] = assign_parts(log["begin"].to_numpy(), last.to_numpy(), cuts)

    support = log.loc[log["part"] == 0, "item_id"].value_counts()
    support = support[support >= sessions.min_support].reset_index()
    support = support.sort_values(["count", "item_id"], ascending=[False, True])
    support.to_parquet(target / "vocabulary.parquet", index=False)
    index = pd.Series(np.arange(len(support), dtype=np.int32), index=support["item_id"])
    for code, name in enumerate(PARTS):
        (target / name).mkdir()
        _write(log[log["part"] == code], index, sessions, target / name)


def _long_enough(log: pd.DataFrame, min_length: int) -> pd.DataFrame:
    return log[log.groupby("session")["session"].transform("size") >= min_length]


def _write(part: pd.DataFrame, index: pd.Series, sessions: SessionSettings, folder: Path) -> None:
    part = part.assign(item=part["item_id"].map(index)).dropna(subset=["item"])
    repeats = part["session"].eq(part["session"].shift()) & part["item"].eq(part["item"].shift())
    part = _long_enough(part[~repeats], sessions.min_length)
    part["piece"] = part.groupby("session").cumcount() // sessions.max_length
    part = part[part.groupby(["session", "piece"])["item"].transform("size") >= sessions.min_length]
    pieces = part.groupby(["session", "piece"], sort=False)
    keys = pieces.agg(
        user_id=("user_id", "first"),
        begin=("begin", "first"),
        start=("time", "min"),
        end=("time", "max"),
        length=("time", "size"),
    ).reset_index()
    begin = pd.to_datetime(keys["begin"], unit="us")
    keys["session_id"] = keys["user_id"] + "/" + begin.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    later = keys["piece"] > 0
    keys.loc[later, "session_id"] += "#" + (keys["piece"][later] + 1).astype(str)
    keys = keys.sort_values(["start", "session_id"], ignore_index=True)
    rank = keys.reset_index(names="rank")[["session", "piece", "rank"]]
    part = part.merge(rank, on=["session", "piece"]).sort_values("rank", kind="stable")
    np.save(folder / "item_index.npy", part["item"].to_numpy(np.int32))
    np.save(folder / "offsets.npy", np.concatenate([[0], keys["length"].cumsum()]))
    np.save(folder / "start_us.npy", keys["start"].to_numpy())
    np.save(folder / "end_us.npy", keys["end"].to_numpy())
    keys[["session_id", "user_id"]].to_parquet(folder / "keys.parquet", index=False)
