"""Tables of event inputs: which rows are read, and what is kept of them."""

import numpy as np
import pytest
import torch

from crossrec_pipeline.errors import SettingsError, TrainingError
from crossrec_pipeline.models.gru4rec.batches import session_parallel_windows
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig, preset
from crossrec_pipeline.models.gru4rec.event_inputs import EventMaps, EventReading, EventRows
from crossrec_pipeline.sessions.event_inputs import EventInputs
from crossrec_pipeline.sessions.store import SessionStore

INPUTS = EventInputs(
    np.array([2, 0, 1, 1], dtype=np.uint8),
    np.array([0, 2, 61, 3], dtype=np.uint32),
    ("clicked", "searched"),
)
BOTH = ("event_type", "gap")


def _maps(*parts, names=("clicked", "searched")) -> EventMaps:
    maps = EventMaps(parts, names, 3)
    with torch.no_grad():
        for number, table in enumerate(maps.tables):
            table += 100 * number + torch.arange(len(table))[:, None]
    return maps


def test_rows_are_the_types_code_and_the_bucket_after_the_unknown():
    rows = EventRows(INPUTS, _maps(*BOTH))(np.array([3, 0, 1, 2]))
    assert rows.tolist() == [[1, 2, 0, 1], [3, 1, 2, 6]]


def test_order_and_repeats_of_what_is_asked_for_do_not_matter():
    maps = _maps("gap", "event_type", "gap")
    assert maps.parts == BOTH
    assert list(dict(maps.named_parameters())) == ["event_type", "gap"]


def test_types_of_another_store_are_found_by_name():
    # There "searched" comes first, and "bought" was never seen in training.
    other = EventInputs(
        np.array([1, 2, 3, 0]), np.zeros(4, np.uint32), ("searched", "bought", "clicked")
    )
    rows = EventRows(other, _maps("event_type"))(np.arange(4))
    assert rows.tolist() == [[2, 0, 1, 0]]


def test_what_is_added_is_the_sum_of_the_rows():
    store = SessionStore.from_sequences([[5, 6], [7, 8]])
    object.__setattr__(store, "events", INPUTS)
    added = EventReading(_maps(*BOTH), store, "train")(np.array([0, 2]))
    assert added[:, 0].tolist() == [2 + 101, 1 + 106]


def test_windows_carry_the_rows_of_their_inputs():
    # Lanes read [5, 6, 7] and [8, 9]: inputs 5, 8 (events 0 and 3), then 6 (event 1).
    store = SessionStore.from_sequences([[5, 6, 7], [8, 9]])
    windows = session_parallel_windows(store, np.arange(2), 2, 2, lambda events: events[None])
    window = next(windows)
    assert window.inputs.tolist() == [5, 8, 6]
    assert window.event_rows is not None
    assert window.event_rows.tolist() == [[0, 3, 1]]
    assert next(session_parallel_windows(store, np.arange(2), 2, 2)).event_rows is None


@pytest.mark.parametrize("parts", [BOTH, ("event_type",), ("gap",)])
def test_kept_and_taken_up_again_tables_are_the_same(parts):
    maps = _maps(*parts, names=("größer", "b"))
    again = EventMaps.from_tensors(maps.tensors())
    assert again is not None
    assert (again.names, again.parts) == (("größer", "b"), parts)
    for table, other in zip(maps.tables, again.tables, strict=True):
        assert torch.equal(table, other)


def test_model_without_event_inputs_has_no_tables():
    assert EventMaps.from_tensors({"content.about": np.zeros(3)}) is None


def test_sessions_that_know_nothing_of_their_events_are_refused_with_the_remedy():
    store = SessionStore.from_sequences([[0, 1]])
    with pytest.raises(
        TrainingError, match=r"names event_type, gap, .*train.*CROSSREC_SESSIONS__EVENT_INPUTS=true"
    ):
        EventReading(_maps(*BOTH), store, "train")


def test_one_hot_input_has_no_vector_to_add_to():
    with pytest.raises(SettingsError, match=r"event_inputs=\('gap',\).*take embedding="):
        preset("classic", embedding="none", embedding_dim=None, event_inputs=["gap"])
    with pytest.raises(SettingsError, match="event_inputs"):
        preset("default", event_inputs=["mood"])


def test_configuration_without_event_inputs_is_written_as_before_there_were_any():
    plain, reading = GRU4RecConfig(), GRU4RecConfig(event_inputs=("gap",))
    assert "event_inputs" not in plain.model_dump(mode="json")
    assert "event_inputs" not in plain.model_dump_json()
    assert reading.model_dump(mode="json", exclude={"device"})["event_inputs"] == ["gap"]
    assert "device" not in reading.model_dump(mode="json", exclude={"device"})
    assert GRU4RecConfig(**reading.model_dump(mode="json")) == reading
