"""What assets are given: the DuckDB warehouse, written whole or not at all."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
from pydantic import Field

from crossrec_pipeline.errors import CrossrecError

DUCKDB_POOL = "duckdb_file"
"""Every asset and check that opens the warehouse is in this pool: DuckDB allows one writer."""


class Warehouse(dg.ConfigurableResource):
    """The one DuckDB file. Connections are short: none is held while training or serving."""

    path: str = Field(description="DuckDB database file")
    lock_timeout_seconds: float = Field(
        default=60.0, description="how long to wait for another process to close the file"
    )

    @contextmanager
    def connect(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file, waiting for another process that has it open.

        Raises
        ------
        CrossrecError
            If the file stays locked, or cannot be opened at all.
        """
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + self.lock_timeout_seconds
        while True:
            try:
                connection = duckdb.connect(self.path, read_only=read_only)
                break
            except duckdb.IOException as error:
                if "lock" not in str(error).lower():
                    raise CrossrecError(
                        f"The warehouse {self.path} cannot be opened: {error}"
                    ) from error
                if time.monotonic() > deadline:
                    raise CrossrecError(
                        f"The warehouse {self.path} is open in another process. Close it (a DuckDB "
                        f"shell, a notebook, another run) and run again. DuckDB says: {error}"
                    ) from error
                time.sleep(0.2)
        try:
            yield connection
        finally:
            connection.close()

    def replace_tables(
        self,
        tables: Mapping[str, pl.DataFrame],
        appended: Mapping[str, pl.DataFrame] | None = None,
        enums: Mapping[str, list[str]] | None = None,
    ) -> None:
        """Replace and append tables, named ``schema.table``, in one transaction.

        Parameters
        ----------
        tables
            New content of each table.
        appended
            Rows to add to tables, which are made if they do not exist.
        enums
            Values of columns, by name, that become a DuckDB ENUM in the replaced tables.

        Raises
        ------
        CrossrecError
            If DuckDB cannot write (a full disk, say); every table is then as it was.
        """
        with self.connect(read_only=False) as connection:
            connection.execute("begin")
            try:
                for name, frame in tables.items():
                    _create_schema(connection, name)
                    connection.register("incoming", frame.to_arrow())
                    columns = _select_list(frame, enums or {})
                    connection.execute(
                        f"create or replace table {name} as select {columns} from incoming"
                    )
                    connection.unregister("incoming")
                for name, frame in (appended or {}).items():
                    _create_schema(connection, name)
                    connection.register("incoming", frame.to_arrow())
                    connection.execute(
                        f"create table if not exists {name} as select * from incoming limit 0"
                    )
                    connection.execute(f"insert into {name} by name select * from incoming")
                    connection.unregister("incoming")
                connection.execute("commit")
            except duckdb.Error as error:
                _roll_back(connection)
                raise CrossrecError(
                    f"Writing {', '.join((*tables, *(appended or ())))} to {self.path} failed; "
                    f"nothing was changed. DuckDB says: {error}"
                ) from error
            except BaseException:
                _roll_back(connection)
                raise

    def tables(self) -> set[str]:
        """Name the tables there are, as ``schema.table``."""
        if not Path(self.path).exists():
            return set()
        with self.connect(read_only=True) as connection:
            rows = connection.execute("select schema_name, table_name from duckdb_tables()")
            return {f"{schema}.{table}" for schema, table in rows.fetchall()}

    def exists(self, name: str) -> bool:
        """Say whether a table, named ``schema.table``, exists."""
        return name in self.tables()

    def read(self, name: str) -> pl.DataFrame:
        """Read a whole table, named ``schema.table``; ENUM columns come back as text.

        Raises
        ------
        CrossrecError
            If there is no such table.
        """
        if not self.exists(name):
            raise CrossrecError(
                f"The warehouse {self.path} has no table {name} yet. Build it first: crossrec run."
            )
        with self.connect(read_only=True) as connection:
            frame = pl.DataFrame(connection.sql(f"select * from {name}").to_arrow_table())
        return frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))

    def read_or_empty(self, name: str, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
        """Read a table, or return an empty frame of `schema` if it does not exist yet."""
        return self.read(name) if self.exists(name) else pl.DataFrame(schema=schema)


def _create_schema(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    connection.execute(f"create schema if not exists {table.split('.')[0]}")


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    # After a fatal error (a full disk) DuckDB has already rolled back and refuses the statement.
    try:
        connection.execute("rollback")
    except duckdb.Error:
        return


def _select_list(frame: pl.DataFrame, enums: Mapping[str, list[str]]) -> str:
    parts = []
    for name in frame.columns:
        if name in enums:
            values = ", ".join("'" + value.replace("'", "''") + "'" for value in enums[name])
            parts.append(f'"{name}"::enum ({values}) as "{name}"')
        else:
            parts.append(f'"{name}"')
    return ", ".join(parts)
