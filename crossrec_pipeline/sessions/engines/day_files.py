from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions.schema import SESSION_EVENTS

_SCHEMA = pl.DataFrame(schema=SESSION_EVENTS).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


@dataclass(frozen=True)
class DaySessions:
    events_digest: str
    gap_minutes: float
    n_events: int
    n_unattributed: int
    n_sessions: int
    n_log_sessions: int


def day_path(by_day_dir: Path, day: date) -> Path:
    return by_day_dir / f"date={day.isoformat()}.parquet"


def write_day(
    target: Path, rows: Iterable[pa.Table], *, events_digest: str, gap_minutes: float, n_events: int
) -> DaySessions:
    n = ns = nl = 0
    with (
        atomic_file(target) as partial,
        pq.ParquetWriter(partial, _SCHEMA, compression="zstd") as writer,
    ):
        for t in rows:
            writer.write_table(t.cast(_SCHEMA))
            n += t.num_rows
            b = t["position"].to_numpy() == 0
            ns += int(b.sum())
            nl += int((b & t["session_id"].is_valid().to_numpy()).sum())
    return DaySessions(events_digest, gap_minutes, n_events, n_events - n, ns, nl)


def shared_session(session_id: str, one: str, other: str) -> SessionsError:
    return SessionsError(
        f"session_id {session_id!r} is used by two users, {one!r} and {other!r}. Make session ids "
        "unique in the whole log, for example by putting the user before them, or leave the column "
        "out, so that sessions come from the inactivity gap."
    )
