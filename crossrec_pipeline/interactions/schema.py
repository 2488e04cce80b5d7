"""The columns of the interaction log and of the events refused from it."""

import polars as pl

EVENTS: dict[str, pl.DataType] = {
    "user_id": pl.String(),
    "session_id": pl.String(),
    "item_id": pl.String(),
    "event_type": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
    "log_order": pl.Int64(),
}
"""`interactions.events`: Parquet, one directory `date=YYYY-MM-DD` a day. `log_order` is the row in
the log as delivered, or among those of the day where the log grows; it breaks ties in time."""

EVENT_DESCRIPTIONS: dict[str, str] = {
    "user_id": "Who; null for anonymous sessions",
    "session_id": "The log's own session id; null where sessions come from the inactivity gap",
    "item_id": "An id of catalogue.items",
    "event_type": "clicked, searched, scrolled, or whatever the log says",
    "timestamp": "When, UTC, microseconds",
    "log_order": "Row as delivered, in the log or in the day; breaks ties in time",
}

REJECTED_EVENTS: dict[str, pl.DataType] = {**EVENTS, "reason": pl.String()}

DEFAULT_EVENT_TYPE = "clicked"
