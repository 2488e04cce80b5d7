import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec import survey as module
from crossrec_pipeline.models.gru4rec.survey import survey
from crossrec_pipeline.sessions.store import SessionStore

sessions = st.lists(st.lists(st.integers(0, 6), max_size=6), max_size=12)


@given(sessions, st.integers(1, 9))
def test_counts_every_event_after_its_sessions_first(sequences, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        found = survey(SessionStore.from_sequences(sequences), 7, "train")
    targets = [item for sequence in sequences for item in sequence[1:]]
    assert found.n_predictions == len(targets)
    np.testing.assert_array_equal(
        found.target_support, np.bincount(np.array(targets, dtype=int), minlength=7)
    )


@pytest.mark.parametrize("items", [[0, 7], [-1, 2]])
def test_items_outside_the_vocabulary_are_refused(items):
    with pytest.raises(TrainingError, match=rf"validation holds item indexes {items[0]} to"):
        survey(SessionStore.from_sequences([items]), 7, "validation")
