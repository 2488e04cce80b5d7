"""Logs whose law is known, and main models that count: what controls are measured on in tests."""

from collections.abc import Callable, Sequence

from crossrec_pipeline.evaluation.controls.experiments import MainModel
from crossrec_pipeline.evaluation.ranking import PositionScorer, rank_predictions
from crossrec_pipeline.models.base import Recommender
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline_tests.evaluation.explicit_scores import vocabulary_of

SEED = 3


def dataset_of(
    types: Sequence[str], train: Sequence[Sequence[int]], test: Sequence[Sequence[int]]
) -> SessionDataset:
    """Item `i` has type `types[i]`; validation is test."""
    held_out = SessionStore.from_sequences(test)
    return SessionDataset(
        SessionStore.from_sequences(train), held_out, held_out, vocabulary_of(types)
    )


def cycle(n_items: int = 100, length: int = 30) -> SessionDataset:
    """Make sessions in which item `i + 1` comes after item `i`, and 0 after the last one."""
    sessions = [[(7 * s + step) % n_items for step in range(length)] for s in range(60)]
    return dataset_of(["Movie", "Book"] * (n_items // 2), sessions[:50], sessions[50:])


class Training:
    """Fits models, and remembers with what it was asked to.

    Parameters
    ----------
    make
        Makes a model that has learnt nothing.
    breaks_at
        The training, counted from 1, at which somebody presses Ctrl-C.
    """

    def __init__(
        self, make: Callable[[], Recommender] = Markov, breaks_at: int | None = None
    ) -> None:
        self.make = make
        self._breaks_at = breaks_at
        self.stores: list[tuple[SessionStore, SessionStore]] = []
        self.seeds: list[int] = []

    def __call__(
        self, train: SessionStore, vocabulary: Vocabulary, validation: SessionStore, seed: int
    ) -> PositionScorer:
        self.stores.append((train, validation))
        self.seeds.append(seed)
        if len(self.seeds) == self._breaks_at:
            raise KeyboardInterrupt
        model = self.make()
        model.fit(train, vocabulary, validation)
        return model


def main_model(
    dataset: SessionDataset, training: Training | None = None, data_version: str = "v1"
) -> MainModel:
    """Fit the main model, which is not among the trainings that are remembered."""
    training = training or Training()
    model = training.make()
    model.fit(dataset.train, dataset.vocabulary, dataset.validation)
    ranks = rank_predictions(model, dataset.test, dataset.vocabulary)
    return MainModel(model.kind, data_version, SEED, ranks, training)
