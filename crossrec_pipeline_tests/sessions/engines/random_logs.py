"""Small logs over three days, with all that engines could disagree on, from a seed."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from crossrec_pipeline.interactions.schema import EVENTS
from crossrec_pipeline_tests.sessions.session_rules import DAY_US, LogRow

FIRST_DAY = date(2023, 1, 1)
FIRST_US = (FIRST_DAY - date(1970, 1, 1)).days * DAY_US
GAP_MINUTES = 0.5
GAP_US = 30_000_000

# Quotes, letters whose order by code point is not that of UTF-16, and what a path must not hold.
_IDS = (None, None, "a", "b", 'o\'b "c"', "ü/ö=%", "\uffee", "\U0001f600", "")

_TYPES = ("clicked", "searched", None, "scrolled", "ü")


def random_log(seed: int, n_events: int = 300) -> list[LogRow]:
    """Return events around two midnights: ties, duplicates, silences of just the gap, late ones."""
    draw = random.Random(seed)
    owners: dict[str | None, str | None] = {}
    rows = []
    for log_order in range(n_events):
        session_id, user_id = draw.choice(_IDS), draw.choice(_IDS)
        if session_id is not None and user_id is not None:
            user_id = owners.setdefault(session_id, user_id)
        time_us = FIRST_US + draw.choice((1, 2)) * DAY_US + draw.randrange(-12, 12) * GAP_US // 2
        time_us += draw.choice((0, 0, 0, 1))
        rows.append(LogRow(session_id, user_id, draw.choice("xyzäö"), time_us, log_order))
        if draw.random() < 0.1:
            rows.append(draw.choice(rows))
    # Behind all others in the log, before them in time.
    rows.append(LogRow(None, "late", "x", FIRST_US + 7, n_events))
    return rows


def write_log(log: list[LogRow], directory: Path) -> Path:
    """Write a log by day as the interactions layer does; rows in a file are in reversed order."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "user_id": [row.user_id for row in log],
            "session_id": [row.session_id for row in log],
            "item_id": [row.item_id for row in log],
            "event_type": [_TYPES[row.log_order % len(_TYPES)] for row in log],
            "timestamp": [start + timedelta(microseconds=row.time_us) for row in log],
            "log_order": [row.log_order for row in log],
        },
        schema=EVENTS,
    ).reverse()
    for (day,), of_day in frame.group_by(pl.col("timestamp").dt.date()):
        folder = directory / f"date={day}"
        folder.mkdir(parents=True)
        of_day.write_parquet(folder / "part-0.parquet")
    return directory


def days_of(log: list[LogRow]) -> list[date]:
    """Return the days of a log, sorted."""
    return [date.fromisoformat(day) for day in sorted({row.date for row in log})]
