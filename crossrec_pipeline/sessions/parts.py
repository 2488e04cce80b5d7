"""From whole sessions and two cuts to the stores of the three parts, their vocabulary and counts.

These are steps 2 to 7 of `assemble`.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.interactions.log import Progress
from crossrec_pipeline.sessions.event_inputs import fit_event_types, gaps_in_seconds
from crossrec_pipeline.sessions.item_codes import ItemCodes
from crossrec_pipeline.sessions.split import (
    STRADDLING,
    TEST,
    TRAIN,
    VALIDATION,
    CutTimes,
    assign_parts,
)
from crossrec_pipeline.sessions.statistics import (
    DroppedEvents,
    DroppedSessions,
    SessionStatistics,
)
from crossrec_pipeline.sessions.stitched_log import StitchedLog
from crossrec_pipeline.sessions.store import PARTS
from crossrec_pipeline.sessions.store_writer import StoreWriter
from crossrec_pipeline.sessions.support import count_support
from crossrec_pipeline.sessions.trim import (
    LEFTOVER_EVENTS,
    LEFTOVER_PIECES,
    N_COUNTS,
    REPEATS,
    SHORT_EVENTS,
    SHORT_SESSIONS,
    UNKNOWN,
    UNKNOWN_EVENTS,
    Pieces,
    count_mixed,
    trim_sessions,
)
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.sessions.waiting_pieces import NamedPieces, WaitingPieces
from crossrec_pipeline.settings import SessionSettings

_SHORT = STRADDLING + 1
"""In place of a part: a session that is too short from the start."""

_START = "%Y-%m-%dT%H:%M:%S%.6fZ"


@dataclass(frozen=True)
class _Divided:
    """Events and sessions by part, then straddling, then too short, int64 [5]."""

    events: np.ndarray
    sessions: np.ndarray


@dataclass(frozen=True)
class _Kept:
    """What is kept of each part, and what was taken out of it.

    `events` and `sessions` are int64 [n_parts], `counts` is int64 [n_parts, N_COUNTS] by the
    columns of `trim`, `unknown_items` is int64 [n_parts]. `train_types` are the events of train by
    the number of their type, int64; empty where types are not asked for.
    """

    events: np.ndarray
    sessions: np.ndarray
    counts: np.ndarray
    unknown_items: np.ndarray
    train_types: np.ndarray


@dataclass(frozen=True)
class _EventTypes:
    """Types that have a code, and the code of each type's number, uint8 [n_types + 1]."""

    names: tuple[str, ...]
    codes: np.ndarray


def write_parts(
    log: StitchedLog,
    cuts: CutTimes,
    items: pl.DataFrame,
    sessions: SessionSettings,
    target: Path,
    scratch: Path,
    progress: Progress | None = None,
) -> SessionStatistics:
    """Write the stores of train, validation and test and the vocabulary.

    Parameters
    ----------
    log
        Whole sessions.
    cuts
        Where time is cut.
    items
        The catalogue; `item_id`, `item_type` and `title` are used.
    sessions
        How sessions and items are chosen.
    target
        An existing, empty directory.
    scratch
        An existing directory for what waits to be put in order.
    progress
        Told about each step.

    Raises
    ------
    SessionsError
        If a part stays empty after the cut, no item reaches the minimum support, or an item of the
        log is not in the catalogue.
    """
    say = progress or _say_nothing
    divided = _divide(log, cuts, sessions)
    _require_parts(divided, cuts)
    train = count_support(log, cuts, sessions)
    say(f"{train.n_rounds} round(s) of counting what items have in train")
    vocabulary, index_of_item = _make_vocabulary(
        train.support, log.item_codes, items, sessions.min_support
    )
    vocabulary.save(target / "vocabulary.parquet")
    event_inputs = log.event_types is not None
    with WaitingPieces(scratch, log.read_from_us, event_inputs=event_inputs) as waiting:
        kept = _trim(log, cuts, index_of_item, sessions, waiting)
    _require_kept(kept, sessions)
    say(f"{int(kept.events.sum()):,} events are kept in {int(kept.sessions.sum()):,} sessions")
    types = None
    if log.event_types is not None:
        types = _EventTypes(*fit_event_types(log.event_types, kept.train_types))
    mixed = _write_stores(waiting, kept, vocabulary.type_codes, target, types)

    by_part = range(len(PARTS))
    taken = kept.counts.sum(axis=0)
    unseen = (VALIDATION, TEST)
    return SessionStatistics(
        events_in=log.n_events,
        events={PARTS[part]: int(kept.events[part]) for part in by_part},
        sessions={PARTS[part]: int(kept.sessions[part]) for part in by_part},
        items=vocabulary.n_items,
        low_support_items=int(kept.unknown_items[TRAIN]),
        support_rounds=train.n_rounds,
        cold_events={PARTS[part]: int(kept.counts[part, UNKNOWN_EVENTS]) for part in unseen},
        cold_items={PARTS[part]: int(kept.unknown_items[part]) for part in unseen},
        dropped_events=DroppedEvents(
            unattributed=log.n_unattributed,
            collapsed_repeats=log.n_repeats + int(taken[REPEATS]),
            short_sessions=int(divided.events[_SHORT] + taken[SHORT_EVENTS]),
            straddling_sessions=int(divided.events[STRADDLING]),
            low_support=int(kept.counts[TRAIN, UNKNOWN_EVENTS]),
            cold=int(kept.counts[list(unseen), UNKNOWN_EVENTS].sum()),
            leftover_pieces=int(taken[LEFTOVER_EVENTS]),
        ),
        dropped_sessions=DroppedSessions(
            short=int(divided.sessions[_SHORT] + taken[SHORT_SESSIONS]),
            straddling=int(divided.sessions[STRADDLING]),
            leftover_pieces=int(taken[LEFTOVER_PIECES]),
        ),
        validation_cut=cuts.validation_iso,
        test_cut=cuts.test_iso,
        mean_length={
            PARTS[part]: float(kept.events[part] / kept.sessions[part]) for part in by_part
        },
        multi_type_share={
            PARTS[part]: float(mixed[part] / kept.sessions[part]) for part in by_part
        },
    )


def _say_nothing(line: str) -> None:
    """Be told, and keep it to oneself."""


def _parts_of(log: StitchedLog, batch: int, cuts: CutTimes, min_length: int) -> np.ndarray:
    """Return each session's part, or `STRADDLING`, or `_SHORT`, int8 [n_sessions]."""
    part = assign_parts(*log.bounds_us(batch), cuts)
    part[log.lengths(batch) < min_length] = _SHORT
    return part


def _divide(log: StitchedLog, cuts: CutTimes, sessions: SessionSettings) -> _Divided:
    n_events = np.zeros(_SHORT + 1, dtype=np.int64)
    n_sessions = np.zeros(_SHORT + 1, dtype=np.int64)
    for batch in range(log.n_batches):
        part = _parts_of(log, batch, cuts, sessions.min_length)
        # Sums of whole numbers below 2^53 are exact.
        n_events += np.bincount(part, log.lengths(batch), _SHORT + 1).astype(np.int64)
        n_sessions += np.bincount(part, minlength=_SHORT + 1)
    return _Divided(n_events, n_sessions)


def _require_parts(divided: _Divided, cuts: CutTimes) -> None:
    for part, name in enumerate(PARTS):
        if divided.sessions[part] == 0:
            raise SessionsError(
                f"No session lies wholly in {name}: {divided.sessions[STRADDLING]} of "
                f"{divided.sessions[:_SHORT].sum()} sessions straddle the cuts at "
                f"{cuts.validation_iso} and {cuts.test_iso}. Use a log that covers more time, "
                "raise CROSSREC_SPLIT__VALIDATION_SHARE and CROSSREC_SPLIT__TEST_SHARE, or lower "
                "CROSSREC_SESSIONS__GAP_MINUTES; if the log's session_id lasts for days, leave it "
                "out."
            )


def _require_kept(kept: _Kept, sessions: SessionSettings) -> None:
    for part, name in enumerate(PARTS):
        if kept.sessions[part] == 0:
            raise SessionsError(
                f"Nothing is left of {name}: {kept.counts[part, UNKNOWN_EVENTS]} of its events "
                f"are on items with fewer than {sessions.min_support} events in train, and no "
                f"session keeps {sessions.min_length} others. Lower "
                "CROSSREC_SESSIONS__MIN_SUPPORT, or use a log with more events."
            )


def _make_vocabulary(
    support: np.ndarray, item_codes: ItemCodes, items: pl.DataFrame, min_support: int
) -> tuple[Vocabulary, np.ndarray]:
    """Select items by support; also return the item index of each code (`UNKNOWN` for others)."""
    codes = np.flatnonzero(support >= min_support)
    if len(codes) == 0:
        raise SessionsError(
            f"No item has {min_support} events in train (the most frequent has {support.max()}). "
            "Lower CROSSREC_SESSIONS__MIN_SUPPORT, or use a log with more events."
        )
    missing = codes[codes >= item_codes.n_in_catalogue]
    if len(missing):
        first = item_codes.decode(missing[support[missing] == support[missing].max()]).min()
        raise SessionsError(
            f"{len(missing)} item(s) of the events are not in the catalogue, such as "
            f"{first!r}. Rebuild interactions/events against the current catalogue."
        )
    # Codes follow the order of item ids, so equal supports are in the order of the ids.
    codes = codes[np.lexsort((codes, -support[codes]))]
    known = pl.DataFrame(
        {"item_id": item_codes.decode(codes), "support": support[codes].astype(np.int64)}
    ).join(
        items.select("item_id", "item_type", "title").unique("item_id", keep="first"),
        on="item_id",
        how="left",
        maintain_order="left",
    )
    index_of_item = np.full(len(support), UNKNOWN, dtype=np.int32)
    index_of_item[codes] = np.arange(len(codes), dtype=np.int32)
    return Vocabulary.from_items(known), index_of_item


def _trim(
    log: StitchedLog,
    cuts: CutTimes,
    index_of_item: np.ndarray,
    sessions: SessionSettings,
    waiting: WaitingPieces,
) -> _Kept:
    counts = np.zeros((len(PARTS), N_COUNTS), dtype=np.int64)
    is_unknown = np.zeros((len(PARTS), len(index_of_item)), dtype=bool)
    n_events = np.zeros(len(PARTS), dtype=np.int64)
    n_sessions = np.zeros(len(PARTS), dtype=np.int64)
    n_types = 0 if log.event_types is None else len(log.event_types) + 1
    train_types = np.zeros(n_types, dtype=np.int64)
    for batch in range(log.n_batches):
        part = _parts_of(log, batch, cuts, sessions.min_length)
        items, times_us = log.items(batch), log.times_us(batch)
        pieces = trim_sessions(
            items,
            # Of an event with more to it than a time the number is kept, which finds the rest.
            times_us if log.event_types is None else np.arange(len(items)),
            log.lengths(batch),
            part,
            index_of_item,
            min_length=sessions.min_length,
            max_length=sessions.max_length,
            collapse_repeats=sessions.collapse_repeats,
            counts=counts,
            is_unknown=is_unknown,
        )
        if len(pieces.length) == 0:
            continue
        part_of_piece = part[pieces.session]
        events: Mapping[str, np.ndarray] = {}
        if log.event_types is not None:
            kept = pieces.time_us
            pieces = replace(pieces, time_us=times_us[kept])
            event_type = log.types(batch)[kept]
            gap_s = gaps_in_seconds(pieces.time_us, pieces.length)
            events = {"event_type": event_type, "gap_s": gap_s}
            of_train = np.repeat(part_of_piece == TRAIN, pieces.length)
            train_types += np.bincount(event_type[of_train], minlength=n_types)
        n_events += np.bincount(part_of_piece, pieces.length, len(PARTS)).astype(np.int64)
        n_sessions += np.bincount(part_of_piece, minlength=len(PARTS))
        start_of_session_us, _ = log.bounds_us(batch)
        waiting.append(
            NamedPieces(
                pieces.item_index,
                part_of_piece,
                pieces.length,
                pieces.start_us,
                pieces.end_us,
                _name(pieces, log.names(batch), start_of_session_us),
                events,
            )
        )
    return _Kept(n_events, n_sessions, counts, is_unknown.sum(axis=1), train_types)


def _name(pieces: Pieces, names: pl.DataFrame, start_us: np.ndarray) -> pl.DataFrame:
    """Name sessions without an id ``<user_id>/<start>``, and their second pieces ``…#2``."""
    start = pl.col("start_us").cast(pl.Datetime("us")).dt.to_string(_START)
    piece = pl.col("number")
    return (
        names[pieces.session]
        .with_columns(start_us=pl.Series(start_us[pieces.session]), number=pl.Series(pieces.number))
        .with_columns(
            session_id=pl.when(pl.col("session_id").is_null())
            .then(pl.format("{}/{}", "user_id", start))
            .otherwise("session_id")
        )
        .select(
            pl.when(piece > 0)
            .then(pl.format("{}#{}", "session_id", piece + 1))
            .otherwise("session_id")
            .alias("session_id"),
            "user_id",
        )
    )


def _write_stores(
    waiting: WaitingPieces,
    kept: _Kept,
    type_codes: np.ndarray,
    target: Path,
    types: _EventTypes | None,
) -> np.ndarray:
    """Write the parts in order; return how many of their sessions are of several types."""
    n_mixed = np.zeros(len(PARTS), dtype=np.int64)
    with ExitStack() as open_files:
        writers = []
        for part, name in enumerate(PARTS):
            (target / name).mkdir()
            writer = StoreWriter(
                target / name,
                int(kept.sessions[part]),
                int(kept.events[part]),
                None if types is None else types.names,
            )
            writers.append(open_files.enter_context(writer))
        for pieces in waiting.in_order():
            for part in np.flatnonzero(np.bincount(pieces.part)):
                of_part = pieces.part == part
                some = pieces if of_part.all() else pieces.in_order_of(np.flatnonzero(of_part))
                writers[part].write(
                    some.item_index, some.length, some.start_us, some.end_us, some.keys
                )
                if types is not None:
                    coded = types.codes[some.events["event_type"]]
                    writers[part].write_events(coded, some.events["gap_s"])
                n_mixed[part] += count_mixed(some.item_index, some.length, type_codes)
    return n_mixed
