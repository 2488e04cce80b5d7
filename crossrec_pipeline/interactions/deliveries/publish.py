"""In: everything delivered of one day. Out: its accepted events, and beside them its refused ones.

A day is judged as a whole: late events are among the others, and an event that was delivered twice
is found, in whichever deliveries. `log_order` numbers the rows delivered of the day, by the name of
the delivery, then by row, so that what is delivered of another day does not change it.

An event is from the future when it is more than a day ahead at the time of publishing. It stays
among the pieces; `is_current` turns false when its time has come, and publishing again accepts it.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb
import narwhals as nw
import polars as pl
import pyarrow.parquet as pq

from crossrec_pipeline.atomic import atomic_file, remove_directory
from crossrec_pipeline.digests import frame_digest, json_digest
from crossrec_pipeline.interactions.clean import REASONS, judge, latest_acceptable_us
from crossrec_pipeline.interactions.deliveries.ledger import Ledger, read_ledger
from crossrec_pipeline.interactions.deliveries.pieces import add_pieces
from crossrec_pipeline.interactions.log import EVENTS_ARROW, EventsDigest, arrow_events
from crossrec_pipeline.interactions.log_rows import log_database, sql_text
from crossrec_pipeline.interactions.schema import EVENTS, REJECTED_EVENTS

_BATCH_ROWS = 1 << 18
_SUMMARY = b"crossrec_day"
"""Key of the summary among the metadata of a day's file."""


@dataclass(frozen=True)
class DaySummary:
    """What became of the events delivered of one day.

    Attributes
    ----------
    n_in
        Rows delivered; equals `n_accepted` and all of `n_rejected` together.
    n_accepted
        Events written.
    n_rejected
        Events refused, by reason; reasons that did not occur are left out.
    digest
        Content version of the accepted events.
    made_of
        Digest of what was delivered of the day, and of the known items.
    first_future_us
        Time of the first event that was refused as `from_future`, µs since 1970.
    """

    n_in: int
    n_accepted: int
    n_rejected: dict[str, int]
    digest: str
    made_of: str
    first_future_us: int | None


def publish_day(
    day: date,
    items: pl.DataFrame,
    deliveries_dir: Path,
    events_dir: Path,
    rejected_dir: Path,
    now: datetime,
) -> DaySummary:
    """Judge what was delivered of a day, and write it.

    Days may be published in any order, and by several processes at once. A day of which nothing was
    delivered, or nothing any more, loses its files.

    Parameters
    ----------
    day
        UTC.
    items
        The catalogue; needs item_id.
    deliveries_dir
        See `read_deliveries`.
    events_dir
        Gets ``date=YYYY-MM-DD/part-0.parquet``, ordered by time, then log order; without rows where
        no event was accepted.
    rejected_dir
        Gets ``date=YYYY-MM-DD.parquet`` in log order, where events were refused.
    now
        The present, aware; what is later than it by more than a day is refused.
    """
    ledger = read_ledger(deliveries_dir)
    made_of = _made_of(ledger, day, _items_digest(items))
    if not ledger.pieces(day.isoformat()):
        _withdraw(day, events_dir, rejected_dir)
        return DaySummary(0, 0, {}, EventsDigest().value(), made_of, None)
    with log_database(deliveries_dir) as connection:
        add_pieces(connection, ledger.pieces(day.isoformat()), deliveries_dir)
        _judge(connection, items, now)
        n_rejected, first_future_us = _count_rejected(connection)
        # The events come last: without them the day is not current.
        _write_rejected(connection, rejected_dir / f"date={day.isoformat()}.parquet", n_rejected)
        return _write_accepted(
            connection, _events_path(day, events_dir), n_rejected, made_of, first_future_us
        )


def published(day: date, events_dir: Path) -> DaySummary | None:
    """Return the summary of a day as it was last published here, if it was."""
    path = _events_path(day, events_dir)
    if not path.exists():
        return None
    text = (pq.read_metadata(path).metadata or {}).get(_SUMMARY)
    return DaySummary(**json.loads(text)) if text else None


def is_current(
    day: date, items: pl.DataFrame, deliveries_dir: Path, events_dir: Path, now: datetime
) -> bool:
    """Say whether publishing a day again would give what lies there.

    It would not if something was delivered of it since, the known items have changed, or an event
    that was from the future has had its time.
    """
    return day not in stale_days([day], items, deliveries_dir, events_dir, now)


def stale_days(
    days: Iterable[date],
    items: pl.DataFrame,
    deliveries_dir: Path,
    events_dir: Path,
    now: datetime,
) -> tuple[date, ...]:
    """Return those days that are not current, see `is_current`."""
    ledger = read_ledger(deliveries_dir)
    items_digest = _items_digest(items)
    latest_us = latest_acceptable_us(now)

    def is_stale(day: date) -> bool:
        if not ledger.pieces(day.isoformat()):
            return _events_path(day, events_dir).exists()
        summary = published(day, events_dir)
        if summary is None or summary.made_of != _made_of(ledger, day, items_digest):
            return True
        return summary.first_future_us is not None and summary.first_future_us <= latest_us

    return tuple(day for day in days if is_stale(day))


def published_days(events_dir: Path) -> tuple[date, ...]:
    """Return the days of which there is a file, in order."""
    folders = sorted(events_dir.glob("date=*"))
    return tuple(date.fromisoformat(folder.name.removeprefix("date=")) for folder in folders)


def _items_digest(items: pl.DataFrame) -> str:
    return frame_digest(items.select(pl.col("item_id").cast(pl.String).unique()))


def _made_of(ledger: Ledger, day: date, items_digest: str) -> str:
    return json_digest([ledger.digests(day.isoformat()), items_digest])


def _events_path(day: date, events_dir: Path) -> Path:
    return events_dir / f"date={day.isoformat()}" / "part-0.parquet"


def _withdraw(day: date, events_dir: Path, rejected_dir: Path) -> None:
    (rejected_dir / f"date={day.isoformat()}.parquet").unlink(missing_ok=True)
    if _events_path(day, events_dir).parent.is_dir():
        remove_directory(_events_path(day, events_dir).parent)


def _judge(connection: duckdb.DuckDBPyConnection, items: pl.DataFrame, now: datetime) -> None:
    """Make the table `judged`: the rows of the day with a reason, null where accepted."""
    known = items.select(pl.col("item_id").cast(pl.String))
    connection.register("known_items", known.to_arrow(compat_level=pl.CompatLevel.oldest()))
    delivered = connection.sql("SELECT * EXCLUDE (unread_time), true AS time_given FROM delivered")
    judged = judge(
        nw.from_native(delivered),
        nw.from_native(connection.table("known_items")),
        latest_acceptable_us(now),
    )
    judged.to_native().create("judged")


def _count_rejected(
    connection: duckdb.DuckDBPyConnection,
) -> tuple[dict[str, int], int | None]:
    rows = connection.execute(
        "SELECT reason, count(*), min(time_us) FROM judged WHERE reason IS NOT NULL GROUP BY reason"
    ).fetchall()
    counts = {reason: count for reason, count, _ in rows}
    first_us = {reason: first for reason, _, first in rows}
    return (
        {reason: counts[reason] for reason in REASONS if reason in counts},
        first_us.get("from_future"),
    )


def _columns(names: Iterable[str]) -> str:
    return ", ".join(
        "make_timestamptz(time_us) AS timestamp" if name == "timestamp" else name for name in names
    )


def _write_rejected(
    connection: duckdb.DuckDBPyConnection, path: Path, n_rejected: dict[str, int]
) -> None:
    if not n_rejected:
        path.unlink(missing_ok=True)
        return
    with atomic_file(path) as partial:
        connection.execute(
            f"COPY (SELECT {_columns(REJECTED_EVENTS)} FROM judged WHERE reason IS NOT NULL "
            f"ORDER BY log_order) TO {sql_text(str(partial))} (FORMAT parquet, COMPRESSION zstd)"
        )


def _write_accepted(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    n_rejected: dict[str, int],
    made_of: str,
    first_future_us: int | None,
) -> DaySummary:
    query = (
        f"SELECT {_columns(EVENTS)} FROM judged WHERE reason IS NULL ORDER BY time_us, log_order"
    )
    digest, n_accepted = EventsDigest(), 0
    with (
        atomic_file(path) as partial,
        pq.ParquetWriter(partial, EVENTS_ARROW, compression="zstd") as writer,
    ):
        for batch in connection.sql(query).to_arrow_reader(_BATCH_ROWS):
            events = pl.DataFrame(batch).select(
                pl.col(name).cast(dtype) for name, dtype in EVENTS.items()
            )
            if events.height:
                digest.add(events)
                n_accepted += events.height
                writer.write_table(arrow_events(events))
        summary = DaySummary(
            n_in=n_accepted + sum(n_rejected.values()),
            n_accepted=n_accepted,
            n_rejected=n_rejected,
            digest=digest.value(),
            made_of=made_of,
            first_future_us=first_future_us,
        )
        writer.add_key_value_metadata({_SUMMARY: json.dumps(asdict(summary)).encode()})
    return summary
