"""Sessions and a way to train go in; what each control comes to beside its reference comes out.

A control is trained with the configuration and the seed of the main model. What is drawn at random
is drawn apart for each part: a test that repeats the draws of train could be learnt by heart.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.controls.comparison import (
    COMPARED,
    Slices,
    after_another_type,
    by_target_type,
    chance_values,
    compare,
    next_item_values,
    overall,
)
from crossrec_pipeline.evaluation.controls.last_item import steps_apart
from crossrec_pipeline.evaluation.controls.shuffled_domains import shuffle_domains
from crossrec_pipeline.evaluation.controls.shuffled_order import shuffle_order
from crossrec_pipeline.evaluation.controls.single_domain import SingleDomain, single_domain
from crossrec_pipeline.evaluation.controls.uniform_items import draw_items
from crossrec_pipeline.evaluation.ranking import PositionScorer, target_ranks
from crossrec_pipeline.models.base import Progress
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline.sessions.vocabulary import Vocabulary

CHANCE = "chance"


class Train(Protocol):
    """Trains a model of the main model's configuration on some sessions."""

    def __call__(
        self, train: SessionStore, vocabulary: Vocabulary, validation: SessionStore, seed: int
    ) -> PositionScorer:
        """Learn from train; validation is for early stopping only."""
        ...


@dataclass(frozen=True)
class MainModel:
    """What controls are compared with, and trained like.

    Attributes
    ----------
    name
        Its kind.
    data_version
        Of its bundle.
    seed
        Of its training.
    ranks
        Columns of `RANKS`: its ranks on test.
    train
        Trains another of its configuration.
    """

    name: str
    data_version: str
    seed: int
    ranks: pl.DataFrame
    train: Train


def check_ranks(main: MainModel, test: SessionStore) -> None:
    """See to it that the main model was ranked on these sessions.

    Raises
    ------
    EvaluationError
        If session or target of a prediction is another.
    """
    session = np.repeat(np.arange(test.n_sessions), test.lengths)
    target = np.arange(test.n_events) > np.asarray(test.offsets)[session]
    if not (
        np.array_equal(main.ranks["session"].to_numpy(), session[target])
        and np.array_equal(main.ranks["target_index"].to_numpy(), test.item_index[target])
    ):
        raise EvaluationError(
            f"The {main.ranks.height:,} ranks of {main.name} are not of the "
            f"{test.n_predictions:,} predictions of these test sessions. Rank it on them first: "
            "materialise evaluation/ranks, or `crossrec run`."
        )


def measure_uniform_log(dataset: SessionDataset, main: MainModel) -> pl.DataFrame:
    """Let there be nothing to learn: who is not at chance is measured wrongly."""
    n_items = dataset.vocabulary.n_items
    train, validation, test = (
        draw_items(store, n_items, seed)
        for store, seed in zip(
            (dataset.train, dataset.validation, dataset.test), _seeds(main.seed, 3), strict=True
        )
    )
    model = main.train(train, dataset.vocabulary, validation, main.seed)
    return compare(
        next_item_values(target_ranks(model, test, dataset.vocabulary)),
        CHANCE,
        chance_values(test.n_predictions, n_items),
        main.ranks["session"].to_numpy(),
        overall(test.n_predictions),
    )


def measure_shuffled_order(dataset: SessionDataset, main: MainModel) -> pl.DataFrame:
    """Learn without order, be asked with it: the loss is what order brings."""
    train_seed, validation_seed = _seeds(main.seed, 2)
    model = main.train(
        shuffle_order(dataset.train, train_seed),
        dataset.vocabulary,
        shuffle_order(dataset.validation, validation_seed),
        main.seed,
    )
    ranks = target_ranks(model, dataset.test, dataset.vocabulary)
    return _beside_main(ranks, main, overall(len(ranks)))


def measure_last_item_only(dataset: SessionDataset, main: MainModel) -> pl.DataFrame:
    """Learn and be asked by the last item alone: the loss is what recurrence brings."""
    model = main.train(
        steps_apart(dataset.train), dataset.vocabulary, steps_apart(dataset.validation), main.seed
    )
    # The steps are the predictions of test, in their order.
    ranks = target_ranks(model, steps_apart(dataset.test), dataset.vocabulary)
    return _beside_main(ranks, main, overall(len(ranks)))


def measure_shuffled_domains(dataset: SessionDataset, main: MainModel) -> pl.DataFrame:
    """Learn of types apart from one another: the loss is what the link between them brings.

    It should lie where the type changes, which therefore is a slice of its own.
    """
    types = dataset.vocabulary.type_codes
    train_seed, validation_seed = _seeds(main.seed, 2)
    model = main.train(
        shuffle_domains(dataset.train, types, train_seed),
        dataset.vocabulary,
        shuffle_domains(dataset.validation, types, validation_seed),
        main.seed,
    )
    slices = {
        **overall(main.ranks.height),
        **by_target_type(main.ranks),
        **after_another_type(main.ranks),
    }
    return _beside_main(target_ranks(model, dataset.test, dataset.vocabulary), main, slices)


def measure_single_domain(dataset: SessionDataset, main: MainModel, say: Progress) -> pl.DataFrame:
    """Learn of one type alone, for each type; the main model's ranks are those within the type.

    A gain over the main model says that learning from the other types harms (negative transfer).

    Parameters
    ----------
    dataset, main
        Sessions of all types, and the model of all types.
    say
        Told of types that are left out: those with nothing to learn from or to predict.
    """
    frames = [pl.DataFrame(schema=pl.Schema(COMPARED))]
    for name in dataset.vocabulary.types:
        domain = single_domain(
            name, dataset.vocabulary, dataset.train, dataset.validation, dataset.test
        )
        if domain.train.n_predictions and domain.test.n_predictions:
            frames.append(_measure_domain(name, domain, main))
        else:
            say(
                f"{name} is left out: two {name} items or more are in "
                f"{domain.train.n_sessions:,} sessions of train and "
                f"{domain.test.n_sessions:,} of test"
            )
    return pl.concat(frames)


def measure_other_seed(dataset: SessionDataset, main: MainModel, seed: int) -> pl.DataFrame:
    """Train again from another seed: differences of this size say nothing."""
    model = main.train(dataset.train, dataset.vocabulary, dataset.validation, seed)
    ranks = target_ranks(model, dataset.test, dataset.vocabulary)
    return _beside_main(ranks, main, overall(len(ranks)))


def _measure_domain(name: str, domain: SingleDomain, main: MainModel) -> pl.DataFrame:
    model = main.train(domain.train, domain.vocabulary, domain.validation, main.seed)
    ranks = main.ranks[pl.Series(domain.predictions, dtype=pl.UInt32)]
    return compare(
        next_item_values(target_ranks(model, domain.test, domain.vocabulary)),
        main.name,
        next_item_values(ranks["rank_within_type"].to_numpy()),
        ranks["session"].to_numpy(),
        {name: np.ones(ranks.height, dtype=bool)},
    )


def _beside_main(ranks: np.ndarray, main: MainModel, slices: Slices) -> pl.DataFrame:
    return compare(
        next_item_values(ranks),
        main.name,
        next_item_values(main.ranks["rank"].to_numpy()),
        main.ranks["session"].to_numpy(),
        slices,
    )


def _seeds(seed: int, n: int) -> list[int]:
    """Make seeds that have nothing to do with one another, nor with the training's."""
    return np.random.SeedSequence(seed).generate_state(n).tolist()
