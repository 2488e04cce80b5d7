"""Logs of clicks in (columns SessionId, ItemId, Time); files to train on and to rank out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EventsError
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

COLUMNS = ("SessionId", "ItemId", "Time")
ITEM_COLUMNS = ("item_id", "item_type")

_READERS = {
    ".parquet": pl.read_parquet,
    ".tsv": lambda path: pl.read_csv(path, separator="\t"),
    ".txt": lambda path: pl.read_csv(path, separator="\t"),
}


def read_clicks(path: Path) -> pl.DataFrame:
    """Read a log: one row a click, ordered by the session's first click, session and time.

    Clicks of one session at the same time keep the file's order.

    Raises
    ------
    EventsError
        If there is no such file, it is not what its name says, or a column is missing, has empty
        cells, or a `Time` that is no number.
    """
    clicks = _read(path)
    missing = [name for name in COLUMNS if name not in clicks.columns]
    if missing:
        raise EventsError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(clicks.columns)}. "
            f"Rename its columns to {', '.join(COLUMNS)}."
        )
    clicks = clicks.select(COLUMNS)
    if not clicks.schema["Time"].is_numeric():
        raise EventsError(
            f"{path}: column Time is {clicks.schema['Time']}; expected a number, such as seconds "
            "or a running index."
        )
    if any(count for (count,) in clicks.null_count().transpose().rows()):
        raise EventsError(f"{path} has empty cells in {', '.join(COLUMNS)}; leave those rows out.")
    return _in_order(clicks)


@dataclass(frozen=True)
class ClickSplit:
    """What is trained on and what is ranked.

    Attributes
    ----------
    train
        Sessions of two clicks or more.
    ranked
        Likewise, of items that occur in train.
    notes
        What was left out, a line each.
    """

    train: pl.DataFrame
    ranked: pl.DataFrame
    notes: tuple[str, ...]

    @classmethod
    def of_files(cls, train: pl.DataFrame, test: pl.DataFrame, min_support: int) -> Self:
        """Drop what cannot be learnt from train, then what test has beyond train.

        Parameters
        ----------
        train, test
            Clicks, as `read_clicks` gives them.
        min_support
            Clicks in train below which an item is dropped from train.

        Raises
        ------
        EventsError
            If nothing is left to train on or to rank.
        """
        rare = train.group_by("ItemId").len().filter(pl.col("len") < min_support)
        kept = _sessions_of_two(train.join(rare, on="ItemId", how="anti", maintain_order="left"))
        known = test.join(kept.select("ItemId").unique(), on="ItemId", how="semi")
        ranked = _sessions_of_two(_in_order(known))
        notes = (
            f"train: {train.height - kept.height:,} clicks dropped "
            f"(items of support < {min_support}, then sessions of one click)",
            f"ranked: {test.height - known.height:,} clicks on items unknown in train dropped, "
            f"then {known.height - ranked.height:,} in sessions of one click",
        )
        for name, clicks in (("train on", kept), ("rank", ranked)):
            if clicks.is_empty():
                raise EventsError(f"Nothing is left to {name}. {'; '.join(notes)}.")
        return cls(kept, ranked, notes)


def hold_out_last(clicks: pl.DataFrame, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cut at a session: the last `share` of the sessions, by their first click, apart."""
    session = clicks["SessionId"].rle_id()
    n_before = round((int(session.max()) + 1) * (1 - share))  # type: ignore[arg-type]
    return clicks.filter(session < n_before), clicks.filter(session >= n_before)


def to_store(clicks: pl.DataFrame, vocabulary: Vocabulary) -> SessionStore:
    """Make a session store of clicks in order; times stand as they are."""
    codes = pl.DataFrame(
        {"ItemId": vocabulary.item_ids, "code": np.arange(vocabulary.n_items, dtype=np.int32)}
    )
    items = clicks.select(pl.col("ItemId").cast(pl.String)).join(
        codes, on="ItemId", how="left", maintain_order="left"
    )
    sessions = clicks.group_by("SessionId", maintain_order=True).agg(
        pl.len().alias("n"), pl.col("Time").min().alias("start"), pl.col("Time").max().alias("end")
    )
    ends = sessions["n"].cast(pl.Int64).cum_sum().to_numpy()
    return SessionStore(
        items["code"].to_numpy(),
        np.concatenate([np.zeros(1, np.int64), ends]),
        sessions["start"].cast(pl.Int64).to_numpy(),
        sessions["end"].cast(pl.Int64).to_numpy(),
        sessions.select(
            pl.col("SessionId").cast(pl.String).alias("session_id"),
            pl.lit(None, pl.String).alias("user_id"),
        ),
    )


def read_item_types(path: Path) -> pl.DataFrame:
    """Read the types of items: columns item_id and item_type, one row an item.

    Raises
    ------
    EventsError
        If there is no such file, it is not what its name says, a column is missing or has empty
        cells, or an item comes twice.
    """
    items = _read(path)
    missing = [name for name in ITEM_COLUMNS if name not in items.columns]
    if missing:
        raise EventsError(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(items.columns)}. "
            f"Rename its columns to {', '.join(ITEM_COLUMNS)}."
        )
    items = items.select(pl.col(ITEM_COLUMNS).cast(pl.String))
    if any(count for (count,) in items.null_count().transpose().rows()):
        raise EventsError(f"{path} has empty cells in {', '.join(ITEM_COLUMNS)}; fill them in.")
    twice = items["item_id"].filter(items["item_id"].is_duplicated())
    if len(twice):
        raise EventsError(f"{path} has item {twice[0]!r} more than once. Keep one row an item.")
    return items


def to_vocabulary(train: pl.DataFrame, types: pl.DataFrame | None = None) -> Vocabulary:
    """Make a vocabulary of train's items, ordered by their id's text.

    Parameters
    ----------
    train
        Clicks.
    types
        What `read_item_types` gives; None makes all items of one type.

    Raises
    ------
    EventsError
        If an item of train has no type.
    """
    counts = _counts(train)
    if types is None:
        return Vocabulary.from_items(
            counts.with_columns(pl.lit("item").alias("item_type"), pl.col("item_id").alias("title"))
        )
    typed = counts.join(types, on="item_id", how="left", maintain_order="left")
    untyped = typed.filter(pl.col("item_type").is_null())
    if untyped.height:
        raise EventsError(
            f"{untyped.height:,} items of train have no type, for example "
            f"{untyped['item_id'][0]!r}. Add them to the file of items."
        )
    return Vocabulary.from_items(typed.with_columns(pl.col("item_id").alias("title")))


def _counts(train: pl.DataFrame) -> pl.DataFrame:
    counts = train.group_by(pl.col("ItemId").cast(pl.String).alias("item_id")).len("support")
    return counts.sort("item_id")


def _in_order(clicks: pl.DataFrame) -> pl.DataFrame:
    first = pl.col("Time").min().over("SessionId")
    return clicks.sort(first, "SessionId", "Time", maintain_order=True)


def _sessions_of_two(clicks: pl.DataFrame) -> pl.DataFrame:
    return clicks.filter(pl.len().over("SessionId") >= 2)


def _read(path: Path) -> pl.DataFrame:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise EventsError(
            f"{path} is neither Parquet nor TSV by its name; expected one of {', '.join(_READERS)}."
        )
    if not path.is_file():
        raise EventsError(f"{path} does not exist. Give the path of a Parquet or TSV file.")
    try:
        return reader(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise EventsError(f"{path} cannot be read as {path.suffix[1:]}: {error}") from error
