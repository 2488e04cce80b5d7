"""What content adds, in a step and folded into tables, beside the formula written out."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from crossrec_pipeline.models.gru4rec.batches import Window, session_parallel_windows
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.content import (
    ContentMaps,
    ContentReading,
    alignment,
    text_axes,
    text_features,
)
from crossrec_pipeline.models.gru4rec.losses import Contrast, cross_entropy
from crossrec_pipeline.models.gru4rec.network import GRU4RecNetwork, folded
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler
from crossrec_pipeline.models.gru4rec.steps import FullSoftmaxStep, SampledSoftmaxStep
from crossrec_pipeline.models.gru4rec.train import begin_state
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.contents import content, vocabulary

N_ITEMS, WIDTH = 30, 5
STORE = SessionStore.from_sequences([[0, 7, 7, 2, 9, 1], [9, 0, 3], [2, 9], [5, 6, 5, 7, 0]])
ALL = ("type", "text", "genres", "creators")
PLAIN = {
    "hidden_size": WIDTH,
    "n_negatives": 6,
    "dropout_embedding": 0,
    "dropout_hidden": 0,
    "batch_size": 3,
    "bptt_steps": 3,
    "text_width": 4,
    "candidates": "set",
}
CONFIGS = {
    "type": {"content": ["type"]},
    "text": {"content": ["text"]},
    "bags": {"content": ["genres", "creators"]},
    "adapters": {"adapter_rank": 2},
    "alignment": {"alignment_weight": 0.7},
    "within types": {"within_type_weight": 0.5},
    "all": {
        "content": ALL,
        "adapter_rank": 2,
        "alignment_weight": 0.7,
        "within_type_weight": 0.5,
    },
    "all, two layers": {"content": ALL, "adapter_rank": 2, "n_layers": 2},
    "bpr-max": {"content": ALL, "adapter_rank": 2, "loss": "bpr-max"},
}
every_config = pytest.mark.parametrize(
    "config", [GRU4RecConfig(**{**PLAIN, **options}) for options in CONFIGS.values()], ids=CONFIGS
)


def _network(config: GRU4RecConfig) -> GRU4RecNetwork:
    generator = torch.Generator().manual_seed(0)
    network = GRU4RecNetwork(N_ITEMS, config.plain(), generator).train()
    if config.learns_maps:
        network.content = ContentMaps(config, content(N_ITEMS), generator)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():  # what begins at zero too
            parameter.add_(torch.randn(parameter.shape), alpha=0.1)
    return network


def _window() -> Window:
    return next(session_parallel_windows(STORE, np.arange(4), 3, 3))


def _types() -> torch.Tensor:
    return torch.from_numpy(content(N_ITEMS).type_codes)


def _tables(network: GRU4RecNetwork, config: GRU4RecConfig) -> tuple[torch.Tensor, ...]:
    """Write out what each item's vectors and bias are, one item after another."""
    known, maps = content(N_ITEMS), network.content
    vectors, outputs, biases = [], [], []
    features = torch.from_numpy(text_features(known, *text_axes(known, config.text_width)))
    for item in range(N_ITEMS):
        own = torch.cat([network.input_embedding[item], network.output_bias[item : item + 1]])
        if maps is not None:
            if maps.types is not None:
                own = own + maps.types[known.type_codes[item]]
            if maps.texts is not None:
                own = own + features[item] @ maps.texts
            for weights, bags in ((maps.genres, known.genres), (maps.creators, known.creators)):
                words = bags.values[bags.offsets[item] : bags.offsets[item + 1]]
                if weights is not None and len(words):
                    own = own + weights[torch.from_numpy(words)].mean(dim=0)
        vector = own[:-1]
        output = vector
        if maps is not None and maps.adapter_down is not None and maps.adapter_up is not None:
            code, rank = int(known.type_codes[item]), config.adapter_rank
            part = slice(code * rank, (code + 1) * rank)
            output = vector + (vector @ maps.adapter_down[:, part]) @ maps.adapter_up[part]
        vectors.append(vector)
        outputs.append(output)
        biases.append(own[-1])
    return torch.stack(vectors), torch.stack(outputs), torch.stack(biases)


def _loss_written_out(
    network: GRU4RecNetwork,
    config: GRU4RecConfig,
    window: Window,
    candidates: np.ndarray,
    contrast: Contrast,
) -> torch.Tensor:
    vectors, outputs, biases = _tables(network, config)
    inputs, targets = torch.from_numpy(window.inputs), torch.from_numpy(window.targets)
    begin = begin_state(network.initial_state(config.batch_size), window)
    hidden, _ = network(vectors[inputs], torch.from_numpy(window.batch_sizes), begin)
    scored = torch.from_numpy(candidates)
    loss = cross_entropy(hidden, outputs[scored], biases[scored], contrast)
    types = _types()
    if config.within_type_weight:
        scores = hidden @ outputs[scored].t() + biases[scored] + contrast.log_weight
        scores[contrast.own_row, contrast.own_column] = -math.inf
        other_type = types[targets][:, None] != types[scored][None, :]
        scores = scores.masked_fill(other_type, -math.inf)
        found = functional.cross_entropy(scores, contrast.target_column)
        loss = loss + config.within_type_weight * found
    if config.alignment_weight:
        pairs = [
            (int(a), int(b)) for a, b in zip(inputs, targets, strict=True) if types[a] != types[b]
        ]
        losses = []
        for given, sought in ((0, 1), (1, 0)):
            for pair in pairs:
                cosines = [
                    functional.cosine_similarity(vectors[pair[given]], vectors[other[sought]], 0)
                    for other in pairs
                    if other == pair or (other[0] != pair[0] and other[1] != pair[1])
                ]
                mine = functional.cosine_similarity(vectors[pair[given]], vectors[pair[sought]], 0)
                # The pair itself once, where it comes several times.
                n_alike = sum(other == pair for other in pairs)
                rest = torch.stack(cosines) / config.alignment_temperature
                weights = torch.exp(rest)
                mine = mine / config.alignment_temperature
                total = weights.sum() - (n_alike - 1) * torch.exp(mine)
                losses.append(torch.log(total) - mine)
        loss = loss + config.alignment_weight * torch.stack(losses).mean()
    return loss


def _expected(loss: torch.Tensor, network: GRU4RecNetwork) -> dict[str, torch.Tensor]:
    parameters = dict(network.named_parameters())
    gradients = torch.autograd.grad(
        loss, list(parameters.values()), materialize_grads=True, allow_unused=True
    )
    return dict(zip(parameters, gradients, strict=True))


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "bpr-max"])
def test_gradient_of_all_items_is_that_of_the_formula(name: str):
    config = GRU4RecConfig(**{**PLAIN, **CONFIGS[name]})
    network, window = _network(config), _window()
    contrast = Contrast.of_all_items(network.output_bias.detach())
    contrast = Contrast(
        torch.from_numpy(window.targets),
        contrast.log_weight,
        contrast.copies,
        contrast.own_row,
        contrast.own_column,
        0.0,
    )
    loss = _loss_written_out(network, config, window, np.arange(N_ITEMS), contrast)

    state = begin_state(network.initial_state(config.batch_size), window)
    found = FullSoftmaxStep(network, config, _types()).gradient(window, state).gradient

    assert found is not None
    expected = _expected(loss, network)
    assert found.whole.keys() == expected.keys()
    for parameter, gradient in found.whole.items():
        torch.testing.assert_close(gradient, expected[parameter], atol=2e-6, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "bpr-max"])
def test_gradient_of_sampled_items_is_that_of_the_formula(name: str):
    config = GRU4RecConfig(**{**PLAIN, **CONFIGS[name]})
    network, window = _network(config), _window()

    def sampler() -> NegativeSampler:
        return NegativeSampler(np.arange(N_ITEMS) % 7 + 1, config, np.random.default_rng(0))

    candidates = sampler().step_items(window.inputs, window.targets, window.batch_sizes).candidates
    contrast = Contrast.of(candidates, torch.device("cpu"))
    loss = _loss_written_out(network, config, window, candidates.items, contrast)

    state = begin_state(network.initial_state(config.batch_size), window)
    step = SampledSoftmaxStep(network, config, sampler(), _types())
    found = step.gradient(window, state).gradient

    assert found is not None
    expected = _expected(loss, network)
    for parameter, (rows, gradient) in found.rows.items():
        whole = torch.zeros_like(expected[parameter])
        whole[rows] = gradient
        torch.testing.assert_close(whole, expected[parameter], atol=2e-6, rtol=1e-4)
    for parameter, gradient in found.whole.items():
        torch.testing.assert_close(gradient, expected[parameter], atol=2e-6, rtol=1e-4)
    assert found.rows.keys() | found.whole.keys() == expected.keys()


@every_config
def test_kernels_do_as_autograd_does(config: GRU4RecConfig, monkeypatch: pytest.MonkeyPatch):
    window = _window()

    def gradient() -> dict[str, torch.Tensor]:
        network = _network(config)
        state = begin_state(network.initial_state(config.batch_size), window)
        found = FullSoftmaxStep(network, config, _types()).gradient(window, state).gradient
        assert found is not None
        return found.whole

    by_kernels = gradient()
    monkeypatch.setattr(
        "crossrec_pipeline.models.gru4rec.gradients.is_for_kernels", lambda tensor: False
    )
    for name, found in gradient().items():
        torch.testing.assert_close(found, by_kernels[name], atol=2e-6, rtol=1e-4)


@every_config
def test_folded_tables_are_the_formulas(config: GRU4RecConfig):
    network = _network(config).eval()
    whole = folded(network, config)

    vectors, outputs, biases = _tables(network, config)
    torch.testing.assert_close(whole.input_embedding, vectors)
    torch.testing.assert_close(whole.output_weight, outputs)
    torch.testing.assert_close(whole.output_bias, biases)
    assert whole.tied is config.tied
    assert whole.content is None


def test_maps_begin_at_nothing():
    config = GRU4RecConfig(**{**PLAIN, **CONFIGS["all"]})
    network = GRU4RecNetwork(N_ITEMS, config.plain(), torch.Generator().manual_seed(0))
    network.content = ContentMaps(config, content(N_ITEMS), torch.Generator().manual_seed(1))

    whole = folded(network, config)

    torch.testing.assert_close(whole.input_embedding, network.input_embedding)
    torch.testing.assert_close(whole.output_weight, network.output_weight)


def _reading(config: GRU4RecConfig, *, training: bool) -> tuple[ContentReading, torch.Tensor]:
    network = _network(config).train(training)
    assert network.content is not None
    items = torch.arange(N_ITEMS)
    nothing = torch.zeros(0, dtype=torch.int64)
    reading = ContentReading(
        network.content,
        config,
        items,
        network.input_embedding.detach(),
        network.output_bias.detach(),
        nothing,
        nothing,
    )
    added = network.content.added(items)
    assert added is not None
    return reading, added.detach()


def test_left_out_ids_leave_content_alone_and_learn_nothing():
    config = GRU4RecConfig(**{**PLAIN, "content": ALL, "id_dropout": 0.5})
    torch.manual_seed(0)
    reading, added = _reading(config, training=True)
    alone = (reading.vectors - added[:, :-1]).abs().sum(dim=1) < 1e-6

    assert 5 <= int(alone.sum()) <= 25
    torch.testing.assert_close(reading.bias[alone], added[alone, -1])
    ones = torch.ones(N_ITEMS, WIDTH)
    d_rows, d_bias, of_maps = reading.pull_back(ones, torch.zeros_like(ones), torch.ones(N_ITEMS))
    assert not d_rows[alone].any()
    assert not d_bias[alone].any()
    assert d_rows[~alone].all()
    torch.testing.assert_close(of_maps["types"].sum(), torch.tensor(N_ITEMS * (WIDTH + 1.0)))


def test_no_id_is_left_out_where_nothing_is_learnt():
    config = GRU4RecConfig(**{**PLAIN, "content": ALL, "id_dropout": 0.5})

    first, _ = _reading(config, training=False)
    second, _ = _reading(config, training=False)

    torch.testing.assert_close(first.vectors, second.vectors)


def test_axes_come_from_items_with_a_text_and_have_mean_square_one():
    known = content(N_ITEMS)
    mean, axes = text_axes(known, 4)

    features = text_features(known, mean, axes)

    with_text = features[known.has_text]
    np.testing.assert_allclose(with_text.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose((with_text**2).sum(axis=1).mean(), 1, rtol=1e-5)
    assert not features[~known.has_text].any()
    covariance = with_text.T @ with_text
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-5)


def test_there_are_no_more_axes_than_texts_tell_of():
    known = ItemContent.unknown(vocabulary(4))

    _, axes = text_axes(known, 4)

    assert axes.shape == (0, 0)


def test_one_text_for_all_has_no_axes():
    known = content(8)
    alike = ItemContent(
        known.types,
        known.type_codes,
        "x",
        np.ones((8, 3), np.float32),
        np.ones(8, bool),
        known.genres,
        known.creators,
    )

    _, axes = text_axes(alike, 4)

    assert np.isfinite(axes).all()
    assert not text_features(alike, np.ones(3, np.float32), axes).any()


def test_alignment_is_low_where_pairs_are_alike_and_others_are_not():
    vectors = torch.eye(4)
    pairs = torch.tensor([[0, 2], [1, 3]])

    apart = alignment(vectors, pairs, 0.1)
    together = alignment(torch.eye(2).repeat(2, 1), pairs, 0.1)

    torch.testing.assert_close(apart, torch.tensor(math.log(2)))
    assert together < 1e-3
