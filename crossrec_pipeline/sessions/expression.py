"""In: events, in a frame of any engine that Narwhals knows. Out: sessions, one row an event.

The functions only say what is to be computed, in operations that DuckDB, polars and PySpark share;
the engine that the frame belongs to does the work when the result is read. The rules are those of
`sessions.days`, whose array kernels do the same on one machine.

Events have the columns `session_id`, `user_id`, `item_id`, `time_us` (int64, UTC epoch) and
`log_order` of `interactions.schema.EVENTS`; others are ignored, but those that are to be carried.
Sessions have those of `sessions.schema.SESSION_EVENTS`, in no order but where `in_file_order` asks
for it, and after them what is carried.
"""

from collections.abc import Sequence

import narwhals as nw

_IN_STREAM = ("time_us", "log_order", "item_id")
_BEFORE_ALL_TIMES = -(2**62)


def sessions_of_log(events: nw.LazyFrame, gap_us: int, carried: Sequence[str] = ()) -> nw.LazyFrame:
    """Group all events into sessions, which may go on over midnight.

    A stream is what is never mixed: one `session_id` of the log, or a user's events without one.
    A user's stream breaks where the silence is longer than `gap_us`; a `session_id` never does.
    Its events without a user belong to its user. Events with neither id are left out.

    Parameters
    ----------
    events
        The columns named above.
    gap_us
        Longest silence inside a session, µs.
    carried
        Further columns of the events that are kept.

    Returns
    -------
    nw.LazyFrame
        The columns of `SESSION_EVENTS`; `position` counts from the session's start.
    """
    return _sessions(events, (), gap_us, carried)


def sessions_by_date(
    events: nw.LazyFrame, gap_us: int, carried: Sequence[str] = ()
) -> nw.LazyFrame:
    """Group the events of each day into sessions; those that cross midnight are cut there.

    Parameters
    ----------
    events
        The columns named above, and `date`, of any type: the day (UTC) of the event.
    gap_us
        Longest silence inside a session, µs.
    carried
        Further columns of the events that are kept.

    Returns
    -------
    nw.LazyFrame
        `date` and the columns of `SESSION_EVENTS`; `start_us` and `position` are within the day.
    """
    return _sessions(events, ("date",), gap_us, carried)


def shared_sessions(events: nw.LazyFrame) -> nw.LazyFrame:
    """Find the session ids that two users have, which no log may hold.

    Parameters
    ----------
    events
        The columns `session_id` and `user_id`.

    Returns
    -------
    nw.LazyFrame
        `session_id`, and two of its users: `one` and `other`.
    """
    named = events.filter(~nw.col("session_id").is_null(), ~nw.col("user_id").is_null())
    users = named.group_by("session_id").agg(
        one=nw.col("user_id").min(), other=nw.col("user_id").max()
    )
    return users.filter(nw.col("one") != nw.col("other"))


def in_file_order(sessions: nw.LazyFrame, *before: str) -> nw.LazyFrame:
    """Sort sessions as the files of days have them, after the columns `before`, nulls first."""
    return sessions.sort(*before, "start_us", "session_id", "user_id", "position")


def _sessions(
    events: nw.LazyFrame, within: Sequence[str], gap_us: int, carried: Sequence[str]
) -> nw.LazyFrame:
    session_id, user_id = nw.col("session_id"), nw.col("user_id")
    stream = (*within, "by_user", "stream")
    # Not partitioned by `session_id` itself: in a log without any, a cluster would send all rows
    # to one machine.
    streams = events.filter(~(session_id.is_null() & user_id.is_null())).with_columns(
        by_user=session_id.is_null(), stream=nw.coalesce(session_id, user_id)
    )
    # Someone who logs in half-way through a session of the log leaves it with and without a user.
    owned = streams.with_columns(user_id=nw.coalesce(user_id, user_id.min().over(*stream)))
    # Two users of one session_id stay apart, so that whoever sees all days can tell of them.
    stream = (*stream, "user_id")
    stepped = owned.with_columns(
        silence=nw.col("time_us") - nw.col("time_us").shift(1).over(*stream, order_by=_IN_STREAM),
        row=nw.col("time_us").cum_count().over(*stream, order_by=_IN_STREAM),
    )
    begins = nw.col("silence").is_null() | (nw.col("by_user") & (nw.col("silence") > gap_us))
    # Times and rows ascend in a stream, so the last begin is the greatest so far.
    begun = stepped.with_columns(
        start_us=nw.when(begins).then(nw.col("time_us")).otherwise(nw.lit(_BEFORE_ALL_TIMES)),
        first_row=nw.when(begins).then(nw.col("row")).otherwise(nw.lit(0)),
    ).with_columns(
        nw.col("start_us", "first_row").cum_max().over(*stream, order_by="row"),
    )
    return begun.select(
        *within,
        "session_id",
        "user_id",
        "start_us",
        (nw.col("row") - nw.col("first_row")).cast(nw.Int32).alias("position"),
        "item_id",
        "time_us",
        "log_order",
        *carried,
    )
