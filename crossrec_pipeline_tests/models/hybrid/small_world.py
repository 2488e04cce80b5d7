"""A log in which one model knows the next item of some sessions, and another that of the others."""

import numpy as np

from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.neighbours.sknn import SKNN
from crossrec_pipeline.models.neighbours.vstan import VSTAN
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

N_ITEMS = 60
TYPES = ("Movie", "Book")


def vocabulary() -> Vocabulary:
    """Half movies, half books, in turn."""
    return vocabulary_of(*(f"{TYPES[i % 2]}_{i}" for i in range(N_ITEMS)))


def sessions(n: int, seed: int) -> SessionStore:
    """Walks on a ring of items: two steps on, now and then anywhere."""
    rng = np.random.default_rng(seed)
    walks = []
    for _ in range(n):
        steps = np.where(rng.random(rng.integers(2, 7)) < 0.8, 2, rng.integers(0, N_ITEMS))
        walks.append(((rng.integers(N_ITEMS) + np.cumsum(steps)) % N_ITEMS).tolist())
    return SessionStore.from_sequences(walks)


def fitted_members(train: SessionStore) -> dict:
    """A small network, and neighbours of two kinds."""
    config = GRU4RecConfig(hidden_size=16, epochs=2, device="cpu")
    members = {"gru4rec": GRU4Rec(config, progress_bar=False), "vstan": VSTAN(), "sknn": SKNN()}
    for member in members.values():
        member.fit(train, vocabulary())
    return members
