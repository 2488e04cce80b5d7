"""GRU4Rec with event inputs as a model: learnt, asked with and without, kept and taken up again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.evaluation.ranking import rank_predictions
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.content_head import ContentHead
from crossrec_pipeline.models.gru4rec.event_inputs import EventMaps, EventReading, EventRows
from crossrec_pipeline.models.gru4rec.event_means import count_rows
from crossrec_pipeline.models.gru4rec.hidden_states import prediction_states
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork
from crossrec_pipeline.models.gru4rec.train import train_network
from crossrec_pipeline.models.markov import Markov
from crossrec_pipeline.models.registry import load_bundle, save_bundle
from crossrec_pipeline.serving.engine.base import Query
from crossrec_pipeline.serving.engine.load import load_engine, prepare_engine
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models import contents
from crossrec_pipeline_tests.models.gru4rec.event_stores import (
    N_ITEMS,
    NAMES,
    telling_sessions,
    with_random_events,
)
from crossrec_pipeline_tests.models.vocabularies import numbered_vocabulary

VOCABULARY = numbered_vocabulary(N_ITEMS)
CPU = torch.device("cpu")
CONFIG = GRU4RecConfig(
    hidden_size=16,
    batch_size=8,
    epochs=3,
    dropout_hidden=0.1,
    learning_rate=0.01,
    event_inputs=("event_type", "gap"),
    device="cpu",
)
NETWORKS = {
    "constrained": CONFIG,
    "sampled": CONFIG.model_copy(update={"n_negatives": 0, "batch_size": 4, "bptt_steps": 1}),
    "no skip": CONFIG.model_copy(update={"skip_connection": False}),
    "separate, two layers": CONFIG.model_copy(
        update={"embedding": "separate", "embedding_dim": 6, "n_layers": 2}
    ),
}
SOME = [np.array([3, 2], np.int32), np.array([1], np.int32), np.array([0, 1, 1, 3], np.int32)]


def _fitted(config: GRU4RecConfig, by: str = "event_type", **options) -> GRU4Rec:
    model = GRU4Rec(config, progress_bar=False)
    train, validation = telling_sessions(300, 0, by=by), telling_sessions(60, 1, by=by)
    model.fit(train, VOCABULARY, validation, **options)
    return model


@pytest.fixture(scope="module")
def model() -> GRU4Rec:
    return _fitted(CONFIG)


def _ranks(model, store: SessionStore, *, with_event_inputs: bool) -> np.ndarray:
    return rank_predictions(model, store, VOCABULARY, with_event_inputs=with_event_inputs)[
        "rank"
    ].to_numpy()


@pytest.mark.parametrize("by", ["event_type", "gap"])
def test_only_a_model_that_reads_it_finds_what_an_event_input_tells(by: str):
    test = telling_sessions(100, 2, by=by)
    reading = _fitted(CONFIG.model_copy(update={"event_inputs": (by,)}), by)
    other_part = "gap" if by == "event_type" else "event_type"
    misled = _fitted(CONFIG.model_copy(update={"event_inputs": (other_part,)}), by)
    plain = _fitted(CONFIG.model_copy(update={"event_inputs": ()}), by)

    assert _ranks(reading, test, with_event_inputs=True).mean() < 1.05
    # Four items come next alike: rank 2.5 on average, of a thousand predictions' mean ± .04.
    for model in (plain, misled):
        assert 2.2 < _ranks(model, test, with_event_inputs=True).mean() < 2.8
    assert 2.2 < _ranks(reading, test, with_event_inputs=False).mean() < 2.8


def test_what_an_event_input_tells_is_found_beside_content():
    config = CONFIG.model_copy(update={"content": ("type",), "adapter_rank": 1})
    test = telling_sessions(100, 2, by="event_type")
    assert _ranks(_fitted(config), test, with_event_inputs=True).mean() < 1.05


def test_inputs_are_not_read_unless_they_are_asked_for(model: GRU4Rec):
    store = telling_sessions(40, 3, by="event_type")
    without = replace(store, events=None)
    ranks = _ranks(model, store, with_event_inputs=False)
    assert np.array_equal(ranks, _ranks(model, without, with_event_inputs=False))
    assert not np.array_equal(ranks, _ranks(model, store, with_event_inputs=True))
    with pytest.raises(TrainingError, match=r"ranked have no event types.*EVENT_INPUTS=true"):
        _ranks(model, without, with_event_inputs=True)


def test_models_that_read_nothing_more_are_ranked_as_they_are():
    store = telling_sessions(40, 3, by="event_type")
    markov, plain = Markov(), GRU4Rec(CONFIG.model_copy(update={"event_inputs": ()}))
    for model in (markov, plain):
        model.fit(store, VOCABULARY)
        assert np.array_equal(
            _ranks(model, store, with_event_inputs=True),
            _ranks(model, store, with_event_inputs=False),
        )


def test_types_are_known_by_name_in_a_store_of_other_codes(model: GRU4Rec):
    store = telling_sessions(40, 3, by="event_type")
    recoded = telling_sessions(40, 3, by="event_type", names=("x", *reversed(NAMES)))
    assert store.events is not None
    assert recoded.events is not None
    assert not np.array_equal(store.events.event_type, recoded.events.event_type)
    assert np.array_equal(
        _ranks(model, store, with_event_inputs=True), _ranks(model, recoded, with_event_inputs=True)
    )


@pytest.mark.parametrize("config", NETWORKS.values(), ids=NETWORKS)
def test_what_is_unknown_is_the_mean_over_the_events_of_train(config: GRU4RecConfig):
    train, validation = (telling_sessions(n, seed, by="gap") for n, seed in ((120, 0), (30, 1)))
    network, _ = train_network(N_ITEMS, config, train, validation, CPU)
    assert network.events is not None
    assert train.events is not None
    model = GRU4Rec(config, progress_bar=False)
    model.fit(train, VOCABULARY, validation)

    rows = EventRows(train.events, network.events)(np.arange(train.n_events))
    means = [
        table.detach()[torch.from_numpy(of_part)].mean(dim=0)
        for table, of_part in zip(network.events.tables, rows, strict=True)
    ]
    assert all(mean.abs().max() > 0.01 for mean in means), "else nothing is tested"
    network.eval()

    def scores(added) -> dict[tuple[int, int], np.ndarray]:
        found = {}
        for session, position, _, hidden in prediction_states(network, validation, added):
            of_block = network.scores(hidden).detach().numpy()
            found |= dict(zip(zip(session, position, strict=True), of_block, strict=True))
        return found

    mean = sum(means[1:], start=means[0])
    unknown = scores(lambda events: mean.expand(len(events), -1))
    known = scores(EventReading(network.events, validation, "validation"))
    for reads, expected in ((model, unknown), (model.with_event_inputs(), known)):
        for block in reads.score_positions(validation):
            for session, position, row in zip(
                block.session, block.position, block.scores, strict=True
            ):
                np.testing.assert_allclose(row, expected[session, position], atol=2e-5)


def test_rows_of_the_trained_tables_have_a_mean_of_nothing(model: GRU4Rec):
    train = telling_sessions(300, 0, by="event_type")
    assert model.event_inputs is not None
    assert train.events is not None
    for table, count in zip(
        model.event_inputs.tables, count_rows(model.event_inputs, train.events), strict=True
    ):
        assert int(count.sum()) == train.n_events
        assert not table[0].any()
        assert (count.float() @ table / train.n_events).abs().max() < 1e-5


def test_sessions_that_know_nothing_of_their_events_are_not_trained_on():
    train = telling_sessions(20, 0, by="gap")
    for stores in ((replace(train, events=None), train), (train, replace(train, events=None))):
        with pytest.raises(TrainingError, match="CROSSREC_SESSIONS__EVENT_INPUTS=true"):
            GRU4Rec(CONFIG).fit(stores[0], VOCABULARY, stores[1])


def test_report_tells_what_ids_alone_come_to():
    model = GRU4Rec(CONFIG, progress_bar=False)
    train, validation = (telling_sessions(n, n, by="gap") for n in (60, 30))
    report = model.fit(train, VOCABULARY, validation)
    ranks = _ranks(model, validation, with_event_inputs=False)
    assert report.summary["recall_at_20_by_ids"] == pytest.approx((ranks <= 20).mean())
    plain = GRU4Rec(CONFIG.model_copy(update={"event_inputs": ()}), progress_bar=False)
    assert "recall_at_20_by_ids" not in plain.fit(train, VOCABULARY, validation).summary


def test_kept_and_restored_it_scores_the_same(model: GRU4Rec, tmp_path: Path):
    bundle = save_bundle(model, VOCABULARY, tmp_path, inputs={}, history=[], summary={}, seeds={})
    again = load_bundle(bundle.path).model
    assert isinstance(again, GRU4Rec)
    assert again.event_inputs is not None
    assert again.event_inputs.names == NAMES
    assert np.array_equal(model.score(SOME), again.score(SOME))
    store = telling_sessions(40, 3, by="event_type")
    for known in (False, True):
        ranks = [_ranks(m, store, with_event_inputs=known) for m in (model, again)]
        assert np.array_equal(ranks[0], ranks[1])


def test_service_answers_as_the_model_by_ids_alone(model: GRU4Rec, tmp_path: Path):
    bundle = save_bundle(model, VOCABULARY, tmp_path, inputs={}, history=[], summary={}, seeds={})
    prepare_engine(bundle.path, tmp_path / "engine")
    engine, _, _ = load_engine(bundle.path, tmp_path / "engine")
    answers = engine.rank([Query(session, 5) for session in SOME])
    expected = np.argsort(-model.score(SOME), axis=1, kind="stable")[:, :5]
    assert [answer.items.tolist() for answer in answers] == expected.tolist()


def test_without_event_inputs_stores_that_have_them_change_nothing(tmp_path: Path):
    config = CONFIG.model_copy(update={"event_inputs": ()})
    files = []
    for number, known in enumerate((True, False)):
        stores = [telling_sessions(n, n, by="gap") for n in (60, 20)]
        stores = [store if known else replace(store, events=None) for store in stores]
        model = GRU4Rec(config, progress_bar=False)
        model.fit(stores[0], VOCABULARY, stores[1])
        model.save_weights(tmp_path / f"{number}.safetensors")
        files.append((tmp_path / f"{number}.safetensors").read_bytes())
    assert files[0] == files[1]


def test_checkpoint_of_other_event_inputs_is_used_only_where_they_are_not_read(tmp_path: Path):
    train, validation = (telling_sessions(n, n, by="gap") for n in (40, 20))
    other = with_random_events(train, 5)
    for parts, resumes in ((("gap",), False), ((), True)):
        lines: list[str] = []
        config = CONFIG.model_copy(update={"event_inputs": parts, "epochs": 1})
        checkpoints = Checkpoints(tmp_path / f"{resumes}")
        for store in (train, other):
            train_network(
                N_ITEMS, config, store, validation, CPU, lines.append, checkpoints=checkpoints
            )
        assert any("other train sessions" in line for line in lines) is not resumes
        assert any(line.startswith("going on") for line in lines) is resumes


def test_items_that_came_later_are_scored_as_if_nothing_was_in_the_biases():
    config = CONFIG.model_copy(update={"content": ("type", "text"), "adapter_rank": 2})
    vocabulary = contents.vocabulary(N_ITEMS)
    train, validation = (telling_sessions(n, n, by="gap") for n in (60, 30))
    model = GRU4Rec(config, progress_bar=False, content=contents.content(N_ITEMS))
    model.fit(train, vocabulary, validation)
    head = model.head
    assert head is not None
    assert head.shift is not None
    assert np.abs(head.shift).max() > 1e-4, "else nothing is tested"
    again = ContentHead.from_tensors(head.tensors())
    assert again is not None
    rows = again.rows(contents.content(N_ITEMS))
    plain = replace(again, shift=None).rows(contents.content(N_ITEMS))
    np.testing.assert_allclose(rows.bias, plain.bias + plain.weight @ head.shift, atol=1e-6)
    grown = model.grown(rows)
    assert np.array_equal(grown.score(SOME)[:, :N_ITEMS], model.score(SOME))
    assert grown.with_event_inputs().event_inputs is model.event_inputs


def test_tables_begin_at_nothing():
    network = GRU4RecNetwork(N_ITEMS, CONFIG, torch.Generator())
    network.events = EventMaps(CONFIG.event_inputs, NAMES, CONFIG.input_width)
    assert not any(table.any() for table in network.events.tables)
    assert {"events.event_type", "events.gap"} <= network.shared_parameters().keys()
