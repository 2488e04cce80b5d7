"""In: rows without a usable time. Out: one Parquet file of them, each with its reason.

They belong to no day, so no day is judged again for them. Their reason is the first that holds and
needs no catalogue: `no_item`, `no_timestamp`, `unparseable_timestamp`, or `from_future` after the
year 9999.
"""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.interactions.deliveries.ledger import UNDATED, Ledger
from crossrec_pipeline.interactions.deliveries.pieces import add_pieces
from crossrec_pipeline.interactions.deliveries.stage import UNDATED_REASON
from crossrec_pipeline.interactions.log_rows import sql_text
from crossrec_pipeline.interactions.schema import REJECTED_EVENTS

_MADE_OF = b"crossrec_made_of"


def bring_undated_up_to_date(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, deliveries_dir: Path, target: Path
) -> None:
    """Write the undated rows of all deliveries, unless they lie there already.

    Parameters
    ----------
    connection
        Any database.
    ledger, deliveries_dir
        The deliveries.
    target
        The Parquet file, with the columns of `REJECTED_EVENTS`; without such rows there is none.
    """
    pieces = ledger.pieces(UNDATED)
    if not pieces:
        target.unlink(missing_ok=True)
        return
    made_of = json_digest([piece.digest for piece in pieces])
    if (
        target.exists()
        and (pq.read_metadata(target).metadata or {}).get(_MADE_OF) == made_of.encode()
    ):
        return
    add_pieces(connection, pieces, deliveries_dir)
    columns = ", ".join(
        "CAST(NULL AS TIMESTAMPTZ) AS timestamp" if name == "timestamp" else name
        for name in REJECTED_EVENTS
    )
    with atomic_file(target) as partial:
        connection.execute(
            f"COPY (SELECT {columns} FROM (SELECT *, {UNDATED_REASON} AS reason FROM delivered) "
            f"ORDER BY log_order) TO {sql_text(str(partial))} (FORMAT parquet, COMPRESSION zstd, "
            f"KV_METADATA {{{_MADE_OF.decode()}: '{made_of}'}})"
        )
