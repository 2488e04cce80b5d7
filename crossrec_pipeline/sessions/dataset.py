"""From the event log and the catalogue to the split session data set and its statistics."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import polars as pl

from crossrec_pipeline.interactions.log import Progress
from crossrec_pipeline.sessions.assemble import assemble, require_lengths
from crossrec_pipeline.sessions.day_files import latest_days
from crossrec_pipeline.sessions.days import bring_up_to_date
from crossrec_pipeline.sessions.statistics import SessionStatistics
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline.settings import SessionSettings, SplitSettings


def build_session_dataset(
    events_dir: Path,
    items: pl.DataFrame,
    sessions: SessionSettings,
    split: SplitSettings,
    *,
    by_day_dir: Path | None = None,
    window_days: int | None = None,
    memory_limit: str | None = None,
    progress: Progress | None = None,
) -> tuple[SessionDataset, SessionStatistics]:
    """Turn a log into train, validation and test sessions over one vocabulary, in memory.

    For a data set on disk, which may be larger than memory, see `write_session_dataset`; it has
    the other parameters and the errors.
    """
    with tempfile.TemporaryDirectory(prefix="crossrec-sessions-") as directory:
        target = Path(directory) / "sessions"
        statistics = write_session_dataset(
            events_dir,
            items,
            sessions,
            split,
            target,
            by_day_dir=by_day_dir,
            window_days=window_days,
            memory_limit=memory_limit,
            progress=progress,
        )
        return SessionDataset.open(target).in_memory(), statistics


def write_session_dataset(
    events_dir: Path,
    items: pl.DataFrame,
    sessions: SessionSettings,
    split: SplitSettings,
    target: Path,
    *,
    by_day_dir: Path | None = None,
    window_days: int | None = None,
    memory_limit: str | None = None,
    progress: Progress | None = None,
) -> SessionStatistics:
    """Turn a log into train, validation and test sessions over one vocabulary, on disk.

    Parameters
    ----------
    events_dir
        Holds ``date=*/part-*.parquet`` with the columns of `interactions.schema.EVENTS`.
    items
        The catalogue; `item_id`, `item_type` and `title` are used.
    sessions, split
        How events become sessions, and where time is cut.
    target
        Replaced as a whole by what `store.SessionDataset.open` opens.
    by_day_dir
        Where the sessions of each day are kept, so that the next build makes only those of days
        that have changed; by default they are not kept.
    window_days
        How many days up to the last one of the log are used; by default all (see `assemble`).
    memory_limit
        About what is held in memory, such as ``"2GB"``; half of this machine's by default.
    progress
        Told about each day and step.

    Raises
    ------
    SettingsError
        If `max_length` is below `min_length`, or the memory limit cannot be read.
    SessionsError
        If the log gives no sessions of the minimum length, a part stays empty after the cut, no
        item reaches the minimum support, an item of the log is not in the catalogue, or two users
        have a session of the same id.
    """
    require_lengths(sessions)
    with ExitStack() as kept:
        if by_day_dir is None:
            by_day_dir = Path(
                kept.enter_context(tempfile.TemporaryDirectory(prefix="crossrec-days-"))
            )
        days = bring_up_to_date(
            events_dir,
            by_day_dir,
            sessions.gap_minutes,
            progress,
            memory_limit=memory_limit,
            event_types=sessions.event_inputs,
        ).days
        used = latest_days(days, window_days)
        return assemble(by_day_dir, used, items, sessions, split, target, memory_limit, progress)
