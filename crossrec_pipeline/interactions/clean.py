"""In: the events of a log as delivered, on any engine. Out: the same, each with its reason.

One Narwhals expression, which runs where the events are: in DuckDB, in polars, or on Spark. An
event is refused with the first reason that holds, in the order of `REASONS`.
"""

from datetime import datetime, timedelta

import narwhals as nw

REASONS = (
    "no_item",
    "unknown_item",
    "no_timestamp",
    "unparseable_timestamp",
    "from_future",
    "no_user_or_session",
    "duplicate",
)
FUTURE_TOLERANCE = timedelta(days=1)

_SAME_EVENT = ("user_id", "session_id", "item_id", "event_type", "time_us")


def latest_acceptable_us(now: datetime) -> int:
    """Return the last time that an event may have, µs since 1970.

    Parameters
    ----------
    now
        The present, aware.
    """
    return round((now + FUTURE_TOLERANCE).timestamp() * 1_000_000)


def judge(log: nw.LazyFrame, known_items: nw.LazyFrame, latest_us: int) -> nw.LazyFrame:
    """Say of each event why it is refused.

    Parameters
    ----------
    log
        Has `user_id`, `session_id`, `item_id`, `event_type`, `time_us` (µs since 1970, null where
        it could not be read), `time_given` (whether there was anything to read) and `log_order`,
        which no two events share. Further columns stay.
    known_items
        `item_id` of the catalogue, on the same engine; repeats do no harm.
    latest_us
        Later events are from the future.

    Returns
    -------
    LazyFrame
        `log` in any order, with `reason`: one of `REASONS`, null where the event is accepted. Of
        equal events the first in log order is accepted.
    """
    item, time = nw.col("item_id"), nw.col("time_us")
    known = known_items.select("item_id").unique().with_columns(is_known=nw.lit(True))
    first_reasons = nw.coalesce(
        _reason("no_item", item.is_null()),
        _reason("unknown_item", nw.col("is_known").is_null()),
        _reason("no_timestamp", ~nw.col("time_given")),
        _reason("unparseable_timestamp", time.is_null()),
        _reason("from_future", time > latest_us),
        _reason("no_user_or_session", nw.col("user_id").is_null() & nw.col("session_id").is_null()),
    )
    judged = (
        log.join(known, on="item_id", how="left")
        .with_columns(reason=first_reasons)
        .with_columns(first=nw.col("log_order").min().over(*_SAME_EVENT, "reason"))
    )
    is_repeat = nw.col("reason").is_null() & (nw.col("log_order") > nw.col("first"))
    return judged.with_columns(reason=nw.coalesce("reason", _reason("duplicate", is_repeat))).drop(
        "is_known", "first"
    )


def _reason(name: str, holds: nw.Expr) -> nw.Expr:
    """Return the name where it holds, else null."""
    return nw.when(holds).then(nw.lit(name))
