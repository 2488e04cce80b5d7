"""In: where a log grows. Out: every delivery read exactly once, its rows lying by day."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.errors import EventsError
from crossrec_pipeline.interactions.deliveries.files import read_files
from crossrec_pipeline.interactions.deliveries.ledger import (
    Ledger,
    clear_unnamed,
    only_reader,
    read_ledger,
    write_ledger,
)
from crossrec_pipeline.interactions.deliveries.location import (
    find_files,
    is_database,
    log_identity,
    shown_location,
)
from crossrec_pipeline.interactions.deliveries.outcome import Left, Outcome, Place, Refused
from crossrec_pipeline.interactions.deliveries.postgres import read_table, table_fingerprint
from crossrec_pipeline.interactions.deliveries.remote import find_remote_files, glob_of
from crossrec_pipeline.interactions.deliveries.undated import bring_undated_up_to_date
from crossrec_pipeline.interactions.log import Progress
from crossrec_pipeline.interactions.log_rows import add_prefixes, log_database
from crossrec_pipeline.settings import LogSettings
from crossrec_pipeline.storage.local_copy import remote_fingerprint
from crossrec_pipeline.storage.location import is_url

_SAVE_SECONDS = 2.0
"""The ledger is saved this often: a killed reading reads again what came after."""
_PROBLEMS_SHOWN = 5


@dataclass(frozen=True)
class Reading:
    """What one reading of deliveries has brought.

    Attributes
    ----------
    version
        Content version of everything delivered so far.
    days
        Days whose rows changed by this reading, in order.
    n_deliveries, n_rows
        Known after it.
    n_read, n_rows_read
        New or changed in it.
    left
        Names left for later, or alone, with why.
    undated
        Rows without a usable time, of all deliveries, by reason.
    """

    version: str
    days: tuple[date, ...]
    n_deliveries: int
    n_rows: int
    n_read: int
    n_rows_read: int
    left: dict[str, str]
    undated: dict[str, int]


def location_fingerprint(
    location: str, log: LogSettings, event_columns: Mapping[str, str] | None = None
) -> str:
    """Take a cheap look whether there may be something to read.

    Of files it digests names, sizes and times; files that changed in the last seconds are passed
    over, so that the fingerprint changes once they can be read. Of a database it counts the rows of
    the days that are asked for again: rows that were changed in place are not noticed, but are read
    at the next reading.

    Raises
    ------
    EventsError
        If the location cannot be reached.
    StorageError
        If it is in an object store that cannot be reached, or has no files there.
    """
    now = datetime.now(UTC)
    if is_database(location):
        return table_fingerprint(location, log, event_columns or {}, now)
    if is_url(location):
        return remote_fingerprint(glob_of(location))
    files = find_files(location, now).files
    return json_digest([[file.name, file.fingerprint] for file in files])


def read_deliveries(
    location: str,
    event_columns: Mapping[str, str],
    item_prefixes: Mapping[str, str],
    log: LogSettings,
    deliveries_dir: Path,
    rejected_dir: Path,
    copies_dir: Path,
    now: datetime,
    progress: Progress,
) -> Reading:
    """Read the deliveries that are new or have changed.

    A delivery with the content it had is not read again. One with another content takes the place
    of its former self. One that is gone keeps what it delivered, since files are often rotated
    away; to take it back, deliver it again without rows.

    It can be killed at any point: the next reading goes on where the ledger ends.

    Parameters
    ----------
    location
        See `is_growing`.
    event_columns, item_prefixes
        As in `load_log`. Where they change, deliveries that are still there are read again.
    log
        Which table of a database, and how many days of it are asked for again.
    deliveries_dir
        Keeps the ledger and the pieces, of one log only.
    rejected_dir
        Gets ``undated.parquet``: rows without a usable time.
    copies_dir
        Keeps copies of the files of an object store.
    now
        The present, aware.
    progress
        Is told now and then how far it is.

    Raises
    ------
    EventsError
        If the location cannot be reached, has nothing to read, or is another than before; or if
        some deliveries cannot be read: those that can have been read then.
    SettingsError
        If `event_columns` names a column we do not have, or a database has no table to read.
    StorageError
        If an object store cannot be read, or has no files there.
    """
    source = log_identity(location, log.table)
    read_as = json_digest([dict(event_columns), dict(item_prefixes)])
    with only_reader(deliveries_dir), log_database(deliveries_dir) as connection:
        before = read_ledger(deliveries_dir)
        clear_unnamed(before, deliveries_dir)
        ledger = before if before.deliveries else Ledger(source)
        _require_same_log(ledger, source, deliveries_dir)
        add_prefixes(connection, item_prefixes)
        place = Place(connection, deliveries_dir, read_as, now)
        if is_database(location):
            left: dict[str, str] = {}
            outcomes = read_table(location, log, event_columns, ledger, place)
        else:
            found = (
                find_remote_files(location, now, copies_dir, progress)
                if is_url(location)
                else find_files(location, now)
            )
            left = found.left
            outcomes = read_files(found.files, event_columns, ledger, place)
        taken = _take(outcomes, ledger, deliveries_dir, progress)
        bring_undated_up_to_date(
            connection, taken.ledger, deliveries_dir, rejected_dir / "undated.parquet"
        )
    if taken.problems:
        raise _refusal(taken.problems)
    if not taken.ledger.deliveries:
        raise _nothing(location, left | taken.left)
    return _reading(before, taken, left)


@dataclass(frozen=True)
class _Taken:
    ledger: Ledger
    n_read: int
    n_rows_read: int
    left: dict[str, str]
    problems: list[EventsError]


def _take(
    outcomes: Iterator[Outcome], ledger: Ledger, deliveries_dir: Path, progress: Progress
) -> _Taken:
    """Enter into the ledger what is read, and save it now and then."""
    saved, saved_at = ledger, time.monotonic()
    n_read = n_rows_read = 0
    left, problems = {}, []
    for name, outcome in outcomes:
        if isinstance(outcome, Left):
            left[name] = outcome.why
            continue
        if isinstance(outcome, Refused):
            problems.append(outcome.error)
            continue
        known = ledger.deliveries.get(name)
        ledger = ledger.with_delivery(name, outcome)
        if known is None or known.version != outcome.version:
            n_read, n_rows_read = n_read + 1, n_rows_read + outcome.n_rows
            progress(f"{name}: {outcome.n_rows:,} rows")
        if time.monotonic() - saved_at > _SAVE_SECONDS:
            write_ledger(ledger, deliveries_dir)
            saved, saved_at = ledger, time.monotonic()
    if ledger is not saved:
        write_ledger(ledger, deliveries_dir)
    return _Taken(ledger, n_read, n_rows_read, left, problems)


def _reading(before: Ledger, taken: _Taken, left: dict[str, str]) -> Reading:
    deliveries = taken.ledger.deliveries.values()
    undated: Counter[str] = Counter()
    for delivery in deliveries:
        undated.update(delivery.undated)
    days = sorted({*before.days(), *taken.ledger.days()})
    return Reading(
        version=taken.ledger.version(),
        days=tuple(
            date.fromisoformat(day)
            for day in days
            if before.digests(day) != taken.ledger.digests(day)
        ),
        n_deliveries=len(deliveries),
        n_rows=sum(delivery.n_rows for delivery in deliveries),
        n_read=taken.n_read,
        n_rows_read=taken.n_rows_read,
        left=left | taken.left,
        undated=dict(undated),
    )


def _require_same_log(ledger: Ledger, source: str, deliveries_dir: Path) -> None:
    # What was delivered may no longer be there to be read again, so it is not dropped unasked.
    if ledger.source != source:
        raise EventsError(
            f"{deliveries_dir} has what was delivered to {ledger.source}, and CROSSREC_EVENTS is "
            f"now {source}. Set CROSSREC_DATA_DIR to another directory for another log, or delete "
            f"{deliveries_dir} to begin with what lies there now."
        )


def _refusal(problems: list[EventsError]) -> EventsError:
    shown = [str(problem) for problem in problems[:_PROBLEMS_SHOWN]]
    if len(problems) > _PROBLEMS_SHOWN:
        shown.append(f"… and {len(problems) - _PROBLEMS_SHOWN} more")
    return EventsError("\n".join(shown))


def _nothing(location: str, left: dict[str, str]) -> EventsError:
    seen = "; ".join(f"{name}: {why}" for name, why in list(left.items())[:_PROBLEMS_SHOWN])
    return EventsError(
        f"{shown_location(location)} has nothing to read yet{f' ({seen})' if seen else ''}. "
        "Deliver the first part of the log, or set CROSSREC_EVENTS to the place where it is "
        "delivered."
    )
