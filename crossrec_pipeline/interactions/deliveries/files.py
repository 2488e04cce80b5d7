"""In: the files of a log that grows, and the ledger. Out: pieces of what is new or changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import duckdb

from crossrec_pipeline.digests import file_sha256, text_digest
from crossrec_pipeline.errors import EventsError
from crossrec_pipeline.interactions.deliveries.ledger import Delivery, Ledger
from crossrec_pipeline.interactions.deliveries.location import (
    DeliveredFile,
    fingerprint,
)
from crossrec_pipeline.interactions.deliveries.outcome import Left, Outcome, Place, Refused
from crossrec_pipeline.interactions.deliveries.stage import first_unread_time, stage_rows
from crossrec_pipeline.interactions.log_files import inspect_log_file, map_columns
from crossrec_pipeline.interactions.log_rows import no_time_readable, rows_of_file, unreadable


def read_files(
    files: Sequence[DeliveredFile],
    event_columns: Mapping[str, str],
    ledger: Ledger,
    place: Place,
) -> Iterator[Outcome]:
    """Read each file that the ledger does not have as it is.

    Parameters
    ----------
    files
        In the order in which they are read.
    event_columns
        Our column names to the log's, where they differ.
    ledger
        What was read before.
    place
        Where to, and how.

    Yields
    ------
    Outcome
        Nothing for a file that has not changed.
    """
    for file in files:
        known = ledger.deliveries.get(file.name)
        if known and (known.fingerprint, known.read_as) == (file.fingerprint, place.read_as):
            continue
        try:
            version = text_digest(file_sha256(file.path), place.read_as)
            if known and known.version == version:
                yield file.name, replace(known, fingerprint=file.fingerprint)
                continue
            delivery = _read(file, version, event_columns, place)
            is_whole = fingerprint(file.path) == file.fingerprint
        except FileNotFoundError:
            yield file.name, Left("it went away while it was read")
            continue
        except EventsError as error:
            yield file.name, Refused(error)
            continue
        yield file.name, delivery if is_whole else Left("it changed while it was read")


def _read(
    file: DeliveredFile, version: str, event_columns: Mapping[str, str], place: Place
) -> Delivery:
    inspected = inspect_log_file(file.path)
    mapped = map_columns(inspected, event_columns)
    target = place.target(file.name, version)
    try:
        staged = stage_rows(
            place.connection, rows_of_file(place.connection, inspected, mapped), target
        )
    except duckdb.Error as error:
        raise unreadable(inspected, error) from None
    unread = first_unread_time(place.connection, staged, target)
    if unread:
        raise no_time_readable(file.path, mapped["timestamp"], *unread)
    return place.delivery(version, file.fingerprint, staged)
