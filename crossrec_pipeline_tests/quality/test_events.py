import datetime as dt
from typing import Any

import polars as pl
import pytest

from crossrec_pipeline.interactions.schema import EVENTS, REJECTED_EVENTS
from crossrec_pipeline.quality.events import events_suite, summarise_events
from crossrec_pipeline.quality.validate import SuiteResult, validate
from crossrec_pipeline.settings import QualitySettings

ITEM_IDS = pl.Series("item_id", ["Movie_Heat", "Book_Emma"])
NOON = dt.datetime(2023, 1, 1, 12, tzinfo=dt.UTC)


def event(**values: Any) -> dict[str, Any]:
    return {"user_id": "u", "item_id": "Movie_Heat", "timestamp": NOON, "log_order": 1} | values


def summary_of(events: list[dict[str, Any]], reasons: tuple[str, ...] = ()) -> pl.DataFrame:
    refused = [event(reason=reason) for reason in reasons]
    return summarise_events(
        pl.LazyFrame(events, schema=EVENTS),
        pl.LazyFrame(refused, schema=REJECTED_EVENTS),
        ITEM_IDS,
    )


def check(events: list[dict[str, Any]], reasons: tuple[str, ...] = ()) -> SuiteResult:
    return validate(summary_of(events, reasons), events_suite(QualitySettings()))


def test_summary_counts_events_by_what_is_wrong_with_them():
    events = [
        event(),
        event(item_id="Book_Emma", timestamp=None),
        event(item_id="Movie_Zodiac"),
        event(item_id="Movie_Alien"),
        event(item_id="Movie_Alien"),
        event(item_id=None),
    ]

    assert summary_of(events, ("duplicate", "no_item", "duplicate", "duplicate")).to_dicts() == [
        {
            "n_events": 6,
            "n_rejected": 4,
            "rejected_share": 0.4,
            "n_without_time": 1,
            "n_without_item": 1,
            "n_unknown_item": 3,
            "unknown_items": "Movie_Alien, Movie_Zodiac",
            "reasons": "duplicate: 3, no_item: 1",
        }
    ]


def test_good_log_passes():
    assert check([event()] * 95, ("duplicate",) * 5).success


@pytest.mark.parametrize(
    ("spoilt", "column"),
    [
        (event(item_id="Movie_Alien"), "n_unknown_item"),
        (event(item_id=None), "n_without_item"),
        (event(timestamp=None), "n_without_time"),
    ],
)
def test_one_bad_event_fails(spoilt: dict[str, Any], column: str):
    result = check([event(), spoilt])

    assert [row.column for row in result.failures] == [column]
    assert result.failures[0].examples[0][column] == 1


def test_unknown_item_is_named():
    assert "Movie\\_Alien" in check([event(), event(item_id="Movie_Alien")]).markdown()


def test_many_rejected_events_fail_and_the_reasons_are_shown():
    result = check([event()] * 9, ("from_future",))

    assert [row.column for row in result.failures] == ["rejected_share"]
    assert result.failures[0].examples[0]["reasons"] == "from_future: 1"


def test_log_without_events_fails():
    result = check([])

    assert [row.column for row in result.failures] == ["n_events"]
