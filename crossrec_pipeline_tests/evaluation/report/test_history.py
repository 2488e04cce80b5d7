from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from crossrec_pipeline.errors import EvaluationError
from crossrec_pipeline.evaluation.report.history import (
    PAGES_KEPT,
    RECORDS_KEPT,
    ReportRecord,
    keep,
    new_record,
    read_history,
    with_record,
)
from crossrec_pipeline_tests.evaluation.report.report_inputs import METRICS, record, value


def made(version: str = "v1", time: datetime = datetime(2023, 3, 1, tzinfo=UTC)) -> ReportRecord:
    return new_record(
        METRICS,
        metrics_version=version,
        data_versions={"sessions/sequences": "2c3d"},
        code_version="0.1.0",
        main_model="gru4rec",
        time=time,
    )


def test_a_record_holds_the_figures_of_every_model_but_chance():
    figures = made().figures

    assert set(figures) == {"markov", "gru4rec", "oracle"}
    recall = figures["gru4rec"]["recall"]
    assert recall.value == value("gru4rec", "recall", 20)
    assert recall.low is not None
    assert recall.low < value("gru4rec", "recall", 20)


def test_times_are_kept_in_utc():
    there = timezone(timedelta(hours=2))

    assert made(time=datetime(2023, 3, 1, 1, 30, tzinfo=there)).time.startswith("2023-02-28T23:30")


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path):
    keep([made()], "<p>page</p>", tmp_path)

    assert read_history(tmp_path) == [made()]
    (page,) = tmp_path.glob("*.html")
    assert page.read_text() == "<p>page</p>"
    assert page.stem == "20230301T000000000000Z"


def test_equal_metrics_make_no_new_record():
    later = made(time=datetime(2023, 3, 2, tzinfo=UTC))

    assert with_record([made()], later) == [made()]


def test_metrics_that_come_back_after_others_are_recorded_again():
    versions = [of.metrics_version for of in with_record([made("v1"), made("v2")], made("v1"))]

    assert versions == ["v1", "v2", "v1"]


def test_a_page_that_is_kept_is_not_written_again(tmp_path: Path):
    keep([made()], "first", tmp_path)
    keep([made()], "second", tmp_path)

    assert [path.read_text() for path in tmp_path.glob("*.html")] == ["first"]


def test_only_the_newest_records_and_fewer_pages_are_kept(tmp_path: Path):
    start = datetime(2023, 1, 1, tzinfo=UTC)
    records: list[ReportRecord] = []
    for number in range(RECORDS_KEPT + 3):
        new = made(f"v{number}", start + timedelta(days=number))
        records = with_record(records, new)
        keep(records, "page", tmp_path)

    kept = read_history(tmp_path)
    assert kept == records
    assert [of.metrics_version for of in kept][:2] == ["v3", "v4"]
    assert len(kept) == RECORDS_KEPT
    pages = sorted(path.stem for path in tmp_path.glob("*.html"))
    assert pages == sorted(path.stem for path in tmp_path.glob("*.json"))[-PAGES_KEPT:]


def test_without_a_folder_there_is_no_history(tmp_path: Path):
    assert read_history(tmp_path / "history") == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"figures": {}}', '{"figures": {"a": 1}}'])
def test_a_file_that_is_no_record_is_named(tmp_path: Path, content: str):
    keep([record(1)], "page", tmp_path)
    (tmp_path / "20230302T000000000000Z.json").write_text(content)

    with pytest.raises(EvaluationError, match=r"20230302T000000000000Z\.json is no record.*Delete"):
        read_history(tmp_path)
