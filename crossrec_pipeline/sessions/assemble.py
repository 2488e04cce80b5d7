"""In: sessions by day and the catalogue. Out: the split session data set and its statistics.

The order of the steps, and why:

1. Days are stitched at midnight; consecutive repeats collapse, so that neither lengths nor
   supports count a page that was merely reloaded.
2. Sessions shorter than the minimum go: nothing can be predicted in them, and items seen only
   there could not be learnt.
3. Time is cut by the times of all events of 1., or between days, and sessions that straddle a cut
   go.
4. Items with enough events in what is left of train become the vocabulary. This is done once, as
   in Hidasi's preprocessing: sessions that become too short by it go (6.), which may take an item
   a little below the minimum again. With more `support_rounds` both are done in turn, until
   nothing changes if they are enough. An item's `support` is the last count made here.
5. Events on other items go: low support in train, cold in validation and test.
6. Taking events out can bring equal items together and make sessions short: repeats collapse and
   short sessions go once more.
7. Sessions longer than the maximum are cut into consecutive pieces, last of all, so that pieces
   are full; a last piece shorter than the minimum goes.

Whole sessions wait on disk between the steps, and memory holds a row group of a day and some
numbers an item, however long the log is.

Where only the last days of a log are used, a session that began before them begins, here, with
its first event in them: the data set is that of a log which begins on that day. Nothing is learnt
wrongly from a session whose beginning is missing, every log has such sessions on its first day,
and to leave them out whole the days before would have to be read, without end where the log has
session ids of its own.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from crossrec_pipeline.atomic import atomic_directory, scratch_directory
from crossrec_pipeline.errors import SessionsError, SettingsError
from crossrec_pipeline.interactions.log import Progress
from crossrec_pipeline.sessions.memory_limit import memory_limit_bytes
from crossrec_pipeline.sessions.parts import write_parts
from crossrec_pipeline.sessions.split import (
    HOURS_PER_DAY,
    CutTimes,
    choose_cut_times,
    cut_whole_days,
)
from crossrec_pipeline.sessions.statistics import SessionStatistics
from crossrec_pipeline.sessions.stitched_log import StitchedLog, stitch_log
from crossrec_pipeline.settings import SessionSettings, SplitSettings


def assemble(
    by_day_dir: Path,
    days: Sequence[date],
    items: pl.DataFrame,
    sessions: SessionSettings,
    split: SplitSettings,
    target: Path,
    memory_limit: str | None = None,
    progress: Progress | None = None,
) -> SessionStatistics:
    """Turn sessions by day into train, validation and test sessions over one vocabulary.

    Parameters
    ----------
    by_day_dir
        Holds ``date=YYYY-MM-DD.parquet`` a day (see `days`).
    days
        Which of them to use.
    items
        The catalogue; `item_id`, `item_type` and `title` are used.
    sessions, split
        How events become sessions, and where time is cut.
    target
        Replaced as a whole by what `store.SessionDataset.open` opens. While it is made, about 40
        bytes an event lie beside it.
    memory_limit
        About what is held in memory, such as ``"2GB"``; half of this machine's by default. No less
        than a row group of a day (some 100 MB) and some 50 bytes an item of the catalogue.
    progress
        Told about each step.

    Raises
    ------
    SettingsError
        If `max_length` is below `min_length`, or the memory limit cannot be read.
    SessionsError
        If a day is missing or was built with another gap, two users have a session of the same id,
        there are no sessions of the minimum length, a part stays empty after the cut, no item
        reaches the minimum support, or an item of the log is not in the catalogue.
    """
    require_lengths(sessions)
    with scratch_directory(target.parent, target.name) as scratch:
        log = stitch_log(
            by_day_dir,
            days,
            items["item_id"],
            sessions,
            scratch,
            memory_limit_bytes(memory_limit),
            progress,
        )
        require_long_sessions(log, sessions)
        cuts = choose_cuts(log, split)
        with atomic_directory(target) as partial:
            return write_parts(log, cuts, items, sessions, partial, scratch, progress)


def require_lengths(sessions: SessionSettings) -> None:
    """Refuse settings by which no session could be kept.

    Raises
    ------
    SettingsError
        If `max_length` is below `min_length`.
    """
    if sessions.max_length < sessions.min_length:
        raise SettingsError(
            f"CROSSREC_SESSIONS__MAX_LENGTH={sessions.max_length} is below "
            f"CROSSREC_SESSIONS__MIN_LENGTH={sessions.min_length}: no session could be kept. "
            "Raise the one or lower the other."
        )


def require_long_sessions(log: StitchedLog, sessions: SessionSettings) -> None:
    """Refuse a log that nothing can be learnt from.

    Raises
    ------
    SessionsError
        If no session has the minimum length.
    """
    if log.longest < sessions.min_length:
        raise SessionsError(
            f"All {log.n_sessions} sessions are shorter than {sessions.min_length} "
            f"events. Raise CROSSREC_SESSIONS__GAP_MINUTES (now {sessions.gap_minutes:g}), set "
            "CROSSREC_SESSIONS__COLLAPSE_REPEATS=false if repeats are meant, or check which "
            "columns of the log CROSSREC_EVENT_COLUMNS names as user_id and session_id."
        )


def choose_cuts(log: StitchedLog, split: SplitSettings) -> CutTimes:
    """Cut time as the settings say: by shares of the events, or by days.

    Raises
    ------
    SessionsError
        If the events have fewer than three distinct times, where shares are asked for.
    """
    if split.validation_days is not None and split.test_days is not None:
        last_day = max(log.n_events_by_hour) // HOURS_PER_DAY
        return cut_whole_days(last_day, split.validation_days, split.test_days)
    return choose_cut_times(
        log.n_events_by_hour, log.times_of_hour_us, split.validation_share, split.test_share
    )
