"""In: a log that grows, delivery by delivery. Out: its accepted events, day by day."""

from crossrec_pipeline.interactions.deliveries.ledger import known_days, rows_by_day
from crossrec_pipeline.interactions.deliveries.location import is_growing, shown_location
from crossrec_pipeline.interactions.deliveries.publish import (
    DaySummary,
    is_current,
    publish_day,
    published,
    published_days,
    stale_days,
)
from crossrec_pipeline.interactions.deliveries.read import (
    Reading,
    location_fingerprint,
    read_deliveries,
)

__all__ = [
    "DaySummary",
    "Reading",
    "is_current",
    "is_growing",
    "known_days",
    "location_fingerprint",
    "publish_day",
    "published",
    "published_days",
    "read_deliveries",
    "rows_by_day",
    "shown_location",
    "stale_days",
]
