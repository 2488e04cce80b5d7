from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.store import ARRAYS, SessionStore
from crossrec_pipeline.sessions.store_writer import StoreWriter

STORE = SessionStore.from_sequences([[4, 0, 2], [1, 3], [5]])


def written(directory: Path, store: SessionStore, cuts: list[int]) -> Path:
    """Write a store, the sessions between two cuts at a time."""
    directory.mkdir()
    types = None if store.events is None else store.events.names
    with StoreWriter(directory, store.n_sessions, store.n_events, types) as writer:
        for begin, end in pairwise(cuts):
            some = store.only(np.arange(begin, end))
            writer.write(some.item_index, some.lengths, some.start_us, some.end_us, some.keys)
            if some.events is not None:
                writer.write_events(some.events.event_type, some.events.gap_s)
    return directory


@pytest.mark.parametrize("cuts", [[0, 3], [0, 1, 3], [0, 1, 1, 2, 3]])
def test_files_are_those_of_a_store_in_memory(tmp_path: Path, cuts: list[int]) -> None:
    found = written(tmp_path / "found", STORE, cuts)
    (tmp_path / "expected").mkdir()
    STORE.write(tmp_path / "expected")
    for name in ARRAYS:
        expected = (tmp_path / "expected" / f"{name}.npy").read_bytes()
        assert (found / f"{name}.npy").read_bytes() == expected
    assert SessionStore.open(found).keys.equals(STORE.keys)
    assert SessionStore.open(found).digest == STORE.digest


def test_files_of_event_inputs_are_those_of_a_store_in_memory(tmp_path: Path) -> None:
    inputs = EventInputs(
        np.arange(6, dtype=np.uint8), np.arange(6, 12, dtype=np.uint32), ("a", "b")
    )
    store = replace(STORE, events=inputs)
    found = written(tmp_path / "found", store, [0, 1, 3])
    (tmp_path / "expected").mkdir()
    store.write(tmp_path / "expected")
    for name in ("event_type.npy", "gap_s.npy", "event_types.json"):
        assert (found / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()
    assert SessionStore.open(found).digest == store.digest


def test_empty_store_can_be_opened(tmp_path: Path) -> None:
    empty = SessionStore.from_sequences([])
    opened = SessionStore.open(written(tmp_path / "empty", empty, [0]))
    assert opened.n_sessions == 0
    assert opened.digest == empty.digest
