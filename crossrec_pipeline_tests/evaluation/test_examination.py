import numpy as np

from crossrec_pipeline.evaluation import examination
from crossrec_pipeline.evaluation.examination import examine
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.evaluation.top_lists import top_lists
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of

VOCABULARY = vocabulary_of(["Movie", "Music"] * 15)
STORE = SessionStore.from_sequences([[i % 30, (i + 1) % 30, (i + 3) % 30] for i in range(40)])


def fitted() -> Markov:
    model = Markov()
    model.fit(STORE, VOCABULARY)
    return model


def test_all_predictions_are_ranked_and_the_lists_are_those_of_the_same_model():
    found = examine(fitted(), STORE, VOCABULARY)

    assert found.ranks.equals(rank_predictions(fitted(), STORE, VOCABULARY))
    expected = top_lists(fitted(), STORE, VOCABULARY, examination.LIST_LENGTH)
    assert np.array_equal(found.lists.items, expected.items)
    assert found.predictions_per_second > 0


def test_lists_are_kept_of_the_same_sample_for_every_model(monkeypatch):
    monkeypatch.setattr(examination, "N_LISTED", 7)
    other = Markov()
    other.fit(STORE.only(np.arange(3)), VOCABULARY)

    first, second = (examine(model, STORE, VOCABULARY).lists for model in (fitted(), other))
    assert len(first.prediction) == 7
    assert first.prediction.tolist() == second.prediction.tolist()
    assert first.items.tolist() != second.items.tolist()


def test_without_sessions_nothing_is_ranked():
    found = examine(fitted(), SessionStore.from_sequences([]), VOCABULARY)

    assert found.ranks.height == 0
    assert len(found.lists.prediction) == 0
