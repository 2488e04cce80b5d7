from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from crossrec_pipeline.sessions.scratch import ScratchFile


def test_batches_are_read_back_in_any_order_and_by_columns(tmp_path: Path) -> None:
    with ScratchFile(tmp_path / "x", {"n": pa.int64(), "text": pa.large_string()}) as file:
        assert file.append({"n": np.array([1, 2]), "text": pl.Series(["a", None])}) == 0
        assert file.append({"n": np.array([3]), "text": pl.Series(["b"])}) == 1
    text, n = file.read(1, ["text", "n"])
    assert (text.to_list(), n.tolist()) == (["b"], [3])
    assert file.read(0, ["text"])[0].to_list() == ["a", None]
    assert file.read(0, ["n"])[0].dtype == np.int64


def test_empty_batch_is_read_back_empty(tmp_path: Path) -> None:
    with ScratchFile(tmp_path / "x", {"text": pa.large_string()}) as file:
        file.append({"text": pl.Series([], dtype=pl.String)})
    assert file.read(0, ["text"])[0].to_list() == []
