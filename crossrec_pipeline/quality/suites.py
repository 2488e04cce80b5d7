"""Staged frames, history and bounds in; pairs of a flat frame and the suite about it, out.

Each suite is one named check before `catalogue.items` is published. All of them follow from the
domains: an added domain gets its own.
"""

import datetime as dt
import re
import sys
from collections.abc import Mapping, Sequence

import polars as pl

from crossrec_pipeline.catalogue.schema import ITEMS
from crossrec_pipeline.domains import DomainSpec
from crossrec_pipeline.parsers import EARLIEST_YEAR, YEARS_AHEAD
from crossrec_pipeline.quality import audit
from crossrec_pipeline.quality.expectation import (
    Suite,
    between,
    equal,
    has_rows,
    in_set,
    lacks,
    matches,
    not_null,
    unique,
    unique_together,
)
from crossrec_pipeline.settings import QualitySettings

STAGED_SUITES: dict[str, str] = {
    "schema": "Every staged table has its declared columns, each with its declared type.",
    "completeness": "No cell is empty that the missing-value policy fills or rejects.",
    "placeholders": "Placeholders stand exactly where the source has no value, and `imputed` "
    "names exactly those columns.",
    "identity": "Each item has one id, with the prefix of its type, and comes from one row.",
    "ranges": "Numbers, dates and texts are within what they can mean.",
    "conservation": "Every delivered row is an item or a rejected row with a reason, once.",
    "rejections": "Few rows of each source are lost; rows merged into another are not lost.",
    "size": "No source has shrunk much since the last published build.",
    "fill_rates": "No column of a source has become much emptier or fuller since the last "
    "published build.",
}
"""Name and description of each check of the staged catalogue, in the order they are run."""

_ITEM = ("item_id", *audit.ROW)


def staged_suites(
    specs: Sequence[DomainSpec],
    items: pl.DataFrame,
    rejected: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
    history: pl.DataFrame,
    bounds: QualitySettings,
) -> list[tuple[pl.DataFrame, Suite]]:
    """Prepare the checks of a staged catalogue.

    Parameters
    ----------
    specs
        The domains.
    items, rejected
        Staged frames, by the schemas `ITEMS` and `REJECTED_ITEMS`.
    raw
        The delivered rows by the name of the domain: every declared column as text, `source` and
        `source_row`.
    history
        Published builds, by the schema `BUILD_HISTORY`; empty before the first.
    bounds
        How much may be rejected, shrink and drift.

    Returns
    -------
    list of (pl.DataFrame, Suite)
        For `validate_suites`; one for each of `STAGED_SUITES`, in that order. If a declared column
        is missing or has another type, every suite says so and looks at nothing else.
    """
    schema = audit.schema_audit(specs, items, rejected, raw)
    if schema.filter(pl.col("expected") != pl.col("found")).height:
        return [(schema, _schema_suite(name)) for name in STAGED_SUITES]
    flat = audit.items_audit(specs, items)
    conservation = audit.conservation_audit(specs, items, rejected, raw)
    return [
        (schema, _schema_suite("schema")),
        (flat, _completeness_suite()),
        (audit.placeholder_audit(specs, items, raw), _placeholders_suite()),
        (flat, _identity_suite(specs)),
        (flat, _ranges_suite(dt.date.today())),
        (conservation, _conservation_suite()),
        (audit.rejection_audit(specs, rejected, raw), _rejections_suite(bounds)),
        (audit.size_audit(specs, items, rejected, raw, history), _size_suite(bounds)),
        (audit.fill_rate_audit(specs, items, history), _fill_rates_suite(bounds)),
    ]


def _schema_suite(name: str) -> Suite:
    return Suite(
        name,
        STAGED_SUITES[name],
        (equal("expected", "found", "Readers of the table find columns by name and by type."),),
        key=("table", "column"),
    )


def _completeness_suite() -> Suite:
    always = "Nothing downstream expects it to be empty."
    filled = "Where the source has none, the missing-value policy puts a placeholder."
    reasons = {"description": filled, "genres": filled, "creators": filled, "popularity": filled}
    names = [name for name in ITEMS if name not in ("raw_popularity", "release_date")]
    lists = "A list without a name in it reads as if the source had one."
    return Suite(
        "completeness",
        STAGED_SUITES["completeness"],
        (
            *(not_null(name, reasons.get(name, always)) for name in names),
            *(matches(name, r"\S", always) for name in ("title", "description")),
            *(
                between(f"{name}_length", lists, min_value=1, show=(name,))
                for name in ("genres", "creators")
            ),
            *(
                between(f"{name}_blank", lists, max_value=0, show=(name,))
                for name in ("genres", "creators")
            ),
        ),
        key=_ITEM,
    )


def _placeholders_suite() -> Suite:
    shown = ("value", "source_value")
    return Suite(
        "placeholders",
        STAGED_SUITES["placeholders"],
        (
            not_null(
                "source_is_empty",
                "The item's row was delivered, with all that its domain cannot do without.",
                show=shown,
            ),
            equal(
                "holds_placeholder",
                "source_is_empty",
                "A placeholder hides a value; anything else where there is none is made up.",
                show=shown,
            ),
            equal(
                "marked",
                "source_is_empty",
                "Filled cells are told from delivered ones by `imputed` alone.",
                show=shown,
            ),
        ),
        key=(*_ITEM, "column"),
    )


def _identity_suite(specs: Sequence[DomainSpec]) -> Suite:
    return Suite(
        "identity",
        STAGED_SUITES["identity"],
        (
            has_rows("A catalogue without items would replace the published one."),
            unique("item_id", "Users' logs and trained models name items by their id."),
            unique_together(audit.ROW, "A row made into two items is counted twice."),
            in_set(
                "item_type",
                [spec.item_type for spec in specs],
                "Only the types of the configured domains are known.",
            ),
            *(
                matches(
                    audit.id_column(spec),
                    rf"^{re.escape(spec.prefix)}\S",
                    f"An id of {spec.name} begins with {spec.prefix} and goes on.",
                )
                for spec in specs
            ),
        ),
        key=_ITEM,
    )


def _ranges_suite(today: dt.date) -> Suite:
    first_day = dt.date(EARLIEST_YEAR, 1, 1)
    last_day = dt.date(today.year + YEARS_AHEAD, 12, 31)
    return Suite(
        "ranges",
        STAGED_SUITES["ranges"],
        (
            between("popularity", "It is a percentile rank.", min_value=0, max_value=1),
            between(
                "raw_popularity",
                "Ranks of infinite or undefined numbers mean nothing.",
                min_value=-sys.float_info.max,
                max_value=sys.float_info.max,
            ),
            between(
                "release_date",
                "Years such as 9999 are the source's way to say unknown.",
                min_value=first_day,
                max_value=last_day,
            ),
            lacks("title", r"^\s|\s$", "Titles are compared and searched without outer blanks."),
        ),
        key=_ITEM,
    )


def _conservation_suite() -> Suite:
    return Suite(
        "conservation",
        STAGED_SUITES["conservation"],
        (
            equal(
                "rows_in",
                "rows_accounted",
                "Items and rejected rows must add up to the rows delivered.",
                show=("rows_out", "rows_rejected", "astray"),
            ),
            between(
                "rows_astray",
                "A lost row and one counted twice add up, but are both wrong.",
                max_value=0,
                show=("astray",),
            ),
            between("rows_unexplained", "A rejected row says why.", max_value=0),
        ),
        key=("source",),
    )


def _rejections_suite(bounds: QualitySettings) -> Suite:
    return Suite(
        "rejections",
        STAGED_SUITES["rejections"],
        (
            between(
                "rejected_share",
                "Many rejected rows mean that the source changed, or is read wrongly. If it is "
                "meant, raise CROSSREC_QUALITY__MAX_REJECTED_SHARE.",
                max_value=bounds.max_rejected_share,
                show=("rows_lost", "rows_in", "reasons"),
            ),
        ),
        key=("source",),
    )


def _size_suite(bounds: QualitySettings) -> Suite:
    return Suite(
        "size",
        STAGED_SUITES["size"],
        (
            between(
                "rows_out",
                "A source without items is a source that was not read.",
                min_value=1,
                show=("rows_in", "rows_rejected"),
            ),
            between(
                "size_ratio",
                "A source that shrank was likely delivered in part, and items in use would vanish. "
                "If it is meant, raise CROSSREC_QUALITY__MAX_SHRINK for one build.",
                min_value=1 - bounds.max_shrink,
                show=("rows_out", "last_rows_out"),
            ),
        ),
        key=("source",),
    )


def _fill_rates_suite(bounds: QualitySettings) -> Suite:
    return Suite(
        "fill_rates",
        STAGED_SUITES["fill_rates"],
        (
            between(
                "change",
                "A fill rate that jumps means a column was renamed, or is written another way. If "
                "it is meant, raise CROSSREC_QUALITY__MAX_FILL_DRIFT for one build.",
                min_value=-bounds.max_fill_drift,
                max_value=bounds.max_fill_drift,
                show=("fill_rate", "last_fill_rate"),
            ),
        ),
        key=("source", "column"),
    )
