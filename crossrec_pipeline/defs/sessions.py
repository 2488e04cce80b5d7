"""Sessions, split in time and memory-mapped."""

import json
from pathlib import Path

import dagster as dg

from crossrec_pipeline.atomic import atomic_file
from crossrec_pipeline.defs.automation import after_upstream
from crossrec_pipeline.defs.catalogue import ITEMS_KEY
from crossrec_pipeline.defs.failures import reports_errors
from crossrec_pipeline.defs.interactions import EVENTS_KEY
from crossrec_pipeline.defs.metadata import counts_table, lineage
from crossrec_pipeline.interactions.verdict import LogVerdict
from crossrec_pipeline.resources import DUCKDB_POOL, Warehouse
from crossrec_pipeline.sessions.dataset import build_session_dataset
from crossrec_pipeline.settings import Settings

SEQUENCES_KEY = dg.AssetKey(["sessions", "sequences"])


def statistics_path(settings: Settings) -> Path:
    """Return where the counts of the last build lie."""
    return settings.sessions_dir.with_name("session_statistics.json")


@dg.asset(
    key=SEQUENCES_KEY,
    deps=[EVENTS_KEY, ITEMS_KEY],
    group_name="sessions",
    kinds={"duckdb", "numpy"},
    owners=["team:data"],
    code_version="1",
    pool=DUCKDB_POOL,
    automation_condition=after_upstream(),
    description=(
        "Events grouped into sessions by inactivity, cut once in time into train, validation and "
        "test, as memory-mapped arrays; the vocabulary is made from train alone."
    ),
)
@reports_errors
def sequences(settings: dg.ResourceParam[Settings], warehouse: Warehouse) -> dg.MaterializeResult:
    """Build the session data set."""
    from crossrec_pipeline.exploration.page import preview_session_charts
    from crossrec_pipeline.rendering import png_markdown

    LogVerdict(settings.log_verdict_path).require()
    dataset, statistics = build_session_dataset(
        settings.events_dir, warehouse.read("catalogue.items"), settings.sessions, settings.split
    )
    dataset.save(settings.sessions_dir)
    counts = statistics.as_dict()
    with atomic_file(statistics_path(settings)) as partial:
        partial.write_text(json.dumps(counts, indent=1))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(statistics.sessions.values()),
            "sessions by part": counts_table(statistics.sessions, "part", "sessions"),
            "events by part": counts_table(statistics.events, "part", "events"),
            "items in the vocabulary": dataset.vocabulary.n_items,
            "statistics": dg.MetadataValue.json(counts),
            "dagster/column_lineage": lineage({"item_index": [(EVENTS_KEY, "item_id")]}),
            "path": dg.MetadataValue.path(settings.sessions_dir),
            **{
                title: dg.MetadataValue.md(png_markdown(chart))
                for title, chart in preview_session_charts(dataset).items()
            },
        },
        data_version=dg.DataVersion(dataset.digest),
    )
