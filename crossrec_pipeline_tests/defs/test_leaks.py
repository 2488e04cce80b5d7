"""Sessions that leak are not trained on."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crossrec_pipeline.defs import sessions
from crossrec_pipeline.defs.leaks import leak_findings
from crossrec_pipeline.errors import CrossrecError
from crossrec_pipeline.sessions.dataset import write_session_dataset
from crossrec_pipeline.sessions.leaks import LEAKS
from crossrec_pipeline.sessions.statistics import SessionStatistics
from crossrec_pipeline.sessions.store import SessionDataset
from crossrec_pipeline_tests.built_world import BuiltWorld, built_world

pytestmark = pytest.mark.xdist_group("built")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> BuiltWorld:
    return built_world(tmp_path_factory)


def _write_changed(
    change: Callable[[SessionDataset], SessionDataset], *arguments: Any, **options: Any
) -> SessionStatistics:
    """Write the session data set, and another one in its place."""
    statistics = write_session_dataset(*arguments, **options)
    target = arguments[-1]
    change(SessionDataset.open(target).in_memory()).save(target)
    return statistics


def test_the_sessions_that_were_built_have_no_leak(world: BuiltWorld):
    findings = leak_findings(world.settings)
    assert [(finding.name, finding.n_found) for finding in findings] == [
        (name, 0) for name in LEAKS
    ]


def test_models_are_not_trained_on_test_sessions(
    world: BuiltWorld, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    def tested_on_train(*arguments: Any, **options: Any) -> SessionStatistics:
        def with_test_as_train(dataset: SessionDataset) -> SessionDataset:
            return dataclasses.replace(dataset, train=dataset.test)

        return _write_changed(with_test_as_train, *arguments, **options)

    before = world.published()
    shorter = world.settings.sessions.model_copy(update={"max_length": 40})
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "write_session_dataset", tested_on_train)
        with pytest.raises(CrossrecError, match="the check failed on what is listed above"):
            world.rebuild(sessions=shorter)
    error = capfd.readouterr().err
    for name in ("parts_in_time", "sessions_in_one_part", "users_future", "repeated_sessions"):
        assert f"✗ check {name}: " in error
    assert "✓ models/" not in error
    assert world.published().equals(before)

    world.rebuild()
    assert all(finding.passed for finding in leak_findings(world.settings))


def test_supports_counted_over_the_whole_log_are_refused(
    world: BuiltWorld, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    def counted_over_all(events_dir: Path, *arguments: Any, **options: Any) -> SessionStatistics:
        """Count supports over the whole log: take every event for one of train."""
        counts = pl.scan_parquet(events_dir / "**/*.parquet").group_by("item_id").len("support")

        def with_all_counted(dataset: SessionDataset) -> SessionDataset:
            frame = dataset.vocabulary.frame.drop("support").join(
                counts.collect().cast({"support": pl.Int64}), on="item_id", maintain_order="left"
            )
            vocabulary = dataclasses.replace(
                dataset.vocabulary, frame=frame.select(dataset.vocabulary.frame.columns)
            )
            return dataclasses.replace(dataset, vocabulary=vocabulary)

        return _write_changed(with_all_counted, events_dir, *arguments, **options)

    before = world.published()
    shorter = world.settings.sessions.model_copy(update={"max_length": 41})
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "write_session_dataset", counted_over_all)
        with pytest.raises(CrossrecError, match="the check failed on what is listed above"):
            world.rebuild(sessions=shorter)
    assert "✗ check vocabulary_of_train: " in capfd.readouterr().err
    assert world.published().equals(before)
    world.rebuild()
