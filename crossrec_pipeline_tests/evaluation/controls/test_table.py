from pathlib import Path

import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.controls.table import CONTROLS, ControlsTable, read_controls

ROW = ("shuffled_order", None, "recall", 20, 0.4, "gru4rec", 0.5, -0.1, -0.2, 0.0, 100)


@pytest.mark.parametrize("rows", [[], [ROW]])
def test_what_is_written_is_read(tmp_path: Path, rows: list[tuple]):
    frame = pl.DataFrame(rows, schema=pl.Schema(CONTROLS), orient="row")
    table = ControlsTable(frame, "1a2b", "3c4d", "2023-06-01T12:00:00+00:00")
    table.save(tmp_path / "controls.parquet")
    found = read_controls(tmp_path / "controls.parquet")
    assert found.rows.equals(table.rows)
    assert (found.sessions_digest, found.model_data_version, found.made_at) == (
        "1a2b",
        "3c4d",
        "2023-06-01T12:00:00+00:00",
    )


def test_a_file_that_is_not_there_or_not_whole_is_named(tmp_path: Path):
    path = tmp_path / "controls.parquet"
    with pytest.raises(EvaluationError, match=r"controls\.parquet cannot be read.*run --controls"):
        read_controls(path)
    path.write_bytes(b"half")
    with pytest.raises(EvaluationError, match=r"controls\.parquet cannot be read.*run --controls"):
        read_controls(path)


def test_another_table_is_refused_and_says_what_it_has(tmp_path: Path):
    path = tmp_path / "controls.parquet"
    pl.DataFrame({"model": ["markov"]}).write_parquet(path)
    with pytest.raises(EvaluationError, match="has columns model and lacks the metadata sessions_"):
        read_controls(path)
