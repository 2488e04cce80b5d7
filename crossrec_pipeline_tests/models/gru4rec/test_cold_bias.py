import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.cold_bias import SHARE, cold_bias
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.content import ContentMaps
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork, folded
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.contents import content

N_ITEMS = 40
CONFIG = GRU4RecConfig(hidden_size=4, content=("type", "text"))


def _maps_and_network(added_bias: float) -> tuple[ContentMaps, GRU4RecNetwork]:
    """All items are alike in the network; content alone says another bias of each."""
    network = GRU4RecNetwork(N_ITEMS, CONFIG.plain(), torch.Generator().manual_seed(0))
    maps = ContentMaps(CONFIG, content(N_ITEMS), torch.Generator())
    assert maps.types is not None
    with torch.no_grad():
        maps.types[:, -1] = added_bias
        network.output_bias.sub_(added_bias)
        network.input_embedding.zero_()
    network.content = maps
    return maps, folded(network, CONFIG).eval()


def _taken(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(N_ITEMS) < SHARE).nonzero()[0]


@pytest.mark.parametrize("added_bias", [0.0, 3.0, -2.0])
def test_items_that_are_as_likely_are_scored_alike(added_bias: float):
    maps, network = _maps_and_network(added_bias)
    sessions = [[0, item] for item in range(N_ITEMS)] * 50

    found = cold_bias(network, maps, SessionStore.from_sequences(sessions), seed=0)

    # Each item comes next as often: what content says too much is taken back.
    assert found == pytest.approx(-added_bias, abs=0.01)


def test_items_that_come_more_often_are_pushed():
    maps, network = _maps_and_network(0.0)
    taken = _taken(0)
    rest = np.setdiff1d(np.arange(N_ITEMS), taken)
    sessions = [[0, int(item)] for item in taken] * 40 + [[0, int(item)] for item in rest] * 10

    found = cold_bias(network, maps, SessionStore.from_sequences(sessions), seed=0)

    assert found == pytest.approx(np.log(4), abs=0.02)


def test_what_is_in_the_biases_of_known_items_is_given_to_the_taken_ones_too():
    maps, network = _maps_and_network(0.0)
    shift = torch.tensor([0.5, -1.0, 2.0, 0.0])
    assert maps.types is not None
    with torch.no_grad():
        maps.types[:, :-1] = torch.tensor([1.0, 1.0, 1.0, 3.0])  # times the shift: 1.5
        network.output_weight.copy_(maps.types[:1, :-1].expand(N_ITEMS, -1))
        network.output_bias.add_(1.5)
    store = SessionStore.from_sequences([[0, item] for item in range(N_ITEMS)] * 50)

    assert cold_bias(network, maps, store, 0, shift) == pytest.approx(0, abs=0.01)
    assert cold_bias(network, maps, store, 0) == pytest.approx(1.5, abs=0.01)


def test_without_predictions_nothing_is_added():
    maps, network = _maps_and_network(1.0)

    assert cold_bias(network, maps, SessionStore.from_sequences([[1], [2]]), seed=0) == 0


def test_without_content_nothing_is_added():
    config = GRU4RecConfig(hidden_size=4, adapter_rank=2)
    network = GRU4RecNetwork(N_ITEMS, config.plain(), torch.Generator())
    network.content = ContentMaps(config, content(N_ITEMS), torch.Generator().manual_seed(0))
    store = SessionStore.from_sequences([[0, 1]])

    assert cold_bias(folded(network, config).eval(), network.content, store, seed=0) == 0
