"""Sessions as memory-mapped arrays: one flat array of item indexes, cut by offsets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.atomic import atomic_directory
from crossrec_pipeline.digests import frame_digest, text_digest
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.vocabulary import Vocabulary

_ARRAYS = {"item_index": np.int32, "offsets": np.int64, "start_us": np.int64, "end_us": np.int64}
PARTS = ("train", "validation", "test")

_REBUILD = "Rebuild sessions/sequences: `crossrec run` notices and does so."


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
        `session_id` and `user_id` (null where anonymous) of each session.
    """

    item_index: np.ndarray
    offsets: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray
    keys: pl.DataFrame

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
        )

    @property
    def digest(self) -> str:
        """Content version: items, boundaries, times and keys."""
        arrays = (np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS)
        parts = [sha256(array.data).hexdigest() for array in arrays]
        return text_digest(*parts, frame_digest(self.keys.with_row_index()))

    def write(self, directory: Path) -> None:
        """Write the arrays into an existing directory (see `SessionDataset.save`)."""
        for name, dtype in _ARRAYS.items():
            np.save(directory / f"{name}.npy", np.asarray(getattr(self, name), dtype=dtype))
        self.keys.write_parquet(directory / "keys.parquet")

    @classmethod
    def open(cls, directory: Path) -> "SessionStore":
        """Memory-map a written store; pages are read when touched.

        Raises
        ------
        SessionsError
            If a file is missing, truncated, or of another store than the rest.
        """
        arrays = {name: _open_array(directory / f"{name}.npy") for name in _ARRAYS}
        path = directory / "keys.parquet"
        try:
            keys = pl.read_parquet(path)
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise _not_whole(path, error) from error
        store = cls(**arrays, keys=keys)
        store._check_sizes(directory)
        return store

    def _check_sizes(self, directory: Path) -> None:
        """Compare each file's size with what the offsets tell."""
        if len(self.offsets) == 0 or self.offsets[0] != 0:
            raise SessionsError(f"{directory / 'offsets.npy'} does not start with 0. {_REBUILD}")
        for file, found, expected in (
            ("item_index.npy", self.n_events, int(self.offsets[-1])),
            ("start_us.npy", len(self.start_us), self.n_sessions),
            ("end_us.npy", len(self.end_us), self.n_sessions),
            ("keys.parquet", self.keys.height, self.n_sessions),
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


def _open_array(path: Path) -> np.ndarray:
    try:
        # An empty array cannot be mapped.
        return np.load(path, mmap_mode="r" if path.stat().st_size > 128 else None)
    except (OSError, ValueError) as error:
        raise _not_whole(path, error) from error


def _not_whole(path: Path, error: Exception) -> SessionsError:
    return SessionsError(f"{path} is missing or not whole ({error}). {_REBUILD}")
