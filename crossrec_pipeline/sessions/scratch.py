"""Batches of columns in; a file that gives them back one at a time, in any order, out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa


class ScratchFile:
    """Batches of equal columns on disk: written within a ``with`` block, read after it.

    Parameters
    ----------
    path
        A file that does not exist yet.
    types
        The columns' types by name.
    """

    def __init__(self, path: Path, types: Mapping[str, pa.DataType]) -> None:
        self._path = path
        self._schema = pa.schema(list(types.items()))
        self._writer = pa.ipc.new_file(str(path), self._schema)
        self._readers: dict[tuple[str, ...], pa.RecordBatchFileReader] = {}
        self._n_batches = 0

    def __enter__(self) -> "ScratchFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End writing."""
        self._writer.close()

    def append(self, columns: Mapping[str, np.ndarray | pl.Series]) -> int:
        """Write a batch and return its number."""
        arrays = [_arrow(columns[field.name], field.type) for field in self._schema]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._n_batches += 1
        return self._n_batches - 1

    def read(self, batch: int, columns: Sequence[str]) -> list[Any]:
        """Read columns of a batch: numbers as arrays, texts as series."""
        found = self._reader(tuple(columns)).get_batch(batch)
        return [_plain(found[name]) for name in columns]

    def _reader(self, columns: tuple[str, ...]) -> pa.RecordBatchFileReader:
        if columns not in self._readers:
            places = sorted(self._schema.get_field_index(name) for name in columns)
            options = pa.ipc.IpcReadOptions(included_fields=places, use_threads=False)
            self._readers[columns] = pa.ipc.open_file(pa.OSFile(str(self._path)), options=options)
        return self._readers[columns]


def _arrow(values: np.ndarray | pl.Series, of_type: pa.DataType) -> pa.Array:
    if isinstance(values, np.ndarray):
        return pa.array(values, of_type)
    (chunk,) = pa.chunked_array(
        values.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    ).chunks
    return chunk.cast(of_type)


def _plain(array: pa.Array) -> np.ndarray | pl.Series:
    if pa.types.is_large_string(array.type):
        return pl.Series(array, dtype=pl.String)
    return array.to_numpy()
