"""In: the rows of one delivery, as a query. Out: Parquet pieces by the day (UTC) of the event.

A piece has `row` (in the delivery), `user_id`, `session_id`, `item_id` (with its prefix),
`event_type`, `time_us` (since 1970), and, of rows whose time could not be read, `unread_time`.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from crossrec_pipeline.atomic import atomic_directory
from crossrec_pipeline.digests import text_digest
from crossrec_pipeline.interactions.deliveries.ledger import UNDATED, Piece
from crossrec_pipeline.interactions.log_rows import LAST_US, sql_text

UNDATED_REASON = f"""
    CASE WHEN item_id IS NULL THEN 'no_item'
         WHEN time_us > {LAST_US} THEN 'from_future'
         WHEN unread_time IS NULL THEN 'no_timestamp'
         ELSE 'unparseable_timestamp' END"""
"""The first reason that holds of a row without a day, and that can be told without a catalogue."""


@dataclass(frozen=True)
class Staged:
    """The pieces of one delivery by day, and its rows without a usable time by reason."""

    pieces: dict[str, Piece]
    undated: dict[str, int]


def stage_rows(connection: duckdb.DuckDBPyConnection, query: str, target: Path) -> Staged:
    """Write the rows of a query by day, in one pass over them.

    Parameters
    ----------
    connection
        The database that the query is for.
    query
        See `log_rows.clean_rows`.
    target
        Directory of the delivery's pieces, which appears whole; one that is there is replaced.

    Raises
    ------
    duckdb.Error
        If the query fails.
    """
    with atomic_directory(target) as partial:
        connection.execute(
            f"""
            COPY (
                SELECT
                    log_order AS row,
                    user_id,
                    session_id,
                    item_id,
                    event_type,
                    time_us,
                    CASE WHEN time_us IS NULL THEN time_text END AS unread_time,
                    CASE WHEN time_us <= {LAST_US}
                         THEN CAST(CAST(make_timestamp(time_us) AS DATE) AS VARCHAR)
                         ELSE '{UNDATED}' END AS date
                FROM ({query})
            ) TO {sql_text(str(partial))} (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date))
            """
        )
        folders = {path.name.removeprefix("date="): path for path in partial.iterdir()}
        pieces = {
            day: _piece(connection, folder, f"{target.parent.name}/{target.name}/{folder.name}")
            for day, folder in sorted(folders.items())
        }
        undated = _undated(connection, folders[UNDATED]) if UNDATED in folders else {}
    return Staged(pieces, undated)


def first_unread_time(
    connection: duckdb.DuckDBPyConnection, staged: Staged, target: Path
) -> tuple[int, str] | None:
    """Return row and text of the first time, if a delivery has times and none can be used."""
    if list(staged.pieces) != [UNDATED]:
        return None
    first = connection.execute(
        f"SELECT row, unread_time FROM {_parquet(target / f'date={UNDATED}')} "
        "WHERE unread_time IS NOT NULL ORDER BY row LIMIT 1"
    ).fetchall()
    return first[0] if first else None


def _piece(connection: duckdb.DuckDBPyConnection, folder: Path, name: str) -> Piece:
    # Sum and exclusive-or do not depend on the order in which threads wrote the rows.
    row = connection.execute(
        f"""
        SELECT count(*), sum(hash), bit_xor(hash)
        FROM (
            SELECT hash(row, user_id, session_id, item_id, event_type, time_us, unread_time) AS hash
            FROM {_parquet(folder)}
        )
        """
    ).fetchall()[0]
    return Piece(name, row[0], text_digest(*map(str, row)))


def _undated(connection: duckdb.DuckDBPyConnection, folder: Path) -> dict[str, int]:
    counts = connection.execute(
        f"SELECT {UNDATED_REASON} AS reason, count(*) FROM {_parquet(folder)} "
        "GROUP BY reason ORDER BY reason"
    )
    return dict(counts.fetchall())


def _parquet(folder: Path) -> str:
    return f"read_parquet({sql_text(str(folder / '*.parquet'))}, hive_partitioning = false)"
