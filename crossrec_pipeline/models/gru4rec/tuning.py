"""Sessions in; the configuration that does best on validation out, searched for with Optuna."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.digests import json_digest
from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.base import Progress
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.model import GRU4Rec
from crossrec_pipeline.models.gru4rec.tuned import BEST
from crossrec_pipeline.models.item_content import ItemContent
from crossrec_pipeline.sessions.store import SessionDataset

TRIALS: dict[str, pl.DataType] = {
    "trial": pl.Int64(),
    "state": pl.String(),
    "validation_recall_at_20": pl.Float64(),
    "epochs": pl.Int64(),
    "seconds": pl.Float64(),
    "configuration": pl.String(),
}
"""One row a trial. `state` is ``complete``, ``pruned`` (behind the others at the same epoch) or
``failed`` (the loss was no number); `configuration` is JSON."""


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes
    ----------
    overrides
        Fields of `GRU4RecConfig` that the best trial has other than the base.
    validation_recall
        Its best validation Recall@20.
    trials
        Columns of `TRIALS`, in the order of the trials.
    sessions_digest
        The sessions it was found on.
    """

    overrides: dict[str, Any]
    validation_recall: float
    trials: pl.DataFrame
    sessions_digest: str

    def save(self, directory: Path) -> None:
        """Write the overrides and the trials, each file whole or not at all."""
        with atomic_file(directory / "trials.parquet") as partial:
            self.trials.write_parquet(partial)
        with atomic_file(directory / BEST) as partial:
            best = {
                "overrides": self.overrides,
                "validation_recall_at_20": self.validation_recall,
                "sessions_digest": self.sessions_digest,
            }
            partial.write_text(json.dumps(best, indent=1))


def search_space(trial: Any, base: GRU4RecConfig) -> dict[str, Any]:
    """Draw a configuration from the space that the literature searches.

    Ludewig and Jannach (2018, arXiv:1803.09587) and the authors of GRU4Rec tune rate, momentum,
    dropouts, batch size, width and the samples' exponent; the model's kind (loss, embedding,
    optimiser) stays that of `base`. The order of sessions is ours to try.

    Parameters
    ----------
    trial
        An `optuna.Trial`.
    base
        What is varied.
    """
    slow, fast = (0.01, 0.3) if base.optimiser == "adagrad" else (5e-4, 0.02)
    drawn: dict[str, Any] = {
        "hidden_size": trial.suggest_categorical("hidden_size", [64, 100, 128, 192, 256, 384]),
        "learning_rate": trial.suggest_float("learning_rate", slow, fast, log=True),
        "batch_size": trial.suggest_categorical("batch_size", [32, 64, 128, 256]),
        "dropout_embedding": trial.suggest_float("dropout_embedding", 0.0, 0.6, step=0.05),
        "dropout_hidden": trial.suggest_float("dropout_hidden", 0.0, 0.6, step=0.05),
    }
    drawn["session_order"] = trial.suggest_categorical("session_order", ["shuffled", "time"])
    if base.optimiser == "adagrad":
        drawn["momentum"] = trial.suggest_float("momentum", 0.0, 0.5, step=0.05)
    if base.n_negatives is not None:
        drawn["alpha"] = trial.suggest_float("alpha", 0.0, 1.0, step=0.1)
        if base.loss == "cross-entropy":
            drawn["logq"] = trial.suggest_categorical("logq", [0.0, 0.5, 1.0])
    if base.loss == "bpr-max":
        drawn["bpr_regularisation"] = trial.suggest_float("bpr_regularisation", 0.1, 3.0, log=True)
        drawn["elu_alpha"] = trial.suggest_categorical("elu_alpha", [0.0, 0.5, 1.0])
    return drawn


def tune(
    dataset: SessionDataset,
    base: GRU4RecConfig,
    n_trials: int,
    directory: Path,
    progress: Progress | None = None,
    space: Callable[[Any, GRU4RecConfig], dict[str, Any]] = search_space,
    content: ItemContent | None = None,
) -> Tuned:
    """Search for the configuration with the best validation Recall@20; test is never looked at.

    Trials come from Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), the first
    one being `base` itself, and are given up when they are behind the median of the earlier ones
    at the same epoch. Finished trials lie in ``study.db``: a search that was broken off goes on
    with the trials that are missing. Other sessions, or another base, are another study.

    Parameters
    ----------
    dataset
        Trained on its train part, judged on its validation part.
    base
        The configuration that is varied; its seed is every trial's, and the search's.
    n_trials
        Trials in all, those of earlier runs of the same study included.
    directory
        Where the study lies, and ``best.json`` and ``trials.parquet`` are written.
    progress
        Receives a line after each trial.
    space
        Draws the fields of a trial.
    content
        What is known of the items, for a base that reads it.

    Raises
    ------
    TrainingError
        If validation has nothing to predict, or no trial was completed.
    """
    import optuna

    if dataset.validation.n_predictions == 0:
        raise TrainingError("Validation has nothing to predict, so no configuration can be chosen.")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directory.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{directory / 'study.db'}",
        study_name=json_digest(
            [
                dataset.digest,
                base.model_dump(exclude={"device"}),
                *([] if content is None else [content.digest]),
            ]
        ),
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=base.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )

    def recall(trial: optuna.Trial) -> float:
        # The first trial is the base: whatever is found is at least as good on validation.
        drawn = space(trial, base) if trial.number else {}
        config = GRU4RecConfig(**{**base.model_dump(), **drawn})
        trial.set_user_attr("configuration", _differences(config, base))

        def report(row: dict[str, float]) -> None:
            trial.report(row["recall_at_20"], int(row["epoch"]))
            trial.set_user_attr("epochs", int(row["epoch"]))
            if trial.should_prune():
                raise optuna.TrialPruned

        fitted = GRU4Rec(config, content=content).fit(
            dataset.train, dataset.vocabulary, dataset.validation, on_epoch=report
        )
        return float(fitted.summary["best_recall_at_20"])

    def say(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if progress is not None:
            progress(_trial_line(study, trial, n_trials))

    n_done = sum(trial.state.is_finished() for trial in study.trials)
    if n_done < n_trials:
        study.optimize(recall, n_trials - n_done, catch=(TrainingError,), callbacks=[say])
    tuned = _outcome(study, dataset.digest)
    tuned.save(directory)
    return tuned


def _differences(config: GRU4RecConfig, base: GRU4RecConfig) -> dict[str, Any]:
    ours, theirs = config.model_dump(), base.model_dump()
    return {name: value for name, value in ours.items() if value != theirs[name]}


def _trial_line(study: Any, trial: Any, n_trials: int) -> str:
    best = max((t.value for t in study.trials if t.state.name == "COMPLETE"), default=None)
    value = f"validation Recall@20 {trial.value:.4f}" if trial.value is not None else "no figure"
    so_far = "" if best is None else f"; best so far {best:.4f}"
    return f"trial {trial.number + 1}/{n_trials} {_state(trial)}: {value}{so_far}"


def _state(trial: Any) -> str:
    return {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")


def _outcome(study: Any, sessions_digest: str) -> Tuned:
    finished = [trial for trial in study.trials if trial.state.is_finished()]
    complete = [trial for trial in finished if trial.state.name == "COMPLETE"]
    if not complete:
        raise TrainingError(
            f"None of {len(finished)} trials was completed: the loss was no number in any. Give "
            "more trials, or another preset to start from."
        )
    best = max(complete, key=lambda trial: trial.value)
    rows = [
        (
            trial.number + 1,
            _state(trial),
            trial.value,
            trial.user_attrs.get("epochs"),
            trial.duration.total_seconds() if trial.duration else None,
            json.dumps(trial.user_attrs.get("configuration", {}), sort_keys=True),
        )
        for trial in finished
    ]
    return Tuned(
        dict(best.user_attrs["configuration"]),
        float(best.value),
        pl.DataFrame(rows, schema=TRIALS, orient="row"),
        sessions_digest,
    )
