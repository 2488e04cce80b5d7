"""Sessions, split and vocabulary as slow and obvious as can be: what the fast way must equal."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from crossrec_pipeline.sessions.split import CutTimes
from crossrec_pipeline.settings import SessionSettings, SplitSettings
from crossrec_pipeline_tests.sessions.logs import EPOCH, Event

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Session:
    """A session's name, user and events: item ids, times in µs, and types."""

    name: str
    user_id: str | None
    items: tuple[str, ...]
    times_us: tuple[int, ...]
    types: tuple[str | None, ...]

    @property
    def gaps_s(self) -> list[int]:
        """Whole seconds since the event before."""
        return [0, *((b - a) // 1_000_000 for a, b in pairwise(self.times_us))]


@dataclass(frozen=True)
class ReferenceDataset:
    """Sessions of the parts, and the vocabulary as pairs of item id and support."""

    parts: tuple[list[Session], ...]
    vocabulary: list[tuple[str, int]]
    cuts: CutTimes
    support_rounds: int


class NoDatasetError(Exception):
    """There is nothing to learn from, or to ask for."""


def sessionise(events: Sequence[Event], gap_minutes: float, collapse: bool) -> list[Session]:
    """Walk through the events one by one."""
    owners: dict[str | None, str | None] = {
        e.session_id: e.user_id for e in events if e.session_id and e.user_id
    }
    streams = defaultdict(list)
    for order, event in enumerate(events):
        user_id = owners.get(event.session_id, event.user_id)
        if event.session_id is not None or user_id is not None:
            stream = (event.session_id, None if event.session_id else user_id)
            row = (_us(event.timestamp), order, event.item_id, user_id, event.event_type)
            streams[stream].append(row)
    gap_us = timedelta(minutes=gap_minutes) // MICROSECOND
    sessions = []
    for (session_id, _), stream in streams.items():
        stream.sort()
        runs = [[stream[0]]]
        for before, event in pairwise(stream):
            if session_id is None and event[0] - before[0] > gap_us:
                runs.append([])
            runs[-1].append(event)
        for run in runs:
            start = EPOCH + run[0][0] * MICROSECOND
            user_id = run[0][3]
            name = session_id or f"{user_id}/{start:%Y-%m-%dT%H:%M:%S.%fZ}"
            whole = Session(name, user_id, *zip(*((r[2], r[0], r[4]) for r in run), strict=True))
            sessions.append(_collapsed(whole, range(len(run)), collapse))
    return sorted(sessions, key=_in_order)


def choose_cuts(sessions: Sequence[Session], split: SplitSettings) -> CutTimes:
    """Try every time of the log."""
    times = sorted(time for session in sessions for time in session.times_us)
    if split.validation_days is not None and split.test_days is not None:
        day = 86_400_000_000
        test = times[-1] // day + 1 - split.test_days
        return CutTimes((test - split.validation_days) * day, test * day)
    distinct = sorted(set(times))
    if len(distinct) < 3:
        raise NoDatasetError

    def missed_by(share: float, cut: int) -> tuple[float, int]:
        return abs(sum(time >= cut for time in times) - len(times) * share), -cut

    test = min(distinct[2:], key=lambda cut: missed_by(split.test_share, cut))
    both = split.validation_share + split.test_share
    validation = min(distinct[1 : distinct.index(test)], key=lambda cut: missed_by(both, cut))
    return CutTimes(validation, test)


def make_dataset(
    events: Sequence[Event], sessions: SessionSettings, split: SplitSettings
) -> ReferenceDataset:
    """Take every step of `assemble` by itself."""
    all_sessions = sessionise(events, sessions.gap_minutes, sessions.collapse_repeats)
    long_enough = [s for s in all_sessions if len(s.items) >= sessions.min_length]
    if not long_enough:
        raise NoDatasetError
    cuts = choose_cuts(all_sessions, split)
    bounds = ((float("-inf"), cuts.validation_us), (cuts.validation_us, cuts.test_us))
    bounds = (*bounds, (cuts.test_us, float("inf")))
    parts = tuple(
        [s for s in long_enough if begin <= s.times_us[0] and s.times_us[-1] < end]
        for begin, end in bounds
    )
    train = parts[0]
    frequent, support, rounds = None, Counter(), 0
    while sessions.support_rounds is None or rounds < sessions.support_rounds:
        kept = [_only(s, frequent, sessions) for s in train]
        counted = Counter(i for s in kept if len(s.items) >= sessions.min_length for i in s.items)
        if counted == support:
            break
        support, rounds = counted, rounds + 1
        frequent = {item for item, n in support.items() if n >= sessions.min_support}
    vocabulary = sorted(((i, support[i]) for i in frequent or ()), key=lambda p: (-p[1], p[0]))
    pieces = tuple(
        sorted(
            (p for s in part for p in _pieces(_only(s, frequent, sessions), sessions)),
            key=_in_order,
        )
        for part in parts
    )
    if not all(pieces):
        raise NoDatasetError
    return ReferenceDataset(pieces, vocabulary, cuts, rounds)


def _us(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


def _in_order(session: Session) -> tuple:
    user_id = session.user_id
    return session.times_us[0], session.name, user_id is not None, user_id or ""


def fit_types(train: Sequence[Session], most: int) -> list[str]:
    """Choose the types that have a code, in the order of their codes."""
    counted = Counter(kind for session in train for kind in session.types if kind is not None)
    return sorted(counted, key=lambda kind: (-counted[kind], kind))[:most]


def _collapsed(session: Session, events: Sequence[int], collapse: bool) -> Session:
    """Take some events of a session, and of those in a row on one item the first."""
    items = session.items
    kept = [
        n for k, n in enumerate(events) if not (collapse and k and items[n] == items[events[k - 1]])
    ]
    return _taken(session, kept)


def _taken(session: Session, events: Sequence[int]) -> Session:
    return Session(
        session.name,
        session.user_id,
        tuple(session.items[n] for n in events),
        tuple(session.times_us[n] for n in events),
        tuple(session.types[n] for n in events),
    )


def _only(session: Session, items: set[str] | None, sessions: SessionSettings) -> Session:
    known = [n for n, item in enumerate(session.items) if items is None or item in items]
    return _collapsed(session, known, sessions.collapse_repeats)


def _pieces(session: Session, sessions: SessionSettings) -> list[Session]:
    if len(session.items) < sessions.min_length:
        return []
    pieces = []
    for number, begin in enumerate(range(0, len(session.items), sessions.max_length)):
        cut = range(begin, min(begin + sessions.max_length, len(session.items)))
        name = f"{session.name}#{number + 1}" if number else session.name
        pieces.append(replace(_taken(session, cut), name=name))
    return [piece for piece in pieces if len(piece.items) >= sessions.min_length]
