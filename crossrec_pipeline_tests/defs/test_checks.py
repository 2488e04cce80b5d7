"""The freshness check; the blocking ones are shown failing in test_lineage.py."""

from pathlib import Path

import dagster as dg
import pytest

from crossrec_pipeline.definitions import build_definitions
from crossrec_pipeline.defs.sources import report_sources, source_key
from crossrec_pipeline.settings import Settings, load_settings

DAY = 86_400


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    books = tmp_path / "books.csv"
    books.write_text("Book,Author\nEmma,Jane Austen\n")
    return load_settings(
        data_dir=tmp_path / "data",
        domains=("books",),
        sources={"books": str(books)},
        quality={"fresh_within_days": 8},
    )


def check_freshness(settings: Settings, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    job = dg.Definitions.merge(
        build_definitions(settings),
        dg.Definitions(
            jobs=[
                dg.define_asset_job(
                    "ages",
                    dg.AssetSelection.checks(dg.AssetCheckKey(source_key("books"), "freshness")),
                )
            ]
        ),
    ).resolve_job_def("ages")
    (evaluation,) = job.execute_in_process(instance=instance).get_asset_check_evaluations()
    return evaluation


def test_a_source_never_looked_at_is_not_fresh(settings: Settings):
    evaluation = check_freshness(settings, dg.DagsterInstance.ephemeral())
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.WARN


def test_a_source_is_fresh_until_the_days_allowed_have_passed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    instance = dg.DagsterInstance.ephemeral()
    report_sources(settings, instance)
    assert check_freshness(settings, instance).passed

    report = instance.get_latest_materialization_event(source_key("books"))
    assert report is not None
    later = report.timestamp + 9 * DAY
    monkeypatch.setattr("crossrec_pipeline.defs.checks.time.time", lambda: later)
    evaluation = check_freshness(settings, instance)
    assert not evaluation.passed
    assert evaluation.description == "Last changed 9.0 days ago; 8 are allowed."
