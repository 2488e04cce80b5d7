"""In: sessions in their order, some at a time. Out: the files of a `SessionStore`."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.sessions.store import ARRAYS, EVENT_ARRAYS, KEYS, write_event_types

_KEY_LAYOUT: dict[str, Any] = {
    "compression": "zstd",
    # Ids are unique, and much like the one before.
    "use_dictionary": ["user_id"],
    "column_encoding": {"session_id": "DELTA_BYTE_ARRAY"},
}
_KEY_SCHEMA = pa.schema([(name, pa.large_string()) for name in KEYS])


class StoreWriter:
    """Writes a store whose sizes are known, without holding it in memory.

    Parameters
    ----------
    directory
        An existing, empty directory.
    n_sessions, n_events
        Sizes of the store.
    event_types
        Types that have a code, where event inputs are kept too (`write_events`).
    """

    def __init__(
        self,
        directory: Path,
        n_sessions: int,
        n_events: int,
        event_types: Sequence[str] | None = None,
    ) -> None:
        self._n_written = 0
        self._open = ExitStack()
        sizes = {"item_index": n_events, "offsets": n_sessions + 1}
        self._types = dict(ARRAYS)
        if event_types is not None:
            self._types |= EVENT_ARRAYS
            sizes |= dict.fromkeys(EVENT_ARRAYS, n_events)
            write_event_types(directory, event_types)
        self._arrays = {}
        for name, dtype in self._types.items():
            file = self._open.enter_context((directory / f"{name}.npy").open("wb"))
            header = {
                "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
                "fortran_order": False,
                "shape": (sizes.get(name, n_sessions),),
            }
            np.lib.format.write_array_header_1_0(file, header)
            self._arrays[name] = file
        self._keys = self._open.enter_context(
            pq.ParquetWriter(directory / "keys.parquet", _KEY_SCHEMA, **_KEY_LAYOUT)
        )
        self._append("offsets", np.zeros(1, dtype=np.int64))

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def write(
        self,
        item_index: np.ndarray,
        lengths: np.ndarray,
        start_us: np.ndarray,
        end_us: np.ndarray,
        keys: pl.DataFrame,
    ) -> None:
        """Append sessions.

        Parameters
        ----------
        item_index
            Of each event, session after session, int32 [n_events].
        lengths, start_us, end_us
            Of each session, int64 [n_sessions].
        keys
            `session_id` and `user_id` of each session.
        """
        self._append("item_index", item_index)
        self._append("offsets", self._n_written + np.cumsum(lengths))
        self._append("start_us", start_us)
        self._append("end_us", end_us)
        table = keys.select(*KEYS).to_arrow(compat_level=pl.CompatLevel.oldest())
        self._keys.write_table(table.cast(_KEY_SCHEMA))
        self._n_written += len(item_index)

    def write_events(self, event_type: np.ndarray, gap_s: np.ndarray) -> None:
        """Append what else is known of the events of sessions; see `EventInputs`."""
        self._append("event_type", event_type)
        self._append("gap_s", gap_s)

    def _append(self, name: str, values: np.ndarray) -> None:
        np.ascontiguousarray(values, dtype=self._types[name]).tofile(self._arrays[name])
