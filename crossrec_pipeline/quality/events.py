"""Published and rejected events in; a one-row summary and the suite about it out.

The log is scanned, never held in memory: only counts by item id are.
"""

import polars as pl

from crossrec_pipeline.quality.expectation import Suite, between
from crossrec_pipeline.settings import QualitySettings

EVENTS_SUITE = "events"
EVENTS_DESCRIPTION = (
    "Events are of known items and have a time, and few of the log's events were rejected."
)

_SHOWN_IDS = 10


def summarise_events(
    events: pl.LazyFrame, rejected: pl.LazyFrame, item_ids: pl.Series
) -> pl.DataFrame:
    """Count what the checks of a log are about.

    Parameters
    ----------
    events
        Accepted events, with at least item_id and timestamp of the schema `EVENTS`.
    rejected
        Refused events, with at least the column reason.
    item_ids
        The ids of `catalogue.items`.

    Returns
    -------
    pl.DataFrame
        One row: n_events, n_rejected; rejected_share of both together (0 to 1; null without any);
        n_without_time; n_without_item, events whose item_id is null; n_unknown_item, events of
        items that are not in `item_ids`; unknown_items, the first of those ids in alphabetical
        order, and reasons, the number of rejected events for each, as text.
    """
    by_item = (
        events.group_by("item_id")
        .agg(n=pl.len(), n_without_time=pl.col("timestamp").null_count())
        .collect(engine="streaming")
    )
    by_reason = (
        rejected.group_by("reason")
        .agg(n=pl.len())
        .collect(engine="streaming")
        .sort("n", "reason", descending=[True, False])
    )
    without_item = by_item.filter(pl.col("item_id").is_null())
    unknown = by_item.filter(
        pl.col("item_id").is_not_null() & ~pl.col("item_id").is_in(item_ids.implode())
    ).sort("item_id")
    n_events, n_rejected = int(by_item["n"].sum()), int(by_reason["n"].sum())
    n_delivered = n_events + n_rejected
    row = {
        "n_events": n_events,
        "n_rejected": n_rejected,
        "rejected_share": n_rejected / n_delivered if n_delivered else None,
        "n_without_time": int(by_item["n_without_time"].sum()),
        "n_without_item": int(without_item["n"].sum()),
        "n_unknown_item": int(unknown["n"].sum()),
        "unknown_items": ", ".join(unknown["item_id"].head(_SHOWN_IDS)),
        "reasons": ", ".join(f"{reason}: {n}" for reason, n in by_reason.iter_rows()),
    }
    return pl.DataFrame([row], schema=_SUMMARY)


_SUMMARY: dict[str, pl.DataType] = {
    "n_events": pl.Int64(),
    "n_rejected": pl.Int64(),
    "rejected_share": pl.Float64(),
    "n_without_time": pl.Int64(),
    "n_without_item": pl.Int64(),
    "n_unknown_item": pl.Int64(),
    "unknown_items": pl.String(),
    "reasons": pl.String(),
}


def events_suite(bounds: QualitySettings) -> Suite:
    """Return the suite about `summarise_events`."""
    return Suite(
        EVENTS_SUITE,
        EVENTS_DESCRIPTION,
        (
            between(
                "n_events",
                "Nothing can be learned from an empty log.",
                min_value=1,
                show=("n_rejected", "reasons"),
            ),
            between(
                "n_unknown_item",
                "An item that is not in the catalogue can be neither shown nor recommended.",
                max_value=0,
                show=("unknown_items",),
            ),
            between("n_without_item", "An event is about an item.", max_value=0),
            between("n_without_time", "Sessions are cut and split by time.", max_value=0),
            between(
                "rejected_share",
                "Many rejected events mean that the log is read wrongly, or is of other items. If "
                "it is meant, raise CROSSREC_QUALITY__MAX_REJECTED_EVENTS_SHARE.",
                max_value=bounds.max_rejected_events_share,
                show=("n_rejected", "n_events", "reasons"),
            ),
        ),
    )
