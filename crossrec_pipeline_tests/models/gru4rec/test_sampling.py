import math

import numpy as np
import pytest

from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.gru4rec.sampling import NegativeSampler
from crossrec_pipeline.models.gru4rec.sampling_kernels import alias_table, number_items

SUPPORT = np.array([1, 4, 16, 64, 25])


def _sampler(alpha=0.5, n_negatives=8, support=SUPPORT, seed=0, **options):
    config = preset("default", alpha=alpha, n_negatives=n_negatives, **options)
    return NegativeSampler(support, config, np.random.default_rng(seed))


@pytest.mark.parametrize("n_items", [1, 2, 7, 1000])
def test_alias_table_gives_each_item_its_probability(n_items):
    probability = np.random.default_rng(n_items).pareto(0.8, n_items) + 1e-9
    probability /= probability.sum()
    keep, alias = alias_table(probability)
    given = keep + np.bincount(alias, weights=1.0 - keep, minlength=n_items)
    assert ((keep >= 0) & (keep <= 1)).all()
    np.testing.assert_allclose(given / n_items, probability, rtol=1e-6, atol=1e-7 / n_items)


def test_items_are_numbered_in_the_order_in_which_they_first_come():
    number = np.full(9, -1, dtype=np.int32)
    items, number_of, n_first = number_items(np.array([7, 2, 7, 5, 2, 8]), 3, number)
    assert items.tolist() == [7, 2, 5, 8]
    assert number_of.tolist() == [0, 1, 0, 2, 1, 3]
    assert n_first == 2
    assert (number == -1).all()


@pytest.mark.parametrize(
    ("alpha", "expected"),
    [
        (0.0, np.full(5, 1 / 5)),
        (0.5, np.array([1, 2, 4, 8, 5]) / 20),
        (1.0, SUPPORT / SUPPORT.sum()),
    ],
)
def test_negatives_follow_support_to_the_power_of_alpha(alpha, expected):
    n = 100_000
    counts = np.bincount(_sampler(alpha, n).draw(), minlength=5)
    chi_square = ((counts - n * expected) ** 2 / (n * expected)).sum()
    assert chi_square < 18.5  # 99.9 % of the distribution with 4 degrees of freedom


def test_same_seed_draws_the_same_and_another_seed_others():
    draws = [_sampler(n_negatives=50, seed=seed).draw().tolist() for seed in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


def test_items_without_support_can_be_drawn():
    drawn = _sampler(1.0, 1000, support=np.array([0, 3, 0])).draw()
    assert set(drawn.tolist()) == {0, 1, 2}


def test_candidates_are_the_targets_and_negatives_each_once():
    sampler = _sampler(n_negatives=6)
    sampler.draw = lambda: np.array([2, 2, 0, 3, 2, 0])  # type: ignore[method-assign]
    found = sampler.candidates(np.array([3, 1, 3]), np.array([3]))
    assert found.items.tolist() == [3, 1, 2, 0]
    assert found.target_column.tolist() == [0, 1, 0]
    assert found.copies.tolist() == [1, 1, 1, 1]


def test_candidates_as_drawn_stand_for_every_target_and_draw():
    sampler = _sampler(n_negatives=6, candidates="draws")
    sampler.draw = lambda: np.array([2, 2, 0, 3, 2, 0])  # type: ignore[method-assign]
    found = sampler.candidates(np.array([3, 1, 3]), np.array([3]))
    assert found.items.tolist() == [3, 1, 2, 0]
    assert found.copies.tolist() == [3, 1, 3, 2]


def test_rows_of_a_step_are_the_candidates_and_then_the_other_inputs():
    sampler = _sampler(n_negatives=2)
    sampler.draw = lambda: np.array([2, 2])  # type: ignore[method-assign]
    step = sampler.step_items(np.array([0, 2, 0, 4]), np.array([3, 3, 1, 3]), np.array([4]))
    assert step.candidates.items.tolist() == [3, 1, 2]
    assert step.rows.tolist() == [3, 1, 2, 0, 4]
    assert step.rows[step.input_row].tolist() == [0, 2, 0, 4]


def test_without_negatives_the_candidates_are_the_targets():
    sampler = _sampler(n_negatives=0)
    assert sampler.candidates(np.array([3, 1, 3]), np.array([3])).items.tolist() == [3, 1]
    assert np.isfinite(sampler.candidates(np.array([3]), np.array([1])).log_weight).all()


@pytest.mark.parametrize("candidates", ["set", "draws"])
def test_further_targets_of_a_session_do_not_compete_unless_they_came_in_otherwise(candidates):
    sampler = _sampler(n_negatives=2, candidates=candidates)
    sampler.draw = lambda: np.array([4, 0])  # type: ignore[method-assign]
    # Sessions, target by target: 3 1 3, then 2 4, then 1.
    targets, batch_sizes = np.array([3, 2, 1, 1, 4, 3]), np.array([3, 2, 1])
    found = sampler.candidates(targets, batch_sizes)
    pairs = zip(found.own_row.tolist(), found.items[found.own_column].tolist(), strict=True)
    # 1 is another session's too, 4 is drawn; nothing stands against itself.
    assert set(pairs) == {(3, 3), (4, 2)}


def test_one_target_a_session_leaves_all_others_to_compete():
    sampler = _sampler(n_negatives=2)
    found = sampler.candidates(np.array([3, 1, 3]), np.array([3]))
    assert len(found.own_row) == len(found.own_column) == 0


def test_goes_on_drawing_from_its_state():
    one, other = _sampler(seed=0), _sampler(seed=1)
    one.draw()
    other.load_state(one.state())
    assert one.draw().tolist() == other.draw().tolist()


def test_own_target_drawn_as_a_negative_is_one_column_only():
    sampler = _sampler(n_negatives=200)
    targets = np.array([3, 3, 2, 0])
    found = sampler.candidates(targets, np.array([4]))
    assert 3 in sampler.draw()
    assert (found.items[found.target_column] == targets).all()
    assert ((found.items[None, :] == targets[:, None]).sum(axis=1) == 1).all()


def test_log_inclusion_by_hand():
    # Item 1: p = 4/110 as one of the 2 other targets, q = 2/20 in each of 3 draws.
    sampler = _sampler(n_negatives=3)
    expected = math.log(1 - (1 - 4 / 110) ** 2 * (1 - 2 / 20) ** 3)
    assert sampler.log_inclusion(np.array([1]), 2)[0] == pytest.approx(expected, rel=1e-5)


def test_log_inclusion_is_how_often_an_item_really_comes_in():
    sampler = _sampler(n_negatives=4)
    rng = np.random.default_rng(5)
    n_trials, n_others = 20_000, 2
    others = rng.choice(5, (n_trials, n_others), p=sampler.target_probability)
    drawn = np.stack([sampler.draw() for _ in range(n_trials)])
    together = np.concatenate([others, drawn], axis=1)
    share = [(together == item).any(axis=1).mean() for item in range(5)]
    np.testing.assert_allclose(
        np.exp(sampler.log_inclusion(np.arange(5), n_others)), share, atol=0.012
    )


def test_log_inclusion_stays_finite_for_certain_and_for_rare_items():
    sampler = _sampler(1.0, 100_000, support=np.array([10**9, 1]))
    assert np.isfinite(sampler.log_inclusion(np.arange(2), 0)).all()
    lone = _sampler(support=np.array([7]))
    assert lone.log_inclusion(np.array([0]), 0)[0] == pytest.approx(0, abs=1e-6)
