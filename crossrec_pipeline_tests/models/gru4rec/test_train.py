import re

import numpy as np
import pytest
import torch
from tqdm import tqdm

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec.batches import Window, session_parallel_windows
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig, preset
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.train import (
    begin_state,
    keep_state,
    train_network,
    uses_full_softmax,
    validation_recall,
)
from crossrec_pipeline.sessions.store import SessionStore

CPU = torch.device("cpu")
SMALL = GRU4RecConfig(hidden_size=8, batch_size=4, epochs=2, n_negatives=5)


def _random_sessions(n_items: int, n_sessions: int, seed: int) -> SessionStore:
    rng = np.random.default_rng(seed)
    return SessionStore.from_sequences(
        [rng.integers(0, n_items, rng.integers(2, 9)).tolist() for _ in range(n_sessions)]
    )


TRAIN, VALIDATION = _random_sessions(40, 60, 0), _random_sessions(40, 20, 1)


def _train(config=SMALL, train=TRAIN, validation=None, n_items=40, **options):
    return train_network(n_items, config, train, validation, CPU, **options)


def _weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def _equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def _mood_sessions(n_items, n_events, seed):
    """Sessions that stay in one of a few moods, or follow the last item to one of its two next.

    A model that looks at the last item only cannot know the mood well.
    """
    rng = np.random.default_rng(seed)
    moods = 12
    tastes = np.random.default_rng(99).permuted(
        np.tile(np.arange(n_items) % 4 == 0, (moods, 1)), axis=1
    )
    weights = tastes * (1 / np.arange(1, n_items + 1) ** 0.8)
    cumulative = np.cumsum(weights / weights.sum(1, keepdims=True), axis=1)
    following = np.random.default_rng(98).integers(0, n_items, (n_items, 2))
    sessions, left = [], n_events
    while left > 0:
        mood, length = rng.integers(moods), 2 + rng.geometric(0.15)
        session = []
        for _ in range(length):
            if session and rng.random() < 0.1:
                session.append(int(following[session[-1], rng.integers(2)]))
            else:
                draw = int(np.searchsorted(cumulative[mood], rng.random()))
                session.append(min(draw, n_items - 1))
        sessions.append(session)
        left -= length
    return SessionStore.from_sequences(sessions)


def _recall_of_counts(train, test, n_items):
    """Recall@20, ties against, of first-order Markov counts (popularity breaks ties) and of
    popularity."""
    popularity = np.bincount(train.item_index, minlength=n_items) + np.linspace(0, 0.1, n_items)
    counts = np.zeros((n_items, n_items))
    for session in train:
        np.add.at(counts, (session[:-1], session[1:]), 1)
    counts += popularity * 1e-6
    pairs = np.concatenate([np.stack([s[:-1], s[1:]], 1) for s in test])
    last, target = pairs.T
    markov = (counts[last] >= counts[last, target][:, None]).sum(1) <= 20
    popular = (popularity >= popularity[target][:, None]).sum(1) <= 20
    return markov.mean(), popular.mean()


@pytest.fixture(scope="module")
def moods():
    return tuple(_mood_sessions(300, n, seed) for seed, n in enumerate([24_000, 3_000, 3_000]))


@pytest.mark.parametrize("n_negatives", [None, 100], ids=["full", "sampled"])
def test_learns_more_than_markov_counts_and_popularity(moods, n_negatives):
    train, validation, test = moods
    config = preset(
        "default",
        hidden_size=96,
        dropout_hidden=0.3,
        batch_size=32,
        epochs=5,
        n_negatives=n_negatives,
    )
    network, report = _train(config, train, validation, n_items=300)
    recall = validation_recall(network, test)
    markov, popularity = _recall_of_counts(train, test, 300)
    assert report.summary["softmax"] == ("full" if n_negatives is None else "sampled")
    assert recall > markov + 0.03
    assert markov > popularity + 0.05


def test_finds_nothing_in_uniformly_random_sessions():
    parts = [_random_sessions(200, n, seed) for seed, n in enumerate([800, 200, 800])]
    config = preset("default", hidden_size=32, epochs=3)
    network, _ = _train(config, parts[0], parts[1], n_items=200)
    chance = 20 / 200
    noise = np.sqrt(chance * (1 - chance) / parts[2].n_predictions)
    assert abs(validation_recall(network, parts[2]) - chance) < 4 * noise


@pytest.mark.parametrize("n_negatives", [None, 5], ids=["full", "sampled"])
def test_same_seed_gives_the_same_weights_and_another_seed_others(n_negatives):
    def weights(seed):
        config = SMALL.model_copy(update={"n_negatives": n_negatives, "seed": seed})
        return _weights(_train(config, validation=VALIDATION)[0])

    first = weights(3)
    torch.rand(7)  # what else draws random numbers does not matter
    assert _equal(first, weights(3))
    assert not torch.equal(first["input_embedding"], weights(4)["input_embedding"])


def test_states_are_taken_from_lanes_and_put_back_with_kernels_as_without():
    none = np.empty(0, dtype=np.int64)
    starts, continues = np.array([False, True, False]), np.array([True, True, False])
    window = Window(none, none, none, np.array([3, 0, 1]), starts, continues)
    state = torch.arange(2 * 4 * 5, dtype=torch.float64).view(2, 4, 5) + 1
    last_state = -torch.rand(2, 3, 5, dtype=torch.float64)
    begun = state[:, [3, 0, 1]]
    begun[:, 1] = 0
    kept = state.clone()
    kept[:, [3, 0]] = last_state[:, :2]
    for dtype in (torch.float32, torch.float64):  # kernels are for the first
        own = state.to(dtype)
        torch.testing.assert_close(begin_state(own, window), begun.to(dtype))
        keep_state(own, window, last_state.to(dtype))
        torch.testing.assert_close(own, kept.to(dtype))


@pytest.fixture
def orders(monkeypatch):
    """Receive the order of sessions of each epoch."""
    orders = []

    def record(store, order, n_lanes, n_steps, event_rows):
        orders.append(order[:].tolist())
        return session_parallel_windows(store, order, n_lanes, n_steps, event_rows)

    monkeypatch.setattr("crossrec_pipeline.models.gru4rec.run.session_parallel_windows", record)
    return orders


def test_each_epoch_takes_all_sessions_in_an_order_of_its_own(orders):
    _train()
    in_time = list(range(TRAIN.n_sessions))
    assert sorted(orders[0]) == sorted(orders[1]) == in_time
    assert orders[0] != orders[1]
    assert in_time not in orders


def test_sessions_come_in_time_order_when_asked(orders):
    _train(SMALL.model_copy(update={"session_order": "time"}))
    assert orders == [list(range(TRAIN.n_sessions))] * SMALL.epochs


def test_random_state_and_threads_are_put_back():
    torch.manual_seed(5)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(5)
    _train()
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_progress_line_says_epoch_loss_recall_and_speed():
    lines: list[str] = []
    _train(validation=VALIDATION, progress=lines.append)
    assert len(lines) == 2
    pattern = r"epoch {}/2  loss \d\.\d{{3}}  recall@20 \.\d{{4}}  [\d,]+ events/s"
    for number, line in enumerate(lines, start=1):
        assert re.fullmatch(pattern.format(number), line), line


def test_stops_after_patience_and_keeps_the_best_weights(monkeypatch):
    recalls = iter([0.1, 0.4, 0.3, 0.4, 0.9])
    seen = []

    def recall(network, *_):
        seen.append(_weights(network))
        return next(recalls)

    monkeypatch.setattr("crossrec_pipeline.models.gru4rec.train.validation_recall", recall)
    config = SMALL.model_copy(update={"epochs": 10, "patience": 2})
    network, report = _train(config, validation=VALIDATION)
    assert [row["recall_at_20"] for row in report.history] == [0.1, 0.4, 0.3, 0.4]
    assert report.summary["best_epoch"] == 2
    assert report.summary["best_recall_at_20"] == 0.4
    assert _equal(_weights(network), seen[1])


@pytest.mark.parametrize("validation", [None, SessionStore.from_sequences([[1]])])
def test_without_validation_all_epochs_are_run(validation):
    _, report = _train(validation=validation)
    assert [row["epoch"] for row in report.history] == [1, 2]
    assert "recall_at_20" not in report.history[0]
    assert report.summary["best_epoch"] == 2


def test_tied_scores_count_against_the_model():
    network = GRU4RecNetwork(40, SMALL, torch.Generator())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert validation_recall(network, VALIDATION) == 0
    with torch.no_grad():
        network.output_bias[:20] = 1.0  # twenty tied at the top all have rank 20
    targets = np.concatenate([session[1:] for session in VALIDATION])
    assert validation_recall(network, VALIDATION) == pytest.approx((targets < 20).mean())


@pytest.mark.parametrize("n_negatives", [None, 5], ids=["full", "sampled"])
def test_loss_that_is_not_a_number_names_epoch_step_and_remedy(n_negatives):
    config = SMALL.model_copy(
        update={"learning_rate": 1e38, "optimiser": "adagrad", "n_negatives": n_negatives}
    )
    with pytest.raises(TrainingError, match=r"epoch 1, step \d+\. Take a lower learning_rate"):
        _train(config)
    assert not getattr(tqdm, "_instances", ())


def test_weights_that_overflow_in_the_last_step_are_not_kept(monkeypatch):
    lone = SessionStore.from_sequences([[0, 1]])  # one step an epoch: no later loss to notice
    config = SMALL.model_copy(update={"epochs": 1, "n_negatives": None})

    def overflow(self, window, state, learning_rate):
        with torch.no_grad():
            self._network.output_bias[3] = float("inf")
        return torch.tensor(1.0), state

    monkeypatch.setattr("crossrec_pipeline.models.gru4rec.steps.FullSoftmaxStep.__call__", overflow)
    with pytest.raises(TrainingError, match="a weight is not finite after epoch 1, step 1"):
        _train(config, lone)


def test_interruption_passes_through_and_leaves_no_bar_or_thread_setting():
    threads = torch.get_num_threads()

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(progress=interrupt, progress_bar=True)
    assert not getattr(tqdm, "_instances", ())
    assert torch.get_num_threads() == threads


def test_interruption_within_an_epoch_closes_the_bar(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("crossrec_pipeline.models.gru4rec.train.keep_state", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _train(progress_bar=True)
    assert not getattr(tqdm, "_instances", ())


def test_bar_is_drawn_on_stderr_when_asked_and_not_without_a_terminal(capsys):
    _train(progress_bar=True)
    drawn = capsys.readouterr()
    assert "epoch 1/2" in drawn.err
    assert drawn.out == ""
    _train()
    assert capsys.readouterr().err == ""


def test_small_vocabulary_takes_the_full_softmax():
    config = GRU4RecConfig(n_negatives=100, batch_size=8, bptt_steps=2)
    assert uses_full_softmax(116, config)
    assert not uses_full_softmax(117, config)
    assert uses_full_softmax(10**6, config.model_copy(update={"n_negatives": None}))


def test_learning_rate_falls_linearly_to_almost_zero(monkeypatch):
    rates = []

    def record(self, window, state, learning_rate):
        rates.append(learning_rate)
        return torch.tensor(1.0), state.new_zeros(1, len(window.lanes), 8)

    monkeypatch.setattr("crossrec_pipeline.models.gru4rec.steps.FullSoftmaxStep.__call__", record)
    config = SMALL.model_copy(update={"n_negatives": None, "learning_rate": 0.5, "batch_size": 1})
    store = SessionStore.from_sequences([[0, 1, 2], [3, 4, 5]])
    _train(config.model_copy(update={"bptt_steps": 1}), store)
    np.testing.assert_allclose(rates, 0.5 * (1 - np.arange(8) / 8))
    rates.clear()
    _train(config.model_copy(update={"learning_rate_decay": "constant"}), store)
    assert set(rates) == {0.5}


@pytest.mark.parametrize("sequences", [[], [[1], [2]]])
def test_nothing_to_learn_from_is_refused(sequences):
    with pytest.raises(TrainingError, match="no session of two events"):
        _train(train=SessionStore.from_sequences(sequences))


def test_items_outside_the_vocabulary_are_refused():
    with pytest.raises(TrainingError, match=r"validation holds item indexes 1 to 40.*40 items"):
        _train(validation=SessionStore.from_sequences([[1, 40]]))
