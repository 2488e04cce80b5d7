"""What the Dagster UI shows about a table: rows, columns, a preview, counts."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

_PREVIEW_ROWS = 8
_CELL_WIDTH = 60


def _cell(value: Any, width: int) -> str:
    text = (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else ""
        if value is None
        else str(value)
    )
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= width else text[: width - 1] + "…"


def markdown_table(frame: pl.DataFrame, *, cell_width: int = _CELL_WIDTH) -> str:
    """Write a frame as a Markdown table; cells of more characters are cut."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + " --- |" * frame.width]
    lines += [
        "| " + " | ".join(_cell(value, cell_width) for value in row) + " |"
        for row in frame.iter_rows()
    ]
    return "\n".join(lines)


def column_schema(
    schema: Mapping[str, pl.DataType], descriptions: Mapping[str, str] | None = None
) -> dg.TableSchema:
    """Describe columns for the UI's column view."""
    descriptions = descriptions or {}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, str(dtype), description=descriptions.get(name))
            for name, dtype in schema.items()
        ]
    )


def table_metadata(
    frame: pl.DataFrame, descriptions: Mapping[str, str] | None = None, table: str | None = None
) -> dict[str, Any]:
    """Give row count, column schema and a preview; `table` is the name in the warehouse."""
    metadata: dict[str, Any] = {
        "dagster/row_count": frame.height,
        "dagster/column_schema": column_schema(frame.schema, descriptions),
        "preview": dg.MetadataValue.md(markdown_table(frame.head(_PREVIEW_ROWS))),
    }
    if table:
        metadata["dagster/relation_identifier"] = table
    return metadata


def counts_table(
    counts: Mapping[str, int | float | str], name: str, value: str
) -> dg.MarkdownMetadataValue:
    """Show named counts as a two-column table."""
    frame = pl.DataFrame(
        {name: list(counts), value: [str(count) for count in counts.values()]},
        schema={name: pl.String, value: pl.String},
    )
    return dg.MetadataValue.md(markdown_table(frame) if counts else "none")


def lineage(columns: Mapping[str, Sequence[tuple[dg.AssetKey, str]]]) -> dg.TableColumnLineage:
    """Say which upstream columns each column is made of."""
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(asset_key=key, column_name=column) for key, column in parents]
            for name, parents in columns.items()
        }
    )
