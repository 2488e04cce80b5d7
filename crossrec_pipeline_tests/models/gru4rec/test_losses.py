import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.gru4rec.losses import (
    Contrast,
    bpr_max,
    cross_entropy,
    cross_entropy_gradients,
)
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler

N_ITEMS, WIDTH, N = 12, 5, 6
BATCH_SIZES, SESSION_OF = np.array([3, 2, 1]), [0, 1, 2, 0, 1, 0]
"""Three sessions, of three targets, two and one."""


def _contrast(targets, n_candidates, loss_shift=0.0, own=((), ()), dtype=torch.float32):
    """Contrast with candidates without a weight of their own."""
    bias = torch.zeros(n_candidates, dtype=dtype)
    own_row, own_column = (torch.tensor(numbers, dtype=torch.int64) for numbers in own)
    return Contrast(torch.tensor(targets), bias, bias + 1, own_row, own_column, loss_shift)


class _Case:
    """Random tables, and a step whose draws hold some of its own targets, and some items twice."""

    def __init__(self, seed: int, **options):
        rng = np.random.default_rng(seed)
        support = rng.integers(1, 60, N_ITEMS)
        self.config = preset("default", n_negatives=7, **options)
        self.sampler = NegativeSampler(support, self.config, rng)
        self.log_support = np.log(support)
        self.hidden, self.weight = rng.normal(size=(N, WIDTH)), rng.normal(size=(N_ITEMS, WIDTH))
        self.bias, self.targets = rng.normal(size=N_ITEMS), rng.integers(0, N_ITEMS, N)
        self.targets[1] = self.targets[0]
        self.drawn = self.sampler.draw()
        self.drawn[:2] = self.targets[:2]
        self.drawn[3] = self.drawn[4]
        self.sampler.draw = lambda: self.drawn  # type: ignore[method-assign]
        self.found = self.sampler.candidates(self.targets, BATCH_SIZES)
        self.contrast = Contrast.of(self.found, torch.device("cpu"))

    def others(self, row):
        """Each item that is another session's target, or drawn, but for the row's own target."""
        pool = {int(self.targets[k]) for k in range(N) if SESSION_OF[k] != SESSION_OF[row]}
        return sorted({*pool, *self.drawn.tolist()} - {int(self.targets[row])})

    def columns(self, row):
        """Number, among targets and draws, of all that competes with the row's own target."""
        items = [*self.targets.tolist(), *self.drawn.tolist()]
        keep = {*self.others(row), int(self.targets[row])}
        return [number for number, item in enumerate(items) if number != row and item in keep]

    @property
    def tables(self):
        return [self.hidden, self.weight, self.bias]

    def score(self, row, item, tables):
        hidden, weight, bias = tables
        return hidden[row] @ weight[item] + bias[item]


def _gradients(loss, tables):
    """Slopes of a function of tables, by a small step in each cell."""
    slopes = []
    for number, table in enumerate(tables):
        slope = np.zeros_like(table)
        for cell in np.ndindex(table.shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = [t.copy() for t in tables]
                moved[number][cell] += step
                sides.append(loss(moved))
            slope[cell] = (sides[0] - sides[1]) / 2e-5
        slopes.append(slope)
    return slopes


def _check(loss, slow_loss, case):
    """Loss and gradients in float64 are those of the slow one."""
    tables = [torch.tensor(table, requires_grad=True) for table in case.tables]
    items = torch.from_numpy(case.found.items)
    found = loss(tables[0], tables[1][items], tables[2][items])
    found.backward()
    assert found.item() == pytest.approx(slow_loss(case.tables), rel=1e-6)
    for table, slope in zip(tables, _gradients(slow_loss, case.tables), strict=True):
        assert table.grad is not None
        np.testing.assert_allclose(table.grad.numpy(), slope, atol=1e-6)


def _sampled_cross_entropy(case):
    return lambda hidden, weight, bias: cross_entropy(hidden, weight, bias, case.contrast)


@pytest.mark.parametrize("logq", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(2))
def test_sampled_cross_entropy_equals_a_slow_reference(seed, logq):
    case = _Case(seed, logq=logq)
    p, q = case.sampler.target_probability, case.sampler.negative_probability

    def slow(tables):
        # Contrast of a prediction: its target, and every other item that is another session's
        # target or drawn, once, each score less a share of the log of its inclusion probability.
        loss = 0.0
        for row in range(N):
            target = int(case.targets[row])
            scores = []
            for item in [target, *case.others(row)]:
                inclusion = 1 - (1 - p[item]) ** (N - 3) * (1 - q[item]) ** len(case.drawn)
                scores.append(case.score(row, item, tables) - logq * math.log(inclusion))
            loss += math.log(sum(math.exp(score) for score in scores)) - scores[0]
        return loss / N

    _check(_sampled_cross_entropy(case), slow, case)


@pytest.mark.parametrize("logq", [0.0, 0.6, 1.0])
def test_sampled_cross_entropy_of_draws_equals_a_slow_reference(logq):
    case = _Case(0, candidates="draws", logq=logq, alpha=0.75)

    def slow(tables):
        # A column for each target and each draw; a prediction's own is that of its number.
        columns = [*case.targets, *case.drawn]
        loss = 0.0
        for row in range(N):
            scores = []
            for column in [row, *case.columns(row)]:
                item = columns[column]
                correction = (1 if column < N else 0.75) * case.log_support[item]
                scores.append(case.score(row, item, tables) - logq * correction)
            loss += math.log(sum(math.exp(score) for score in scores)) - scores[0]
        return loss / N

    _check(_sampled_cross_entropy(case), slow, case)


def _bpr_of_columns(case, tables, columns_of):
    """Mean BPR-max, each prediction against the columns that `columns_of` gives it."""
    config, loss = case.config, 0.0

    def score(row, item):
        x = case.score(row, item, tables)
        alpha = config.elu_alpha
        return alpha * (math.exp(x) - 1) if alpha and x < 0 else x

    for row in range(N):
        target = score(row, case.targets[row])
        negatives = [score(row, item) for item in columns_of(row)]
        total = sum(math.exp(x) for x in negatives)
        share = [math.exp(x) / total for x in negatives]
        better = [1 / (1 + math.exp(-(target - x))) for x in negatives]
        loss -= math.log(sum(w * b for w, b in zip(share, better, strict=True)))
        loss += config.bpr_regularisation * sum(
            w * x**2 for w, x in zip(share, negatives, strict=True)
        )
    return loss / N


def _bpr_max(case):
    return lambda hidden, weight, bias: bpr_max(
        hidden,
        weight,
        bias,
        replace(case.contrast, copies=case.contrast.copies.double()),
        case.config.bpr_regularisation,
        case.config.elu_alpha,
    )


@pytest.mark.parametrize("elu_alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("regularisation", [0.0, 1.3])
def test_bpr_max_equals_a_slow_reference(regularisation, elu_alpha):
    case = _Case(0, loss="bpr-max", bpr_regularisation=regularisation, elu_alpha=elu_alpha)
    _check(_bpr_max(case), lambda tables: _bpr_of_columns(case, tables, case.others), case)


def test_bpr_max_of_draws_equals_a_slow_reference():
    case = _Case(1, loss="bpr-max", candidates="draws")
    columns = [*case.targets, *case.drawn]
    _check(
        _bpr_max(case),
        lambda tables: _bpr_of_columns(
            case, tables, lambda row: [columns[column] for column in case.columns(row)]
        ),
        case,
    )


def test_bpr_max_of_a_lone_target_is_nothing_and_stays_a_number():
    hidden = torch.ones(1, 2, requires_grad=True)
    loss = bpr_max(hidden, torch.ones(1, 2), torch.ones(1), _contrast([0], 1), 1.0, 0.5)
    loss.backward()
    assert loss.item() == 0
    assert hidden.grad is not None
    assert not hidden.grad.any()


def test_bpr_max_stays_a_number_for_scores_far_apart():
    scores = torch.tensor([-200.0, 0.0, 200.0], requires_grad=True)
    loss = bpr_max(
        torch.zeros(1, 1), torch.zeros(3, 1), scores, _contrast([0], 3), 0.0, elu_alpha=0.0
    )
    loss.backward()
    # Both negatives have e^-400: one for its share, the other for its margin.
    assert loss.item() == pytest.approx(400 - math.log(2))
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


def _mean_gradient_at_the_truth(truth, logq):
    """Mean gradient of the scores at log(truth), targets drawn from truth, float64 [n_items]."""
    rng = np.random.default_rng(0)
    config = preset("default", alpha=1.0, n_negatives=2, logq=logq)
    sampler = NegativeSampler(np.array([1000, 200, 50, 10, 3]), config, rng)
    total = np.zeros(len(truth))
    n_trials = 3000
    for target in rng.choice(len(truth), n_trials, p=truth):
        found = sampler.candidates(np.array([target]), np.array([1]))
        scores = torch.tensor(np.log(truth), requires_grad=True)
        items = torch.from_numpy(found.items)
        cross_entropy(
            torch.zeros(1, 1, dtype=torch.float64),
            torch.zeros(len(items), 1, dtype=torch.float64),
            scores[items],
            Contrast.of(found, torch.device("cpu")),
        ).backward()
        assert scores.grad is not None
        total += scores.grad.numpy()
    return total / n_trials


def test_log_q_correction_leaves_the_true_probabilities_in_place():
    truth = np.array([0.1, 0.1, 0.2, 0.3, 0.3])
    assert np.abs(_mean_gradient_at_the_truth(truth, logq=1.0)).max() < 0.015
    assert np.abs(_mean_gradient_at_the_truth(truth, logq=0.0)).max() > 0.03


def test_loss_over_all_items_by_hand():
    hidden = torch.tensor([[1.0]])
    weight, bias = torch.tensor([[0.0], [1.0]]), torch.tensor([0.5, 0.0])
    loss = cross_entropy(
        hidden, weight, bias, replace(Contrast.of_all_items(bias), target_column=torch.tensor([1]))
    )
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-0.5)))


@pytest.mark.parametrize("n_candidates", [1, 2, 7, 31, 500])
@pytest.mark.parametrize("spread", [0.1, 3.0, 40.0])
def test_kernels_give_torchs_loss_and_gradients(n_candidates, spread):
    torch.manual_seed(n_candidates)
    hidden, weight = torch.randn(6, 5) * spread, torch.randn(n_candidates + 3, 5)
    bias, targets = torch.randn(n_candidates), torch.randint(n_candidates, (6,)).tolist()
    leaves = [x.double().requires_grad_() for x in (hidden, weight, bias)]
    own = ([0, 4], [(target + 1) % n_candidates for target in (targets[0], targets[4])])
    if n_candidates == 1:
        own = ([], [])
    contrast = _contrast(targets, n_candidates, 0.3, own)
    expected = cross_entropy(leaves[0], leaves[1], leaves[2], contrast)
    loss, *gradients = cross_entropy_gradients(hidden, weight, bias, contrast)
    assert loss == pytest.approx(expected.item(), rel=1e-5, abs=1e-6)
    for gradient, right in zip(gradients, torch.autograd.grad(expected, leaves), strict=True):
        torch.testing.assert_close(gradient.double(), right, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_kernels_do_not_hide_what_is_not_a_number(bad):
    hidden, weight, bias = torch.ones(2, 3), torch.ones(5, 3), torch.zeros(5)
    bias[2] = bad
    loss, *_ = cross_entropy_gradients(hidden, weight, bias, _contrast([0, 1], 5))
    assert not math.isfinite(loss)
