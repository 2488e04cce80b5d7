"""The columns of a day's sessions, as they lie on disk between the events and the store."""

import polars as pl

SESSION_EVENTS: dict[str, pl.DataType] = {
    "session_id": pl.String(),
    "user_id": pl.String(),
    "start_us": pl.Int64(),
    "position": pl.Int32(),
    "item_id": pl.String(),
    "time_us": pl.Int64(),
    "log_order": pl.Int64(),
}
"""One row an event of ``date=YYYY-MM-DD.parquet``, sessions being cut at midnight UTC.

Rows are ordered by start_us, session_id (nulls first), user_id (nulls first), position, so the
events of a session are next to each other. Events with neither a session id nor a user id are left
out; repeats are in. Strings are dictionary-encoded in Parquet.
"""

EVENT_TYPE = "event_type"
"""The last column, which a day's file has only where event inputs are asked for."""

SESSION_EVENT_DESCRIPTIONS: dict[str, str] = {
    "session_id": "The log's own session id; null where the session comes from the inactivity gap",
    "user_id": "Who: of a session of the log, the user any of its events of the day names, or null",
    "start_us": "Time of the session's first event of this day, µs since 1970 UTC",
    "position": "0, 1, 2, … within the session's events of this day, by time, log_order, item_id",
    "item_id": "An id of catalogue.items",
    "time_us": "When, µs since 1970 UTC",
    "log_order": "Row in the log as delivered; breaks ties in time",
}
