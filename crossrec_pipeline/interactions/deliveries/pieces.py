"""In: the pieces of one day. Out: their rows as one view, numbered in the order of deliveries."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from crossrec_pipeline.interactions.deliveries.ledger import Piece
from crossrec_pipeline.interactions.log_rows import sql_text


def add_pieces(
    connection: duckdb.DuckDBPyConnection, pieces: Sequence[Piece], deliveries_dir: Path
) -> None:
    """Make the view `delivered`: the rows of pieces, with `log_order` from 1.

    Rows are numbered by delivery, then by row, so that the number of a row depends on the day alone
    and not on when its delivery was read.

    Parameters
    ----------
    connection
        The database that gets it.
    pieces
        At least one, in the order of their deliveries.
    deliveries_dir
        Where they lie.
    """
    files = [
        (str(path), order)
        for order, piece in enumerate(pieces)
        for path in sorted((deliveries_dir / piece.folder).glob("*.parquet"))
    ]
    connection.execute("CREATE OR REPLACE TABLE piece_files (filename VARCHAR, delivery INTEGER)")
    connection.executemany("INSERT INTO piece_files VALUES (?, ?)", files)
    paths = ", ".join(sql_text(path) for path, _ in files)
    connection.execute(
        f"""
        CREATE OR REPLACE VIEW delivered AS
        SELECT
            rows.* EXCLUDE (row, filename),
            row_number() OVER (ORDER BY delivery, row) AS log_order
        FROM read_parquet([{paths}], filename = true, hive_partitioning = false) AS rows
        JOIN piece_files USING (filename)
        """
    )
