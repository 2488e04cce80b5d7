"""A training that is broken off and taken up again comes to the same weights, to the last bit."""

import re
import signal
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from crossrec_pipeline.errors import TrainingError
from crossrec_pipeline.models.gru4rec import checkpoint, train
from crossrec_pipeline.models.gru4rec.checkpoint import Checkpoints
from crossrec_pipeline.models.gru4rec.config import GRU4RecConfig
from crossrec_pipeline.models.gru4rec.train import train_network
from crossrec_pipeline.sessions.store import SessionStore
from crossrec_pipeline_tests.models.gru4rec.event_stores import with_random_events

CPU = torch.device("cpu")
N_ITEMS = 40
CONFIG = GRU4RecConfig(
    hidden_size=8,
    batch_size=4,
    epochs=3,
    n_negatives=5,
    dropout_embedding=0.2,
    dropout_hidden=0.3,
    patience=3,
)


def _sessions(n_sessions: int, seed: int) -> SessionStore:
    rng = np.random.default_rng(seed)
    store = SessionStore.from_sequences(
        [rng.integers(0, N_ITEMS, rng.integers(1, 9)).tolist() for _ in range(n_sessions)]
    )
    return with_random_events(store, seed)


TRAIN, VALIDATION = _sessions(60, 0), _sessions(20, 1)


class Training:
    """The same training again and again, in one folder."""

    def __init__(self, folder: Path, config: GRU4RecConfig = CONFIG) -> None:
        self.checkpoints = Checkpoints(folder)
        self.config = config
        self.lines: list[str] = []
        self.rows: list[dict[str, float]] = []

    def go_on(self, config: GRU4RecConfig | None = None, sessions: SessionStore = TRAIN):
        self.lines.clear()
        network, report = train_network(
            N_ITEMS,
            config or self.config,
            sessions,
            VALIDATION,
            CPU,
            self.lines.append,
            checkpoints=self.checkpoints,
            on_epoch=self.rows.append,
        )
        return dict(network.named_parameters()), report

    def interrupted_after(self, n_steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
        steps = iter(range(1, 10_000))
        keep_state = train.keep_state

        def interrupting(*args):
            keep_state(*args)
            if next(steps) == n_steps:
                signal.raise_signal(signal.SIGINT)

        with monkeypatch.context() as patch:
            patch.setattr(train, "keep_state", interrupting)
            with pytest.raises(KeyboardInterrupt):
                self.go_on()

    def interrupted_in(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Interrupt the training at the first call of one of its functions."""
        function = getattr(train, name)

        def interrupting(*args):
            signal.raise_signal(signal.SIGINT)
            return function(*args)

        with monkeypatch.context() as patch:
            patch.setattr(train, name, interrupting)
            with pytest.raises(KeyboardInterrupt):
                self.go_on()


def _assert_equal(one, other):
    (weights, report), (other_weights, other_report) = one, other
    for name, value in weights.items():
        assert torch.equal(value, other_weights[name]), name
    for row, other_row in zip(report.history, other_report.history, strict=True):
        assert {**row, "events_per_second": 0} == {**other_row, "events_per_second": 0}
    for name in ("best_epoch", "best_recall_at_20"):
        assert report.summary[name] == other_report.summary[name]


@pytest.fixture
def training(tmp_path: Path) -> Training:
    return Training(tmp_path / "checkpoint")


OPTIONS = {
    f"{softmax}-{optimiser}-{embedding}": CONFIG.model_copy(
        update={
            "n_negatives": None if softmax == "full" else 5,
            "optimiser": optimiser,
            "learning_rate": 3e-3 if optimiser == "adam" else 0.05,
            "embedding": embedding,
            "embedding_dim": 6 if embedding == "separate" else None,
            "n_layers": 2 if embedding == "separate" else 1,
        }
    )
    for softmax, optimiser, embedding in product(
        ["full", "sampled"], ["adam", "adagrad"], ["constrained", "separate"]
    )
}


OPTIONS |= {
    f"event inputs-{name}": config.model_copy(update={"event_inputs": ("event_type", "gap")})
    for name, config in OPTIONS.items()
    if name in ("full-adam-constrained", "sampled-adagrad-separate")
}


@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)
def test_interrupted_training_comes_to_the_same_weights(config, tmp_path, monkeypatch):
    whole = Training(tmp_path / "whole", config).go_on()
    broken = Training(tmp_path / "broken", config)
    broken.interrupted_after(3, monkeypatch)
    broken.interrupted_after(20, monkeypatch)
    broken.interrupted_in("validation_recall", monkeypatch)
    broken.interrupted_in("_epoch_line", monkeypatch)
    result = broken.go_on()
    _assert_equal(result, whole)
    assert result[1].summary["resumed"] == 4
    assert "resumed" not in whole[1].summary


def test_training_killed_in_an_epoch_goes_on_from_the_end_of_the_one_before(
    training, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    whole = Training(tmp_path / "whole").go_on()
    with monkeypatch.context() as patch:
        patch.setattr(train, "_epoch_line", killed)
        with pytest.raises(Killed):
            training.go_on()
    with monkeypatch.context() as patch:
        patch.setattr(train, "keep_state", killed)
        with pytest.raises(Killed):
            training.go_on()
    _assert_equal(training.go_on(), whole)
    assert training.lines[0] == "going on from epoch 2, 0 %"


def test_training_killed_in_an_epoch_goes_on_from_minutes_before(training, tmp_path, monkeypatch):
    whole = Training(tmp_path / "whole").go_on()
    object.__setattr__(training.checkpoints, "minutes", 1e-9)
    steps = iter(range(1, 100))
    keep_state = train.keep_state

    def killed(*args):
        keep_state(*args)
        if next(steps) == 7:
            raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(train, "keep_state", killed)
        with pytest.raises(SystemExit):
            training.go_on()
    _assert_equal(training.go_on(), whole)
    # Of about 210 predictions, six steps of eight.
    assert re.fullmatch(r"going on from epoch 1, 2\d %", training.lines[0])


def test_checkpoint_of_a_finished_training_gives_the_same_model_at_once(training, monkeypatch):
    whole = training.go_on()
    monkeypatch.setattr(train, "keep_state", None)
    _assert_equal(training.go_on(), whole)
    assert training.lines == ["going on from the end of epoch 3, the last one"]


def test_early_stopping_counts_the_epochs_before_the_interruption(tmp_path, monkeypatch):
    def recalls():
        values = iter([0.1, 0.4, 0.3, 0.2, 0.9])
        return lambda *_: next(values)

    config = CONFIG.model_copy(update={"epochs": 10, "patience": 2})
    monkeypatch.setattr(train, "validation_recall", recalls())
    whole = Training(tmp_path / "whole", config).go_on()
    broken = Training(tmp_path / "broken", config)
    monkeypatch.setattr(train, "validation_recall", recalls())
    with monkeypatch.context() as patch:
        epoch_line = train._epoch_line

        def stopped_after_three(row, epochs):
            if row["epoch"] == 3:
                raise KeyboardInterrupt
            return epoch_line(row, epochs)

        patch.setattr(train, "_epoch_line", stopped_after_three)
        with pytest.raises(KeyboardInterrupt):
            broken.go_on()
    result = broken.go_on()
    _assert_equal(result, whole)
    assert len(result[1].history) == 4
    assert result[1].summary["best_epoch"] == 2


def test_interrupted_training_says_where_it_stopped_and_goes_on(training, monkeypatch):
    training.interrupted_after(40, monkeypatch)
    assert re.match(r"epoch 1/3 ", training.lines[0])
    assert re.fullmatch(
        r"stopped at epoch 2, \d\d %, which is kept: train again with the same sessions and "
        "settings to go on from there",
        training.lines[-1],
    )
    training.go_on()
    assert re.fullmatch(r"going on from epoch 2, \d\d %", training.lines[0])
    assert [row["epoch"] for row in training.rows] == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"learning_rate": 0.01}, "learning_rate 0.003, now 0.01"),
        ({"epochs": 4, "seed": 1}, "epochs 3, now 4; seed 0, now 1"),
    ],
)
def test_checkpoint_of_another_configuration_is_named_and_not_used(
    training, tmp_path, monkeypatch, change, words
):
    config = CONFIG.model_copy(update=change)
    training.interrupted_after(5, monkeypatch)
    result = training.go_on(config)
    assert training.lines[0] == (
        f"The checkpoint {training.checkpoints.path} is of another training ({words}). "
        "Training starts anew."
    )
    _assert_equal(result, Training(tmp_path / "whole", config).go_on())


def test_checkpoint_of_other_sessions_is_not_used(training, monkeypatch):
    training.interrupted_after(5, monkeypatch)
    training.go_on(sessions=_sessions(60, 2))
    assert "is of another training (other train sessions). Training starts" in training.lines[0]


def test_checkpoint_of_other_code_is_not_used(training, monkeypatch):
    training.interrupted_after(5, monkeypatch)
    monkeypatch.setattr(checkpoint, "CODE", "edited")
    training.go_on()
    assert "is of another training (other code). Training starts" in training.lines[0]


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign"])
def test_damaged_checkpoint_is_named_and_not_used(training, monkeypatch, damage):
    training.interrupted_after(5, monkeypatch)
    path = training.checkpoints.path
    content = {"truncated": path.read_bytes()[:-9], "empty": b"", "foreign": b"\x80\x04" * 40}
    path.write_bytes(content[damage])
    training.go_on()
    assert re.match(
        rf"The checkpoint {path} cannot be read \(.*\)\. Training starts anew\.", training.lines[0]
    )


def test_checkpoint_holds_no_pickle(training, monkeypatch):
    training.interrupted_after(5, monkeypatch)
    content = training.checkpoints.path.read_bytes()
    header = int.from_bytes(content[:8], "little")
    assert content[8:9] == b"{"
    assert b'"state/' not in content[8 : 8 + header]
    assert b'"weights/gru.weight_hh_l0"' in content[8 : 8 + header]


def test_full_disk_does_not_stop_training(training, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    whole = Training(tmp_path / "whole").go_on()
    monkeypatch.setattr(checkpoint, "save_file", full)
    _assert_equal(training.go_on(), whole)
    assert training.lines[0] == (
        "No checkpoint could be written ([Errno 28] No space left on device); training goes on "
        "without it."
    )
    assert not list(training.checkpoints.folder.iterdir())


def test_weights_that_are_not_finite_are_never_kept_and_the_last_good_ones_are(
    training, monkeypatch
):
    def overflowing(made, *rest):
        overflowed = torch.full_like(made.output_bias.data, float("inf"))
        monkeypatch.setattr(train, "keep_state", lambda *_: made.output_bias.data.copy_(overflowed))
        return run_class(made, *rest)

    training.interrupted_after(40, monkeypatch)
    good = training.checkpoints.path.read_bytes()
    object.__setattr__(training.checkpoints, "minutes", 1e-9)
    run_class = train.TrainingRun
    monkeypatch.setattr(train, "TrainingRun", overflowing)
    with pytest.raises(TrainingError, match=r"not finite after epoch 2, step \d+\. Take a lower"):
        training.go_on()
    assert training.checkpoints.path.read_bytes() == good


def test_removed_checkpoint_is_gone_with_its_folder(training):
    training.go_on()
    assert training.checkpoints.path.exists()
    training.checkpoints.remove()
    assert not training.checkpoints.folder.exists()
    training.checkpoints.remove()
