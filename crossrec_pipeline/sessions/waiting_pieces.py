"""In: pieces of sessions in no order. Out: the same by the time they start in, from disk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from crossrec_pipeline.sessions.order import order_by_start
from crossrec_pipeline.sessions.scratch import ScratchFile
from crossrec_pipeline.sessions.trim import gather_runs

_EVENTS = {"item_index": pa.int32()}
_EVENT_INPUTS = {"event_type": pa.uint16(), "gap_s": pa.uint32()}
_PIECES = {
    "part": pa.int8(),
    "length": pa.int64(),
    "start_us": pa.int64(),
    "end_us": pa.int64(),
    "session_id": pa.large_string(),
    "user_id": pa.large_string(),
}


@dataclass(frozen=True)
class NamedPieces:
    """Pieces of sessions, ready for a store.

    Attributes
    ----------
    item_index
        Of each event, piece after piece, int32 [n_events].
    part, length, start_us, end_us
        Of each piece, int8, int64, int64 and int64 [n_pieces].
    keys
        `session_id` and `user_id` of each piece.
    events
        What else is known of each event, by the columns of the scratch file: arrays [n_events];
        empty where nothing more is asked for.
    """

    item_index: np.ndarray
    part: np.ndarray
    length: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray
    keys: pl.DataFrame
    events: Mapping[str, np.ndarray] = field(default_factory=dict)

    def in_order_of(self, pieces: np.ndarray) -> "NamedPieces":
        """Return some pieces, by their numbers, int64 [n]."""
        first = np.cumsum(self.length) - self.length
        length = self.length[pieces]
        return NamedPieces(
            gather_runs(self.item_index, first[pieces], length),
            self.part[pieces],
            length,
            self.start_us[pieces],
            self.end_us[pieces],
            self.keys[pieces],
            {
                name: gather_runs(values, first[pieces], length)
                for name, values in self.events.items()
            },
        )


class WaitingPieces:
    """Pieces on disk, parted by the time they start in: written within a ``with`` block.

    Parameters
    ----------
    scratch
        An existing directory.
    times_us
        Growing times between which pieces are put in order together, int64 [n_times].
    event_inputs
        Whether the pieces have `events`.
    """

    def __init__(self, scratch: Path, times_us: np.ndarray, *, event_inputs: bool = False) -> None:
        self._times_us = times_us
        self._batches: list[list[int]] = [[] for _ in range(len(times_us) + 1)]
        self._event_inputs = _EVENT_INPUTS if event_inputs else {}
        self._events = ScratchFile(
            scratch / "piece_events.arrow", {**_EVENTS, **self._event_inputs}
        )
        self._pieces = ScratchFile(scratch / "pieces.arrow", _PIECES)

    def __enter__(self) -> "WaitingPieces":
        return self

    def __exit__(self, *exception: object) -> None:
        self._events.close()
        self._pieces.close()

    def append(self, pieces: NamedPieces) -> None:
        """Write some pieces."""
        time = np.searchsorted(self._times_us, pieces.start_us, side="right")
        times = np.flatnonzero(np.bincount(time))
        for of in times:
            some = pieces if len(times) == 1 else pieces.in_order_of(np.flatnonzero(time == of))
            self._events.append({"item_index": some.item_index, **some.events})
            batch = self._pieces.append(
                {
                    "part": some.part,
                    "length": some.length,
                    "start_us": some.start_us,
                    "end_us": some.end_us,
                    "session_id": some.keys["session_id"],
                    "user_id": some.keys["user_id"],
                }
            )
            self._batches[of].append(batch)

    def in_order(self) -> Iterator[NamedPieces]:
        """Yield all pieces by start, then session id, then user, those of some time together."""
        for batches in self._batches:
            if batches:
                pieces = self._read(batches)
                order = order_by_start(pieces.start_us, lambda tied, keys=pieces.keys: keys[tied])
                yield pieces.in_order_of(order)

    def _read(self, batches: list[int]) -> NamedPieces:
        names = ["item_index", *self._event_inputs]
        items, *inputs = zip(*(self._events.read(batch, names) for batch in batches), strict=True)
        columns = zip(*(self._pieces.read(batch, list(_PIECES)) for batch in batches), strict=True)
        part, length, start_us, end_us, session_id, user_id = columns
        return NamedPieces(
            np.concatenate(items),
            np.concatenate(part),
            np.concatenate(length),
            np.concatenate(start_us),
            np.concatenate(end_us),
            pl.DataFrame({"session_id": pl.concat(session_id), "user_id": pl.concat(user_id)}),
            {
                name: np.concatenate(values)
                for name, values in zip(self._event_inputs, inputs, strict=True)
            },
        )
