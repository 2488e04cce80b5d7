"""In: the session ids of each day. Out: those that occur on several days, and their last day.

Only these need be remembered from day to day. Ids go by a 64-bit hash: two ids of the same hash
are taken for one that lasts, which costs memory and changes no result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from crossrec_pipeline.sessions.day_files import day_path, read_session_ids, require_about

_SEED = 20_230_302
_BYTES_A_DAY_OF_A_SESSION = 64
"""Memory to look through one day of one session, sorting included."""

_PAIR = np.dtype([("hash", np.uint64), ("day", np.int32)])


@dataclass(frozen=True)
class LastingSessions:
    """Sessions of the log that occur on several days.

    Attributes
    ----------
    hashes
        Of their ids, sorted, uint64 [n_lasting].
    last_day
        Ordinal of each one's last day, int32 [n_lasting].
    """

    hashes: np.ndarray
    last_day: np.ndarray

    def last_day_of(self, session_ids: pa.Array) -> np.ndarray:
        """Return the last day of each session that lasts, -1 for others, int32 [n_ids]."""
        if len(self.hashes) == 0:
            return np.full(len(session_ids), -1, dtype=np.int32)
        hashes = _hash(session_ids)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        lasts = self.hashes[place] == hashes
        return np.where(lasts, self.last_day[place], -1).astype(np.int32)


def find_lasting_sessions(
    by_day_dir: Path, days: Sequence[date], scratch: Path, memory_limit_bytes: int
) -> LastingSessions:
    """Find the sessions of the log that occur on several days.

    Parameters
    ----------
    by_day_dir
        Holds ``date=YYYY-MM-DD.parquet`` a day.
    days
        The days to look at.
    scratch
        An existing directory: hashes wait there where they do not fit into memory together.
    memory_limit_bytes
        About what is held in memory.
    """
    n_in_day = {
        day: require_about(day_path(by_day_dir, day)).n_log_sessions for day in sorted(days)
    }
    n_bytes = sum(n_in_day.values()) * _BYTES_A_DAY_OF_A_SESSION
    n_buckets = n_bytes // memory_limit_bytes + 1
    buckets = [scratch / f"session-ids-{number}" for number in range(n_buckets)]
    for bucket in buckets:
        bucket.touch()
    for day, n_sessions in n_in_day.items():
        if n_sessions == 0:
            continue
        hashes = np.unique(_hash(read_session_ids(day_path(by_day_dir, day))))
        pairs = np.empty(len(hashes), dtype=_PAIR)
        pairs["hash"], pairs["day"] = hashes, day.toordinal()
        of_bucket = hashes % np.uint64(n_buckets)
        for number, bucket in enumerate(buckets):
            with bucket.open("ab") as file:
                pairs[of_bucket == number].tofile(file)
    found = [_find_lasting(np.fromfile(bucket, dtype=_PAIR)) for bucket in buckets]
    for bucket in buckets:
        bucket.unlink()
    hashes, last_days = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    order = np.argsort(hashes)
    return LastingSessions(hashes[order], last_days[order])


def _find_lasting(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hashes that occur on several days and the last of these; days come in order."""
    order = np.argsort(pairs["hash"], kind="stable")
    hashes, days = pairs["hash"][order], pairs["day"][order]
    goes_on = np.zeros(len(hashes), dtype=bool)
    goes_on[1:] = hashes[1:] == hashes[:-1]
    is_last = np.append(~goes_on[1:], np.ones(min(len(hashes), 1), dtype=bool))
    lasts = goes_on & is_last
    return hashes[lasts], days[lasts]


def _hash(session_ids: pa.Array) -> np.ndarray:
    return pl.Series(session_ids, dtype=pl.String).hash(seed=_SEED).to_numpy()
