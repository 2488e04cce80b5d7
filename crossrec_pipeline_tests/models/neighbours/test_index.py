import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.neighbours import index as index_module
from crossrec_pipeline.models.neighbours.index import (
    SessionIndex,
    build_index,
    count_events,
)
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.neighbours.small_log import LOG, N_ITEMS

N_DRAWN = 6
LOGS = st.lists(st.lists(st.integers(0, N_DRAWN - 1), min_size=1, max_size=7), max_size=25)


def index_of(log: list[list[int]], n_items: int = N_ITEMS, sample: int = 100) -> SessionIndex:
    return build_index(SessionStore.from_sequences(log), n_items, sample)


def rows(index: SessionIndex, session: int) -> list[tuple[int, int]]:
    """Items of a session with their positions."""
    row = slice(index.session_offsets[session], index.session_offsets[session + 1])
    return list(zip(index.items[row].tolist(), index.positions[row].tolist(), strict=True))


def postings(index: SessionIndex, item: int) -> list[int]:
    row = slice(index.posting_offsets[item], index.posting_offsets[item + 1])
    return index.posting_sessions[row].tolist()


def test_repeated_item_stands_where_it_occurs_last() -> None:
    # Session 3 is 2, 0, 3, 2.
    assert rows(index_of(LOG), 3) == [(0, 1), (3, 2), (2, 3)]


def test_most_recent_sessions_of_an_item_come_first() -> None:
    index = index_of(LOG)
    assert [postings(index, item) for item in range(N_ITEMS)] == [
        [3, 2, 0],
        [2, 1, 0],
        [3, 0],
        [3, 1],
        [],
    ]


def test_no_more_postings_than_the_sample_are_kept_but_all_sessions_are_counted() -> None:
    index = index_of(LOG, sample=2)
    assert [postings(index, item) for item in (0, 2)] == [[3, 2], [3, 0]]
    assert index.session_counts.tolist() == [3, 3, 2, 2, 0]


def test_longest_session_counts_its_repeated_events() -> None:
    assert index_of(LOG).longest_session == 4


def test_log_without_sessions_has_an_empty_index() -> None:
    index = index_of([])
    assert (index.n_sessions, index.n_items, index.longest_session) == (0, N_ITEMS, 0)
    assert len(index.items) == len(index.posting_sessions) == 0


@pytest.mark.parametrize("events_at_once", [1, 4, 100])
def test_events_are_counted_block_by_block(
    events_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_EVENTS_AT_ONCE", events_at_once)
    assert count_events(SessionStore.from_sequences(LOG), N_ITEMS).tolist() == [3, 3, 3, 2, 0]
    assert count_events(SessionStore.from_sequences([]), N_ITEMS).tolist() == [0] * N_ITEMS


def test_item_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"item indexes 0 to 3.*3 items.*Rebuild"):
        count_events(SessionStore.from_sequences(LOG), 3)


def test_tables_are_of_32_bits() -> None:
    index = index_of(LOG)
    for table in (index.items, index.positions, index.posting_sessions, index.session_counts):
        assert table.dtype == np.int32


@settings(deadline=None, max_examples=100)
@given(log=LOGS, sample=st.integers(1, 5))
def test_index_is_what_a_look_at_each_session_finds(log: list[list[int]], sample: int) -> None:
    index = index_of(log, N_DRAWN, sample)
    for session, items in enumerate(log):
        last = {item: position for position, item in enumerate(items)}
        assert rows(index, session) == sorted(last.items(), key=lambda row: row[1])
    for item in range(N_DRAWN):
        holding = [session for session in range(len(log)) if item in log[session]]
        assert postings(index, item) == holding[::-1][:sample]
        assert index.session_counts[item] == len(holding)
