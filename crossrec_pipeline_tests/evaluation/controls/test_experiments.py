"""Each control on a log whose law says what it must come to."""

from functools import partial

import numpy as np
import polars as pl
import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.controls.comparison import AFTER_ANOTHER_TYPE
from crossrec_pipeline.evaluation.controls.experiments import (
    check_ranks,
    measure_last_item_only,
    measure_other_seed,
    measure_shuffled_domains,
    measure_shuffled_order,
    measure_single_domain,
    measure_uniform_log,
)
from crossrec_pipeline.models.gru4rec.config import preset
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.rules.sequential import SequentialRules
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline_tests.evaluation.controls.counted_models import (
    SEED,
    Training,
    cycle,
    dataset_of,
    main_model,
)


def figures(frame: pl.DataFrame, metric: str = "recall") -> dict[str | None, tuple]:
    """Value, reference value, low and high by slice."""
    rows = frame.filter(pl.col("metric") == metric)
    return {
        row[0]: row[1:]
        for row in rows.select("target_type", "value", "reference_value", "low", "high").rows()
    }


def books_of_movies() -> SessionDataset:
    """Make sessions of a movie and its book, and of a movie and the movie after it.

    Items 0 to 49 are movies, 50 to 99 their books.
    """
    pairs = [[i, 50 + i] for i in range(50)] + [[i, (i + 1) % 50] for i in range(50)]
    return dataset_of(["Movie"] * 50 + ["Book"] * 50, pairs * 10, pairs)


def interrupted_movies() -> SessionDataset:
    """Make sessions of a movie, some book, the movie after the first, and one song.

    Items 0 to 39 are movies, 40 to 79 books, 80 a song.
    """
    rng = np.random.default_rng(0)
    sessions = [
        [int(i), 40 + int(book), (int(i) + 1) % 40, 80]
        for i, book in zip(rng.integers(0, 40, 900), rng.integers(0, 40, 900), strict=True)
    ]
    return dataset_of(["Movie"] * 40 + ["Book"] * 40 + ["Music"], sessions[:800], sessions[800:])


def test_without_order_a_chain_is_lost():
    dataset = cycle()
    frame = measure_shuffled_order(dataset, main_model(dataset))
    # In order the next item is known. Without, it is one of the 29 that are in a session with the
    # last one, and of some more that are in other sessions.
    value, reference_value, _, high = figures(frame)[None]
    assert reference_value == 1.0
    assert value < 0.8
    assert high < 0
    value, reference_value, _, high = figures(frame, "mrr")[None]
    assert reference_value == 1.0
    assert value < 0.3
    assert frame["reference"].unique().to_list() == ["markov"]


def test_who_looks_at_the_last_item_only_loses_nothing_by_it():
    dataset = cycle()
    frame = measure_last_item_only(dataset, main_model(dataset))
    assert figures(frame) == {None: (1.0, 1.0, 0.0, 0.0)}


def test_what_the_item_before_tells_is_lost_with_it():
    # Items 0 to 39 say which of 41 to 80 comes after item 40.
    sessions = [[i, 40, 41 + i] for i in range(40)]
    dataset = dataset_of(["Movie"] * 81, sessions * 5, sessions)
    frame = measure_last_item_only(dataset, main_model(dataset, Training(SequentialRules)))
    value, reference_value, _, high = figures(frame)[None]
    assert reference_value == 1.0
    assert value < 0.8
    assert high < 0


def test_without_the_link_between_domains_only_changes_of_type_lose():
    dataset = books_of_movies()
    found = figures(measure_shuffled_domains(dataset, main_model(dataset)))
    assert set(found) == {None, "Book", "Movie", AFTER_ANOTHER_TYPE}
    assert found["Movie"] == (1.0, 1.0, 0.0, 0.0)
    # Movie and book are each other's by chance: 10 of 50 books came after a movie in train, and
    # the true one with the probability 1 - (49 / 50)^10 = 0.18; others rank by popularity.
    value, reference_value, _, high = found["Book"]
    assert reference_value == 1.0
    assert value < 0.5
    assert high < 0
    # Each book comes after a movie, and each movie after a movie.
    assert found[AFTER_ANOTHER_TYPE] == found["Book"]
    assert found[None][0] == pytest.approx((value + 1.0) / 2)


def test_what_other_domains_interrupt_is_learnt_better_alone():
    dataset = interrupted_movies()
    found = figures(measure_single_domain(dataset, main_model(dataset), print))
    # Alone, a movie comes after the one before it. Of all types, it comes after some book.
    value, reference_value, low, _ = found["Movie"]
    assert value == 1.0
    assert reference_value < 0.8
    assert low > 0


def test_types_that_never_come_twice_in_a_session_are_left_out_and_said():
    dataset, said = interrupted_movies(), []
    found = figures(measure_single_domain(dataset, main_model(dataset), said.append))
    assert set(found) == {"Movie"}
    two_or_more = "are in 0 sessions of train and 0 of test"
    assert said == [
        f"{name} is left out: two {name} items or more {two_or_more}" for name in ("Book", "Music")
    ]


def test_another_seed_is_what_a_control_trains_with():
    dataset, training = cycle(), Training()
    frame = measure_other_seed(dataset, main_model(dataset, training), 17)
    assert training.seeds == [17]
    # Counting knows no seed.
    assert figures(frame) == {None: (1.0, 1.0, 0.0, 0.0)}


@pytest.mark.parametrize(
    "measure", [measure_uniform_log, measure_shuffled_order, measure_shuffled_domains]
)
def test_a_control_has_the_seed_of_the_main_model_and_draws_each_part_apart(measure):
    sessions = [[i, i + 1, i + 2, 99 - i] for i in range(40)]
    dataset = dataset_of(["Movie", "Book"] * 50, sessions, sessions)
    training = Training()
    measure(dataset, main_model(dataset, training))
    assert training.seeds == [SEED]
    # Train and validation are equal, and what is made of them is not.
    (train, validation), *_ = training.stores
    assert train.item_index.tolist() != validation.item_index.tolist()


def test_of_a_uniform_log_nothing_can_be_learnt():
    # What the sessions hold does not matter; their lengths do.
    dataset = dataset_of(["Movie"] * 100, [[0] * 10] * 400, [[0] * 20] * 200)
    config = preset("default", hidden_size=16, epochs=2, device="cpu")
    main = main_model(dataset, Training(partial(GRU4Rec, config, progress_bar=False)))
    found = figures(measure_uniform_log(dataset, main))[None]
    # 20 of 100 items; 3,800 independent predictions have the standard deviation 0.0065.
    value, reference_value, low, high = found
    assert reference_value == pytest.approx(0.2)
    assert abs(value - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 3_800)
    assert high - low < 0.04


def test_ranks_of_other_sessions_are_refused():
    dataset = cycle()
    main = main_model(dataset)
    check_ranks(main, dataset.test)
    with pytest.raises(EvaluationError, match=r"290 ranks of markov are not of the 1,450 predict"):
        check_ranks(main, dataset.train)
