import datetime as dt

import polars as pl

from crossrec_pipeline.interactions.schema import EVENTS, REJECTED_EVENTS
from crossrec_pipeline.quality.days import (
    ALL_DAYS,
    FEWEST_JUDGED,
    days_suite,
    summarise_all_days,
    summarise_day,
)
from crossrec_pipeline.quality.validate import validate
from crossrec_pipeline.settings import QualitySettings

ITEM_IDS = pl.Series("item_id", ["Movie_Heat"])
NOON = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
EVENT = {"user_id": "u", "item_id": "Movie_Heat", "timestamp": NOON, "log_order": 1}


def day_of(n_events: int, *reasons: str) -> pl.DataFrame:
    return summarise_day(
        "2024-03-01",
        pl.LazyFrame([EVENT] * n_events, schema=EVENTS),
        pl.LazyFrame([EVENT | {"reason": each} for each in reasons], schema=REJECTED_EVENTS),
        ITEM_IDS,
    )


def holds(*rows: pl.DataFrame) -> bool:
    return validate(pl.concat(rows), days_suite(QualitySettings())).success


def test_duplicates_are_no_rejections_of_a_day():
    row = day_of(150, *["duplicate"] * 150, "unknown_item").to_dicts()[0]
    # 1 of 150 + 1.
    assert (row["day"], row["n_rejected"], row["reasons"]) == ("2024-03-01", 1, "unknown_item: 1")
    assert row["rejected_share"] == 1 / 151


def test_a_day_of_few_events_has_no_share():
    assert day_of(FEWEST_JUDGED - 2, "no_item")["rejected_share"].item() is None
    assert day_of(FEWEST_JUDGED - 1, "no_item")["rejected_share"].item() == 1 / FEWEST_JUDGED


def test_an_empty_day_is_no_fault():
    assert holds(day_of(0))


def test_a_small_day_is_not_refused_alone_but_with_all_days_together():
    bad = day_of(10, *["unknown_item"] * 10)
    assert holds(bad)
    assert holds(bad, summarise_all_days(990, [{"unknown_item": 10}]))
    # 10 / (90 + 10) is above 5 %.
    assert not holds(bad, summarise_all_days(90, [{"unknown_item": 10}]))


def test_a_bad_day_among_good_ones_is_refused_and_named():
    bad = day_of(94, *["unknown_item"] * 6)
    result = validate(pl.concat([day_of(200), bad]), days_suite(QualitySettings()))
    assert not result.success
    assert [example["day"] for example in result.failures[0].examples] == ["2024-03-01"]


def test_all_days_add_up_without_duplicates():
    row = summarise_all_days(
        8, [{"no_item": 1, "duplicate": 5}, {}, {"no_item": 1}, {"from_future": 0}]
    ).to_dicts()[0]
    assert (row["day"], row["n_events"], row["n_rejected"]) == (ALL_DAYS, 8, 2)
    assert row["rejected_share"] == 2 / 10


def test_of_no_days_there_is_no_share():
    assert summarise_all_days(0, [])["rejected_share"].item() is None
    assert holds(summarise_all_days(0, []))
