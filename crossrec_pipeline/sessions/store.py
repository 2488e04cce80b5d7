"""Sessions as memory-mapped arrays: one flat array of item indexes, cut by offsets."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Never, overload

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from crossrec_pipeline.atomic import atomic_directory
from crossrec_pipeline.digests import frames_digest, text_digest
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.vocabulary import Vocabulary

ARRAYS = {"item_index": np.int32, "offsets": np.int64, "start_us": np.int64, "end_us": np.int64}
EVENT_ARRAYS = {"event_type": np.uint8, "gap_s": np.uint32}
"""Files that a store with event inputs has besides, of `EventInputs`."""
KEYS: dict[str, pl.DataType] = {"session_id": pl.String(), "user_id": pl.String()}
PARTS = ("train", "validation", "test")
_EVENT_TYPES = "event_types.json"

_ENTRIES_AT_A_TIME = 1 << 20
_KEYS_AT_A_TIME = 1 << 18

_REBUILD = "Rebuild sessions/sequences: `crossrec run` notices and does so."


class _Keys:
    """The field `keys`: a frame, or the file it is read from when it is first asked for.

    Few ask for it, and it is larger than the rest of a store. The file is mapped at once: should
    another build take its place meanwhile, the keys are still those of the other arrays.
    """

    @overload
    def __get__(self, store: None, owner: type) -> Never: ...

    @overload
    def __get__(self, store: "SessionStore", owner: type) -> pl.DataFrame: ...

    def __get__(self, store: "SessionStore | None", owner: type) -> pl.DataFrame:
        if store is None:
            raise AttributeError("keys")  # so that the field has no default
        if isinstance(store.__dict__["keys"], np.memmap):
            store.__dict__["keys"] = pl.concat(_read_keys(store.__dict__["keys"]))
        return store.__dict__["keys"]

    def __set__(self, store: "SessionStore", keys: pl.DataFrame | Path) -> None:
        store.__dict__["keys"] = np.memmap(keys, mode="r") if isinstance(keys, Path) else keys


@dataclass(frozen=True)
class SessionStore:
    """Sessions of one part of the split, ordered by start time.

    Attributes
    ----------
    item_index
        Item indexes of all events, session after session, int32 [n_events].
    offsets
        Session `s` is `item_index[offsets[s]:offsets[s + 1]]`, int64 [n_sessions + 1].
    start_us, end_us
        Time of each session's first and last event, µs since 1970 UTC, int64 [n_sessions].
    keys
        `session_id` and `user_id` (null where anonymous) of each session. Given as a path, they
        are read when they are first asked for.
    events
        What else is known of each event; None where it is not kept.
    """

    item_index: np.ndarray
    offsets: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray
    keys: _Keys = _Keys()
    events: EventInputs | None = None

    @property
    def n_sessions(self) -> int:
        """Number of sessions."""
        return len(self.offsets) - 1

    @property
    def n_events(self) -> int:
        """Number of events in all sessions."""
        return len(self.item_index)

    @property
    def n_predictions(self) -> int:
        """Number of events after each session's first: what a model is asked to predict."""
        return self.n_events - self.n_sessions

    @cached_property
    def lengths(self) -> np.ndarray:
        """Events of each session, int64 [n_sessions]."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return self.n_sessions

    def __getitem__(self, session: int) -> np.ndarray:
        return self.item_index[self.offsets[session] : self.offsets[session + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[session] for session in range(self.n_sessions))

    @classmethod
    def from_sequences(cls, sequences: Sequence[Sequence[int]]) -> "SessionStore":
        """Make a store in memory from lists of item indexes; session `i` starts at second `i`."""
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        flat = [index for sequence in sequences for index in sequence]
        starts = np.arange(len(sequences), dtype=np.int64) * 1_000_000
        keys = pl.DataFrame(
            {
                "session_id": [str(i) for i in range(len(sequences))],
                "user_id": [None] * len(sequences),
            },
            schema={"session_id": pl.String, "user_id": pl.String},
        )
        return cls(
            np.array(flat, dtype=np.int32),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            starts,
            starts,
            keys,
        )

    def only(self, sessions: np.ndarray) -> "SessionStore":
        """Return some of the sessions in memory, in the order of their numbers, int64 [n]."""
        lengths = self.lengths[sessions]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        first = np.asarray(self.offsets)[sessions]
        events = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], lengths)
        return SessionStore(
            np.asarray(self.item_index)[events],
            offsets,
            np.asarray(self.start_us)[sessions],
            np.asarray(self.end_us)[sessions],
            self.keys[pl.Series(sessions, dtype=pl.UInt32)],
            None if self.events is None else self.events.only(events),
        )

    def in_memory(self) -> "SessionStore":
        """Return the same sessions, needing no file any more."""
        arrays = {name: np.array(getattr(self, name)) for name in ARRAYS}
        events = None if self.events is None else self.events.in_memory()
        return SessionStore(**arrays, keys=self.keys, events=events)

    @property
    def digest(self) -> str:
        """Content version: items, boundaries, times and keys, and event inputs if there are any."""
        parts = [_array_digest(getattr(self, name)) for name in ARRAYS]
        return text_digest(*parts, frames_digest(self._numbered_keys()), *self.events_digest())

    def events_digest(self) -> list[str]:
        """Content versions of the event inputs; empty without any."""
        if self.events is None:
            return []
        arrays = [_array_digest(getattr(self.events, name)) for name in EVENT_ARRAYS]
        return [*arrays, text_digest(*self.events.names)]

    def _numbered_keys(self) -> Iterator[pl.DataFrame]:
        kept = self.__dict__["keys"]
        row = 0
        for keys in _read_keys(kept) if isinstance(kept, np.memmap) else [kept]:
            yield keys.with_row_index(offset=row)
            row += keys.height

    def write(self, directory: Path) -> None:
        """Write the arrays into an existing directory (see `SessionDataset.save`)."""
        for name, dtype in ARRAYS.items():
            np.save(directory / f"{name}.npy", np.asarray(getattr(self, name), dtype=dtype))
        self.keys.write_parquet(directory / "keys.parquet")
        if self.events is not None:
            for name, dtype in EVENT_ARRAYS.items():
                np.save(
                    directory / f"{name}.npy", np.asarray(getattr(self.events, name), dtype=dtype)
                )
            write_event_types(directory, self.events.names)

    @classmethod
    def open(cls, directory: Path) -> "SessionStore":
        """Memory-map a written store; pages are read when touched.

        Raises
        ------
        SessionsError
            If a file is missing, truncated, or of another store than the rest.
        """
        arrays = {name: _open_array(directory / f"{name}.npy") for name in ARRAYS}
        path = directory / "keys.parquet"
        try:
            n_keys = pq.read_metadata(path).num_rows
        except (OSError, pa.ArrowException) as error:
            raise _not_whole(path, error) from error
        store = cls(**arrays, keys=path, events=_open_events(directory))
        store._check_sizes(directory, n_keys)
        return store

    def _check_sizes(self, directory: Path, n_keys: int) -> None:
        """Compare each file's size with what the offsets tell."""
        if len(self.offsets) == 0 or self.offsets[0] != 0:
            raise SessionsError(f"{directory / 'offsets.npy'} does not start with 0. {_REBUILD}")
        of_events = {} if self.events is None else dict.fromkeys(EVENT_ARRAYS, self.events)
        for file, found, expected in (
            ("item_index.npy", self.n_events, int(self.offsets[-1])),
            ("start_us.npy", len(self.start_us), self.n_sessions),
            ("end_us.npy", len(self.end_us), self.n_sessions),
            ("keys.parquet", n_keys, self.n_sessions),
            *(
                (f"{name}.npy", len(getattr(events, name)), self.n_events)
                for name, events in of_events.items()
            ),
        ):
            if found != expected:
                raise SessionsError(
                    f"{directory / file} has {found:,} entries where offsets.npy tells of "
                    f"{expected:,}: it is truncated, or of another build. {_REBUILD}"
                )


@dataclass(frozen=True)
class SessionDataset:
    """The three parts of the split and the vocabulary made from train."""

    train: SessionStore
    validation: SessionStore
    test: SessionStore
    vocabulary: Vocabulary

    @property
    def digest(self) -> str:
        """Content version of all parts and the vocabulary."""
        parts = (getattr(self, part).digest for part in PARTS)
        return text_digest(*parts, self.vocabulary.digest)

    def in_memory(self) -> "SessionDataset":
        """Return the same sessions, needing no file any more."""
        parts = {part: getattr(self, part).in_memory() for part in PARTS}
        return SessionDataset(**parts, vocabulary=self.vocabulary)

    def save(self, directory: Path) -> None:
        """Write everything, then swap it in as `directory`."""
        with atomic_directory(directory) as partial:
            for part in PARTS:
                (partial / part).mkdir()
                getattr(self, part).write(partial / part)
            self.vocabulary.save(partial / "vocabulary.parquet")

    @classmethod
    def open(cls, directory: Path) -> "SessionDataset":
        """Open what `save` wrote, memory-mapped.

        Raises
        ------
        SessionsError
            If there is none, or it is not whole.
        """
        if not directory.is_dir():
            raise SessionsError(f"{directory} does not exist. Build sessions/sequences first.")
        parts = {part: SessionStore.open(directory / part) for part in PARTS}
        path = directory / "vocabulary.parquet"
        try:
            vocabulary = Vocabulary.load(path)
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise _not_whole(path, error) from error
        return cls(**parts, vocabulary=vocabulary)


def _read_keys(content: np.memmap) -> Iterator[pl.DataFrame]:
    """Yield the keys of a store from their file, some sessions at a time, at least one frame."""
    yield pl.DataFrame(schema=KEYS)
    try:
        with pq.ParquetFile(pa.py_buffer(content)) as file:
            for batch in file.iter_batches(_KEYS_AT_A_TIME, columns=list(KEYS)):
                yield pl.DataFrame(batch, schema=KEYS)
    except (OSError, pa.ArrowException) as error:
        raise _not_whole(Path(str(content.filename)), error) from error


def _array_digest(array: np.ndarray) -> str:
    digest = sha256()
    for begin in range(0, len(array), _ENTRIES_AT_A_TIME):
        digest.update(np.ascontiguousarray(array[begin : begin + _ENTRIES_AT_A_TIME]).data)
    return digest.hexdigest()


def write_event_types(directory: Path, names: Sequence[str]) -> None:
    """Write the types that have a code, in the order of their codes, beside the other arrays."""
    text = json.dumps(list(names), ensure_ascii=False)
    (directory / _EVENT_TYPES).write_text(text, encoding="utf-8")


def _open_events(directory: Path) -> EventInputs | None:
    path = directory / _EVENT_TYPES
    if not path.exists():
        return None
    try:
        names = tuple(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise _not_whole(path, error) from error
    arrays = {name: _open_array(directory / f"{name}.npy") for name in EVENT_ARRAYS}
    return EventInputs(**arrays, names=names)


def _open_array(path: Path) -> np.ndarray:
    try:
        # An empty array cannot be mapped.
        return np.load(path, mmap_mode="r" if path.stat().st_size > 128 else None)
    except (OSError, ValueError) as error:
        raise _not_whole(path, error) from error


def _not_whole(path: Path, error: Exception) -> SessionsError:
    reason = " ".join(str(error).split())
    return SessionsError(f"{path} is missing or not whole ({reason}). {_REBUILD}")
