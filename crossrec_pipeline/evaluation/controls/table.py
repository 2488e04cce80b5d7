"""All controls of a model in; a Parquet file that says what they were measured on out, and back."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.controls.comparison import COMPARED

CONTROLS: dict[str, pl.DataType] = {"control": pl.String(), **COMPARED}
"""`COMPARED` of every control. `control` is `uniform_log`, `shuffled_order`, `last_item_only`,
`shuffled_domains`, `single_domain`, or `other_seed_1`, `other_seed_2`, …"""

_MEASURED_ON = ("sessions_digest", "model_data_version", "made_at")


@dataclass(frozen=True)
class ControlsTable:
    """What was measured, and on what.

    Attributes
    ----------
    rows
        Columns of `CONTROLS`.
    sessions_digest
        The sessions.
    model_data_version
        The bundle of the main model.
    made_at
        When the table was put together, ISO 8601 in UTC.
    """

    rows: pl.DataFrame
    sessions_digest: str
    model_data_version: str
    made_at: str

    def save(self, path: Path) -> None:
        """Write as Parquet, whole or not at all; what is not a row is key-value metadata."""
        metadata = {name: getattr(self, name) for name in _MEASURED_ON}
        with atomic_file(path) as partial:
            self.rows.write_parquet(partial, metadata=metadata)


def read_controls(path: Path) -> ControlsTable:
    """Read what `save` wrote.

    Raises
    ------
    EvaluationError
        If the file cannot be read, or is another one.
    """
    try:
        rows, found = pl.read_parquet(path), pl.read_parquet_metadata(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise EvaluationError(
            f"{path} cannot be read ({error}). Measure the controls: crossrec run --controls"
        ) from error
    missing = [name for name in _MEASURED_ON if name not in found]
    if missing or rows.schema != pl.Schema(CONTROLS):
        raise EvaluationError(
            f"{path} has columns {', '.join(rows.columns)} and lacks the metadata "
            f"{', '.join(missing) or '(none)'}; expected {', '.join(CONTROLS)}. Measure the "
            "controls again: crossrec run --controls"
        )
    return ControlsTable(rows, *(found[name] for name in _MEASURED_ON))
