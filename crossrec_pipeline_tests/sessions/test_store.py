import pickle
from dataclasses import replace
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest

from crossrec_pipeline.errors import SessionsError
from crossrec_pipeline.sessions import store
from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

STORE = SessionStore.from_sequences([[4, 0, 2], [1, 3]])
INPUTS = EventInputs(
    np.array([1, 2, 1, 0, 1], dtype=np.uint8),
    np.array([0, 7, 2, 0, 90], dtype=np.uint32),
    ("clicked", "größer"),
)
WITH_EVENTS = replace(STORE, events=INPUTS)


def write(directory: Path, sessions: SessionStore = STORE) -> Path:
    directory.mkdir()
    sessions.write(directory)
    return directory


def dataset() -> SessionDataset:
    return SessionDataset(
        STORE,
        SessionStore.from_sequences([[0, 1]]),
        SessionStore.from_sequences([[2, 3]]),
        numbered_vocabulary(5),
    )


def test_sessions_are_slices_of_the_flat_array() -> None:
    assert [session.tolist() for session in STORE] == [[4, 0, 2], [1, 3]]
    assert STORE[1].tolist() == [1, 3]


def test_counts_are_of_sessions_events_and_predictions() -> None:
    assert (STORE.n_sessions, STORE.n_events, STORE.n_predictions) == (2, 5, 3)
    assert len(STORE) == 2
    assert STORE.lengths.tolist() == [3, 2]


def test_written_store_opens_equal_and_memory_mapped(tmp_path: Path) -> None:
    opened = SessionStore.open(write(tmp_path / "train"))
    assert [session.tolist() for session in opened] == [[4, 0, 2], [1, 3]]
    assert opened.start_us.tolist() == STORE.start_us.tolist()
    assert opened.keys.equals(STORE.keys)
    assert isinstance(opened.item_index, np.memmap)
    assert opened.item_index.dtype == np.int32


def test_keys_are_read_when_they_are_first_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "train") / "keys.parquet"
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)  # the end, which says what is where, stays
    path.write_bytes(content)
    opened = SessionStore.open(tmp_path / "train")
    assert opened[1].tolist() == [1, 3]
    with pytest.raises(SessionsError, match=r"keys\.parquet is missing or not whole.*Rebuild"):
        _ = opened.keys


def test_keys_stay_those_of_the_store_when_another_build_takes_its_place(tmp_path: Path) -> None:
    opened = SessionStore.open(write(tmp_path / "train"))
    (tmp_path / "train").rename(tmp_path / "old")
    write(tmp_path / "train", STORE.only(np.array([1, 0])))
    rmtree(tmp_path / "old")
    assert opened.keys.equals(STORE.keys)


def test_store_with_keys_not_read_yet_can_be_sent_to_another_process(tmp_path: Path) -> None:
    sent = pickle.loads(pickle.dumps(SessionStore.open(write(tmp_path / "train"))))
    assert sent.keys.equals(STORE.keys)


def test_store_in_memory_needs_its_files_no_more(tmp_path: Path) -> None:
    kept = SessionStore.open(write(tmp_path / "train")).in_memory()
    rmtree(tmp_path / "train")
    assert kept.keys.equals(STORE.keys)
    assert not isinstance(kept.item_index, np.memmap)
    assert kept.digest == STORE.digest


def test_digest_of_a_written_store_is_that_in_memory_and_reads_keys_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = SessionStore.open(write(tmp_path / "train"))
    monkeypatch.setattr(store, "_KEYS_AT_A_TIME", 1)
    monkeypatch.setattr(store, "_ENTRIES_AT_A_TIME", 2)
    assert opened.digest == STORE.digest


def known_of(events: EventInputs | None) -> tuple[list[int], list[int], tuple[str, ...]]:
    assert events is not None
    return events.event_type.tolist(), events.gap_s.tolist(), events.names


def test_event_inputs_are_written_and_mapped_too(tmp_path: Path) -> None:
    opened = SessionStore.open(write(tmp_path / "train", WITH_EVENTS))
    assert known_of(opened.events) == known_of(INPUTS)
    assert opened.events is not None
    assert isinstance(opened.events.gap_s, np.memmap)
    assert opened.digest == WITH_EVENTS.digest
    kept = opened.in_memory()
    rmtree(tmp_path / "train")
    assert known_of(kept.events) == known_of(INPUTS)


def test_store_without_event_inputs_has_no_files_of_them(tmp_path: Path) -> None:
    files = {path.name for path in write(tmp_path / "train").iterdir()}
    assert files == {*ARRAYS, "keys.parquet"}
    assert SessionStore.open(tmp_path / "train").events is None


def test_digest_changes_with_event_inputs() -> None:
    others = [
        None,
        replace(INPUTS, gap_s=INPUTS.gap_s + 1),
        replace(INPUTS, event_type=INPUTS.event_type[::-1]),
        replace(INPUTS, names=("clicked", "other")),
    ]
    assert len({WITH_EVENTS.digest, *(replace(STORE, events=o).digest for o in others)}) == 5


def test_some_sessions_keep_their_event_inputs() -> None:
    some = WITH_EVENTS.only(np.array([1, 0]))
    assert known_of(some.events)[:2] == ([0, 1, 1, 2, 1], [0, 90, 0, 7, 2])


@pytest.mark.parametrize("name", ["event_type.npy", "gap_s.npy"])
def test_event_inputs_that_are_missing_or_of_another_store_are_named(
    tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / "train", WITH_EVENTS) / name
    np.save(path, np.load(path)[:-1])
    with pytest.raises(SessionsError, match=f"train/{name} has 4 entries.*of 5.*{REMEDY}"):
        SessionStore.open(tmp_path / "train")
    path.unlink()
    with pytest.raises(SessionsError, match=f"train/{name} is missing or not whole.*{REMEDY}"):
        SessionStore.open(tmp_path / "train")


def test_part_of_a_store_can_be_replaced(tmp_path: Path) -> None:
    opened = SessionStore.open(write(tmp_path / "train"))
    later = replace(opened, start_us=np.asarray(opened.start_us) + 1)
    assert later.keys.equals(STORE.keys)
    assert later.digest != STORE.digest


def test_empty_store_can_be_written_and_opened(tmp_path: Path) -> None:
    opened = SessionStore.open(write(tmp_path / "none", SessionStore.from_sequences([])))
    assert (opened.n_sessions, opened.n_events) == (0, 0)


ARRAYS = ["item_index.npy", "offsets.npy", "start_us.npy", "end_us.npy"]
REMEDY = r"Rebuild sessions/sequences: `crossrec run`"


@pytest.mark.parametrize("name", [*ARRAYS, "keys.parquet"])
def test_truncated_file_is_named(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "train") / name
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(SessionsError, match=f"train/{name} is missing or not whole.*{REMEDY}"):
        SessionStore.open(tmp_path / "train")


@pytest.mark.parametrize("name", [*ARRAYS, "keys.parquet"])
def test_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write(tmp_path / "train") / name).unlink()
    with pytest.raises(SessionsError, match=f"train/{name} is missing or not whole.*{REMEDY}"):
        SessionStore.open(tmp_path / "train")


@pytest.mark.parametrize("name", ["item_index.npy", "start_us.npy", "end_us.npy", "keys.parquet"])
def test_file_of_another_store_is_named(tmp_path: Path, name: str) -> None:
    one = write(tmp_path / "one")
    other = write(tmp_path / "other", SessionStore.from_sequences([[1, 2], [0, 1], [2, 3]]))
    (other / name).replace(one / name)
    with pytest.raises(SessionsError, match=rf"one/{name} has \d entries .* tells of \d.*{REMEDY}"):
        SessionStore.open(one)


@pytest.mark.parametrize("offsets", [[], [1, 3, 5]])
def test_offsets_that_do_not_start_with_zero_are_refused(
    tmp_path: Path, offsets: list[int]
) -> None:
    directory = write(tmp_path / "train")
    np.save(directory / "offsets.npy", np.array(offsets, dtype=np.int64))
    with pytest.raises(SessionsError, match=r"offsets\.npy does not start with 0"):
        SessionStore.open(directory)


def test_saved_data_set_opens_equal(tmp_path: Path) -> None:
    dataset().save(tmp_path / "sessions")
    opened = SessionDataset.open(tmp_path / "sessions")
    assert [session.tolist() for session in opened.train] == [[4, 0, 2], [1, 3]]
    assert [session.tolist() for session in opened.validation] == [[0, 1]]
    assert [session.tolist() for session in opened.test] == [[2, 3]]
    assert opened.vocabulary.item_ids == numbered_vocabulary(5).item_ids


def test_saving_again_replaces_the_data_set(tmp_path: Path) -> None:
    dataset().save(tmp_path / "sessions")
    smaller = SessionStore.from_sequences([[0, 1]])
    SessionDataset(smaller, smaller, smaller, numbered_vocabulary(2)).save(tmp_path / "sessions")
    assert SessionDataset.open(tmp_path / "sessions").train.n_sessions == 1


def test_data_set_never_built_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SessionsError, match=r"does not exist\. Build sessions/sequences first"):
        SessionDataset.open(tmp_path / "sessions")


def test_data_set_without_vocabulary_is_refused(tmp_path: Path) -> None:
    dataset().save(tmp_path / "sessions")
    (tmp_path / "sessions" / "vocabulary.parquet").unlink()
    with pytest.raises(SessionsError, match=r"vocabulary\.parquet.*Rebuild sessions/sequences"):
        SessionDataset.open(tmp_path / "sessions")
