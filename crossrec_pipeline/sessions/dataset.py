"""From the event log and the catalogue to the split session data set and its statistics.

The order of the steps, and why:

1. Events become sessions; consecutive repeats collapse, so that neither lengths nor supports count
   a page that was merely reloaded.
2. Sessions shorter than the minimum go: nothing can be predicted in them, and items seen only
   there could not be learnt.
3. Time is cut by the times of all events of 1., and sessions that straddle a cut go.
4. Items with enough events in what is left of train become the vocabulary. This is done once, as
   in Hidasi's preprocessing: sessions that become too short by it go (6.), which may take an item
   a little below the minimum again. An item's `support` is the count made here.
5. Events on other items go: low support in train, cold in validation and test.
6. Taking events out can bring equal items together and make sessions short: repeats collapse and
   short sessions go once more.
7. Sessions longer than the maximum are cut into consecutive pieces, last of all, so that pieces
   are full; a last piece shorter than the minimum goes.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from crossrec_pipeline.errors import SessionsError, SettingsError
from crossrec_pipeline.sessions.build import SessionisedEvents, sessionise
from crossrec_pipeline.sessions.split import (
    STRADDLING,
    TEST,
    TRAIN,
    VALIDATION,
    CutTimes,
    assign_parts,
    choose_cut_times,
)
from crossrec_pipeline.sessions.statistics import (
    DroppedEvents,
    DroppedSessions,
    SessionStatistics,
)
from crossrec_pipeline.sessions.store import PARTS, SessionDataset, SessionStore
from crossrec_pipeline.sessions.trim import (
    begins,
    in_long_enough_sessions,
    number_pieces,
    repeats_previous,
)
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline.settings import SessionSettings, SplitSettings

_UNKNOWN = -1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Events:
    """Events of sessions in order: arrays of one entry an event."""

    session: np.ndarray
    item: np.ndarray
    time_us: np.ndarray

    def __len__(self) -> int:
        return len(self.session)

    def only(self, kept: np.ndarray) -> "_Events":
        return _Events(self.session[kept], self.item[kept], self.time_us[kept])

    @property
    def n_sessions(self) -> int:
        return int(begins(self.session).sum())


@dataclass(frozen=True)
class _TrimmedPart:
    """One part after steps 5 to 7, `events.item` being item indexes, and what the steps took."""

    events: _Events
    piece: np.ndarray
    unknown_events: int
    unknown_items: int
    repeats: int
    short_events: int
    short_sessions: int
    leftover_events: int
    leftover_pieces: int


def build_session_dataset(
    events_dir: Path,
    items: pl.DataFrame,
    sessions: SessionSettings,
    split: SplitSettings,
    *,
    memory_limit: str = "2GB",
) -> tuple[SessionDataset, SessionStatistics]:
    """Turn a log into train, validation and test sessions over one vocabulary.

    Parameters
    ----------
    events_dir
        Holds ``date=*/part-*.parquet`` with the columns of `interactions.schema.EVENTS`.
    items
        The catalogue; `item_id`, `item_type` and `title` are used.
    sessions, split
        How events become sessions, and where time is cut.
    memory_limit
        How much DuckDB holds in memory before it spills to disk.

    Raises
    ------
    SettingsError
        If `max_length` is below `min_length`.
    SessionsError
        If the log gives no sessions of the minimum length, a part stays empty after the cut, no
        item reaches the minimum support, or an item of the log is not in the catalogue.
    """
    if sessions.max_length < sessions.min_length:
        raise SettingsError(
            f"CROSSREC_SESSIONS__MAX_LENGTH={sessions.max_length} is below "
            f"CROSSREC_SESSIONS__MIN_LENGTH={sessions.min_length}: no session could be kept. "
            "Raise the one or lower the other."
        )
    sessionised = sessionise(
        events_dir,
        gap_minutes=sessions.gap_minutes,
        collapse_repeats=sessions.collapse_repeats,
        memory_limit=memory_limit,
    )
    _refuse_short_sessions(sessionised, sessions)
    cuts = choose_cut_times(
        sessionised.events["timestamp"].to_physical().to_numpy(),
        split.validation_share,
        split.test_share,
    )
    return split_sessions(sessionised, items, sessions, cuts)


def split_sessions(
    sessionised: SessionisedEvents,
    items: pl.DataFrame,
    sessions: SessionSettings,
    cuts: CutTimes,
) -> tuple[SessionDataset, SessionStatistics]:
    """Split sessionised events and make the vocabulary: steps 2 to 7 of the module.

    See `build_session_dataset` for parameters and errors.
    """
    item_type = sessionised.events.schema["item_id"]
    assert isinstance(item_type, pl.Enum)
    item_ids = item_type.categories
    all_events = _Events(
        sessionised.events["session"].to_numpy().astype(np.int64),
        sessionised.events["item_id"].to_physical().to_numpy().astype(np.int32),
        sessionised.events["timestamp"].to_physical().to_numpy(),
    )
    usable = all_events.only(in_long_enough_sessions(all_events.session, sessions.min_length))
    part_of_session = assign_parts(
        sessionised.sessions["start"].to_physical().to_numpy(),
        sessionised.sessions["end"].to_physical().to_numpy(),
        cuts,
    )
    part_of_event = part_of_session[usable.session]
    straddling = usable.only(part_of_event == STRADDLING)
    parts = [usable.only(part_of_event == code) for code in (TRAIN, VALIDATION, TEST)]
    for name, events in zip(PARTS, parts, strict=True):
        if len(events) == 0:
            raise SessionsError(
                f"No session lies wholly in {name}: {straddling.n_sessions} of "
                f"{usable.n_sessions} sessions straddle the cuts at {_iso(cuts.validation_us)} "
                f"and {_iso(cuts.test_us)}. Use a log that covers more time, raise "
                "CROSSREC_SPLIT__VALIDATION_SHARE and CROSSREC_SPLIT__TEST_SHARE, or lower "
                "CROSSREC_SESSIONS__GAP_MINUTES; if the log's session_id lasts for days, leave it "
                "out."
            )

    vocabulary, index_of_code = _make_vocabulary(
        np.bincount(parts[TRAIN].item, minlength=len(item_ids)),
        item_ids,
        items,
        sessions.min_support,
    )
    trimmed = {
        name: _trim(events, index_of_code, sessions)
        for name, events in zip(PARTS, parts, strict=True)
    }
    for name, part in trimmed.items():
        if len(part.events) == 0:
            raise SessionsError(
                f"Nothing is left of {name}: {part.unknown_events} of its events are on items "
                f"with fewer than {sessions.min_support} events in train, and no session keeps "
                f"{sessions.min_length} others. Lower CROSSREC_SESSIONS__MIN_SUPPORT, or use a "
                "log with more events."
            )
    dataset = SessionDataset(
        **{name: _store(part, sessionised.sessions) for name, part in trimmed.items()},
        vocabulary=vocabulary,
    )

    unseen = {name: trimmed[name] for name in ("validation", "test")}
    stores = {name: getattr(dataset, name) for name in PARTS}
    statistics = SessionStatistics(
        events_in=sessionised.events_in,
        events={name: store.n_events for name, store in stores.items()},
        sessions={name: store.n_sessions for name, store in stores.items()},
        items=vocabulary.n_items,
        low_support_items=trimmed["train"].unknown_items,
        cold_events={name: part.unknown_events for name, part in unseen.items()},
        cold_items={name: part.unknown_items for name, part in unseen.items()},
        dropped_events=DroppedEvents(
            unattributed=sessionised.unattributed,
            collapsed_repeats=sessionised.repeats + sum(p.repeats for p in trimmed.values()),
            short_sessions=len(all_events)
            - len(usable)
            + sum(part.short_events for part in trimmed.values()),
            straddling_sessions=len(straddling),
            low_support=trimmed["train"].unknown_events,
            cold=sum(part.unknown_events for part in unseen.values()),
            leftover_pieces=sum(part.leftover_events for part in trimmed.values()),
        ),
        dropped_sessions=DroppedSessions(
            short=sessionised.sessions.height
            - usable.n_sessions
            + sum(part.short_sessions for part in trimmed.values()),
            straddling=straddling.n_sessions,
            leftover_pieces=sum(part.leftover_pieces for part in trimmed.values()),
        ),
        validation_cut=_iso(cuts.validation_us),
        test_cut=_iso(cuts.test_us),
        mean_length={name: float(store.lengths.mean()) for name, store in stores.items()},
        multi_type_share={
            name: multi_type_share(store, vocabulary.type_codes) for name, store in stores.items()
        },
    )
    return dataset, statistics


def _refuse_short_sessions(sessionised: SessionisedEvents, sessions: SessionSettings) -> None:
    longest = sessionised.events["position"].max()
    assert isinstance(longest, int)
    if longest + 1 < sessions.min_length:
        raise SessionsError(
            f"All {sessionised.sessions.height} sessions are shorter than {sessions.min_length} "
            f"events. Raise CROSSREC_SESSIONS__GAP_MINUTES (now {sessions.gap_minutes:g}), set "
            "CROSSREC_SESSIONS__COLLAPSE_REPEATS=false if repeats are meant, or check which "
            "columns of the log CROSSREC_EVENT_COLUMNS names as user_id and session_id."
        )


def multi_type_share(store: SessionStore, type_codes: np.ndarray) -> float:
    """Return the share of a store's sessions that hold items of more than one type.

    Parameters
    ----------
    store
        At least one session, none of them empty.
    type_codes
        Code of each item's type, int [n_items].
    """
    codes = type_codes[store.item_index]
    first = store.offsets[:-1]
    several = np.minimum.reduceat(codes, first) != np.maximum.reduceat(codes, first)
    return float(several.mean())


def _make_vocabulary(
    support: np.ndarray, item_ids: pl.Series, items: pl.DataFrame, min_support: int
) -> tuple[Vocabulary, np.ndarray]:
    """Select items by support; also return the item index of each code (`_UNKNOWN` for others)."""
    codes = np.flatnonzero(support >= min_support)
    if len(codes) == 0:
        raise SessionsError(
            f"No item has {min_support} events in train (the most frequent has {support.max()}). "
            "Lower CROSSREC_SESSIONS__MIN_SUPPORT, or use a log with more events."
        )
    # Codes follow the order of item ids, so equal supports are in the order of the ids.
    codes = codes[np.lexsort((codes, -support[codes]))]
    known = pl.DataFrame(
        {"item_id": item_ids.gather(codes), "support": support[codes].astype(np.int64)}
    ).join(
        items.select("item_id", "item_type", "title").unique("item_id", keep="first"),
        on="item_id",
        how="left",
        maintain_order="left",
    )
    missing = known.filter(pl.col("item_type").is_null())["item_id"].to_list()
    if missing:
        raise SessionsError(
            f"{len(missing)} item(s) of the events are not in the catalogue, such as "
            f"{missing[0]!r}. Rebuild interactions/events against the current catalogue."
        )
    index_of_code = np.full(len(support), _UNKNOWN, dtype=np.int32)
    index_of_code[codes] = np.arange(len(codes), dtype=np.int32)
    return Vocabulary.from_items(known), index_of_code


def _trim(events: _Events, index_of_code: np.ndarray, sessions: SessionSettings) -> _TrimmedPart:
    index = index_of_code[events.item]
    is_known = index != _UNKNOWN
    unknown_items = len(np.unique(events.item[~is_known]))
    known = _Events(events.session, index, events.time_us).only(is_known)

    distinct = known
    if sessions.collapse_repeats:
        distinct = known.only(~repeats_previous(known.session, known.item))
    usable = distinct.only(in_long_enough_sessions(distinct.session, sessions.min_length))

    piece = number_pieces(usable.session, sessions.max_length)
    piece_of_part = np.cumsum(begins(usable.session, piece)) - 1
    full = in_long_enough_sessions(piece_of_part, sessions.min_length)
    return _TrimmedPart(
        events=usable.only(full),
        piece=piece[full],
        unknown_events=len(events) - len(known),
        unknown_items=unknown_items,
        repeats=len(known) - len(distinct),
        short_events=len(distinct) - len(usable),
        short_sessions=events.n_sessions - usable.n_sessions,
        leftover_events=int((~full).sum()),
        leftover_pieces=int(begins(piece_of_part[~full]).sum()),
    )


def _store(part: _TrimmedPart, sessions: pl.DataFrame) -> SessionStore:
    """Make a store ordered by start, then session id; a session's second piece is ``<id>#2``."""
    events = part.events
    first = np.flatnonzero(begins(events.session, part.piece))
    lengths = np.diff(np.append(first, len(events)))

    piece = pl.Series(part.piece[first])
    keys = sessions.select("session_id", "user_id")[events.session[first]].with_columns(
        session_id=pl.when(piece > 0)
        .then(pl.format("{}#{}", "session_id", piece + 1))
        .otherwise("session_id"),
        start_us=pl.Series(events.time_us[first]),
        row=pl.int_range(pl.len()),
    )
    keys = keys.sort("start_us", "session_id", "user_id", "row")
    order = keys["row"].to_numpy()

    first, lengths = first[order], lengths[order]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    gather = np.repeat(first - offsets[:-1], lengths) + np.arange(len(events))
    return SessionStore(
        item_index=events.item[gather].astype(np.int32),
        offsets=offsets,
        start_us=events.time_us[first],
        end_us=events.time_us[first + lengths - 1],
        keys=keys.select("session_id", "user_id"),
    )


def _iso(microseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()
