"""In: published and rejected events of some days. Out: a row a day, and the suite about them.

Duplicates are no fault of a log that grows: what is delivered twice is found and left out. And few
events make no share: a day of less than `FEWEST_JUDGED` is judged with all others alone.
"""

from collections.abc import Iterable

import polars as pl

from crossrec_pipeline.quality.events import events_suite, summarise_events
from crossrec_pipeline.quality.expectation import Suite
from crossrec_pipeline.settings import QualitySettings

FEWEST_JUDGED = 100
"""Events delivered for a day whose share of rejected ones is judged by itself."""
ALL_DAYS = "all days"
"""The `day` of the row that is about the whole log."""

_HARMLESS = "duplicate"


def summarise_day(
    day: str, events: pl.LazyFrame, rejected: pl.LazyFrame, item_ids: pl.Series
) -> pl.DataFrame:
    """Count what the checks of one day are about.

    Parameters
    ----------
    day
        Its date, as text.
    events, rejected, item_ids
        As in `quality.events.summarise_events`.

    Returns
    -------
    pl.DataFrame
        One row: day, and the columns of `summarise_events` without duplicates; rejected_share is
        null where too few events were delivered.
    """
    summary = summarise_events(events, rejected.filter(pl.col("reason") != _HARMLESS), item_ids)
    few = pl.col("n_events") + pl.col("n_rejected") < FEWEST_JUDGED
    return summary.select(
        pl.lit(day).alias("day"),
        pl.all().exclude("rejected_share"),
        rejected_share=pl.when(~few).then("rejected_share"),
    )


def summarise_all_days(n_events: int, rejections: Iterable[dict[str, int]]) -> pl.DataFrame:
    """Count the whole log from what is known of its days: one row, columns as in `summarise_day`.

    Parameters
    ----------
    n_events
        Accepted events of all days.
    rejections
        Rejected events by reason, of each day and of those without one.
    """
    reasons: dict[str, int] = {}
    for counts in rejections:
        for reason, n in counts.items():
            if reason != _HARMLESS:
                reasons[reason] = reasons.get(reason, 0) + n
    n_rejected = sum(reasons.values())
    n_delivered = n_events + n_rejected
    row = {
        "day": ALL_DAYS,
        "n_events": n_events,
        "n_rejected": n_rejected,
        # Each day has been looked at for these.
        "n_without_time": 0,
        "n_without_item": 0,
        "n_unknown_item": 0,
        "unknown_items": "",
        "reasons": ", ".join(f"{reason}: {n}" for reason, n in sorted(reasons.items())),
        "rejected_share": n_rejected / n_delivered if n_delivered else None,
    }
    return pl.DataFrame([row], schema_overrides={"rejected_share": pl.Float64()})


def days_suite(bounds: QualitySettings) -> Suite:
    """Return the suite about `summarise_day` and `summarise_all_days`: days may be empty."""
    suite = events_suite(bounds)
    expectations = tuple(each for each in suite.expectations if each.columns != ("n_events",))
    return Suite(suite.name, suite.description, expectations, key=("day",))
