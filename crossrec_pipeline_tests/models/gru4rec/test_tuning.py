import json
from pathlib import Path

import numpy as np
import pytest

from crossrec_pipeline.errors import SettingsError, TrainingError
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.gru4rec.tuned import tuned_overrides
from crossrec_pipeline.models.gru4rec.tuning import TRIALS, search_space, tune
from crossrec_pipeline.sessions.store import SessionDataset, SessionStore
from crossrec_pipeline_tests.models.vocabularies import vocabulary_of

N_ITEMS = 30
BASE = GRU4RecConfig(hidden_size=8, batch_size=4, epochs=2, learning_rate=1e-6, device="cpu")


def sessions(n: int, seed: int) -> SessionStore:
    """Each item is followed by the next one, mostly."""
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, N_ITEMS, n)
    return SessionStore.from_sequences([[(s + k) % N_ITEMS for k in range(5)] for s in starts])


@pytest.fixture(scope="module")
def dataset() -> SessionDataset:
    return SessionDataset(
        sessions(80, 0),
        sessions(30, 1),
        sessions(5, 2),
        vocabulary_of(*(f"Movie_{n}" for n in range(N_ITEMS))),
    )


def rates(trial, base: GRU4RecConfig) -> dict[str, float]:
    """A space of one field, in which all but the base learn something."""
    return {"learning_rate": trial.suggest_float("learning_rate", 0.01, 0.1, log=True)}


def test_what_is_found_is_better_than_a_bad_base(dataset: SessionDataset, tmp_path: Path):
    lines: list[str] = []
    tuned = tune(dataset, BASE, 4, tmp_path, lines.append, rates)
    assert list(tuned.overrides) == ["learning_rate"]
    assert tuned.trials.schema == TRIALS
    assert tuned.trials["trial"].to_list() == [1, 2, 3, 4]
    assert json.loads(tuned.trials["configuration"][0]) == {}  # the base itself
    best = tuned.trials["validation_recall_at_20"].max()
    assert tuned.validation_recall == best > tuned.trials["validation_recall_at_20"][0]
    assert len(lines) == 4
    assert lines[0].startswith("trial 1/4 complete: validation Recall@20 0.")
    assert tuned_overrides(tmp_path) == tuned.overrides


def test_the_figure_is_that_of_training_with_what_was_found(
    dataset: SessionDataset, tmp_path: Path
):
    tuned = tune(dataset, BASE, 2, tmp_path, space=rates)
    config = GRU4RecConfig(**{**BASE.model_dump(), **tuned.overrides})
    report = GRU4Rec(config).fit(dataset.train, dataset.vocabulary, dataset.validation)
    assert report.summary["best_recall_at_20"] == tuned.validation_recall


def test_a_search_broken_off_goes_on_with_the_trials_that_are_missing(
    dataset: SessionDataset, tmp_path: Path
):
    def interrupted(line: str) -> None:
        if line.startswith("trial 2/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(dataset, BASE, 4, tmp_path, interrupted, rates)
    lines: list[str] = []
    tuned = tune(dataset, BASE, 4, tmp_path, lines.append, rates)
    assert [line.split()[1] for line in lines] == ["3/4", "4/4"]
    assert tuned.trials.height == 4
    assert tune(dataset, BASE, 4, tmp_path, lines.append, rates).overrides == tuned.overrides
    assert len(lines) == 2


def test_other_sessions_are_another_search(dataset: SessionDataset, tmp_path: Path):
    tune(dataset, BASE, 1, tmp_path, space=rates)
    other = SessionDataset(sessions(80, 9), dataset.validation, dataset.test, dataset.vocabulary)
    assert tune(other, BASE, 1, tmp_path, space=rates).trials.height == 1


def test_a_trial_whose_loss_is_no_number_has_failed_and_is_not_chosen(
    dataset: SessionDataset, tmp_path: Path
):
    def exploding(trial, base: GRU4RecConfig) -> dict[str, float]:
        return {"init_range": trial.suggest_float("init_range", 1e37, 1e38)}

    tuned = tune(dataset, BASE, 2, tmp_path, space=exploding)
    assert tuned.trials["state"].to_list() == ["complete", "failed"]
    assert tuned.overrides == {}


def test_without_validation_nothing_can_be_chosen(dataset: SessionDataset, tmp_path: Path):
    empty = SessionDataset(
        dataset.train, SessionStore.from_sequences([]), dataset.test, dataset.vocabulary
    )
    with pytest.raises(TrainingError, match="Validation has nothing to predict"):
        tune(empty, BASE, 1, tmp_path)


def test_overrides_before_a_search_or_from_a_damaged_file_are_refused(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"does not exist\. Search first: crossrec tune"):
        tuned_overrides(tmp_path)
    (tmp_path / "best.json").write_text("{")
    with pytest.raises(SettingsError, match="is damaged"):
        tuned_overrides(tmp_path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, {"alpha", "logq"}),
        ({"n_negatives": None}, set()),
        ({"loss": "bpr-max"}, {"alpha", "bpr_regularisation", "elu_alpha"}),
        ({"optimiser": "adagrad"}, {"alpha", "logq", "momentum"}),
    ],
)
def test_the_space_names_what_the_kind_of_model_has(changes: dict, named: set[str]):
    import optuna

    always = {
        "hidden_size",
        "learning_rate",
        "batch_size",
        "dropout_embedding",
        "dropout_hidden",
        "session_order",
    }
    base = GRU4RecConfig(**changes)
    drawn = search_space(optuna.create_study().ask(), base)
    assert set(drawn) == always | named
    GRU4RecConfig(**{**base.model_dump(), **drawn})
